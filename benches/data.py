"""Makes one data set: numeric features of several shapes, and for logs the time, the class and the confidence of a prediction.

Run as `python -m benches.data BUCKET DESCRIPTION` by `workload`. Seeded: the same description gives the same rows. Memory holds one row
group at a time.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from .workload import DAY, Dataset, feature_names

ROW_GROUP_ROWS = 131_072
DAY_US = 86_400_000_000

Draw = Callable[[np.random.Generator, int], np.ndarray]
SHAPES: list[Draw] = [
    lambda rng, rows: rng.normal(0.8, 0.05, rows),
    lambda rng, rows: rng.uniform(0.0, 1.0, rows),
    lambda rng, rows: rng.lognormal(3.0, 1.0, rows),
    lambda rng, rows: rng.standard_t(3.0, rows),
    # Tied: about 1,500 different values.
    lambda rng, rows: np.round(rng.normal(100.0, 20.0, rows), 1),
    lambda rng, rows: rng.gamma(2.0, 50.0, rows),
    lambda rng, rows: rng.integers(0, 5_000, rows).astype(np.float64),
    lambda rng, rows: rng.standard_normal(rows),
]
"""The distributions of the features, which take them in turn."""

CLASSES = np.array(["benign", "malignant", "unclear"])


def row_groups(dataset: Dataset, first_row: int, rows: int) -> Iterator[pa.Table]:
    """The rows of one file, a row group at a time. Logs are ordered by time and fill the day evenly."""
    day_start_us = int(datetime.fromisoformat(DAY).replace(tzinfo=UTC).timestamp() * 1e6)
    for start in range(first_row, first_row + rows, ROW_GROUP_ROWS):
        count = min(ROW_GROUP_ROWS, first_row + rows - start)
        rng = np.random.default_rng([dataset.seed, start])
        columns: dict[str, pa.Array] = {}
        if not dataset.is_reference:
            from_us, to_us = (DAY_US * row // dataset.rows for row in (start, start + count))
            columns["timestamp"] = pa.array(
                np.sort(rng.integers(from_us, to_us, count)) + day_start_us, pa.timestamp("us", tz="UTC")
            )
        for number, name in enumerate(feature_names(dataset.features)):
            columns[name] = pa.array(SHAPES[number % len(SHAPES)](rng, count))
        columns["pred_class"] = pa.array(CLASSES[rng.choice(3, count, p=[0.6, 0.3, 0.1])])
        columns["pred_conf"] = pa.array(rng.beta(8.0, 2.0, count))
        yield pa.table(columns)


def write_parquet(path: Path, groups: Iterator[pa.Table]) -> None:
    """Snappy, with statistics; plain floats, as writers leave them whose values hardly repeat."""
    first = next(groups)
    with pq.ParquetWriter(path, first.schema, compression="snappy", use_dictionary=["pred_class"]) as writer:
        writer.write_table(first, row_group_size=ROW_GROUP_ROWS)
        for group in groups:
            writer.write_table(group, row_group_size=ROW_GROUP_ROWS)


def write_text(path: Path, form: str, groups: Iterator[pa.Table]) -> None:
    """CSV with one header, or one JSON object a line; moments in RFC 3339, numbers with all their digits."""
    kind, _, compression = form.partition(".")
    with contextlib.ExitStack() as stack:
        if compression == "gz":
            stream: IO[bytes] = stack.enter_context(gzip.open(path, "wb", compresslevel=6))
        elif compression == "zst":
            stream = stack.enter_context(pa.CompressedOutputStream(str(path), "zstd"))
        else:
            stream = stack.enter_context(path.open("wb"))
        for number, group in enumerate(groups):
            frame = pl.DataFrame(pl.from_arrow(group)).with_columns(pl.col("timestamp").dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ"))
            if kind == "csv":
                stream.write(frame.write_csv(include_header=number == 0).encode())
            else:
                stream.write(frame.write_ndjson().encode())


def write(bucket: Path, dataset: Dataset) -> None:
    """All files of a data set."""
    folder = bucket / dataset.files_folder
    folder.mkdir(parents=True)
    for number, first_row in enumerate(range(0, dataset.rows, dataset.file_rows)):
        path = folder / f"part-{number:02d}.{dataset.format}"
        groups = row_groups(dataset, first_row, min(dataset.file_rows, dataset.rows - first_row))
        if dataset.format == "parquet":
            write_parquet(path, groups)
        else:
            write_text(path, dataset.format, groups)


if __name__ == "__main__":
    write(Path(sys.argv[1]), Dataset(**json.loads(sys.argv[2])))
