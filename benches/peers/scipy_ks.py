"""KS with scipy, of columns that polars reads: the script that many teams have.

Called with the columns, separated by commas, the reference's file and the logs' file.
"""

import json
import sys
import time

import polars as pl
from scipy.stats import ks_2samp

names, reference_path, logs_path = sys.argv[1:]

start_s, start_cpu_s = time.perf_counter(), time.process_time()
columns = names.split(",")
reference, logs = (pl.read_parquet(path, columns=columns) for path in (reference_path, logs_path))
ks = {name: float(ks_2samp(reference[name].to_numpy(), logs[name].to_numpy(), method="asymp").statistic) for name in columns}
print(json.dumps({"wall_s": time.perf_counter() - start_s, "cpu_s": time.process_time() - start_cpu_s, "ks": ks}))
