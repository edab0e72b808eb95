"""Alerts that are not mapped: which they are, how they are grouped, and that a proposed change maps exactly its group."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from house import ELEMENTS, RULES, T0, Clock, Road, alert, opened
from tocsin import fleet, rules, yaml12
from tocsin.cli import app
from tocsin.errors import StoreError
from tocsin.model import Element, Severity, Status
from tocsin.rules import engine
from tocsin.store import unmapped as stored
from tocsin.store.unmapped import Heard, Period
from tocsin.workbench import testing
from tocsin.workbench.unmapped import Unmapped, Why, masks, mining, read, shapes, unmapped, writing

if TYPE_CHECKING:
    from pathlib import Path

    from typer.testing import Result

    from tocsin.model import Alert
    from tocsin.rules import RuleSet
    from tocsin.workbench.unmapped import Group, Proposal

FLEET = fleet.build(ELEMENTS)
BOOK = rules.build({"10-test.yaml": RULES})


def heard(*alerts: Alert) -> tuple[Heard, ...]:
    return tuple(
        Heard(text=n, alert=one, count=1, first_at=T0, last_at=T0 + timedelta(seconds=n), firing=True)
        for n, one in enumerate(alerts)
    )


def looked(*alerts: Alert, others: tuple[Alert, ...] = (), book: RuleSet = BOOK, of: Any = FLEET) -> Unmapped:
    return Unmapped(Period(since=T0, heard=heard(*alerts), others=others), book, of, T0)


def fans(count: int = 3, **facts: Any) -> list[Alert]:
    said = {"source": "generic", "check": "fan", "severity": Severity.MINOR, **facts}
    return [
        alert(fingerprint=f"fan{n}", resource=f"web{n % 3 + 1}", summary=f"Fan {n} of web{n % 3 + 1} stopped", **said)
        for n in range(count)
    ]


def with_it(proposal: Proposal, book: RuleSet = BOOK) -> RuleSet:
    """The rules with a proposed file, after all tests have passed."""
    candidate = rules.build({**book.files, proposal.file: proposal.text})
    testing.check(candidate, FLEET)
    return candidate


def only(found: Unmapped) -> tuple[Group, Proposal]:
    (group,) = found.groups
    (proposal,) = found.propose(group)
    return group, proposal


def elements_of(proposal: Proposal) -> dict[str, list[str]]:
    """Reference → aliases, as the proposal has them."""
    return {one["reference"]: one.get("aliases", []) for one in yaml12.read(proposal.text)[0]["elements"]}


# --- masks and shapes ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("load is 12.5 of 4", "load is <number> of <number>"),
        ("peer 10.0.0.1:9100 lost", "peer <address>:<number> lost"),
        ("peer 2001:db8:0:1::5 lost", "peer <address> lost"),
        ("code=0xdeadbeef in 3f2a9c1d7e", "code=<hex> in <hex>"),
        ("job 2e5f6a7b-1111-2222-3333-444455556666 died", "job <uuid> died"),
        ("/var/log is at 97%", "<path> is at <number>%"),
        ("since 2026-11-23T03:00:00Z and 03:00", "since <time> and <time>"),
        ("web1.example.com (web1) is down", "<resource> (<resource>) is down"),
        ("sda1 is bad", "sda1 is bad"),
        ("feedface is a word", "feedface is a word"),
    ],
)
def test_variable_parts_are_told_by_their_look(text: str, shape: str) -> None:
    assert masks.shown(masks.masked(text, "web1.example.com")) == shape


@pytest.mark.parametrize(
    ("texts", "shape"),
    [
        (["job alpha failed", "job beta failed"], "job <*> failed"),
        (["alpha is down", "beta is down"], "<*> is down"),
        (["Backup error: disk", "Backup error: no tape here", "Backup error: a b c d"], "Backup error: …"),
    ],
)
def test_words_that_differ_are_any_word(texts: list[str], shape: str) -> None:
    assert {str(one) for one in mining.mine(texts).values()} == {shape}


def test_different_sentences_have_different_shapes() -> None:
    assert len(set(mining.mine(["disk is full", "fan has stopped at last", "nothing works"]).values())) == 3


def test_a_check_that_says_anything_has_one_shape() -> None:
    texts = [f"{'x' * n} {'y' * n}" + f" w{n}" * n for n in range(1, 2 * mining.MANY)]
    assert {str(one) for one in mining.mine(texts).values()} == {"…"}


def test_captures_are_called_by_the_key_before_them_or_the_unit_after_them() -> None:
    shape = shapes.of(masks.masked("28 processes, load=3 at 97% and 5"))
    assert "(?P<load>" in shape.regexes()[0]
    assert "(?P<percent>" in shape.regexes()[0]
    processes = shapes.of(masks.masked("28 processes with args"))
    assert processes.regexes()[0] == r"^(?P<processes>\d+) processes with args$"


@given(st.text(max_size=60))
def test_whatever_is_written_reads_back_the_same(text: str) -> None:
    wanted = text.encode("utf-8", "replace").decode()
    assert yaml12.read(f"key: {writing.text(text)}\nlist: {writing.listed([text, 'b'])}")[0] == {
        "key": wanted,
        "list": [wanted, "b"],
    }


# --- groups ----------------------------------------------------------------------------------------------------------


def test_alerts_of_one_shape_are_one_group_whatever_their_severity() -> None:
    (group,) = looked(*fans(4), *fans(2, severity=Severity.MAJOR)).groups
    assert (group.why, group.template, group.count) == (Why.NO_RULE, "Fan <number> of <resource> stopped", 6)
    assert (group.severities, group.resource_count) == ((Severity.MAJOR, Severity.MINOR), 3)


def test_another_source_or_check_is_another_group() -> None:
    assert len(looked(*fans(2), *fans(2, source="nagios"), *fans(2, check="vent")).groups) == 3


def test_checks_that_differ_in_a_path_are_one_group() -> None:
    full = [alert(check=f"Disk /data/{n}", fingerprint=str(n), summary="nearly full") for n in range(30)]
    group, proposal = only(looked(*full))
    assert len(group.checks) == 30
    assert "regex: '^Disk (?:/\\S*)$'" in proposal.text
    assert proposal.exact


def test_a_group_keeps_its_id_whatever_else_comes_in() -> None:
    before = looked(*fans(2)).groups[0].id
    after = looked(*fans(40), *fans(3, check="vent"))
    assert before in {group.id for group in after.groups}
    assert after.group(before[:6]) is not None


def test_what_the_rules_map_by_now_is_not_unmapped() -> None:
    assert looked(alert(), alert(check="noise"), *fans(1)).groups[0].count == 1


def test_names_in_vain_have_a_group_each_while_they_are_few() -> None:
    found = looked(*(alert(resource=name, fingerprint=name) for name in ("mars", "venus", "mars")))
    assert sorted((group.why, group.rule, group.template) for group in found.groups) == [
        (Why.MISSING, "disk", "mars"),
        (Why.MISSING, "disk", "venus"),
    ]


def test_many_names_in_vain_are_grouped_by_domain() -> None:
    names = [f"{name}{n}.dc1.example.com" for n in range(20) for name in ("db", "app")] + ["plain7", "plain8"]
    found = looked(*(alert(resource=name, fingerprint=name) for name in names))
    assert {group.template for group in found.groups} == {"*.dc1.example.com", "plain<number>"}


# --- a rule is proposed ----------------------------------------------------------------------------------------------


def test_the_proposed_rule_file_is_as_a_person_would_write_it() -> None:
    group, proposal = only(looked(*fans(3)))
    assert proposal.file == f"80-proposed-{group.id}.yaml"
    assert str(proposal.proof) == "maps 3 of 3, takes none of the others"
    assert proposal.text == (
        "# Proposed for alerts that no rule knew, 3 from 2026-11-23 to 2026-11-23:\n"
        "# Fan <number> of <resource> stopped\n"
        "# Impacts are a guess: set them before this goes live.\n"
        "rules:\n"
        "  - id: fan\n"
        "    title: 'fan: Fan <number> of <resource> stopped'\n"
        "    match:\n"
        "      source: generic\n"
        "      check: fan\n"
        "      summary: {regex: '^Fan (?P<number>\\d+) of \\S+ stopped$'}\n"
        "    element: {lookup: '{{ resource }}', missing: quarantine, ambiguous: quarantine}\n"
        "    impact: {by: severity, critical: interrupted, major: severe, info: none, else: degraded}\n"
        "    ticket:\n"
        "      name: {en: '{{ check }} on {{ element.name }}', fr: '{{ check }} sur {{ element.name }}'}\n"
        "\n"
        "samples:\n"
        "  example:\n"
        "    source: generic\n"
        "    severity: minor\n"
        "    resource: web3\n"
        "    check: fan\n"
        "    summary: Fan 2 of web3 stopped\n"
        "\n"
        "tests:\n"
        "  - name: such an alert that is minor makes a ticket\n"
        "    alerts:\n"
        "      - {at: 0s, use: example}\n"
        "    expect: {at: 1m, tickets: 1, rule: fan, element: DF3, impact: degraded}\n"
    )


def test_with_the_proposed_rule_its_group_becomes_tickets_and_is_unmapped_no_more() -> None:
    others = fans(2, check="vent")
    found = looked(*fans(5), *others)
    group = next(group for group in found.groups if group.checks == ("fan",))
    after = with_it(found.propose(group)[0])
    assert [engine.decide(one, after, FLEET, T0).rule for one in fans(5)] == ["fan"] * 5
    assert {group.checks for group in looked(*fans(5), *others, book=after).groups} == {("vent",)}


LATER = {"10-test.yaml": RULES, "95-rest.yaml": "rules:\n  - {id: rest, match: {severity: critical}, action: record}\n"}


def test_a_rule_that_would_take_what_a_later_one_maps_is_narrowed_to_the_severities_met() -> None:
    mapped = tuple(fans(2, severity=Severity.CRITICAL))
    _, proposal = only(looked(*fans(3), others=mapped, book=rules.build(LATER)))
    assert "      severity: minor" in proposal.text
    assert proposal.exact


def test_what_an_earlier_rule_takes_first_does_not_narrow_it() -> None:
    book = rules.build({"10-test.yaml": RULES, "20-x.yaml": LATER["95-rest.yaml"]})
    _, proposal = only(looked(*fans(3), others=tuple(fans(2, severity=Severity.CRITICAL)), book=book))
    assert "      severity: minor" not in proposal.text
    assert proposal.exact


def test_a_rule_is_narrowed_by_a_shared_label_when_the_severity_does_not_tell() -> None:
    by_team = LATER["95-rest.yaml"].replace("severity: critical", "labels.team: shop")
    book = rules.build({"10-test.yaml": RULES, "95-rest.yaml": by_team})
    others = tuple(fans(2, labels={"team": "shop"}))
    _, proposal = only(looked(*fans(3, labels={"team": "bank", "n": "1"}), others=others, book=book))
    assert "labels.team: bank" in proposal.text
    assert proposal.exact


def test_a_rule_that_cannot_be_told_from_the_others_says_so() -> None:
    by_url = LATER["95-rest.yaml"].replace("severity: critical", "url: x")
    book = rules.build({"10-test.yaml": RULES, "95-rest.yaml": by_url})
    _, proposal = only(looked(*fans(3), others=tuple(fans(3, url="x")), book=book))
    assert not proposal.exact
    assert str(proposal.proof) == "maps 3 of 3, takes 3 of the 3 others, too"
    assert "not exact" in proposal.remarks[0]


def test_an_id_that_is_taken_is_not_given_again() -> None:
    taken = alert(check="disk", severity=Severity.MINOR, source="other")
    book = rules.build({"10-test.yaml": RULES.replace("match: {check: disk}", "match: {check: disc}")})
    group, proposal = only(looked(taken, book=book))
    assert f"- id: disk-{group.id}\n" in proposal.text
    with_it(proposal, book)


def test_the_element_is_looked_up_by_the_label_that_the_fleet_knows() -> None:
    on = [alert(check="fan", resource=f"x{n}", labels={"host": f"web{n}"}, fingerprint=str(n)) for n in (1, 2)]
    _, proposal = only(looked(*on))
    assert "lookup: '{{ labels.host }}'" in proposal.text
    assert proposal.proof.tickets == 2
    with_it(proposal)


def test_a_rule_about_things_the_fleet_does_not_know_comes_with_the_elements() -> None:
    found = looked(
        *(alert(check="fan", resource=name, fingerprint=name) for name in ("web1", "web2.dc.example.com", "mars"))
    )
    rule, elements = found.propose(found.groups[0])
    assert rule.exact
    assert elements.exact
    assert elements_of(elements) == {"NEW-MARS": ["mars"]}
    with_it(rule)


@pytest.mark.parametrize(
    "facts", [{"summary": ""}, {"check": ""}, {"summary": "x" * 5000}, {"summary": "\x00\x1b[2J\u2028"}]
)
def test_odd_alerts_have_a_rule_too(facts: dict[str, str]) -> None:
    _, proposal = only(looked(alert(**{"check": "fan", **facts})))
    assert proposal.proof.maps == 1
    with_it(proposal)


WORDS = (
    "disk",
    "is",
    "code=",
    "(backup)",
    "50%",
    "'quoted'",
    '"x"',
    "a|b",
    "[hot]",
    "C:\\temp",
    "{{",
    "}}",
    "été",
    "#",
)
WORDS += ("-", "*", "+1", "value:", "<number>", "no", "~", "\u00a0", "^up", "$HOME")
VALUES = {
    "whole": st.integers(0, 99_999).map(str),
    "decimal": st.decimals(0, 99, places=1).map(str),
    "address": st.ip_addresses(v=4).map(str),
    "hex": st.integers(0, 2**32).map(hex),
    "uuid": st.uuids().map(str),
    "path": st.integers(0, 99).map(lambda n: f"/var/{n}/log"),
    "time": st.times().map(lambda at: f"{at:%H:%M:%S}"),
    "word": st.sampled_from(["alpha", "beta", "gamma", "delta"]),
}


@st.composite
def families(draw: st.DrawFn) -> list[Alert]:
    """Some kinds of message, each said several times with other values."""
    alerts: list[Alert] = []
    for _ in range(draw(st.integers(1, 4))):
        said = draw(st.lists(st.sampled_from([*WORDS, *VALUES]), min_size=1, max_size=8))
        source, check = (
            draw(st.sampled_from(["generic", "nagios"])),
            draw(st.sampled_from(["fan", "Queue 7", "a: b", "no"])),
        )
        for _ in range(draw(st.integers(1, 5))):
            summary = " ".join(draw(VALUES[word]) if word in VALUES else word for word in said)
            resource = draw(st.sampled_from(["web1", "web2", "mars", "10.1.2.3"]))
            facts = {"severity": draw(st.sampled_from(Severity)), "resource": resource}
            alerts.append(alert(source=source, check=check, summary=summary, fingerprint=str(len(alerts)), **facts))
    return alerts


@settings(max_examples=40)
@given(families())
def test_every_proposal_passes_its_own_tests_and_maps_exactly_its_group(alerts: list[Alert]) -> None:
    found = looked(*alerts)
    assert sum(group.count for group in found.groups) == len(alerts)
    for group in found.groups:
        rule, *more = found.propose(group)
        candidate = with_it(rule)
        assert not candidate.warnings
        assert [proposal for proposal in (rule, *more) if not proposal.exact] == []
        taken = [one for one in alerts if engine.decide(one, candidate, FLEET, T0).rule == candidate.rules[-1].id]
        assert len(taken) == group.count


# --- a change of the fleet or of a table is proposed -----------------------------------------------------------------


def test_a_name_near_an_elements_own_is_proposed_as_its_alias() -> None:
    _, proposal = only(looked(alert(resource="srv-web1.dc.example.com")))
    assert elements_of(proposal) == {"DF1": ["web1", "srv-web1.dc.example.com"]}
    assert (proposal.exact, proposal.references) == (True, ("DF1",))


def test_a_name_with_another_number_is_another_element() -> None:
    _, proposal = only(looked(alert(resource="web77")))
    assert elements_of(proposal) == {"NEW-WEB77": ["web77"]}
    assert "criticality: high" in proposal.text  # as its neighbours have it
    assert proposal.exact


def test_an_ambiguous_name_is_left_to_one_element() -> None:
    of = fleet.build([*ELEMENTS, Element(reference="DF99", name="Twin", aliases=("web1", "twin"))])
    group, proposal = only(looked(alert(), of=of))
    assert (group.why, group.candidates) == (Why.AMBIGUOUS, ("DF1", "DF99"))
    assert elements_of(proposal) == {"DF99": ["twin"]}
    assert proposal.exact


def test_a_full_name_whose_first_label_is_ambiguous_becomes_an_alias() -> None:
    of = fleet.build([*ELEMENTS, Element(reference="DF99", name="Twin", aliases=("web1",))])
    _, proposal = only(looked(alert(resource="web1.dc.example.com"), others=(alert(resource="web2"),), of=of))
    assert elements_of(proposal) == {"DF1": ["web1", "web1.dc.example.com"]}
    assert proposal.exact


TABLE = """
rules:
  - id: disk
    match: {check: disk}
    element: {table: tables/hosts.csv, by: resource, column: where}
    impact: degraded
