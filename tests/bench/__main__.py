"""`python tests/bench`: measures tocsin beside Debian's Alertmanager and prints what was reached.

Knows the command line, the two cores and the folder; `README.md` beside it explains every figure.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import course
import machine
import measures
import report

if TYPE_CHECKING:
    from collections.abc import Callable

TOOLS = ("taskset", "setpriv")


def main() -> int:
    """Measures and prints; gives 0 when every figure could be taken, whether it reached its target or not."""
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    cores = sorted(os.sched_getaffinity(0))
    if problem := _problem(cores):
        print(f"bench: {problem}", file=sys.stderr)
        return 2
    os.sched_setaffinity(0, {cores[1]})
    try:
        with tempfile.TemporaryDirectory(prefix="tocsin-bench-", dir=options.folder) as folder:
            return _bench(options, measures.Stand(cores[0], Path(folder).resolve(), _teller()))
    except KeyboardInterrupt:
        print("bench: stopped before the end; nothing is left running", file=sys.stderr)
        return 130


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python tests/bench", description="tocsin beside Alertmanager, in figures")
    letters, names = course.LETTERS, course.PEERS
    parser.add_argument("--only", type=_some(letters), default=letters, help=f"some of {','.join(letters)}")
    parser.add_argument("--peers", type=_some(names), default=names, help=f"some of {','.join(names)}")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds: to see that it works")
    parser.add_argument("--rounds", type=int, help=f"how many ({measures.FULL.rounds}; quick: {measures.QUICK.rounds})")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every sample and the outcome to this file")
    parser.add_argument("--folder", type=Path, help="where states are kept while measuring; not on a tmpfs")
    return parser.parse_args()


def _some(choices: tuple[str, ...]) -> Callable[[str], tuple[str, ...]]:
    """Reads a list such as `a,b` in which every word is one of `choices`."""

    def read(text: str) -> tuple[str, ...]:
        wanted = {word.strip() for word in text.split(",")}
        if unknown := wanted.difference(choices):
            raise argparse.ArgumentTypeError(f"there is no {', '.join(sorted(unknown))}, only {', '.join(choices)}")
        return tuple(choice for choice in choices if choice in wanted)

    return read


def _problem(cores: list[int]) -> str:
    """Says why nothing can be measured here, if so."""
    if len(cores) < 2:
        return "two cores are needed, one for the server and one for the load: use a larger machine"
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    return f"{' and '.join(missing)} not found: install util-linux" if missing else ""


def _bench(options: argparse.Namespace, stand: measures.Stand) -> int:
    size = measures.QUICK if options.quick else measures.FULL
    size = replace(size, rounds=options.rounds or size.rounds)
    facts = {"taken": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {size.rounds} rounds of {size.seconds:g} s"}
    facts |= machine.describe(stand.folder)
    servers = course.competitors(options.peers, size)
    run = course.Course(stand, size, set(options.only), servers, decides="tocsin" in servers)
    run.run()
    outcomes = [report.outcome(row, run.samples) for row in report.ROWS]
    for part in (report.table(outcomes, run.troubles), report.conditions(run.samples, run.ceiling), report.foot(facts)):
        print(f"{part}\n")
    if options.json:
        samples = {name: [asdict(sample) for sample in getattr(run, name)] for name in ("samples", "ceiling")}
        kept = {"facts": facts, "outcomes": outcomes, "troubles": run.troubles, **samples}
        options.json.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    return 1 if run.troubles or any(each["troubles"] for each in outcomes) else 0


def _teller() -> Callable[[str], None]:
    """Tells of progress on standard error, with the seconds since the start."""
    started = time.monotonic()
    return lambda words: print(f"[{time.monotonic() - started:5.1f} s] {words}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
