"""Where it was measured."""

from __future__ import annotations

import os
import platform
import resource
import subprocess
from pathlib import Path


def field_of(path: str, name: str, separator: str) -> str:
    """The first value of a name in one of the kernel's or the system's files."""
    try:
        lines = Path(path).read_text().splitlines()
    except OSError:
        return "unknown"
    return next((line.split(separator, 1)[1].strip().strip('"') for line in lines if line.startswith(name)), "unknown")


def memory() -> str:
    """All of the machine's memory."""
    total = field_of("/proc/meminfo", "MemTotal", ":").split()
    return f"{int(total[0]) / 1024**2:.0f} GiB" if total[0].isdigit() else "unknown"


def program(binary: Path, commit: str) -> str:
    """The version of drift-check, and the commit that it was built from, where that is known."""
    version = subprocess.run([str(binary), "--version"], capture_output=True, text=True, check=True).stdout.strip()
    return f"{version}, built from {commit}" if commit else f"{version}, given as DRIFT_CHECK"


def describe(binary: Path, commit: str, versions: list[str], load_before: float) -> list[str]:
    """The sentences of the page."""
    cores = len(os.sched_getaffinity(0))
    model = field_of("/proc/cpuinfo", "model name", ":")
    if "hypervisor" in field_of("/proc/cpuinfo", "flags", ":"):
        model += ", a virtual machine"
    own_peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    system = field_of("/etc/os-release", "PRETTY_NAME", "=")
    return [
        f"Machine: {model}; {cores} cores; {memory()} of memory; {system}, Linux {platform.release()}.",
        f"Load before the first run: {load_before:.2f}, where 0 is an idle machine.",
        f"Program: {program(binary, commit)}.",
        f"Measured by a process that peaked at {own_peak_mib:.0f} MiB: no peak of another can show as less.",
        f"Peers: Python {platform.python_version()}; {'; '.join(versions)}.",
    ]
