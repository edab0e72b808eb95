"""What tocsin reads before it starts: rules, fleet and settings, written as files.

Knows the shape of each file. Knows nothing of processes; the names come from `names`, so that every alert of the
bench meets a rule and an element.
"""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import names

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LINKS = 1_000
"""Elements that are no resource of any alert: the links the others depend on."""

_FLEET_HEADER = ("reference", "name", "kind", "offer", "site", "contract", "criticality", "parent", "aliases")

_RULE = """\
  - id: check-{number:05d}
    title: '{check} on a server'
    match:
{match}
    element: {{lookup: '{{{{ resource }}}}', missing: quarantine, ambiguous: quarantine}}
    impact: {{by: severity, critical: interrupted, major: severe, else: degraded}}
    key: [element, check]
    ticket:
      name:
        en: '{{{{ check }}}} on {{{{ element.name }}}} ({{{{ severity }}}})'
        fr: '{{{{ check }}}} sur {{{{ element.name }}}} ({{{{ severity }}}})'
      description:
        en: '{{{{ summary }}}}. {{{{ description }}}} Seen on {{{{ resource }}}}.'
        fr: '{{{{ summary }}}}. {{{{ description }}}} Constaté sur {{{{ resource }}}}.'
"""
_FALLBACK = "fallback: {action: record}\n"

_SETTINGS = """\
listen: {{host: 127.0.0.1, port: {port}}}
state: {folder}/state
rules: {{path: {folder}/rules}}
fleet: {{path: {folder}/fleet}}
sources:
  prometheus: {{kind: prometheus, open: true}}
log: {{level: warning}}
"""


def by_check(number: int) -> list[str]:
    """Matches by equality alone."""
    return ["source: prometheus", f"check: {names.check(number)}"]


def by_summary(number: int) -> list[str]:
    """Matches by a regular expression on the summary."""
    regex = rf"^{names.headline(number)}: (?P<value>[0-9.]+) over (?P<limit>[0-9]+)"
    return ["source: prometheus", f"summary: {{regex: '{regex}'}}"]


def by_several(number: int) -> list[str]:
    """Matches in one of five ways, as the rules of a team that has worked for some years do."""
    check = f"check: {names.check(number)}"
    severities = "severity: [critical, major, minor, warning, info]"
    return (
        ["source: prometheus", check, severities],
        by_summary(number),
        ["labels.team: {exists: true}", check],
        ["source: prometheus", check, "resource: {glob: 'srv-*'}"],
        ["source: prometheus", check, "labels.job: {not: windows}"],
    )[number % 5]


def mostly_by_check(number: int) -> list[str]:
    """Matches by a regular expression in one rule out of ten, by equality in the others: the rules of the service."""
    return by_summary(number) if number % 10 == 0 else by_check(number)


def write_rules(folder: Path, count: int, match: Callable[[int], list[str]] = mostly_by_check) -> None:
    """Writes `count` rules, one for each check, in files of a thousand; the last ends in the fallback."""
    folder.mkdir(parents=True)
    for first in range(0, count, 1_000):
        numbers = range(first, min(count, first + 1_000))
        fallback = _FALLBACK if numbers.stop == count else ""
        rules = "".join(_rule(number, match(number)) for number in numbers)
        (folder / f"{first // 1_000:02d}-checks.yaml").write_text(f"rules:\n{rules}{fallback}", encoding="utf-8")


def write_fleet(folder: Path, count: int) -> None:
    """Writes `count` elements: the links, and below them one server for each resource."""
    folder.mkdir(parents=True)
    with (folder / "elements.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(_FLEET_HEADER)
        table.writerows(_link(number) for number in range(LINKS))
        table.writerows(_server(number) for number in range(count - LINKS))


def write_settings(folder: Path, port: int) -> Path:
    """Writes the settings of a service that keeps everything below `folder`; gives the file."""
    file = folder / "tocsin.yaml"
    file.write_text(_SETTINGS.format(folder=folder, port=port), encoding="utf-8")
    return file


def _rule(number: int, match: list[str]) -> str:
    conditions = "\n".join(f"      {condition}" for condition in match)
    return _RULE.format(number=number, check=names.check(number), match=conditions)


def _link(number: int) -> tuple[str, ...]:
    reference = f"DL{number:08d}"
    return reference, f"Link {number}", "network", "Business VPN", _site(number), _contract(number), "high", "", ""


def _server(number: int) -> tuple[str, ...]:
    address = f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"
    return (
        f"DF{number:08d}",
        f"srv-{number:06d}",
        "service",
        "Cloud Infra Platform",
        _site(number),
        _contract(number),
        ("normal", "high", "normal", "low")[number % 4],
        f"DL{number % LINKS:08d}",
        f"{names.resource(number)};{address}",
    )


def _site(number: int) -> str:
    return f"DC{number % names.DATA_CENTRES:02d}"


def _contract(number: int) -> str:
    return f"OCB{number % 500:07d}"
