"""KS by hand, as fast as numpy has it: one column after the other, both samples sorted with SIMD, the distance from the sorted arrays.

Called with the columns, separated by commas, the reference's file and the logs' file. The distance is exact: between two neighbours of the
reference its distribution is constant and the other only grows, so that the extremes are at the reference's values and right below them.
That takes far fewer searches than asking at every value of the logs.
"""

import json
import sys
import time

import numpy as np
import pyarrow.parquet as pq

names, reference_path, logs_path = sys.argv[1:]


def sorted_column(file: pq.ParquetFile, name: str) -> np.ndarray:
    """The values of a column, ascending."""
    return np.sort(file.read(columns=[name]).column(0).to_numpy())


def distance(reference: np.ndarray, logs: np.ndarray) -> float:
    """The KS distance of two sorted samples."""
    sides = ("left", "right")
    both = ((np.searchsorted(sample, reference, side) / len(sample) for sample in (reference, logs)) for side in sides)
    return max(float(np.abs(ours - theirs).max()) for ours, theirs in both)


start_s, start_cpu_s = time.perf_counter(), time.process_time()
reference_file, logs_file = pq.ParquetFile(reference_path), pq.ParquetFile(logs_path)
ks = {name: distance(sorted_column(reference_file, name), sorted_column(logs_file, name)) for name in names.split(",")}
print(json.dumps({"wall_s": time.perf_counter() - start_s, "cpu_s": time.process_time() - start_cpu_s, "ks": ks}))
