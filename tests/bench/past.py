"""`make bench-replay`: how long a replay of a month takes and how much memory, for a small and for a large history.

There is no peer to measure beside: none replays. Both sides run at once, each on a core of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import threading
import time
from datetime import timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import histories
from house import opened
from tocsin.workbench.replay import Job, Run

CANDIDATE = histories.RULES.replace("hold: 10m", "hold: 30m").replace("critical: severe", "critical: interrupted")


def main() -> None:
    """Makes each history, replays it, prints a line."""
    parser = argparse.ArgumentParser(prog="python tests/bench/past.py", description="a replay, in figures")
    parser.add_argument("--counts", type=int, nargs="+", default=[200_000, 1_000_000], help="alerts in the histories")
    print(
        "| alerts | seconds | µs an alert and side | largest process, MB | all processes, MB | tickets | differences |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for count in parser.parse_args().counts:
        with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as folder:
            print(measured(Path(folder), count), flush=True)


def measured(folder: Path, count: int) -> str:
    """One row of the table."""
    asyncio.run(_begin(folder))
    histories.fill(folder, count)
    (folder / "fleet").mkdir()
    (folder / "fleet" / "elements.yaml").write_text(histories.FLEET, encoding="utf-8")
    since = histories.START
    job = Job(
        history=folder,
        since=since,
        until=since + histories.MONTH + timedelta(days=10),
        live={"10.yaml": histories.RULES},
        candidate={"10.yaml": CANDIDATE},
        live_fleet=folder / "fleet",
        candidate_fleet=folder / "fleet",
    )
    largest, over = [0, 0], threading.Event()
    watcher = threading.Thread(target=_watch, args=(largest, over))
    watcher.start()
    result = Run(job).run()
    over.set()
    watcher.join()
    each = result.seconds / count * 1e6
    sizes = " | ".join(f"{size / 1e6:.0f}" for size in largest)
    return f"| {count:,} | {result.seconds:.1f} | {each:.1f} | {sizes} | {result.live.tickets} | {result.differing} |"


async def _begin(folder: Path) -> None:
    async with opened(folder):
        pass


def _watch(largest: list[int], over: threading.Event) -> None:
    """The resident memory of this process's children, again and again."""
    while not over.wait(0.2):
        sizes = [_resident(pid) for pid in Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()]
        largest[0] = max([largest[0], *sizes])
        largest[1] = max(largest[1], sum(sizes) + _resident("self"))


def _resident(pid: str) -> int:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    except (FileNotFoundError, ProcessLookupError):  # it has just ended
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    begun = time.monotonic()
    main()
    print(f"\nwith making the histories: {time.monotonic() - begun:.0f} s")
