"""NannyML's univariate drift by KS and Jensen–Shannon, the logs being one chunk.

Called with the columns, separated by commas, the reference's file and the logs' file.
"""

import json
import os
import sys
import time

os.environ["NML_DISABLE_USAGE_LOGGING"] = "1"

import nannyml
import pandas as pd

names, reference_path, logs_path = sys.argv[1:]

start_s, start_cpu_s = time.perf_counter(), time.process_time()
columns = names.split(",")
reference, logs = (pd.read_parquet(path, columns=columns) for path in (reference_path, logs_path))
methods = ["kolmogorov_smirnov", "jensen_shannon"]
calculator = nannyml.UnivariateDriftCalculator(column_names=columns, continuous_methods=methods, chunk_size=len(logs))
found = calculator.fit(reference).calculate(logs).filter(period="analysis").to_df()
print(json.dumps({"wall_s": time.perf_counter() - start_s, "cpu_s": time.process_time() - start_cpu_s, "chunks": len(found)}))
