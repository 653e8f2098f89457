"""Rows, sections, and the page that they stand in."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .measure import Ratio

BEGIN = "<!-- Written by benches/run from here -->"
END = "<!-- to here -->"
MIB = 1024**2


@dataclass(frozen=True)
class Bar:
    """What a ratio is held against."""

    limit: float
    at_most: bool = True
    words: str = ""
    """Said after the limit."""

    def __str__(self) -> str:
        return f"{'≤' if self.at_most else '≥'} {self.limit:g}{' ' if self.words else ''}{self.words}"

    def holds(self, value: float) -> bool:
        """Whether a value meets it."""
        return value <= self.limit if self.at_most else value >= self.limit


@dataclass(frozen=True)
class Row:
    """One measured quantity. A time stands beside its ratio, never alone."""

    measured: str
    against: str
    quantity: str
    ratio: str
    figures: str = ""
    bar: str = ""
    holds: bool | None = None
    """`None` without a bar, and where the sizes are not those of the bar."""

    def cells(self) -> list[str]:
        """The texts of the table."""
        verdict = {True: "holds", False: "**missed**", None: "not judged" if self.bar else ""}[self.holds]
        return [self.measured, self.against, self.quantity, self.ratio, self.figures, self.bar, verdict]


HEADINGS = ["measured", "divided by", "quantity", "ratio (rounds)", "medians", "bar", ""]


@dataclass(frozen=True)
class Section:
    """Rows that answer one question."""

    title: str
    rows: Sequence[Row]
    remarks: Sequence[str] = field(default_factory=tuple)
    verbatim: str = ""
    """What a program printed."""

    def render(self) -> str:
        """Markdown."""
        parts = [f"### {self.title}", *self.remarks]
        if self.rows:
            lines = [HEADINGS, ["---", "---", "---", "--:", "--:", "---", "---"], *(row.cells() for row in self.rows)]
            parts.append("\n".join("| " + " | ".join(cells) + " |" for cells in lines))
        if self.verbatim:
            parts.append(f"```text\n{self.verbatim.rstrip()}\n```")
        return "\n\n".join(parts)


def amount(value: float, unit: str) -> str:
    """Three digits that count, in a unit in which they can be read."""
    if unit == "s" and value < 1.0:
        value, unit = value * 1e3, "ms"
    digits = 0 if value >= 100 else 1 if value >= 10 else 2
    return f"{value:,.{digits}f} {unit}"


def compare(
    measured: str,
    against: str,
    quantity: str,
    ours: Sequence[float],
    theirs: Sequence[float],
    bar: Bar | None = None,
    *,
    judged: bool = True,
    unit: str = "s",
) -> Row:
    """One quantity over another, round by round."""
    ratio = Ratio.of(ours, theirs)
    if ratio is None:
        return Row(measured, against, quantity, "lost in the noise", bar=str(bar or ""))
    return Row(
        measured,
        against,
        quantity,
        f"{ratio.median:.2f} ({ratio.low:.2f}–{ratio.high:.2f})",
        f"{amount(statistics.median(ours), unit)} ÷ {amount(statistics.median(theirs), unit)}",
        str(bar or ""),
        bar.holds(ratio.median) if bar and judged else None,
    )


def summary(sections: Sequence[Section]) -> str:
    """How many bars hold, and which do not."""
    judged = [row for section in sections for row in section.rows if row.holds is not None]
    missed = [f"- {row.measured}, by {row.against}: {row.quantity} {row.ratio}, {row.bar}" for row in judged if not row.holds]
    said = f"{len(judged) - len(missed)} of {len(judged)} bars hold." if judged else "There is no bar."
    return said + ("\n\nMissed:\n\n" + "\n".join(missed) if missed else "")


def page(sections: Sequence[Section], head: Sequence[str]) -> str:
    """All that is written between the markers."""
    return "\n\n".join([summary(sections), "\n".join(f"- {line}" for line in head), *(section.render() for section in sections)])


def put(path: Path, text: str) -> None:
    """Replaces what lies between the markers of a page."""
    before, rest = path.read_text().split(BEGIN)
    _, after = rest.split(END)
    path.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}")
