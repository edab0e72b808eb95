"""The outcome of rule tests as JUnit XML, as build servers read it. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from msgspec import Struct

from tocsin.workbench.testing import Failure, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Ran(Struct, frozen=True, kw_only=True):
    """A test that was run, and how long that took."""

    outcome: Outcome
    seconds: float


def xml(files: Mapping[str, Sequence[Ran]]) -> str:
    """Return the tests of files as a JUnit document: one suite for each file, one case for each test."""
    every = [ran for tests in files.values() for ran in tests]
    root = ET.Element("testsuites", _counts("tocsin test", every))
    for file, tests in files.items():
        suite = ET.SubElement(root, "testsuite", _counts(file, tests))
        for ran in tests:
            _case(suite, ran)
    ET.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _counts(name: str, tests: Sequence[Ran]) -> dict[str, str]:
    failed = sum(bool(ran.outcome.failures) for ran in tests)
    return {
        "name": _clean(name),
        "tests": str(len(tests)),
        "failures": str(failed),
        "errors": "0",
        "skipped": "0",
        "time": _seconds(ran.seconds for ran in tests),
    }


def _case(suite: ET.Element, ran: Ran) -> None:
    test = ran.outcome.test
    said = {"classname": _clean(test.file), "name": _clean(test.name), "file": _clean(test.file)}
    case = ET.SubElement(suite, "testcase", said | {"line": str(test.line), "time": _seconds([ran.seconds])})
    if not ran.outcome.failures:
        return
    failure = ET.SubElement(case, "failure", {"type": "expectation", "message": _message(ran.outcome.failures)})
    failure.text = _clean("\n".join(_told(one) for one in ran.outcome.failures))


def _message(failures: tuple[Failure, ...]) -> str:
    first = failures[0]
    more = f" (and {len(failures) - 1} more)" if len(failures) > 1 else ""
    return _clean(f"at {first.moment}: {first.what}: expected {first.expected}, came {first.came}{more}")


def _told(failure: Failure) -> str:
    return (
        f"{failure.file}:{failure.line}: at {failure.moment}: {failure.what}: "
        f"expected {failure.expected}, came {failure.came}\n  {failure.trace}"
    )


def _seconds(spans: Iterable[float]) -> str:
    return f"{sum(spans):.4f}"


def _clean(text: str) -> str:
    """The text without the characters that XML cannot hold."""
    return _NOT_XML.sub("\ufffd", text)
