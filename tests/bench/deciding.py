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

if TYPE_CHECKING:
    from collections.abc import Iterator

SHAPES = ("equality", "regex", "mixed")
SECONDS = 70.0
"""How long one shape may take, loading its 10 000 rules included."""


def compare(stand: Stand) -> Iterator[Sample]:
    """Compares each shape of rules in a process of its own on the server's core; one sample for each."""
    for shape in SHAPES:
        stand.say(f"decide with few rules and with many, {shape}")
        sample = _compared(stand, shape)
        stand.say(f"decide, {shape}: {sample.trouble or sample.facts}")
        yield sample


def _compared(stand: Stand, shape: str) -> Sample:
    program = str(Path(__file__).with_name("decisions.py"))
    command = ["taskset", "-c", str(stand.server_core), sys.executable, program, shape, str(stand.folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return Sample(f"e-{shape}", "tocsin", 0.0, trouble=f"not loaded and measured within {SECONDS:.0f} s")
    except subprocess.CalledProcessError as failed:
        return Sample(f"e-{shape}", "tocsin", 0.0, trouble=failed.stderr[-1_500:].strip())
    facts = json.loads(done.stdout)
    return Sample(f"e-{shape}", "tocsin", facts["many_us"] / facts["few_us"], facts)
