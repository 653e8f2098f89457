"""How drift-check is called."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from .measure import Command, Failed, once
from .workload import AS_OF, FEATURES, Dataset, feature_names

CONFIG = """\
[job]
name = "benches"
[bucket]
uri = "file:{bucket}"
[logs]
timestamp = "timestamp"
date_pattern = "%Y/%m/%d"
date_slack = "0s"
[features]
include = [{features}]
[prediction]
class = "pred_class"
confidence = "pred_conf"
[store]
path = "{work}/store.db"
"""


@dataclass(frozen=True)
class DriftCheck:
    """The program, the bucket with the workload, and a folder for what it needs besides."""

    binary: Path
    bucket: Path
    work: Path

    @property
    def config(self) -> Path:
        """The configuration of all windows; the folders of the logs and of the reference come on top."""
        path = self.work / "drift-check.toml"
        features = ", ".join(f'"{name}"' for name in feature_names(FEATURES))
        path.write_text(CONFIG.format(bucket=self.bucket, work=self.work, features=features))
        return path

    def check(
        self,
        name: str,
        logs: Dataset,
        reference: Dataset,
        *,
        as_of: str = AS_OF,
        features: int | None = None,
        dry_run: bool = True,
        prefix: tuple[str, ...] = (),
        more: tuple[str, ...] = (),
        settings: Mapping[str, str] | None = None,
    ) -> Command:
        """A check of a window. `prefix` are words before the program, `more` are flags."""
        environment = {"DRIFT_CHECK__LOGS__PREFIX": logs.folder, **(settings or {})}
        if features is not None:
            environment["DRIFT_CHECK__FEATURES__INCLUDE"] = ",".join(feature_names(features))
        options = ["--config", str(self.config), "--reference", reference.folder, "--as-of", as_of]
        argv = (*prefix, str(self.binary), *options, "--dry-run" if dry_run else "--no-notify", *more)
        return Command(name, argv, environment)

    def profile(self, name: str, reference: Dataset, output: str) -> Command:
        """Profiles a reference, as its configuration says, into `output` of the bucket."""
        options = ["--config", str(self.config), "--reference", reference.folder, "--output", output]
        return Command(name, (str(self.binary), "profile", *options))

    def build_profile(self, reference: Dataset, settings: Mapping[str, str] | None = None) -> None:
        """Puts the built profile beside a reference. Done for every version of the program, which may write another form."""
        output = f"{reference.folder}profile.json"
        (self.bucket / output).unlink(missing_ok=True)
        command = self.profile("the profile", reference, output)
        once(replace(command, environment=dict(settings or {})))
        if not (self.bucket / output).is_file():
            raise Failed(f"{output} was not written: every run would read the raw reference")

    def read_everything(self, logs: Dataset, reference: Dataset, settings: Mapping[str, str] | None = None) -> dict[str, float]:
        """Checks that all rows of a window count, because a fast run over half of them is none; returns the KS distances."""
        command = self.check(f"reading {logs.folder}", logs, reference, more=("--format", "json", "--quiet"), settings=settings)
        report = json.loads(once(command).output)
        if report["current"]["rows"] != logs.rows:
            raise Failed(f"{logs.folder}: {report['current']['rows']} rows count, not {logs.rows}")
        return {feature["name"]: feature["ks"]["statistic"] for feature in report["features"]}
