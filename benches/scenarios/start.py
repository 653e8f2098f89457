"""From start to verdict where there is little to read: the fixtures of this repository."""

from __future__ import annotations

import shutil
import statistics
import subprocess
from dataclasses import replace
from pathlib import Path

from ..measure import Command, Runs
from ..table import Row, Section, compare
from . import Bench

LIMIT_MS = 50


def start(bench: Bench) -> Section:
    """The README's first command without writing: as the first run of all, which also reads the raw reference and six earlier windows, and
    as every run after it, which finds those windows in its store."""
    first, later = _place(bench, "fixtures-first"), _place(bench, "fixtures-later")
    argv = (str(bench.drift_check.binary), "--config", str(bench.repository / "config/local.toml"), "--window", "24h")
    subprocess.run((*argv, "--quiet"), cwd=later, check=True, stdout=subprocess.DEVNULL)
    dry = (*argv, "--dry-run")
    runs = Runs(
        [Command("first", dry, folder=first), Command("later", dry, folder=later), Command("true", ("/bin/true",), folder=first)],
        bench.plan.start_rounds,
    )
    rows: list[Row] = []
    for name, measured in (("first", "the first run on the fixtures"), ("later", "a later run on the fixtures")):
        wall = compare(measured, "/bin/true", "wall", runs.wall_s(name), runs.wall_s("true"))
        holds = statistics.median(runs.wall_s(name)) * 1e3 < LIMIT_MS
        rows.append(replace(wall, bar=f"median < {LIMIT_MS} ms", holds=holds))
    remark = (
        "The first command of the README with `--dry-run`. The first run of all fills the trend: it reads six earlier windows too. A later run,"
        " such as that of a schedule, finds them in its store. Both build the reference from its raw rows. The bar is a time, in the"
        " issue's own words; the ratio is to a process that starts and ends."
    )
    return Section("From start to verdict", rows, [remark])


def _place(bench: Bench, name: str) -> Path:
    """A copy of the fixtures, without anything that an earlier run left."""
    place = bench.drift_check.work / name
    shutil.rmtree(place, ignore_errors=True)
    for folder in ("reference", "predictions"):
        # A profile that somebody built there would make it another run.
        ignored = shutil.ignore_patterns("profile.json")
        shutil.copytree(bench.repository / "fixtures/bucket" / folder, place / "fixtures/bucket" / folder, ignore=ignored)
    return place
