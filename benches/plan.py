"""What is measured: the sizes, and how often."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Wide:
    """The workload with many features."""

    features: int
    rows: int
    reference_rows: int


@dataclass(frozen=True)
class Plan:
    """The sizes of the workload, in rows, and the rounds of each comparison."""

    sizes: tuple[int, ...]
    """The windows whose memory and time per row are measured, ascending."""
    most_rows: int
    """The window that is compared with scans and sorts."""
    library_rows: int
    """The window that is compared with libraries."""
    text_rows: int
    """The window as CSV and NDJSON."""
    reference_rows: int
    """The reference of every window."""
    profiled_rows: int
    """The reference that is profiled with a clock."""
    wide: Wide | None
    rounds: int
    slow_rounds: int
    """Rounds with something in them that takes a minute."""
    start_rounds: int
    """Rounds of what takes milliseconds."""
    judged: bool
    """Whether these are the sizes that the bars are about."""
    has_heavy_peers: bool = True
    """Whether libraries take part that need an environment of their own."""
    file_rows: int = 10_000_000
    """The most rows of one file."""


FULL = Plan(
    sizes=(100_000, 1_000_000, 10_000_000),
    most_rows=10_000_000,
    library_rows=1_000_000,
    text_rows=1_000_000,
    reference_rows=1_000_000,
    profiled_rows=10_000_000,
    wide=None,
    rounds=7,
    slow_rounds=3,
    start_rounds=31,
    judged=True,
)

LARGE = Plan(
    # A reference of 10,000 rows: the knots of a wide reference are what a profile is large by, and this is about rows and features.
    **{
        **FULL.__dict__,
        "sizes": (*FULL.sizes, 100_000_000),
        "wide": Wide(features=1_000, rows=1_000_000, reference_rows=10_000),
    }
)

QUICK = Plan(
    sizes=(100_000, 1_000_000),
    most_rows=1_000_000,
    library_rows=100_000,
    text_rows=100_000,
    reference_rows=1_000_000,
    profiled_rows=1_000_000,
    wide=None,
    rounds=2,
    slow_rounds=1,
    start_rounds=5,
    judged=False,
    has_heavy_peers=False,
)


def short(rows: int) -> str:
    """The number of rows as people say it: 1e6 for a million, 613 for 613."""
    exponent = len(str(rows)) - 1
    return f"1e{exponent}" if rows == 10**exponent and exponent > 3 else f"{rows:,}"
