"""Memory and time over the number of rows."""

from __future__ import annotations

from ..measure import Runs
from ..plan import short
from ..table import MIB, Row, Section, compare
from ..workload import AS_OF_NOTHING, window
from . import Bench

PEAK_LIMIT_MIB = 512
ABOVE_NOTHING_LIMIT_MIB = 256
NOTHING = "no rows"


def memory(runs: Runs, name: str, measured: str, *, has_bar: bool = True, judged: bool = True) -> Row:
    """The peak of a run, and how much of it a run over no rows does not need."""
    peak, nothing = (runs.peak_bytes(which) / MIB for which in (name, NOTHING))
    holds = peak < PEAK_LIMIT_MIB and peak - nothing < ABOVE_NOTHING_LIMIT_MIB
    return Row(
        measured,
        "a run over no rows",
        "peak memory",
        f"{peak / nothing:.2f}",
        f"{peak:.0f} MiB ÷ {nothing:.0f} MiB: {peak - nothing:.0f} MiB above",
        f"< {PEAK_LIMIT_MIB} MiB, < {ABOVE_NOTHING_LIMIT_MIB} MiB above" if has_bar else "",
        holds if has_bar and judged else None,
    )


def sizes(bench: Bench) -> list[Section]:
    """Every size in turn, with a run over no rows."""
    plan = bench.plan
    logs = {short(rows): window(plan, rows) for rows in plan.sizes}
    commands = [bench.drift_check.check(NOTHING, next(iter(logs.values())), bench.reference, as_of=AS_OF_NOTHING)]
    commands += [bench.drift_check.check(name, dataset, bench.reference) for name, dataset in logs.items()]
    runs = Runs(commands, plan.slow_rounds if plan.sizes[-1] > plan.most_rows else plan.rounds)
    peaks = [memory(runs, name, f"{name} rows of Parquet") for name in logs]
    return [
        Section(
            "Memory",
            peaks,
            ["The highest peak of all rounds; the run over no rows has the same profile, and a window that holds no log."],
        ),
        Section(
            "Time per row",
            [row for smaller, larger in zip(plan.sizes, plan.sizes[1:]) for row in per_row(runs, smaller, larger)],
            ["What a run over no rows takes is subtracted first. 1 is linear; more is worse than linear."],
        ),
    ]


def per_row(runs: Runs, smaller: int, larger: int) -> list[Row]:
    """The time per row of one size over that of the next smaller one."""
    rows = []
    for quantity, times in (("wall per row", runs.wall_s), ("CPU per row", runs.cpu_s)):
        nothing = times(NOTHING)
        ours, theirs = (
            [(time - base) / size * 1e9 for time, base in zip(times(short(size)), nothing, strict=True)]
            for size in (larger, smaller)
        )
        rows.append(compare(f"{short(larger)} rows", f"{short(smaller)} rows", quantity, ours, theirs, unit="ns"))
    return rows
