"""Against numpy, which sorts with SIMD: what the distances cost by hand, and what a profile of the reference costs."""

from __future__ import annotations

from ..measure import Runs
from ..plan import short
from ..table import Bar, Row, Section, compare
from ..workload import FEATURES, feature_names, reference, window
from . import Bench

KS_BAR = Bar(2.5, at_most=False)


def against_numpy(bench: Bench) -> Section:
    """KS by hand at the largest window, which must also come to the same distances."""
    plan = bench.plan
    logs = window(plan, plan.most_rows)
    columns = ",".join(feature_names(FEATURES))
    ours, theirs = "drift-check", "numpy, KS by sorting"
    commands = [
        bench.drift_check.check(ours, logs, bench.reference),
        bench.environments.peer(theirs, "base", "numpy_ks.py", columns, *bench.files(bench.reference), *bench.files(logs)),
    ]
    runs = Runs(commands, plan.slow_rounds)
    measured, against = f"{theirs}, {short(logs.rows)} rows of Parquet", ours
    if theirs not in runs:
        return Section("Against sorting", [Row(measured, against, "wall, CPU", "failed", bar=str(KS_BAR))])
    found = bench.drift_check.read_everything(logs, bench.reference)
    exact = runs.runs[theirs][0].said["ks"]
    apart = max(abs(found[name] - exact[name]) for name in exact)
    remark = (
        "numpy sorts each column of the reference and of the logs with `np.sort`, one column after the other, and takes KS from the"
        " sorted arrays with `searchsorted`; nothing else. The distances of the two programs are at most"
        f" {apart:.1g} apart, with drift-check's reference kept as a grid."
    )
    return Section(
        "Against sorting",
        [
            compare(measured, against, "wall", runs.wall_s(theirs), runs.wall_s(ours), KS_BAR, judged=plan.judged),
            compare(measured, against, "CPU", runs.cpu_s(theirs), runs.cpu_s(ours), KS_BAR, judged=plan.judged),
            memory_row(runs, measured, theirs, ours),
        ],
        [remark],
    )


def memory_row(runs: Runs, measured: str, theirs: str, ours: str) -> Row:
    """The peaks of both."""
    peaks = [[run.peak_bytes / 1024**2 for run in runs.runs[name]] for name in (theirs, ours)]
    return compare(measured, ours, "peak memory", *peaks, unit="MiB")


def profile(bench: Bench) -> Section:
    """`drift-check profile` of a large reference."""
    plan = bench.plan
    large = reference(plan.profiled_rows)
    ours, theirs = "profile", "numpy, sorting every column once"
    columns = ",".join(feature_names(FEATURES))
    commands = [
        bench.drift_check.profile(ours, large, f"profiles/{large.name}.json"),
        bench.environments.peer(theirs, "base", "numpy_sort.py", columns, *bench.files(large)),
    ]
    runs = Runs(commands, plan.slow_rounds)
    measured = f"drift-check profile, {short(large.rows)} rows of Parquet"
    title = "Profiling the reference"
    if theirs not in runs:
        return Section(title, [Row(measured, theirs, "wall, CPU", "failed")])
    return Section(
        title,
        [
            compare(measured, f"{theirs}, sorting alone", "wall", runs.wall_s(ours), runs.own_wall_s(theirs)),
            compare(measured, f"{theirs}, sorting alone", "CPU", runs.cpu_s(ours), runs.own_cpu_s(theirs)),
            compare(measured, f"{theirs}, whole process", "wall", runs.wall_s(ours), runs.wall_s(theirs)),
            compare(measured, f"{theirs}, whole process", "CPU", runs.cpu_s(ours), runs.cpu_s(theirs)),
            memory_row(runs, measured, ours, theirs),
        ],
        ["numpy reads and sorts one column after the other. There is no bar but a small factor."],
    )
