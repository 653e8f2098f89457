"""Time over the number of features, and memory where there are many."""

from __future__ import annotations

from ..measure import Runs
from ..plan import short
from ..table import Row, Section, compare
from ..workload import (
    AS_OF_NOTHING,
    FEATURES,
    feature_names,
    wide_reference,
    wide_window,
    window,
)
from . import Bench
from .sizes import NOTHING, memory


def features(bench: Bench) -> Section:
    """The largest window with 16, 8 and 4 of its features: the step from 8 to 16 over twice the step from 4 to 8."""
    plan = bench.plan
    logs = window(plan, plan.most_rows)
    counts = (FEATURES, FEATURES // 2, FEATURES // 4)
    commands = [bench.drift_check.check(str(count), logs, bench.reference, features=count) for count in counts]
    return Section(
        "Time per feature",
        steps(Runs(commands, plan.rounds), counts, f", {short(logs.rows)} rows of Parquet"),
        ["What one more feature costs at two places, so that what does not depend on features cancels. 1 is linear."],
    )


def steps(runs: Runs, counts: tuple[int, int, int], where: str) -> list[Row]:
    """What a feature costs between the first two of three numbers of features, over what it costs between the last two."""
    rows = []
    for quantity, times in (("wall per feature", runs.wall_s), ("CPU per feature", runs.cpu_s)):
        ours, theirs = (
            [(a - b) / (more - fewer) for a, b in zip(times(str(more)), times(str(fewer)), strict=True)]
            for more, fewer in (counts[:2], counts[1:])
        )
        measured, against = (f"features {fewer + 1} to {more}" for more, fewer in (counts[:2], counts[1:]))
        rows.append(compare(measured + where, against, quantity, ours, theirs))
    return rows


def wide(bench: Bench) -> Section:
    """Many features: the same steps, and the memory. Only where the plan has them."""
    plan = bench.plan
    title = "Many features"
    logs, reference = wide_window(plan), wide_reference(plan)
    if logs is None or reference is None:
        return Section(title, [], ["Not measured: `benches/run --large` does."])
    names = {"DRIFT_CHECK__FEATURES__INCLUDE": ",".join(feature_names(logs.features))}
    bench.drift_check.build_profile(reference, names)
    bench.drift_check.read_everything(logs, reference, names)
    counts = (logs.features, logs.features // 2, logs.features // 4)
    commands = [bench.drift_check.check(NOTHING, logs, reference, as_of=AS_OF_NOTHING, features=logs.features)]
    commands += [bench.drift_check.check(str(count), logs, reference, features=count) for count in counts]
    runs = Runs(commands, plan.slow_rounds)
    where = f", {short(logs.rows)} rows of Parquet"
    peak = memory(runs, str(logs.features), f"{logs.features:,} features{where}", has_bar=False)
    remark = f"The reference has {reference.rows:,} rows: memory depends on its values."
    return Section(title, [*steps(runs, counts, where), peak], [remark])
