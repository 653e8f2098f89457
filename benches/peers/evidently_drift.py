"""Evidently's preset for data drift, without its HTML.

Called with the method (`default`, which is the 1-Wasserstein distance at this size, or `ks`), the columns, separated by commas, the
reference's file and the logs' file.
"""

import json
import os
import sys
import time

os.environ["DO_NOT_TRACK"] = "1"

import pandas as pd
from evidently import Report
from evidently.presets import DataDriftPreset

method, names, reference_path, logs_path = sys.argv[1:]

start_s, start_cpu_s = time.perf_counter(), time.process_time()
columns = names.split(",")
reference, logs = (pd.read_parquet(path, columns=columns) for path in (reference_path, logs_path))
preset = DataDriftPreset() if method == "default" else DataDriftPreset(num_method=method)
found = Report([preset]).run(current_data=logs, reference_data=reference).dict()
print(json.dumps({"wall_s": time.perf_counter() - start_s, "cpu_s": time.process_time() - start_cpu_s, "metrics": len(found["metrics"])}))