fallback: {action: record}
"""
FILES = {"10-test.yaml": TABLE, "tables/hosts.csv": "host;impact;where\nweb1;none;DF1\nold;none;DF77\n"}


def test_a_value_that_a_table_does_not_have_is_proposed_as_a_row() -> None:
    _, proposal = only(looked(alert(resource="srv-web2"), book=rules.build(FILES)))
    assert (proposal.kind, proposal.file, proposal.text) == ("rows", "tables/hosts.csv", "srv-web2;;DF2\n")
    assert proposal.exact


def test_a_row_for_an_unknown_host_leaves_the_element_to_a_person() -> None:
    _, proposal = only(looked(alert(resource="mars"), book=rules.build(FILES)))
    assert (proposal.text, proposal.exact) == ("mars;;REFERENCE\n", False)
    assert "replace REFERENCE" in proposal.remarks[0]


def test_a_reference_that_only_the_table_knows_is_proposed_as_an_element() -> None:
    _, proposal = only(looked(alert(resource="old"), book=rules.build(FILES)))
    assert list(elements_of(proposal)) == ["DF77"]
    assert proposal.exact


def test_a_rule_that_looks_for_no_name_at_all_needs_a_change_itself() -> None:
    book = rules.build({"10-test.yaml": RULES.replace("'{{ resource }}'", "'{{ labels.host|default(\"\") }}'", 1)})
    _, proposal = only(looked(alert(), book=book))
    assert (proposal.text, proposal.exact) == ("", False)
    assert "gives no name" in proposal.remarks[0]


# --- what came in ----------------------------------------------------------------------------------------------------


async def test_the_store_tells_what_was_not_mapped_with_repeats_and_what_fires_still(tmp_path: Path) -> None:
    fan, mars, gone = alert(check="fan"), alert(resource="mars", fingerprint="m"), alert(check="vent", fingerprint="v")
    async with opened(tmp_path) as store:
        road = Road(store, Clock())
        await road.take(alert(check="old", fingerprint="old"))
        road.clock.passes(days=40)
        for _ in range(3):
            await road.take(fan, mars, gone, alert(fingerprint="d"), alert(check="noise", fingerprint="n"))
            road.clock.passes(hours=1)
        await road.take(alert(check="vent", fingerprint="v", status=Status.RESOLVED))
        period = stored.since(tmp_path, road.clock.now - timedelta(days=30))
        groups = unmapped(tmp_path, BOOK, FLEET, road.clock.now - timedelta(days=30), road.clock.now)
    assert {one.alert.check: (one.count, one.firing) for one in period.heard} == {
        "fan": (3, True),
        "disk": (3, True),
        "vent": (3, False),
    }
    assert period.heard[0].last_at - period.heard[0].first_at == timedelta(hours=2)
    assert {one.check for one in period.others} == {"disk", "noise"}
    assert {(group.why, group.count, group.firing) for group in groups} == {
        (Why.NO_RULE, 3, 1),
        (Why.NO_RULE, 3, 0),
        (Why.MISSING, 3, 1),
    }


async def test_what_was_decided_twice_is_heard_once(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        road = Road(store, Clock())
        await road.take(alert(check="fan"))
        road.change_rules(RULES + "# the same\n")
        await road.take(alert(check="fan"))
        (one,) = stored.since(tmp_path, T0).heard
    assert one.count == 2


def test_without_a_database_it_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="tocsin serve"):
        read(tmp_path, BOOK, FLEET, T0, T0)


# --- the command line ------------------------------------------------------------------------------------------------


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Settings, rules and fleet, and a database with fans that stopped a moment ago."""
    for room in ("rules", "fleet"):
        (tmp_path / room).mkdir()
    (tmp_path / "rules" / "10-test.yaml").write_text(RULES)
    lines = [f"{one.reference},{one.name},{one.aliases[0]}" for one in ELEMENTS]
    (tmp_path / "fleet" / "elements.csv").write_text("\n".join(["reference,name,aliases", *lines]) + "\n")
    (tmp_path / "tocsin.yaml").write_text("state: var\nrules: {path: rules}\nfleet: {path: fleet}\n")
    asyncio.run(fill(tmp_path / "var"))
    return tmp_path


