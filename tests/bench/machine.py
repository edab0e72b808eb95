"""What the kernel says: which machine this is, what a process costs, how busy a core was.

Knows `/proc` and the versions of what is compared. Knows nothing of measures.
"""

from __future__ import annotations

import os
import platform
import shutil
import statistics
import subprocess
import time
from importlib import metadata
from pathlib import Path

import pysqlite3

PACKAGES = ("aiohttp", "uvloop", "msgspec", "minijinja", "google-re2")
_TICKS = os.sysconf("SC_CLK_TCK")


def describe(folder: Path) -> dict[str, str]:
    """Describes the machine, the disk below `folder` and the versions, for the foot of the table."""
    return {
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "kernel": f"{platform.system()} {platform.release()}",
        "load before": "{:.2f} {:.2f} {:.2f}".format(*os.getloadavg()),
        "disk": f"{_filesystem(folder)}, fdatasync of a page {_sync_seconds(folder) * 1e3:.2f} ms",
        "python": platform.python_version(),
        "sqlite": pysqlite3.sqlite_version,
        **{name: metadata.version(name) for name in PACKAGES},
        "tocsin": metadata.version("tocsin"),
        "commit": _commit(),
        "alertmanager": _alertmanager(),
    }


def cpu_seconds(pid: int) -> float:
    """Gives the seconds of processor time that a process, all its threads included, has used."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def core_seconds(core: int) -> float:
    """Gives the seconds this core has worked for anyone, or was taken away by the hypervisor."""
    for line in Path("/proc/stat").read_text("ascii").splitlines():
        name, *fields = line.split()
        if name == f"cpu{core}":
            user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, fields[:8])
            return (user + nice + system + irq + softirq + steal) / _TICKS
    raise LookupError(f"/proc/stat has no line for core {core}")


def memory(pid: int) -> dict[str, float]:
    """Gives a process's memory in megabytes (10^6 bytes): `resident`, the part of it not in files, the `peak`."""
    status = Path(f"/proc/{pid}/status").read_text("ascii")
    lines = dict(line.split(":", 1) for line in status.splitlines())
    names = {"resident": "VmRSS", "anonymous": "RssAnon", "peak": "VmHWM"}
    return {name: int(lines[field].split()[0]) * 1024 / 1e6 for name, field in names.items()}


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _filesystem(folder: Path) -> str:
    """Names the file system of the longest mount point above `folder`: on tmpfs, a commit costs nothing."""
    mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text("utf-8").splitlines()]
    above = [(point, kind) for point, kind in mounts if folder.is_relative_to(point)]
    return max(above, key=lambda mount: len(mount[0]))[1]


def _sync_seconds(folder: Path) -> float:
    """Measures what one durable write costs here: the median of 50."""
    file = folder / "sync"
    handle = os.open(file, os.O_CREAT | os.O_WRONLY)
    try:
        return statistics.median(_synced(handle) for _ in range(50))
    finally:
        os.close(handle)
        file.unlink()


def _synced(handle: int) -> float:
    started = time.perf_counter()
    os.write(handle, bytes(4096))
    os.fdatasync(handle)
    return time.perf_counter() - started


def _commit() -> str:
    """Names the commit that is measured, and whether the files differ from it."""
    git = ("git", "--no-optional-locks", "-C", str(Path(__file__).parent))
    commit = subprocess.run([*git, "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=False)
    if commit.returncode:
        return "unknown (no git checkout)"
    status = subprocess.run([*git, "status", "--porcelain"], capture_output=True, text=True, check=False)
    return commit.stdout.strip() + (" with changes" if status.stdout.strip() else "")


def _alertmanager() -> str:
    if shutil.which("prometheus-alertmanager") is None:
        return "not installed"
    answer = subprocess.run(["prometheus-alertmanager", "--version"], capture_output=True, text=True, check=True)
    lines = (answer.stdout + answer.stderr).splitlines()
    go = next((line.split(":", 1)[1].strip() for line in lines if "go version" in line), "")
    return f"{lines[0].split('(')[0].strip()}, {go}"
