"""Alibi Detect's KS detector over all columns at once.

Called with the columns, separated by commas, the reference's file and the logs' file.
"""

import json
import sys
import time

import pandas as pd
from alibi_detect.cd import KSDrift

names, reference_path, logs_path = sys.argv[1:]

start_s, start_cpu_s = time.perf_counter(), time.process_time()
columns = names.split(",")
reference, logs = (pd.read_parquet(path, columns=columns).to_numpy() for path in (reference_path, logs_path))
found = KSDrift(reference, p_val=0.05).predict(logs)["data"]
ks = dict(zip(columns, map(float, found["distance"]), strict=True))
print(json.dumps({"wall_s": time.perf_counter() - start_s, "cpu_s": time.process_time() - start_cpu_s, "ks": ks}))
