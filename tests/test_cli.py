"""The command line as people and programs meet it: what it prints, where, and with which exit code."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import given as given_
from hypothesis import strategies as st
from typer.testing import CliRunner

from commands import FINE, RULES, SETTINGS, SILENT, WRONG, House, printed, tocsin
from tocsin import __version__
from tocsin.cli import app, asking, given, show, words
from tocsin.errors import SettingsError
from tocsin.model import Impact, State, TicketStatus
from tocsin.settings.tree import Listen
from tocsin.sources import GUESSED, kinds

if TYPE_CHECKING:
    from collections.abc import Iterator


HERE = Path(__file__).parent
CONFIG = HERE.parent / "config"
PROBLEM = HERE / "sources" / "truesight" / "problem.json"
GOLDENS = sorted(
    path
    for path in HERE.glob("sources/*/*")
    if path.suffix in {".json", *GUESSED} and not path.name.endswith(".expected.json")
)
KEYS = [
    "resource",
    "check",
    "severity",
    "status",
    "fingerprint",
    "starts_at",
    "ends_at",
    "said_at",
    "summary",
    "labels",
]


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path / "house")


def alert(**facts: str) -> str:
    usual = {"status": "firing", "severity": "critical", "resource": "web1", "check": "disk", "summary": "full"}
    return json.dumps({**usual, **facts})


# --- help and how errors are told ------------------------------------------------------------------------------------


def test_the_help_names_every_verb_and_exit_code() -> None:
    told = tocsin("--help").stdout
    verbs = [
        "serve",
        "check",
        "source",
        "try",
        "incidents",
        "tickets",
        "deliveries",
        "backend",
        "demo",
        "backup",
        "restore",
        "reload",
        "version",
        "schema",
    ]
    assert [verb for verb in verbs if not re.search(rf"^│ {verb} ", told, re.MULTILINE)] == []
    assert [code for code in range(4) if not re.search(rf"^ {code}  \w", told, re.MULTILINE)] == []


@pytest.mark.parametrize(
    "verb",
    [
        *("serve", "check", "try", "incidents", "demo", "backup", "restore", "reload", "version", "schema"),
        *(
            "export",
            "rules fmt",
            "source parse",
            "source kinds",
            "tickets",
            "tickets show",
            "tickets work",
            "deliveries",
            "deliveries show",
            "deliveries resend",
            "deliveries drop",
            "deliveries edit",
            "backend",
            "backend list",
            "backend resume",
        ),
    ],
)
def test_every_verb_has_help_with_an_example(verb: str) -> None:
    result = tocsin(*verb.split(), "--help")
    assert result.exit_code == FINE
    assert re.search(rf"Examples?: tocsin (--config \S+ )?{verb}", result.stdout)


def test_a_misspelt_verb_is_told_the_nearest_one() -> None:
    result = tocsin("incidens")
    assert result.exit_code == SETTINGS
    assert "incidents" in result.stderr


def test_settings_that_are_missing_are_one_sentence_and_exit_2(tmp_path: Path) -> None:
    result = tocsin("check", "--config", str(tmp_path / "none.yaml"))
    assert result.exit_code == SETTINGS
    assert result.stdout == ""
    sentence, count = result.stderr.splitlines()
    assert "none.yaml: the settings cannot be read" in sentence
    assert count == "1 error"


def test_the_settings_are_named_before_the_verb_after_it_or_by_a_variable(house: House) -> None:
    place = str(house.config)
    asked: list[tuple[list[str], dict[str, str]]] = [
        (["--config", place, "check", "--json"], {}),
        (["check", "--json", "--config", place], {}),
        (["--config", "none.yaml", "check", "--json", "--config", place], {"TOCSIN_CONFIG": "none.yaml"}),
        (["check", "--json"], {"TOCSIN_CONFIG": place}),
    ]
    for arguments, environ in asked:
        assert printed(CliRunner(env=environ).invoke(app, arguments))["settings"]["file"] == place


def test_unnamed_settings_are_those_of_the_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("config").mkdir()
    Path("config/tocsin.yaml").write_text("{}")
    assert given.settings_file(None) == Path("config/tocsin.yaml")
    assert given.settings_file(Path("other.yaml")) == Path("other.yaml")


# --- source, schema, version -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", GOLDENS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_source_parse_prints_what_a_payload_becomes(path: Path) -> None:
    received = ["--at", "2026-11-23T08:00:00Z", "--source", "supervision"]
    head, options = path.with_suffix(".head"), path.with_name("options.yaml")
    if head.exists():
        received += ["--headers", str(head)]
    if options.exists():
        received += ["--options", json.dumps(yaml.safe_load(options.read_text()))]
    entries = printed(tocsin("source", "parse", path.parent.name, str(path), *received))
    sources = [entry.pop("source") for entry in entries if "fingerprint" in entry]
    assert entries == json.loads(path.with_name(f"{path.stem}.expected.json").read_text())
    assert set(sources) <= {"supervision"}


def test_source_parse_has_the_documented_keys() -> None:
    (entry,) = printed(tocsin("source", "parse", "truesight", str(PROBLEM), "--json"))
    assert list(entry) == [*KEYS, "description", "url", "source"]
    assert entry["source"] == "truesight"


def test_source_parse_reads_a_form_from_standard_input() -> None:
    form = (HERE / "sources" / "nagios" / "host-down.form").read_text()
    media = "application/x-www-form-urlencoded; charset=utf-8"
    (entry,) = printed(tocsin("source", "parse", "nagios", "-", "--content-type", media, stdin=form))
    assert entry["resource"] == "sw-caen-02"


def test_source_parse_takes_the_options_of_a_source() -> None:
    body = json.dumps({"resource": "web1", "check": "disk", "summary": "full"})
    options = ["--options", '{"severity_default": "minor"}']
    (entry,) = printed(tocsin("source", "parse", "generic", "-", *options, stdin=body))
    assert entry["severity"] == "minor"


@pytest.mark.parametrize(
    ("arguments", "stdin", "code", "sentence"),
    [
        (["truesight", "-"], "{", WRONG, "the body is not JSON"),
        (["truesight", "-"], '{"severity": "MAJOR"}', WRONG, "mc_host"),
        (["truesigt", "-"], "{}", SETTINGS, "truesight"),
        (["truesight", "no-such-file.json"], "", SETTINGS, "no-such-file.json"),
        (["generic", "-", "--options", "{"], "{}", SETTINGS, "--options is not JSON"),
        (["generic", "-", "--options", "[]"], "{}", SETTINGS, "JSON object"),
        (["generic", "-", "--options", '{"severity": 1}'], "{}", SETTINGS, "options.severity"),
    ],
    ids=["not-json", "no-event", "kind", "file", "options-not-json", "options-no-object", "unknown-option"],
)
def test_source_parse_says_what_is_wrong(arguments: list[str], stdin: str, code: int, sentence: str) -> None:
    result = tocsin("source", "parse", *arguments, stdin=stdin)
    assert result.exit_code == code
    assert sentence in result.stderr
    assert result.stdout == ""


def test_source_kinds_lists_every_kind_with_its_title() -> None:
    listed = {row["kind"]: row["title"] for row in printed(tocsin("source", "kinds", "--json"))}
    assert listed == {name: kind.title for name, kind in kinds().items()}
    table = tocsin("source", "kinds").stdout
    assert all(title in table for title in listed.values())


@pytest.mark.parametrize("of", ["rules", "table", "fleet", "settings", "redaction"])
def test_the_schemas_that_editors_use_are_those_printed(of: str) -> None:
    """When this fails: make goldens."""
    assert tocsin("schema", of).stdout == (CONFIG / f"{of}.schema.json").read_text()


def at_a_terminal(columns: int, *arguments: str) -> str:
    environ = {"FORCE_COLOR": "1", "TERM": "xterm", "COLUMNS": str(columns)}
    told = CliRunner(env=environ).invoke(app, list(arguments), color=True).stdout
    assert "\x1b[" in told
    return re.sub(r"\x1b\[[0-9;]*m", "", told)


def test_a_table_breaks_between_words_and_becomes_facts_where_it_does_not_fit() -> None:
    titles = [kind.title for kind in kinds().values()]
    for columns in range(15, 100):
        told = at_a_terminal(columns, "source", "kinds")
        assert max(map(len, told.splitlines())) <= max(columns, len("alertmanager"))
    assert all(title in at_a_terminal(99, "source", "kinds") for title in titles)
    words = {word for title in titles for word in title.split()}
    assert words <= set(at_a_terminal(40, "source", "kinds").split())
    assert re.search(r"^kind +nagios$", at_a_terminal(24, "source", "kinds"), re.MULTILINE)


@given_(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 60)), min_size=1, max_size=9), st.integers(-5, 300))
def test_columns_fit_the_room_and_waste_none_of_it(columns: list[tuple[int, int]], room: int) -> None:
    least = [one for one, _ in columns]
    wanted = [one + more for one, more in columns]
    widths = show.fit(least, wanted, room)
    if widths is None:
        assert sum(least) > room
        return
    assert all(low <= width <= high for low, width, high in zip(least, widths, wanted, strict=True))
    assert sum(widths) == min(sum(wanted), room)


def test_version_tells_all_three() -> None:
    versions = printed(tocsin("version", "--json"))
    assert versions["tocsin"] == __version__
    assert list(versions) == ["tocsin", "python", "sqlite"]
    assert __version__ in tocsin("version").stdout


# --- check -----------------------------------------------------------------------------------------------------------


def test_what_is_shipped_is_fine() -> None:
    assert printed(tocsin("check", "--config", str(CONFIG / "tocsin.yaml"), "--json"))["problems"] == []


def test_check_counts_what_there_is(house: House) -> None:
    told = house.tocsin("check").stdout
    assert "2 sources, 1 backend" in told
    assert "1 file, 2 rules, 1 test" in told
    assert "3 elements" in told
    found = printed(house.tocsin("check", "--json"))
    assert (found["ok"], found["rules"]["tests"], found["problems"]) == (True, 1, [])
    assert {one["code"] for one in found["warnings"]} <= {"alias-shared", "rule-untested"}


def test_check_tells_every_problem_with_its_place(house: House) -> None:
    house.rules(RULES.replace("severity: [", "severiti: [").replace("hold: 1s", "hold: soon"))
    result = house.tocsin("check")
    assert result.exit_code == WRONG
    places = [line.split(": ")[0] for line in result.stderr.splitlines() if ": error: " in line]
    rules = house.folder / "rules" / "10-test.yaml"
    assert [place.removeprefix(f"{rules}:").split(":")[0] for place in places] == ["5", "14"]
    assert "3 elements" in result.stdout


def test_check_finds_rules_that_fail_their_own_tests(house: House) -> None:
    house.rules(RULES.replace("tickets: 1", "tickets: 2"))
    result = house.tocsin("check", "--json")
    assert result.exit_code == WRONG
    (problem,) = json.loads(result.stdout)["problems"]
    assert "a full disk is a ticket" in problem["problem"]
    assert problem["file"].endswith("10-test.yaml")
    assert problem["line"] > 0


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"lissten": {}}, 'did you mean "listen"?'),
        ({"sources": {"x": {"kind": "truesigt", "open": True}}}, "sources.x.kind"),
        ({"sources": {"x": {"kind": "generic", "open": True, "options": {"a": 1}}}}, "sources.x.options.a"),
        (
            {"sources": {"x": {"kind": "generic", "poll": {"url": "http://h"}}}},
            "sources.x.poll: kind generic cannot be asked",
        ),
        (
            {"sources": {"x": {"kind": "icinga", "poll": {"url": "http://h", "ca_file": "fleet"}}}},
            "sources.x.poll.ca_file",
        ),
        ({"sources": {"x": {"kind": "nagios", "auth": {"certificate": {}}}}}, "sources.x.auth.certificate"),
        ({"backends": {"desk": {"kind": "desk"}, "y": {"kind": "wobhook"}}}, "backend y"),
        ({"admin": {"token_file": "none.token"}}, "none.token cannot be read"),
    ],
    ids=["key", "kind", "option", "poll", "certificates", "signature", "backend", "secret"],
)
def test_settings_that_cannot_be_used_are_told_with_exit_2(
    house: House, changes: dict[str, Any], sentence: str
) -> None:
    house.settings(**changes)
    result = house.tocsin("check")
    assert result.exit_code == SETTINGS
    assert sentence in result.stderr
    assert sentence in json.dumps(json.loads(house.tocsin("check", "--json").stdout), ensure_ascii=False).replace(
        '\\"', '"'
    )


def test_a_secret_that_everyone_may_read_is_a_warning(house: House) -> None:
    (house.folder / "source.token").chmod(0o644)
    result = house.tocsin("check")
    assert result.exit_code == FINE
    assert "warning: everyone on this machine may read the secret" in result.stderr


# --- try -------------------------------------------------------------------------------------------------------------


def test_try_prints_the_ticket_it_would_make_and_the_rules_before(house: House) -> None:
    result = house.tocsin("try", "--kind", "truesight", str(PROBLEM))
    assert result.exit_code == FINE
    ticket, trace = result.stdout.split("rules before")
    facts = dict(re.findall(r"^  (\w+(?: \w\w)?) {2,}(\S.*)$", ticket, re.MULTILINE))
    assert facts["action"] == "ticket"
    assert facts["rule"].startswith("processes (")
    assert facts["element"].startswith("DF00J1BKP1  Backup platform (Cloud Infra Platform, criticality high")
    assert facts["impact"] == "interrupted (Interrupted, Service interrompu)"
    assert facts["priority"] == "P1"
    assert facts["hold"].startswith("1 s")
    assert facts["close"].startswith("15 min")
    assert facts["reopen"].endswith("within 1 d")
    assert facts["name en"] == "28 processes on Backup platform"
    assert facts["name fr"] == "28 processus sur Backup platform"
    assert re.search(r"^  disk +check: disk +check = PROCCountStatus$", trace, re.MULTILINE)


def test_try_takes_the_first_source_of_the_kind(house: House) -> None:
    (tried,) = printed(house.tocsin("try", "--kind", "truesight", str(PROBLEM), "--json"))
    assert tried["alert"]["source"] == "events"
    (tried,) = printed(house.tocsin("try", "--source", "events", str(PROBLEM), "--json"))
    assert tried["alert"]["resource"] == "vfcanubkpm01"
    (tried,) = printed(house.tocsin("try", "-", "--source", "elsewhere", "--json", stdin=alert()))
    assert tried["alert"]["source"] == "elsewhere"


@pytest.mark.parametrize(
    ("facts", "action", "rule", "told"),
    [
        ({}, "ticket", "disk", "A disk is full"),
        ({"resource": "nowhere"}, "record", "disk", "no element"),
        ({"resource": "shared"}, "quarantine", "disk", "DF1, DF2"),
        ({"check": "load"}, "record", "fallback", "nobody asked for it"),
        ({"severity": "info"}, "record", "fallback", "severity = info"),
        ({"summary": "WARNING: 3 processes with args x", "check": "load"}, "record", "fallback", "count=3"),
        ({"status": "resolved"}, "ticket", "disk", "ends what fires"),
    ],
    ids=["ticket", "missing", "ambiguous", "fallback", "severity", "where", "resolved"],
)
def test_try_says_why(house: House, facts: dict[str, str], action: str, rule: str, told: str) -> None:
    (tried,) = printed(house.tocsin("try", "-", "--json", stdin=alert(**facts)))
    assert (tried["decision"]["action"], tried["decision"]["rule"]) == (action, rule)
    assert told in house.tocsin("try", "-", stdin=alert(**facts)).stdout


def test_the_trace_has_every_rule_before(house: House) -> None:
    (tried,) = printed(house.tocsin("try", "-", "--json", stdin=alert(check="load")))
    assert [step["rule"] for step in tried["decision"]["trace"]] == ["disk", "processes"]
    assert tried["decision"]["trace"][0] == {
        "rule": "disk",
        "condition": "check: disk",
        "field": "check",
        "actual": "load",
    }


def test_try_goes_on_after_an_entry_that_is_no_alert(house: House) -> None:
    batch = f'[{{"resource": "web1"}}, {alert()}]'
    unreadable, tried = printed(house.tocsin("try", "-", "--json", stdin=batch))
    assert unreadable["unreadable"]["position"] == 0
    assert tried["decision"]["rule"] == "disk"
    assert "entry 0 is unreadable" in house.tocsin("try", "-", stdin=batch).stdout


def test_try_refuses_what_says_nothing_or_cannot_be_read(house: House) -> None:
    for body, sentence in (("[]", "nothing"), ("no JSON", "not JSON")):
        result = house.tocsin("try", "-", stdin=body)
        assert result.exit_code == WRONG
        assert sentence in result.stderr


def test_what_an_alert_says_cannot_steer_the_terminal(house: House) -> None:
    shown = house.tocsin("try", "-", stdin=alert(summary="[bold]\x1b[31mred\x07", check="load")).stdout
    assert r"[bold]\x1b[31mred\x07" in shown
    assert "\x1b" not in shown


# --- without a service -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "verb",
    ["reload", "tickets work 2611N00001 --actor night", "deliveries resend 7 --actor night --reason ready", "demo"],
)
def test_a_service_that_does_not_answer_is_exit_3_and_how_to_start_it(house: House, verb: str) -> None:
    result = house.tocsin(*verb.split())
    assert result.exit_code == SILENT
    assert "start it with make run" in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("verb", ["incidents", "tickets", "tickets 2611N00001", "deliveries", "backup {}/b.db"])
def test_without_a_database_there_is_nothing_to_list(house: House, verb: str) -> None:
    result = house.tocsin(*verb.format(house.folder).split())
    assert result.exit_code == WRONG
    assert len(result.stderr.splitlines()) == 1
    assert "tocsin.db" in result.stderr


@contextlib.contextmanager
def somebody_else(port: int, status: int, body: bytes) -> Iterator[None]:
    """A server that is not tocsin: the same answer to every POST."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.send_header("Location", f"http://127.0.0.1:{port}/elsewhere")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", port), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("status", "body", "code", "sentence"),
    [
        (200, b"<html>", SILENT, "is not tocsin"),
        (302, b"", SILENT, "is not tocsin"),
        (503, b'{"error": "the store cannot write"}', WRONG, "the store cannot write"),
        (500, b"{}", WRONG, "answered 500"),
    ],
    ids=["page", "redirect", "busy", "silent-refusal"],
)
def test_an_answer_that_refuses_or_is_not_of_tocsin_is_told(
    house: House, status: int, body: bytes, code: int, sentence: str
) -> None:
    with somebody_else(house.port, status, body):
        result = house.tocsin("reload")
    assert result.exit_code == code
    assert sentence in result.stderr


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:9765"),
        ("0.0.0.0", "http://127.0.0.1:9765"),
        ("::", "http://[::1]:9765"),
        ("192.0.2.7", "http://192.0.2.7:9765"),
    ],
)
def test_the_service_is_asked_where_it_can_be_reached(host: str, url: str) -> None:
    assert asking.address(Listen(host=host)) == url


