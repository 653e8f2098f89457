"""CSV and NDJSON: memory, and the way to only reading them."""

from __future__ import annotations

from ..measure import Runs
from ..plan import short
from ..table import Section
from ..workload import AS_OF_NOTHING, FEATURES, TEXT_FORMATS, feature_names, text
from . import Bench
from .scan import rows_against_scan
from .sizes import NOTHING, memory

SCANNED = ("csv", "ndjson")


def texts(bench: Bench) -> list[Section]:
    """Every text format in turn; polars beside those that are not compressed."""
    plan = bench.plan
    logs = {form: text(plan, form) for form in TEXT_FORMATS}
    columns = ",".join(feature_names(FEATURES))
    commands = [bench.drift_check.check(NOTHING, logs["csv"], bench.reference, as_of=AS_OF_NOTHING)]
    for form, dataset in logs.items():
        commands.append(bench.drift_check.check(form, dataset, bench.reference))
        if form in SCANNED:
            commands.append(bench.environments.peer(scan_of(form), "base", "polars_scan.py", columns, *bench.files(dataset)))
    runs = Runs(commands, plan.slow_rounds)
    size = short(plan.text_rows)
    return [
        Section("Memory, text", [memory(runs, form, f"{size} rows of {spelled(form)}", judged=plan.judged) for form in TEXT_FORMATS]),
        Section(
            "Against reading text alone",
            [
                row
                for form in SCANNED
                for row in rows_against_scan(
                    runs, f"drift-check, {size} rows of {spelled(form)}", form, scan_of(form), None, judged=plan.judged
                )
            ],
            ["polars does not parse the moments of the rows; drift-check does, because they decide which rows count."],
        ),
    ]


def spelled(form: str) -> str:
    """`csv.gz` as it is written in sentences: CSV.gz."""
    kind, dot, compression = form.partition(".")
    return kind.upper() + dot + compression


def scan_of(form: str) -> str:
    """The name of the scan of a format."""
    return f"polars scan of {spelled(form)}"
