"""Compares what `decide` costs with few rules and with many.

Knows how to start `decisions.py` on the server's core, in a process of its own so that nothing else is in its memory,
and to read its findings. Knows nothing of rules.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from measures import Sample, Stand
from peers import PeerError

if TYPE_CHECKING:
    from collections.abc import Iterator

SECONDS = 180.0
"""How long the whole comparison may take, loading the rule sets included."""


def compare(stand: Stand) -> Iterator[Sample]:
    """Compares in a process of its own on the server's core; one sample for each shape of rules.

    Raises:
        PeerError: it could not be measured.
    """
    program = Path(__file__).with_name("decisions.py")
    command = ["taskset", "-c", str(stand.server_core), sys.executable, str(program), str(stand.folder)]
    stand.say("decide with few rules and with many")
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        raise PeerError(f"decide was not measured within {SECONDS:.0f} s") from None
    except subprocess.CalledProcessError as failed:
        raise PeerError(f"decide cannot be measured: {failed.stderr[-1_500:].strip()}") from None
    for shape, facts in json.loads(done.stdout).items():
        ratio = facts["many_us"] / facts["few_us"]
        stand.say(f"decide, {shape}: {facts['few_us']:.1f} us with few rules, {facts['many_us']:.1f} us with many")
        yield Sample(f"e-{shape}", "tocsin", ratio, facts)
