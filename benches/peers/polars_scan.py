"""The read floor: polars scans every column that drift-check needs, with its streaming engine, for what costs least to know.

Called with the columns of features, separated by commas, and the files. Text is left as text: its moments are not parsed.
"""

import json
import sys
import time

import polars as pl

features, *files = sys.argv[1:]
numbers = [*features.split(","), "pred_conf"]
scan = {"csv": pl.scan_csv, "ndjson": pl.scan_ndjson, "parquet": pl.scan_parquet}[files[0].rsplit(".", 1)[1]]

start_s, start_cpu_s = time.perf_counter(), time.process_time()
wanted = [
    aggregate
    for name in numbers
    for aggregate in (
        pl.col(name).min().alias(f"{name}_min"),
        pl.col(name).max().alias(f"{name}_max"),
        pl.col(name).mean().alias(f"{name}_mean"),
        pl.col(name).null_count().alias(f"{name}_null_count"),
    )
]
wanted += [
    pl.col("timestamp").min().alias("oldest"),
    pl.col("timestamp").max().alias("newest"),
    pl.col("pred_class").null_count().alias("class_null_count"),
]
found = scan(files).select(wanted).collect(engine="streaming")
print(json.dumps({"wall_s": time.perf_counter() - start_s, "cpu_s": time.process_time() - start_cpu_s, "width": found.width}))
