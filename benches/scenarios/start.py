"""From start to verdict where there is little to read: the fixtures of this repository."""

from __future__ import annotations

import shutil
import statistics
from dataclasses import replace

from ..measure import Command, Runs
from ..table import Row, Section, compare
from . import Bench

LIMIT_MS = 50


def start(bench: Bench) -> Section:
    """The README's first command, which also reads the raw reference and six earlier windows; without writing."""
    place = bench.drift_check.work / "fixtures-run"
    shutil.rmtree(place, ignore_errors=True)
    for folder in ("reference", "predictions"):
        # A profile that somebody built there would make it another run.
        ignored = shutil.ignore_patterns("profile.json")
        shutil.copytree(bench.repository / "fixtures/bucket" / folder, place / "fixtures/bucket" / folder, ignore=ignored)
    config = str(bench.repository / "config/local.toml")
    argv = (str(bench.drift_check.binary), "--config", config, "--window", "24h", "--dry-run")
    ours, theirs = Command("fixtures", argv, folder=place), Command("true", ("/bin/true",), folder=place)
    runs = Runs([ours, theirs], bench.plan.start_rounds)
    measured, against = "drift-check on the fixtures", "/bin/true"
    wall = compare(measured, against, "wall", runs.wall_s("fixtures"), runs.wall_s("true"))
    holds = statistics.median(runs.wall_s("fixtures")) * 1e3 < LIMIT_MS
    rows: list[Row] = [replace(wall, bar=f"median < {LIMIT_MS} ms", holds=holds)]
    remark = (
        "The first command of the README with `--dry-run`. The bar is a time, in the issue's own words; the ratio is to a process that"
        " starts and ends."
    )
    return Section("From start to verdict", rows, [remark])