def test_a_port_that_only_the_service_knows_cannot_be_asked() -> None:
    with pytest.raises(SettingsError, match=r"listen\.port"):
        asking.address(Listen(port=0))


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ({"kind": "generic", "open": True}, "no source is of kind truesight"),
        (
            {"kind": "truesight", "auth": {"certificate": {}}},
            "only that can sign",
        ),
    ],
    ids=["no-source", "certificate"],
)
def test_the_demo_says_when_it_cannot_send(house: House, source: dict[str, Any], sentence: str) -> None:
    house.settings(sources={"one": source})
    result = house.tocsin("demo")
    assert result.exit_code == SETTINGS
    assert sentence in result.stderr


@pytest.mark.parametrize("lang", given.Language)
def test_every_word_has_a_label(lang: given.Language) -> None:
    assert all(words.impact(word, lang) for word in Impact)
    assert all(words.status(word, lang) for word in TicketStatus)
    assert all(words.state(word, lang) for word in State)


# --- with the service ------------------------------------------------------------------------------------------------


def test_serve_ends_with_2_for_settings_and_1_for_rules_and_tells_everything(house: House) -> None:
    house.rules(RULES.replace("hold: 1s", "hold: soon").replace("severity: [", "severiti: ["))
    command = [sys.executable, "-m", "tocsin", "serve", "--config", str(house.config)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode == WRONG
    assert ended.stdout == ""
    assert len(re.findall(r"10-test\.yaml:\d+:\d+: ", ended.stderr)) == 2
    house.settings(lissten={})
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode == SETTINGS
    assert "lissten" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_the_service_stops_in_time_when_it_is_told_to(house: House) -> None:
    with house.serving() as process:
        with urllib.request.urlopen(f"http://127.0.0.1:{house.port}/readyz") as answer:
            assert answer.status == 200
        begun = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == FINE
        assert time.monotonic() - begun < 10


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A running service that had the demo's alert."""
    house = House(tmp_path_factory.mktemp("live") / "house")
    with house.serving():
        first = house.tocsin("demo")
        assert first.exit_code == FINE, first.stderr
        yield house


def number(live: House) -> str:
    return str(printed(live.tocsin("tickets", "--json"))[-1]["number"])


def test_the_demo_shows_the_hold_and_then_the_ticket(house: House) -> None:
    with house.serving():
        shown = house.tocsin("demo")
        again = house.tocsin("demo", "--json")
    assert shown.exit_code == FINE, shown.stderr
    assert "sending those of the settings" in shown.stderr
    assert re.search(r"^held: .*\nno ticket yet: held until \d{4}-", shown.stdout, re.MULTILINE)
    facts = dict(re.findall(r"^(\w+) {2,}(\S.*)$", shown.stdout, re.MULTILINE))
    assert re.fullmatch(r"\d{4}N00001", facts["number"])
    assert facts["name"] == "28 processes on Backup platform"
    assert facts["element"] == "DF00J1BKP1"
    assert (facts["impact"], facts["priority"]) == ("Interrupted", "P1")
    assert facts["declarant"] == "Supervision"
    assert "Declared." in shown.stdout
    told = printed(again)
    assert told["fate"]["outcome"] == "folded"
    assert told["ticket"]["number"] == facts["number"]
    assert told["ticket"]["reference"] == facts["reference"]


def test_the_demo_need_not_wait(house: House) -> None:
    house.rules(RULES.replace("hold: 1s", "hold: 1h"))
    with house.serving():
        result = house.tocsin("demo", "--no-wait")
        assert printed(house.tocsin("demo", "--no-wait", "--json"))["ticket"] is None
        assert "Held" in house.tocsin("incidents", "--state", "held").stdout
    assert result.exit_code == FINE
    assert "`tocsin tickets` will show it" in result.stdout


def test_the_demo_says_when_the_rules_make_no_ticket(house: House) -> None:
    house.rules("fallback: {action: record, reason: nothing is wanted}")
    with house.serving():
        result = house.tocsin("demo")
    assert result.exit_code == WRONG
    assert "recorded: nothing is wanted" in result.stderr


def test_tickets_are_listed_with_the_documented_columns(live: House) -> None:
    table = live.tocsin("tickets").stdout
    columns = ["number", "status", "name", "element", "impact", "priority", "declarant", "reference"]
    assert table.splitlines()[0].split() == columns
    assert "28 processes on Backup platform" in table
    (ticket,) = printed(live.tocsin("tickets", "--json"))
    assert {*columns} <= ticket.keys()
    assert ticket["impact"] == "interrupted"
    assert printed(live.tocsin("tickets", "--status", "frozen", "--json")) == []
    assert live.tocsin("tickets", "--status", "frozen").stdout == "no tickets\n"


def test_tickets_speak_french(live: House) -> None:
    table = live.tocsin("tickets", "--lang", "fr").stdout
    assert "déclarant" in table
    assert "Service interrompu" in table
    assert "28 processus sur Backup platform" in table


def test_one_ticket_is_shown_with_its_notes(live: House) -> None:
    shown = live.tocsin("tickets", number(live)).stdout
    assert live.tocsin("tickets", "show", number(live)).stdout == shown
    assert "Still there after the wait. Declared." in shown
    assert "Déclaré." in live.tocsin("tickets", number(live), "--lang", "fr").stdout
    assert live.tocsin("tickets", "--lang", "fr", number(live)).stdout != shown
    for arguments in (("tickets", number(live), "--json"), ("tickets", "--json", number(live))):
        assert printed(live.tocsin(*arguments))["notes"][0]["actor"] == "tocsin"


def test_a_person_works_on_a_ticket(house: House) -> None:
    with house.serving():
        assert house.tocsin("demo").exit_code == FINE
        ticket = number(house)
        worked = house.tocsin(
            "tickets", "work", ticket, "--actor", "Équipe de nuit", "--status", "frozen", "--note", "pièce commandée"
        )
        assert worked.stdout == f"{ticket}: Frozen\n"
        assert printed(house.tocsin("tickets", "--status", "frozen", "--json"))[0]["number"] == ticket
        shown = house.tocsin("tickets", ticket, "--lang", "fr").stdout
    assert "Gelé" in shown
    assert re.search(r"Équipe de nuit +pièce commandée", shown)


def test_a_ticket_or_delivery_that_is_not_there_is_told(live: House) -> None:
    for arguments, sentence in (
        (["tickets", "0000N00000"], "there is no ticket 0000N00000"),
        (["tickets", "work", "0000N00000", "--actor", "night"], "no ticket 0000N00000"),
        (["deliveries", "resend", "999999", "--actor", "night", "--reason", "ready"], "no delivery 999999"),
    ):
        result = live.tocsin(*arguments)
        assert result.exit_code == WRONG
        assert sentence in result.stderr


def test_incidents_and_deliveries_are_listed(live: House) -> None:
    (incident,) = printed(live.tocsin("incidents", "--json"))
    assert incident["ticket"] == number(live)
    assert incident["id"] in live.tocsin("incidents", "--state", "open").stdout
    assert live.tocsin("incidents", "--state", "held").stdout == "no incidents\n"
    deliveries = printed(live.tocsin("deliveries", "--json"))
    assert {delivery["state"] for delivery in deliveries} == {"sent"}
    assert number(live) in live.tocsin("deliveries").stdout
    assert live.tocsin("deliveries", "--state", "dead").stdout == "no deliveries\n"
    assert live.tocsin("incidents", "--limit", "0").exit_code == SETTINGS


def test_reload_says_whether_the_rules_are_live(house: House) -> None:
    with house.serving():
        assert house.tocsin("reload").stdout == "rules and fleet are live\n"
        assert printed(house.tocsin("reload", "--json"))["status"] == "live"
        house.rules(RULES.replace("hold: 1s", "hold: soon"))
        result = house.tocsin("reload")
    assert result.exit_code == WRONG
    assert "10-test.yaml:14" in result.stderr


def test_the_admin_token_is_what_lets_in(live: House, tmp_path: Path) -> None:
    other = tmp_path / "tocsin.yaml"
    other.write_text(json.dumps({"listen": {"port": live.port}}))
    result = tocsin("reload", "--config", str(other))
    assert result.exit_code == WRONG
    assert "admin token" in result.stderr


def test_a_backup_of_the_running_service_is_put_back_when_it_is_stopped(house: House) -> None:
    copy = str(house.folder / "copy.db")
    with house.serving() as process:
        assert house.tocsin("demo").exit_code == FINE
        assert printed(house.tocsin("backup", copy, "--json"))["bytes"] > 0
        assert "never overwritten" in house.tocsin("backup", copy).stderr
        refused = house.tocsin("restore", copy, "--yes")
        assert refused.exit_code == WRONG
        assert "stop it before restoring" in refused.stderr
        process.send_signal(signal.SIGTERM)
        process.wait(20)
    before = printed(house.tocsin("tickets", "--json"))
    assert house.tocsin("restore", copy, stdin="n\n").exit_code == WRONG
    restored = house.tocsin("restore", copy, stdin="y\n")
    assert restored.exit_code == FINE, restored.stderr
    assert "the former database is" in restored.stdout
    assert printed(house.tocsin("tickets", "--json")) == before
