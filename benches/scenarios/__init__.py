"""What is measured, one question a file: each runs its commands in turn and makes a section of the table."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..drift_check import DriftCheck
from ..environments import Environments
from ..plan import Plan
from ..workload import Dataset, reference


@dataclass(frozen=True)
class Bench:
    """What every scenario needs."""

    plan: Plan
    drift_check: DriftCheck
    environments: Environments
    repository: Path

    @property
    def reference(self) -> Dataset:
        """The reference of every window, whose built profile lies beside it."""
        return reference(self.plan.reference_rows)

    def files(self, dataset: Dataset) -> list[Path]:
        """The files of a data set, in order."""
        return sorted((self.drift_check.bucket / dataset.files_folder).glob(f"part-*.{dataset.format}"))