async def fill(folder: Path) -> None:
    async with opened(folder) as store:
        road = Road(store, Clock())
        road.clock.now = datetime.now(UTC) - timedelta(hours=1)
        await road.take(*fans(3), alert(resource="srv-web1", fingerprint="d"))


def tocsin(site: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["--config", str(site / "tocsin.yaml"), *arguments])


def ids(site: Path) -> dict[str, str]:
    """Check → id of its group."""
    groups = yaml12.read(tocsin(site, "unmapped", "--json").stdout)[0]
    return {group["checks"][0]: group["id"] for group in groups}


def test_from_an_unmapped_alert_to_a_tested_rule_by_three_commands(site: Path) -> None:
    listed = tocsin(site, "unmapped", "--since", "1d").stdout
    assert "Fan <number> of <resource> stopped" in listed
    group = ids(site)["fan"]
    result = tocsin(site, "unmapped", group, "--write")
    assert result.exit_code == 0, result.stderr
    assert "maps 3 of 3, takes none of the others" in result.stdout
    assert (site / "rules" / f"80-proposed-{group}.yaml").exists()
    checked = tocsin(site, "check")
    assert checked.exit_code == 0
    assert "4 rules" in checked.stdout
    assert "fan" not in ids(site)


def test_a_file_is_never_written_over(site: Path) -> None:
    group = ids(site)["fan"]
    (site / "rules" / "20-mine.yaml").write_text("rules: []\n")
    result = tocsin(site, "unmapped", group, "--file", "20-mine.yaml")
    assert result.exit_code == 1
    assert "name another with --file" in result.stderr
    assert (site / "rules" / "20-mine.yaml").read_text() == "rules: []\n"


