"""`python -m benches`, called by `benches/run`: makes the workload, measures, prints the table and writes the page."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from . import machine, table
from .drift_check import DriftCheck
from .environments import Environments
from .measure import Failed
from .plan import FULL, LARGE, QUICK, Plan
from .scenarios import Bench
from .scenarios.cache import cache
from .scenarios.cluster import cluster
from .scenarios.cores import cores
from .scenarios.features import features, wide
from .scenarios.libraries import libraries
from .scenarios.scan import scan
from .scenarios.sizes import sizes
from .scenarios.sorting import against_numpy, profile
from .scenarios.start import start
from .scenarios.texts import texts
from .scenarios.timings import timings
from .table import Row, Section
from .workload import (
    TEXT_FORMATS,
    Dataset,
    drop,
    make,
    reference,
    text,
    wide_reference,
    wide_window,
    window,
)

REPOSITORY = Path(__file__).parent.parent


def datasets(plan: Plan) -> dict[str, list[Dataset]]:
    """What each scenario needs besides the reference of every window."""
    largest = [window(plan, plan.most_rows)]
    return {
        "scan": largest,
        "numpy": largest,
        "libraries": [window(plan, plan.library_rows)],
        "start": [],
        "features": largest,
        "cores": largest,
        "texts": [text(plan, form) for form in TEXT_FORMATS],
        "profile": [reference(plan.profiled_rows)],
        "cache": largest,
        "timings": largest,
        "sizes": [window(plan, rows) for rows in plan.sizes],
        "cluster": [window(plan, rows) for rows in plan.sizes],
        "wide": [dataset for dataset in (wide_window(plan), wide_reference(plan)) if dataset],
    }


CLUSTER = "cluster"
"""Measured by itself, because it needs a program with Spark in it; its table is in docs/scale.md."""

SCENARIOS: dict[str, Callable[[Bench], Section | list[Section]]] = {
    "scan": scan,
    "numpy": against_numpy,
    "libraries": libraries,
    "start": start,
    "sizes": sizes,
    "features": features,
    "wide": wide,
    "cores": cores,
    "texts": texts,
    "profile": profile,
    "cache": cache,
    "timings": timings,
    CLUSTER: cluster,
}
"""In the order of the page."""


def large_only(plan: Plan) -> list[Dataset]:
    """The data sets that need much room and are deleted after their scenario."""
    largest = [window(plan, rows) for rows in plan.sizes if rows > plan.most_rows]
    return [*largest, *(dataset for dataset in (wide_window(plan), wide_reference(plan)) if dataset)]


def measure(bench: Bench, names: list[str], *, keep_large: bool) -> list[Section]:
    """All sections of the page. The data of a scenario are made right before it, outside every clock."""
    bucket = bench.drift_check.bucket
    make(bucket, [bench.reference])
    bench.drift_check.build_profile(bench.reference)
    sections: list[Section] = []
    for name in names:
        print(f"{name}:", file=sys.stderr, flush=True)
        needed = datasets(bench.plan)[name]
        make(bucket, needed)
        try:
            for dataset in needed:
                if not dataset.is_reference and name != "wide":
                    bench.drift_check.read_everything(dataset, bench.reference)
            found = SCENARIOS[name](bench)
        except Failed as failure:
            # What the other scenarios took an hour to measure is not lost.
            print(failure, file=sys.stderr, flush=True)
            found = Section(f"Failed: {name}", [Row(name, "", "", "failed", bar="runs to its end", holds=False)], [str(failure)])
        sections += [found] if isinstance(found, Section) else found
        if not keep_large:
            for dataset in large_only(bench.plan):
                if dataset in needed:
                    drop(bucket, dataset)
    return sections


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="benches/run", description="Measures the performance bars and writes docs/performance.md.")
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="small sizes, few rounds; the page is not written")
    size.add_argument("--large", action="store_true", help="also 1e8 rows, and 1,000 features: 12 GB more of disk")
    parser.add_argument("--keep-large", action="store_true", help="keep the data that --large makes")
    parser.add_argument("--only", nargs="+", choices=SCENARIOS, metavar="SCENARIO", help=f"of {', '.join(SCENARIOS)}; no page, but for {CLUSTER} alone")
    parser.add_argument("--binary", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--commit", default="", help=argparse.SUPPRESS)
    parser.add_argument("--root", type=Path, required=True, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    # A benchmark that is ended stops what it started, such as a server.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))

    plan = QUICK if arguments.quick else LARGE if arguments.large else FULL
    root = arguments.root.resolve()
    work, bucket = root / "work", root / "data"
    for folder in (work, bucket):
        folder.mkdir(parents=True, exist_ok=True)
    environments = Environments(root / "venv")
    bench = Bench(plan, DriftCheck(arguments.binary.resolve(), bucket, work), environments, REPOSITORY)
    load, started_s = os.getloadavg()[0], time.monotonic()
    sections = measure(bench, arguments.only or [name for name in SCENARIOS if name != CLUSTER], keep_large=arguments.keep_large)
    words = "benches/run" + "".join(f" --{name}" for name in ("quick", "large") if getattr(arguments, name))
    words += f" --only {' '.join(arguments.only)}" if arguments.only else ""
    head = [f"Command: `{words}`, {(time.monotonic() - started_s) / 60:.0f} minutes with the data made on the way."]
    used = ["spark"] if arguments.only == [CLUSTER] else []
    head += machine.describe(bench.drift_check.binary, arguments.commit, environments.versions(used), load)
    text = table.page(sections, head)
    print(text)
    (root / "last.md").write_text(text + "\n")
    if plan.judged and not arguments.only:
        table.put(REPOSITORY / "docs/performance.md", text)
    elif plan.judged and arguments.only == [CLUSTER] and all(row.figures for section in sections for row in section.rows):
        table.put(REPOSITORY / "docs/scale.md", text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
