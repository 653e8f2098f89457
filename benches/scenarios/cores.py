"""What a second core brings."""

from __future__ import annotations

import os

from ..measure import Runs
from ..plan import short
from ..table import Bar, Row, Section, compare
from ..workload import window
from . import Bench

CLOSE_TO_TWO = Bar(1.7, at_most=False, words="(close to 2)")


def cores(bench: Bench) -> Section:
    """The same check, kept to one core and to two."""
    plan = bench.plan
    available = sorted(os.sched_getaffinity(0))[:2]
    logs = window(plan, plan.most_rows)
    one, two = "on one core", "on two cores"
    measured = f"one core, {short(logs.rows)} rows of Parquet"
    title = "A second core"
    if len(available) < 2:
        return Section(title, [Row(measured, two, "wall", "not measured: there is one core", bar=str(CLOSE_TO_TWO))])
    commands = [
        bench.drift_check.check(name, logs, bench.reference, prefix=("taskset", "--cpu-list", ",".join(map(str, cpus))))
        for name, cpus in ((one, available[:1]), (two, available))
    ]
    runs = Runs(commands, plan.rounds)
    return Section(title, [compare(measured, "two cores", "wall", runs.wall_s(one), runs.wall_s(two), CLOSE_TO_TWO, judged=plan.judged)])
