"""Where the time goes, as drift-check says itself.

TO FILL IN when drift-check prints its timings: the flag. Everything else is here.
"""

from __future__ import annotations

from ..measure import once
from ..plan import short
from ..table import Section
from ..workload import window
from . import Bench

FLAGS: tuple[str, ...] = ()
"""What makes drift-check print them on its standard error, such as ("--timings", "--quiet"). Empty: this version has none."""


def timings(bench: Bench) -> Section:
    """One run over the largest window."""
    title = "Where the time goes"
    if not FLAGS:
        return Section(title, [], ["Not measured: this version does not print its timings."])
    logs = window(bench.plan, bench.plan.most_rows)
    run = once(bench.drift_check.check("timings", logs, bench.reference, more=FLAGS))
    return Section(title, [], [f"What one run over {short(logs.rows)} rows of Parquet says."], verbatim=run.messages)
