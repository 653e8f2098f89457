"""What the same check costs on an Apache Spark cluster: one of this machine, so that a core can be compared with a core."""

from __future__ import annotations

import os
from dataclasses import dataclass

from ..measure import Command, once
from ..plan import short
from ..spark_server import SparkServer, running
from ..table import Row, Section, compare
from ..workload import FEATURES, Dataset, window
from . import Bench

COLUMNS = FEATURES + 2
"""Features, class and confidence."""


@dataclass
class Sides:
    """Wall and processor time in each round."""

    wall_s: list[float]
    cpu_s: list[float]


def cluster(bench: Bench) -> Section:
    """A check here and on a server with as many cores, in turn."""
    plan = bench.plan
    if not bench.environments.is_installed("spark"):
        return Section("On a cluster", [Row("drift-check on Spark", "", "", "not measured: Spark could not be installed")])
    cores = len(os.sched_getaffinity(0))
    logs = [window(plan, rows) for rows in plan.sizes]
    with running(bench.environments.root / "spark", cores) as server:
        # Its code is compiled while it runs: the first questions of its life take longer.
        for _ in range(2):
            once(command(bench, logs[0], server))
        measured = [(dataset, *sides(bench, dataset, server)) for dataset in logs]
    rows = [row for dataset, here, there in measured for row in compared(dataset, here, there)]
    setting = (
        f"Apache Spark with `local[{cores}]` on the same machine; {COLUMNS} columns, a reference of {short(plan.reference_rows)} rows, whose "
        "grids have up to 65,536 knots. The processor time of the cluster is that of the server, with its compiler and garbage collector, and of the check."
    )
    (small, small_here, small_there), (large, large_here, large_there) = measured[0], measured[-1]
    values = (large.rows - small.rows) * COLUMNS
    here_ns, there_ns = ((min(b.cpu_s) - min(a.cpu_s)) / values * 1e9 for a, b in ((small_here, large_here), (small_there, large_there)))
    rates = (
        f"From {short(small.rows)} to {short(large.rows)} rows, each value more took {here_ns:.0f} ns of a core here and {there_ns:,.0f} ns of a "
        f"core of the cluster: {there_ns / here_ns:.0f} of its cores do what one does here."
    )
    return Section("On a cluster", rows, [setting, rates])


def command(bench: Bench, dataset: Dataset, server: SparkServer | None) -> Command:
    """A check of all rows, here or on a server."""
    name = f"{short(dataset.rows)} rows {'on the cluster' if server else 'here'}"
    settings = {"DRIFT_CHECK__REPORT__BACKFILL_WINDOWS": "0", **(server.settings if server else {})}
    return bench.drift_check.check(name, dataset, bench.reference, settings=settings)


def sides(bench: Bench, dataset: Dataset, server: SparkServer) -> tuple[Sides, Sides]:
    """Here and there, in turn; a window that takes minutes only once."""
    here, there = Sides([], []), Sides([], [])
    rounds = 1 if dataset.rows >= bench.plan.most_rows else bench.plan.slow_rounds
    for _ in range(rounds):
        run = once(command(bench, dataset, None))
        here.wall_s.append(run.wall_s)
        here.cpu_s.append(run.cpu_s)
        before_s = server.cpu_s()
        run = once(command(bench, dataset, server))
        there.wall_s.append(run.wall_s)
        there.cpu_s.append(run.cpu_s + server.cpu_s() - before_s)
    return here, there


def compared(dataset: Dataset, here: Sides, there: Sides) -> list[Row]:
    """One size."""
    measured = f"{short(dataset.rows)} rows on the cluster"
    return [
        compare(measured, "here", "wall", there.wall_s, here.wall_s),
        compare(measured, "here", "CPU", there.cpu_s, here.cpu_s),
    ]
