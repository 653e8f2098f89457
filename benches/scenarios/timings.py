"""Where the time goes, as drift-check says itself."""

from __future__ import annotations

from ..measure import once
from ..plan import short
from ..table import Section
from ..workload import window
from . import Bench


def timings(bench: Bench) -> Section:
    """One run over the largest window."""
    logs = window(bench.plan, bench.plan.most_rows)
    run = once(bench.drift_check.check("timings", logs, bench.reference, more=("--timings",)))
    said = run.output[run.output.index("Seconds") :]
    return Section("Where the time goes", [], [f"What one run over {short(logs.rows)} rows of Parquet says (`--timings`)."], verbatim=said)