@pytest.mark.parametrize("name", ["../10-else.yaml", "rule.txt", "/nowhere/x.yaml"])
def test_it_writes_nowhere_else(site: Path, name: str) -> None:
    result = tocsin(site, "unmapped", ids(site)["fan"], "--file", name)
    assert result.exit_code == 2
    assert len(list(site.rglob("*.yaml"))) == 2


def test_an_alias_is_shown_with_the_place_of_its_element(site: Path) -> None:
    result = tocsin(site, "unmapped", ids(site)["disk"])
    assert f"DF1 is at {site / 'fleet' / 'elements.csv'}:2" in result.stdout
    assert "aliases: [web1, srv-web1]" in result.stdout
    refused = tocsin(site, "unmapped", ids(site)["disk"], "--write")
    assert (refused.exit_code, "no rule but" in refused.stderr) == (1, True)


def test_a_group_that_is_not_there_is_one_sentence(site: Path) -> None:
    result = tocsin(site, "unmapped", "ffffffff")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "there is no group ffffffff" in result.stderr


def test_when_all_is_mapped_it_says_so(site: Path) -> None:
    assert tocsin(site, "unmapped", "--since", "1m").stdout == "every alert is mapped\n"


def test_redecide_without_a_service_says_how_to_start_it(site: Path) -> None:
    result = tocsin(site, "redecide")
    assert result.exit_code == 3
    assert "tocsin serve" in result.stderr


@pytest.mark.parametrize("verb", ["unmapped", "redecide"])
def test_the_verbs_have_help_with_an_example(verb: str) -> None:
    result = CliRunner().invoke(app, [verb, "--help"])
    assert f"Example: tocsin {verb}" in result.stdout
