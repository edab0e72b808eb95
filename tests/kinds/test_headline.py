from __future__ import annotations

import pytest

from tocsin.sources import _headline

HANGS = pytest.mark.timeout(60)  # what is not linear takes many minutes with these

PAIRS = [
    ("[FIRING:2] DiskFull prod-a", "[RESOLVED] DiskFull prod-a"),
    ("[Alerting] CPU usage high", "[OK] CPU usage high"),
    ("[No Data] CPU usage high", "[OK] CPU usage high"),
    ("[web] [🔴 Down] connect ECONNREFUSED 192.0.2.1:443", "[web] [✅ Up] 200 - OK"),
    ("web service went down.", "web service went up!"),
    (
        "db1 needs attention, `disk._var` (_/var_), *disk usage = 85%*",
        "db1 recovered, `disk._var` (_/var_), *disk usage (alarm was raised for 10 minutes)*",
    ),
    ("“backup db1” is DOWN.", "“backup db1” is UP."),
    ("[backup](https://hc.example.net/x) is DOWN.", "[backup](https://hc.example.net/y) is UP."),
    (
        "An alert for *core/frontend* has been triggered due to having failed 3 time(s) in a row",
        "An alert for *core/frontend* has been resolved after passing successfully 5 time(s) in a row",
    ),
    ("Alert for device db1 - Disk full", "Device db1 recovered from Disk full"),
    ("** PROBLEM Service Alert: db1/Disk is CRITICAL **", "** RECOVERY Service Alert: db1/Disk is OK **"),
    ("PROBLEM: Service disk on host db1 state is CRITICAL", "RECOVERY: Service disk on host db1 state is OK"),
    ("Problem: Disk space is low on db1", "Resolved in 3m 20s: Disk space is low on db1"),
    ("Problem: Interface eth0: Link down", "Resolved: Interface eth0: Link down"),
    ("CRITICAL: disk /var on db1 is 95% full", "OK: disk /var on db1 is 45% full"),
    (
        "Monitor is DOWN: My site ( https://www.example.com ) - Reason: HTTP 500",
        "Monitor is UP: My site ( https://www.example.com ). It was down for 5 minutes.",
    ),
    ('ALARM: "cpu-high" in EU (Ireland)', 'OK: "cpu-high" in EU (Ireland)'),
    (":rotating_light: *Disk full* on db1", ":white_check_mark: *Disk full* on db1"),
    ("api: OK -> CRITICAL", "api: CRITICAL -> OK"),
    ("Service disk on db1 changed from OK to CRITICAL", "Service disk on db1 changed from CRITICAL to OK"),
    ("db1 is CRITICAL: load average: 12.5, 11, 9", "db1 is OK: load average: 0.5, 1, 2"),
    ("Port 3 is down on sw1", "Port 3 is up on sw1"),
    ("Error rate high on web01", "Resolved: Error rate high on web01"),
    ("Backup job nightly failed", "Backup job nightly succeeded"),
    ("www.example.com is down", "www.example.com is back up after 3 minutes"),
]


@pytest.mark.parametrize(("problem", "over"), PAIRS)
def test_firing_and_resolved_are_about_the_same(problem: str, over: str) -> None:
    one, two = _headline.read(problem), _headline.read(over)
    assert one.about == two.about
    assert one.about
    assert one.resource == two.resource
    assert one.state in {"firing", ""}
    assert two.state == "over"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("web01 is down", "web02 is down"),
        ("192.0.2.1 is down", "192.0.2.2 is down"),
        ("Port 3 is down on sw1", "Port 4 is down on sw1"),
        ("Port 3 is down on sw1", "Port 3 is down on sw2"),
        ("db1 is critical, disk /var", "db1 is critical, load"),
        ("CRITICAL: disk /var on db1", "CRITICAL: disk /home on db1"),
        ("[FIRING:1] Link down", "[FIRING:1] Link flapping"),
    ],
)
def test_two_problems_stay_two(one: str, other: str) -> None:
    assert _headline.read(one).about != _headline.read(other).about


@pytest.mark.parametrize(
    ("line", "state"),
    [
        ("Low available memory on db1", ""),
        ("unable to clear queue q1", ""),
        ("Port 443 closed on db1", ""),
        ("Database in recovery mode", ""),
        ("not resolved yet", ""),
        ("Back up failed on db1", "firing"),
        ("db1 is not available", "firing"),
        ("db1 is no longer firing", "over"),
        ("Error cleared on db1", "over"),
        ("PING OK - Packet loss = 0%", "over"),
        ("Service RECOVERY notification", "over"),
        ("DOWN -> UP", "over"),
        ("OK → CRIT", "firing"),
        ("Service ACKNOWLEDGEMENT notification", "quiet"),
        ("Deploy finished", ""),
    ],
)
def test_a_word_of_state_is_one_only_where_it_says_a_state(line: str, state: str) -> None:
    assert _headline.read(line).state == state


@pytest.mark.parametrize(
    ("line", "severity"),
    [
        ("CRITICAL: x", "critical"),
        ("x is DOWN", "critical"),
        ("WARNING - x", "warning"),
        ("x failed", "major"),
        ("x", ""),
    ],
)
def test_severities(line: str, severity: str) -> None:
    assert _headline.read(line).severity == severity


@pytest.mark.parametrize(
    ("line", "resource"),
    [
        ("disk full on db1", "db1"),
        ("disk full on host db1", "db1"),
        ("www.example.com is down", "www.example.com"),
        ("latency of 192.0.2.7 is high", "192.0.2.7"),
        ("** PROBLEM Service Alert: db1/Disk is CRITICAL **", "db1"),
        ("db1 is critical, load", "db1"),
        ("the backup did not run", ""),
    ],
)
def test_the_resource_is_what_a_line_names(line: str, resource: str) -> None:
    assert _headline.read(line).resource == resource


def test_figures_count_where_they_are_not_masked() -> None:
    one, other = "shop has 3 errors", "shop has 4 errors"
    assert _headline.read(one).about == _headline.read(other).about
    assert _headline.read(one, mask=False).about != _headline.read(other, mask=False).about


@pytest.mark.parametrize(
    ("line", "quiet"),
    [
        ("ACKNOWLEDGEMENT: db1 is DOWN", True),
        ("Host DOWNTIMESTART notification", True),
        ("[Paused] CPU usage", True),
        ("paused jobs: 7", False),
        ("Acknowledged by the team", True),
        ("Acknowledged: No", False),
        ("7 jobs are paused", False),
        ("SYN-ACK flood on fw1", False),
    ],
)
def test_what_people_do_about_a_problem_is_told_apart(line: str, *, quiet: bool) -> None:
    assert _headline.is_quiet(line) is quiet


def test_marks_of_chats_are_taken_out() -> None:
    line = "<!channel> *<https://a.example.net/1|Disk full>* on `db1` &amp; <mailto:x@example.net|x> <https://b.example.net>"
    assert _headline.clean(line) == "Disk full on db1 & x https://b.example.net"


@HANGS
@pytest.mark.parametrize(
    "line", ["is " * 1000, "[" * 9000, "a-> " * 1000, "(" * 9000, "for 1s " * 900, "*_" * 4000, "<" * 9000]
)
def test_no_line_takes_long(line: str) -> None:
    _headline.read(line)
