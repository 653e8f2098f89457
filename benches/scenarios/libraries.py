"""Against the libraries of the field, as whole processes."""

from __future__ import annotations

from ..measure import Runs
from ..plan import short
from ..table import Bar, Row, Section, compare
from ..workload import FEATURES, feature_names, window
from . import Bench
from .sorting import memory_row

EVIDENTLY_BAR = Bar(40.0, at_most=False)

LIBRARIES: tuple[tuple[str, str, str, tuple[str, ...], Bar | None], ...] = (
    ("Evidently, default drift preset", "evidently", "evidently_drift.py", ("default",), EVIDENTLY_BAR),
    ("Evidently, KS only", "evidently", "evidently_drift.py", ("ks",), EVIDENTLY_BAR),
    ("NannyML, KS and Jensen–Shannon", "nannyml", "nannyml_univariate.py", (), None),
    ("Alibi Detect, KS", "alibi", "alibi_ks.py", (), None),
    ("scipy, KS of columns read by polars", "base", "scipy_ks.py", (), None),
)
"""The name, the environment, the script with its first arguments, and the bar."""


def absent(bench: Bench, environment: str) -> str | None:
    """Why the peers of an environment take no part, if so."""
    if environment != "base" and not bench.plan.has_heavy_peers:
        return "not measured"
    return None if bench.environments.is_installed(environment) else "not installed"


def libraries(bench: Bench) -> Section:
    """The 16 features of one window, without the class and the confidence, which drift-check compares besides."""
    plan = bench.plan
    logs = window(plan, plan.library_rows)
    columns = ",".join(feature_names(FEATURES))
    ours = "drift-check"
    commands = [bench.drift_check.check(ours, logs, bench.reference)]
    for name, environment, script, first, _ in LIBRARIES:
        if absent(bench, environment) is None:
            arguments = (*first, columns, *bench.files(bench.reference), *bench.files(logs))
            commands.append(bench.environments.peer(name, environment, script, *arguments))
    runs = Runs(commands, plan.slow_rounds)
    rows: list[Row] = []
    for name, environment, _, _, bar in LIBRARIES:
        measured = f"{name}, {short(logs.rows)} rows of Parquet"
        if name not in runs:
            said = absent(bench, environment) or "failed"
            rows.append(Row(measured, ours, "wall, CPU, peak memory", said, bar=str(bar or "")))
            continue
        rows += [
            compare(measured, ours, "wall", runs.wall_s(name), runs.wall_s(ours), bar, judged=plan.judged),
            compare(measured, ours, "CPU", runs.cpu_s(name), runs.cpu_s(ours), bar, judged=plan.judged),
            memory_row(runs, measured, name, ours),
        ]
    return Section("Against libraries", rows, ["Whole processes, from start to end, with the reference that each reads in its own way."])
