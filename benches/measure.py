"""Runs commands as whole processes, in turn, and takes their time and memory from the kernel."""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Command:
    """What is run, without a shell between whose time would count."""

    name: str
    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    """Beside that of this process."""
    folder: Path | None = None
    is_peer: bool = False
    """A peer says its own times on the last line, and may fail without ending everything."""
    before: Callable[[], None] | None = None
    """What is done before each run, outside the clock."""


@dataclass(frozen=True)
class Run:
    """One run of a command."""

    wall_s: float
    cpu_s: float
    """Of the user and of the kernel, all threads."""
    peak_bytes: int
    """The peak of the resident memory."""
    said: Mapping[str, Any] = field(default_factory=dict)
    """What a peer says: `wall_s` and `cpu_s` of its work alone, without its start, and more."""
    output: str = ""
    messages: str = ""
    """What the command printed on its standard error."""


class Failed(Exception):
    """A command that did not end with 0."""


# Settings of the caller that would change what is measured.
FOREIGN = ("DRIFT_", "USE_FIRESTORE", "GCP_PROJECT_ID", "FEEDBACK_DB", "STORAGE_EMULATOR_HOST", "FIRESTORE_EMULATOR_HOST", "PYTHON")


def once(command: Command) -> Run:
    """Runs a command once."""
    if command.before:
        command.before()
    environment = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    environment.update(command.environment)
    with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr, contextlib.chdir(command.folder or "."):
        actions = [(os.POSIX_SPAWN_DUP2, stdout.fileno(), 1), (os.POSIX_SPAWN_DUP2, stderr.fileno(), 2)]
        start = time.perf_counter()
        process = os.posix_spawnp(command.argv[0], command.argv, environment, file_actions=actions)
        _, status, usage = os.wait4(process, 0)
        wall_s = time.perf_counter() - start
        output, messages = read(stdout), read(stderr)
    code = os.waitstatus_to_exitcode(status)
    if code != 0:
        last = " ".join(line.strip() for line in messages.splitlines()[-3:])
        raise Failed(f"{command.name}: ended with {code}: {last}")
    said = json.loads(output.splitlines()[-1]) if command.is_peer else {}
    # The kernel counts in KiB.
    return Run(wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, said, output, messages)


def read(stream: Any) -> str:
    """All that was written into a file."""
    stream.seek(0)
    return stream.read().decode(errors="replace")


class Runs:
    """The runs of several commands that took turns: A B C A B C …, after one round that does not count."""

    def __init__(self, commands: Sequence[Command], rounds: int) -> None:
        self.failures: dict[str, str] = {}
        self.runs: dict[str, list[Run]] = {command.name: [] for command in commands}
        for number in range(rounds + 1):
            for command in commands:
                if command.name in self.failures:
                    continue
                which = f"round {number} of {rounds}" if number else "warming up"
                print(f"  {which}: {command.name}", file=sys.stderr, flush=True)
                try:
                    run = once(command)
                except Failed as failure:
                    if not command.is_peer:
                        raise
                    print(f"  {failure}", file=sys.stderr)
                    self.failures[command.name] = str(failure)
                    continue
                if number:
                    self.runs[command.name].append(run)

    def __contains__(self, name: str) -> bool:
        return name in self.runs and name not in self.failures

    def wall_s(self, name: str) -> list[float]:
        """The wall time of the whole process in each round."""
        return [run.wall_s for run in self.runs[name]]

    def cpu_s(self, name: str) -> list[float]:
        """The processor time of the whole process in each round."""
        return [run.cpu_s for run in self.runs[name]]

    def own_wall_s(self, name: str) -> list[float]:
        """The wall time of a peer's work alone in each round."""
        return [run.said["wall_s"] for run in self.runs[name]]

    def own_cpu_s(self, name: str) -> list[float]:
        """The processor time of a peer's work alone in each round."""
        return [run.said["cpu_s"] for run in self.runs[name]]

    def peak_bytes(self, name: str) -> int:
        """The highest peak of all rounds."""
        return max(run.peak_bytes for run in self.runs[name])


@dataclass(frozen=True)
class Ratio:
    """One quantity over another in each round: the median and the extremes of the rounds' ratios."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, ours: Sequence[float], theirs: Sequence[float]) -> Ratio | None:
        """`None` where a quantity is too small for the noise, so that a difference came out as nothing or less."""
        if not ours or min(*ours, *theirs, 1.0) <= 0.0:
            return None
        ratios = sorted(a / b for a, b in zip(ours, theirs, strict=True))
        return cls(statistics.median(ratios), ratios[0], ratios[-1])
