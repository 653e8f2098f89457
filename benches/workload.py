"""Which data sets there are, where they lie, and what makes the missing ones.

The data are a bucket: `reference/NAME/` and `predictions/NAME/2026/01/30/part-00.parquet`. All rows are of one day, so that a run for
another day is a run over no rows.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from .plan import Plan, short

FEATURES = 16
DAY = "2026-01-30"
AS_OF = "2026-01-31T00:00:00Z"
"""The end of the window that holds all rows."""
AS_OF_NOTHING = "2026-01-10T00:00:00Z"
"""The end of a window that holds none, and whose objects are not even opened."""
TEXT_FORMATS = ("csv", "csv.gz", "csv.zst", "ndjson", "ndjson.gz")

GENERATION = "1"
"""To be changed with `data.py`: data of another generation are made anew."""


@dataclass(frozen=True)
class Dataset:
    """One folder of files with the same columns. Equal seeds give equal rows, whatever the format."""

    name: str
    rows: int
    seed: int
    features: int = FEATURES
    format: str = "parquet"
    is_reference: bool = False
    file_rows: int = 10_000_000

    @property
    def folder(self) -> str:
        """The folder in the bucket, which ends in a slash."""
        return f"{'reference' if self.is_reference else 'predictions'}/{self.name}/"

    @property
    def files_folder(self) -> str:
        """Where in the bucket the files are."""
        return self.folder if self.is_reference else self.folder + DAY.replace("-", "/") + "/"


def feature_names(features: int) -> list[str]:
    """The columns that are compared."""
    return [f"f{number:03d}" for number in range(features)]


def window(plan: Plan, rows: int) -> Dataset:
    """So many rows of logs, as Parquet."""
    return Dataset(short(rows), rows, seed=rows, file_rows=plan.file_rows)


def text(plan: Plan, form: str) -> Dataset:
    """The rows of logs of the same size, as text."""
    return Dataset(f"{short(plan.text_rows)}-{form.replace('.', '-')}", plan.text_rows, seed=plan.text_rows, format=form)


def reference(rows: int) -> Dataset:
    """What the windows are compared with."""
    return Dataset(short(rows), rows, seed=1, is_reference=True)


def wide_window(plan: Plan) -> Dataset | None:
    """Many features."""
    wide = plan.wide
    return wide and Dataset("wide", wide.rows, seed=2, features=wide.features)


def wide_reference(plan: Plan) -> Dataset | None:
    """The reference of many features."""
    wide = plan.wide
    return wide and Dataset("wide", wide.reference_rows, seed=3, features=wide.features, is_reference=True)


def make(bucket: Path, datasets: Iterable[Dataset]) -> None:
    """Makes the data sets that are not there, one after the other, each in a process of its own; a data set is there whole or not."""
    for dataset in datasets:
        place = bucket / dataset.folder
        description = json.dumps(asdict(dataset), sort_keys=True)
        stamp = f"{GENERATION} {description}"
        made = place.parent / f".{dataset.name}.json"
        if made.is_file() and made.read_text() == stamp:
            continue
        drop(bucket, dataset)
        print(f"making {dataset.folder}", file=sys.stderr, flush=True)
        subprocess.run([sys.executable, "-m", "benches.data", bucket, description], check=True)
        made.write_text(stamp)


def drop(bucket: Path, dataset: Dataset) -> None:
    """Deletes a data set."""
    (bucket / dataset.folder).parent.joinpath(f".{dataset.name}.json").unlink(missing_ok=True)
    shutil.rmtree(bucket / dataset.folder, ignore_errors=True)
