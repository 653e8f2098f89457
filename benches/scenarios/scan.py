"""How far drift-check is from only reading the columns."""

from __future__ import annotations

from ..measure import Runs
from ..plan import short
from ..table import Bar, Row, Section, compare
from ..workload import FEATURES, feature_names, window
from . import Bench

PARQUET_BAR = Bar(2.0, words="(aim 1.5)")


def rows_against_scan(runs: Runs, measured: str, ours: str, scan: str, bar: Bar | None, *, judged: bool) -> list[Row]:
    """The program against a scan: as whole processes, and against the time that the scan itself took, where the bar is held."""
    if scan not in runs:
        return [Row(measured, scan, "wall, CPU", "failed")]
    alone = f"{scan}, scan alone"
    return [
        compare(measured, alone, "wall", runs.wall_s(ours), runs.own_wall_s(scan), bar, judged=judged),
        compare(measured, alone, "CPU", runs.cpu_s(ours), runs.own_cpu_s(scan)),
        compare(measured, f"{scan}, whole process", "wall", runs.wall_s(ours), runs.wall_s(scan)),
        compare(measured, f"{scan}, whole process", "CPU", runs.cpu_s(ours), runs.cpu_s(scan)),
    ]


def scan(bench: Bench) -> Section:
    """Parquet, the largest window."""
    plan = bench.plan
    logs = window(plan, plan.most_rows)
    ours, theirs = "drift-check", "polars scan"
    columns = ",".join(feature_names(FEATURES))
    commands = [
        bench.drift_check.check(ours, logs, bench.reference),
        bench.environments.peer(theirs, "base", "polars_scan.py", columns, *bench.files(logs)),
    ]
    runs = Runs(commands, plan.rounds)
    measured = f"drift-check, {short(logs.rows)} rows of Parquet"
    remark = (
        "polars reads the same columns with its streaming engine and takes their minimum, maximum, mean and null count. The bar is held"
        " against the scan's own time inside that process, which is stricter than against the whole process: Python's start is left out"
        " of the peer, and nothing is left out of drift-check."
    )
    return Section("Against reading alone", rows_against_scan(runs, measured, ours, theirs, PARQUET_BAR, judged=plan.judged), [remark])
