"""The second run over the same logs, with what the first one remembered."""

from __future__ import annotations

import shutil
from dataclasses import replace

from ..measure import Runs
from ..plan import short
from ..table import Bar, Section, compare
from ..workload import window
from . import Bench

SETTINGS = {"DRIFT_CHECK__CACHE__MAX_BYTES": "4294967296"}
"""Room for the counts of large hours: with 65,536 knots a feature, one hour takes some megabytes."""

FOLDER = "reports"
"""Where in the bucket the cache lies, with the reports: emptied before each first run."""

BAR: Bar | None = None
"""What the second run over the first one is held against, once there is a bar."""


def cache(bench: Bench) -> Section:
    """The largest window twice: first without anything remembered, then with it. Not a dry run, which would remember nothing."""
    plan = bench.plan
    title = "The second run"
    logs = window(plan, plan.most_rows)
    measured = f"drift-check with its cache, second run, {short(logs.rows)} rows of Parquet"
    commands = [
        bench.drift_check.check(name, logs, bench.reference, dry_run=False, settings=SETTINGS) for name in ("first run", "second run")
    ]

    def forget() -> None:
        shutil.rmtree(bench.drift_check.bucket / FOLDER, ignore_errors=True)

    runs = Runs([replace(commands[0], before=forget), commands[1]], plan.rounds)
    return Section(
        title,
        [
            compare(measured, "first run", "wall", runs.wall_s("second run"), runs.wall_s("first run"), BAR, judged=plan.judged),
            compare(measured, "first run", "CPU", runs.cpu_s("second run"), runs.cpu_s("first run"), BAR, judged=plan.judged),
        ],
    )
