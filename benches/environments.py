"""The virtual environments that `benches/run` made, and how the peers in them are called."""

from __future__ import annotations

import subprocess
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from .measure import Command

PEERS = Path(__file__).parent / "peers"
REQUIREMENTS = Path(__file__).parent


def requirements(name: str) -> Path:
    """The pinned packages of an environment."""
    return REQUIREMENTS / ("requirements.txt" if name == "base" else f"requirements-{name}.txt")


@dataclass(frozen=True)
class Environments:
    """One folder each: libraries that do not agree on their dependencies have to live apart."""

    root: Path

    def is_installed(self, name: str) -> bool:
        """Whether all of the environment's packages could be installed."""
        return (self.root / name / "installed.txt").is_file()

    def peer(self, name: str, environment: str, script: str, *arguments: str | Path) -> Command:
        """A peer's script, run by the Python of its environment."""
        python = self.root / environment / "bin" / "python"
        return Command(name, (str(python), str(PEERS / script), *map(str, arguments)), is_peer=True)

    def versions(self, only: Collection[str] = ()) -> list[str]:
        """`NAME VERSION` of every pinned package of these environments, or of all, that is installed, as the environments say themselves."""
        found: list[str] = []
        for folder in sorted(path for path in self.root.iterdir() if self.is_installed(path.name) and (not only or path.name in only)):
            ask = [str(folder / "bin" / "python"), "-m", "pip", "list", "--format", "freeze", "--disable-pip-version-check"]
            listed = subprocess.run(ask, check=True, capture_output=True, text=True).stdout.split()
            pinned = {line.split("==")[0] for line in requirements(folder.name).read_text().split() if "==" in line}
            names = [line.replace("==", " ") for line in listed if line.split("==")[0] in pinned]
            found.append(f"{', '.join(names)}" + ("" if folder.name == "base" else f" (for {folder.name})"))
        return found
