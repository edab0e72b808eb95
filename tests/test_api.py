"""The interface for programs: what each request is answered, and that candidates change nothing."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import signal
import sqlite3
import threading
from typing import TYPE_CHECKING, Any

import pytest

from house import ELEMENTS, T0, Clock
from interface import ALERTS, ROOT, STRANGE, SUBJECTS, Interface, interface
from service import until
from ticketserver import TicketServer
from tocsin import fleet
from tocsin.errors import StoreError, TocsinError
from tocsin.web.api import candidates, tasks
from tocsin.web.api.aside import Aside
from tocsin.web.api.candidates import Checked
from tocsin.web.api.operations import OPERATIONS
from tocsin.web.api.problem import Refused
from tocsin.web.api.rule_sets import _item
from tocsin.web.api.runs import KEPT, Runs, State
from tocsin.web.api.turns import WAITING, Turns
from tocsin.workbench.replay import Cancelled, Result
from tocsin.workbench.replay.result import Totals
from tocsin.workbench.testing import USUAL

if TYPE_CHECKING:
    from pathlib import Path

EMPTY = Result(
    since=T0,
    until=T0,
    live_rules="",
    candidate_rules="",
    alerts=0,
    live=Totals(),
    candidate=Totals(),
    kinds={},
    differences=[],
    differing=0,
    rules=[],
    holds=[],
    points=[],
)
IGNORE = {"10.yaml": "fallback: {action: ignore}\n"}
TABS = {"10.yaml": "rules:\n\t- id: tabs\n"}
FAR = {"X-Forwarded-For": "203.0.113.9"}


# --- the rules for all of them -------------------------------------------------------------------------------------


WRONG: list[tuple[str, str, bytes | None, dict[str, str], int, str]] = [
    ("POST", "/rules/check", b"{", {}, 400, ""),
    ("POST", "/rules/check", b"", {}, 400, ""),
    ("POST", "/rules/check", b"\xff", {}, 400, ""),
    ("POST", "/rules/try", b'{"payload": ' + b"[" * 100_000, {}, 400, ""),
    ("POST", "/rules/check", b"{}", {"Content-Type": "text/yaml"}, 415, ""),
    ("POST", "/rules/check", b"{}", {"Content-Encoding": "br"}, 415, ""),
    ("POST", "/rules/check", b" " * (6 * 1024 * 1024 + 1), {}, 413, ""),
    ("POST", "/rules/check", gzip.compress(b" " * 7_000_000), {"Content-Encoding": "gzip"}, 413, ""),
    ("POST", "/rules/check", b'{"files": 1}', {}, 422, "$.files"),
    ("POST", "/rules/check", b'{"files": {}}', {}, 422, "$.files"),
    ("POST", "/rules/check", b'{"files": {"a.yaml": ""}, "more": 1}', {}, 422, "$"),
    ("POST", "/rules/try", b'{"alert": {"source": 1}}', {}, 422, "$.alert.source"),
    ("POST", "/rules/try", b'{"alert": 4096}', {}, 404, ""),
    ("POST", "/rules/try", b"{}", {}, 422, "$"),
    ("POST", "/rules/try", b'{"payload": {}, "kind": "pager"}', {}, 422, "$.kind"),
    ("POST", "/rules/try", b'{"payload": {}}', {}, 422, "$.payload"),
    ("POST", "/rules/try", b'{"payload": []}', {}, 422, "$.payload"),
    ("POST", "/rules/replay", b'{"since": "2026-01-01T00:00:00", "shadow": true}', {}, 422, "$.since"),
    ("POST", "/rules/replay", b'{"since": "2026-01-01T00:00:00Z"}', {}, 422, "$"),
    ("POST", "/rules/replay", b'{"since": "2999-01-01T00:00:00Z", "shadow": true}', {}, 422, "$.since"),
    ("POST", "/rules/promote", b'{"who": ""}', {}, 422, "$.who"),
    ("GET", "/alerts?limit=0", None, {}, 422, "limit"),
    ("GET", "/alerts?limit=501", None, {}, 422, "limit"),
    ("GET", "/alerts?limit=ten", None, {}, 422, "limit"),
    ("GET", "/alerts?limit=1&limit=1", None, {}, 422, "limit"),
    ("GET", "/alerts?before=nonsense", None, {}, 422, "before"),
    ("GET", "/decisions?action=shout", None, {}, 422, "action"),
    ("GET", "/decisions?colour=red", None, {}, 422, "colour"),
    ("GET", "/unmapped?since=yesterday", None, {}, 422, "since"),
    ("GET", "/alerts/one/explain", None, {}, 422, "number"),
    ("GET", "/alerts/1/explain?every=maybe", None, {}, 422, "every"),
    ("GET", "/alerts/99/explain", None, {}, 404, ""),
    ("GET", "/incidents/NONE/explain", None, {}, 404, ""),
    ("GET", "/tickets/NONE/explain", None, {}, 404, ""),
    ("GET", "/rules/ids/none", None, {}, 404, ""),
    ("GET", "/rules/files/none.yaml", None, {}, 404, ""),
    ("GET", "/rules/files/..%2Ftocsin.yaml", None, {}, 404, ""),
    ("GET", "/rules/replay/7", None, {}, 404, ""),
    ("DELETE", "/rules/replay/7", None, {}, 404, ""),
    ("GET", "/unmapped/none", None, {}, 404, ""),
    ("GET", "/nothing", None, {}, 404, ""),
    ("GET", "/rules/files/a%0Ab%5C%C3%BC", None, {}, 404, ""),
    ("GET", "/noth%0Aing", None, {}, 404, ""),
    ("GET", "/alerts/1%2F2/explain", None, {}, 422, "number"),
    ("PUT", "/rules", b"{}", {}, 405, ""),
    ("DELETE", "/rules/check", None, {}, 405, ""),
    ("POST", "/rules/rollback", b'{"who": "a", "to": "ffff"}', {}, 409, ""),
]


async def test_what_is_wrong_is_said_with_its_place(tmp_path: Path) -> None:
    async with interface(tmp_path) as there:
        for method, path, body, headers, status, at in WRONG:
            got, answer = await there.ask(method, f"/api/v1{path}", body, headers=headers)
            assert (path, got, answer.get("at", "")) == (path, status, at), answer
            assert answer["error"]


async def test_another_method_is_told_which_ones_there_are(tmp_path: Path) -> None:
    async with interface(tmp_path) as there:
        for path, allowed in {
            "/rules": "GET, HEAD",
            "/rules/replay": "GET, HEAD, POST",
            "/rules/check": "POST",
        }.items():
            async with there.http.patch(f"{there.app.address}/api/v1{path}") as answer:
                assert (answer.status, answer.headers["Allow"]) == (405, allowed)
        async with there.http.head(f"{there.app.address}/api/v1/rules") as answer:
            assert (answer.status, await answer.read()) == (200, b"")


async def test_every_door_is_guarded(tmp_path: Path) -> None:
    paths = [(one.method, f"/api/v1{one.path}") for one in OPERATIONS]
    async with interface(tmp_path, admin={"token_file": "token"}) as there:
        for method, path in [*paths, ("GET", "/api/openapi.json"), ("GET", "/api/nothing")]:
            for headers, status in (
                ({}, 401),
                ({"Authorization": "Bearer t0ken", "Origin": "https://evil.example"}, 403),
            ):
                got, answer = await there.ask(method, path, headers=headers)
                assert (path, got) == (path, status), answer
        headers = {**FAR, "Authorization": "Bearer t0ken"}
        assert (await there.ask("GET", "/api/v1/rules", headers=headers))[0] == 200


async def test_without_a_token_only_this_machine_may_ask(tmp_path: Path) -> None:
    async with interface(tmp_path) as there:
        assert (await there.ask("GET", "/api/v1/rules", headers=FAR))[0] == 403
        assert (await there.ask("GET", "/api/v1/rules"))[0] == 200


async def test_prometheus_is_still_served_beside_it(tmp_path: Path) -> None:
    async with interface(tmp_path, sources={"prom": {"kind": "prometheus", "open": True}}) as there:
        alert = [{"labels": {"alertname": "disk", "instance": "web1:9100"}, "annotations": {}}]
        assert (await there.ask("POST", "/api/v2/alerts", alert))[0] == 200


async def test_a_database_that_is_gone_is_told_and_no_fault(tmp_path: Path) -> None:
    async with interface(tmp_path) as there:
        (tmp_path / "var" / "tocsin.db").rename(tmp_path / "elsewhere.db")
        status, answer = await there.ask("GET", "/api/v1/alerts")
        assert (status, "database" in answer["error"]) == (503, True)


async def test_too_much_at_once_is_sent_away() -> None:
    turns, gate = Turns(), threading.Event()
    there = [asyncio.ensure_future(turns.run(gate.wait, 20)) for _ in range(WAITING)]
    await asyncio.sleep(0)
    with pytest.raises(Refused) as refused:
        await turns.run(lambda: None)
    gate.set()
    await asyncio.gather(*there)
    assert refused.value.status == 503
    assert refused.value.headers["Retry-After"]


# --- the rules that are live ---------------------------------------------------------------------------------------


async def test_the_live_rules_are_told_with_their_texts(tmp_path: Path) -> None:
    async with interface(tmp_path) as there:
        told = await there.get("/rules")
        assert told["hash"] == there.app.rulebooks.current().rule_set.hash
        assert told["live_since"].endswith("Z")
        assert [rule["id"] for rule in told["rules"]][:2] == ["certificate-expired", "certificate-expiring"]
        assert told["rules"][0]["file"] == "40-certificate.yaml"
        assert (told["fallback"]["action"], told["fleet"]["elements"], told["shadow"] != "") == ("record", 26, True)
        source = await there.get("/rules/ids/database-down")
        assert source["text"].startswith("  - id: database-down\n")
        assert source["text"].count("- id:") == 1
        for name in ("tables%2Fimpact.csv", "tables/impact.csv"):
            file = await there.get(f"/rules/files/{name}")
            assert file["text"] == (ROOT / "rules" / "tables" / "impact.csv").read_text()


@pytest.mark.parametrize(
    ("text", "line", "item"),
    [
        ("rules:\n  - id: a\n    match: {}\n\n  # of b\n  - id: b\n", 2, "  - id: a\n    match: {}\n"),
        ("rules:\n- id: a\n  match: {}\nfallback: {}\n", 2, "- id: a\n  match: {}\n"),
        ("rules: [{id: a}]\nfallback: {}\n", 1, "rules: [{id: a}]\n"),
        ("rules:\n  - id: a\n    t: |\n      x\n\n      y\n", 2, "  - id: a\n    t: |\n      x\n\n      y\n"),
        ("", 3, ""),
    ],
    ids=["indented", "flush", "in one line", "with a block", "gone"],
)
def test_the_text_of_a_rule_ends_where_the_next_begins(text: str, line: int, item: str) -> None:
    assert _item(text, line) == item


async def test_what_did_not_go_live_is_told(tmp_path: Path) -> None:
    async with interface(tmp_path) as there:
        (tmp_path / "rules" / "40-certificate.yaml").write_text("rulez: []\n")
        await there.app.rulebooks.reload()
        told = await there.get("/rules")
        assert told["problem"].startswith("40-certificate.yaml:1:1")
        assert str(tmp_path) not in json.dumps(told)


async def test_the_shadow_goes_live_and_back_again(tmp_path: Path) -> None:
    async with interface(tmp_path, *ALERTS) as there:
        before = (await there.get("/rules"))["hash"]
        (difference,) = (await there.get("/rules/shadow"))["compared"]["differences"]
        assert (difference["live"]["rule"], difference["shadow"]["rule"]) == ("anything-critical", "strange")
        asked = {"who": "Night shift"}
        planned = await there.post("/rules/promote", {**asked, "dry_run": True})
        assert (planned["status"], planned["changed_rules"]["added"]) == ("planned", ["strange"])
        assert (await there.get("/rules"))["hash"] == before
        live = await there.post("/rules/promote", asked)
        assert (live["status"], (await there.get("/rules"))["hash"]) == ("live", live["hash"])
        assert (await there.post("/rules/promote", asked))["status"] == "same"
        back = await there.post("/rules/rollback", asked)
        assert (back["hash"], (await there.get("/rules"))["hash"]) == (before, before)
        history = (await there.get("/rules/changes"))["changes"]
        assert [(one["how"], one["who"]) for one in history][:2] == [
            ("rollback", "Night shift"),
            ("promote", "Night shift"),
        ]


async def test_a_shadow_that_is_wrong_does_not_go_live(tmp_path: Path) -> None:
    async with interface(tmp_path) as there:
        (tmp_path / "next" / "05-strange.yaml").write_text("rulez: []\n")
        answer = await there.post("/rules/promote", {"who": "Night shift"}, 409)
        assert "rulez" in answer["error"]


# --- candidates ----------------------------------------------------------------------------------------------------


async def test_a_candidate_is_checked_with_all_its_mistakes(tmp_path: Path) -> None:
    async with interface(tmp_path) as there:
        told = await there.post("/rules/check", {"files": {"10.yaml": "rulez: []\n", "20.yaml": "a: b: c\n"}})
        assert not told["ok"]
        places = [(one["severity"], one["file"], one["line"]) for one in told["findings"]]
        assert places == [("error", "10.yaml", 1), ("error", "20.yaml", 1)]
        told = await there.post("/rules/check", {"files": live_files()})
        assert (told["ok"], told["hash"]) == (True, (await there.get("/rules"))["hash"])


@pytest.mark.parametrize(
    "name",
    [
        "../10.yaml",
        "/etc/10.yaml",
        "a/10.yaml",
        "10.txt",
        "tables/hosts.yaml",
        "tables/../10.yaml",
        ".10.yaml",
        "10.yaml\n",
        "",
    ],
)
def test_a_file_that_is_none_of_the_rules_is_refused(name: str) -> None:
    with pytest.raises(Refused) as refused:
        candidates.checked({name: ""})
    assert (refused.value.status, refused.value.problem.at) == (422, "$.files")


def test_a_candidate_has_a_size() -> None:
    files = dict.fromkeys(("10.yaml", "tables/hosts.csv", "payloads/event.json"), "x" * (candidates.LARGEST // 3))
    assert candidates.checked(files) == files
    with pytest.raises(Refused) as refused:
        candidates.checked({**files, "20.yaml": "four"})
    assert refused.value.status == 413


async def test_a_candidates_tests_are_run(tmp_path: Path) -> None:
    async with interface(tmp_path) as there:
        told = await there.post("/rules/test", {"files": live_files()})
        assert (told["ok"], len(told["tests"]) > 5) == (True, True)
        assert [test["name"] for test in told["tests"] if test["failures"]] == []
        assert 0 < told["coverage"]["branches"] - told["coverage"]["reached"] == len(told["coverage"]["unreached"])
        wrong = {name: text.replace("tickets: 0", "tickets: 1") for name, text in live_files().items()}
        told = await there.post("/rules/test", {"files": wrong})
        assert not told["ok"]
        failures = [failure for test in told["tests"] for failure in test["failures"]]
        assert (failures[0]["what"], failures[0]["came"]) == ("tickets", "0")
        await there.post("/rules/test", {"files": TABS}, 422)


async def test_an_alert_is_tried_by_live_and_candidate_rules(tmp_path: Path) -> None:
    async with interface(tmp_path, *ALERTS) as there:
        alert = {key: value for key, value in ALERTS[0].items() if key != "status"}
        ways = (
            {"payload": ALERTS[0]},
            {"payload": json.dumps(ALERTS[0])},
            {"alert": 1},
            {"alert": {**alert, "source": "generic"}},
        )
        for way in ways:
            (tried,) = (await there.post("/rules/try", {**way, "files": IGNORE}))["alerts"]
            live, candidate = tried["live"], tried["candidate"]
            assert (live["rule"], live["action"], candidate["rule"], candidate["action"]) == (
                "database-down",
                "ticket",
                "fallback",
                "ignore",
            )
            ticket = live["ticket"]
            facts = [ticket[key] for key in ("impact", "key", "backend", "priority")]
            assert facts == ["interrupted", "element=DF00DB0001|check=PostgresqlDown", "desk", "P1"]
            assert (ticket["element"]["reference"], set(ticket["name"])) == ("DF00DB0001", {"en", "fr"})
            assert live["file"] == "60-database.yaml"
            assert len(live["trace"]) == live["tried"] == 2
            assert {"what": "action", "live": "ticket", "candidate": "ignore"} in tried["changes"]


async def test_what_changes_nothing_is_no_change(tmp_path: Path) -> None:
    async with interface(tmp_path) as there:
        (tried,) = (await there.post("/rules/try", {"payload": ALERTS[0], "files": live_files(), "trace": 1}))["alerts"]
        assert tried["changes"] == []
        assert tried["live"] == tried["candidate"]
        assert len(tried["live"]["trace"]) == 1 < tried["live"]["tried"]


async def test_a_message_is_read_as_its_source_would(tmp_path: Path) -> None:
    async with interface(tmp_path) as there:
        form = "NOTIFICATIONTYPE=PROBLEM&HOSTNAME=db1.example.com&HOSTSTATE=DOWN"
        asked = {"payload": form, "source": "nagios", "media_type": "application/x-www-form-urlencoded"}
        (tried,) = (await there.post("/rules/try", asked))["alerts"]
        assert (tried["alert"]["source"], tried["alert"]["resource"]) == ("nagios", "db1.example.com")
        told = await there.post("/rules/try", {"payload": [ALERTS[0], {"nonsense": 1}]})
        assert (len(told["alerts"]), told["unreadable"][0]["position"]) == (1, 1)
        await there.post("/rules/try", {"payload": [ALERTS[0]] * 51}, 422)


def live_files() -> dict[str, str]:
    """The files of the live rules."""
    folder = ROOT / "rules"
    tables = {f"tables/{file.name}": file.read_text() for file in (folder / "tables").iterdir()}
    return tables | {name: (folder / name).read_text() for name in SUBJECTS}


def kept(folder: Path) -> dict[str, list[Any]]:
    """Everything that the database holds."""
    with contextlib.closing(sqlite3.connect(f"file:{folder}/var/tocsin.db?mode=ro", uri=True)) as database:
        tables = [name for (name,) in database.execute("select name from sqlite_master where type = 'table'")]
        return {name: database.execute(f"select * from {name}").fetchall() for name in tables}  # noqa: S608 - our names


async def replayed(there: Interface, candidate: dict[str, Any]) -> dict[str, Any] | None:
    """What came of a replay of everything; None when it was refused."""
    asked = {"since": "2000-01-01T00:00:00Z", "until": "2100-01-01T00:00:00Z", **candidate}
    status, told = await there.ask("POST", "/api/v1/rules/replay", asked)
    if status != 202:
        assert status == 422, told
        return None

    async def over() -> bool:
        return (await there.get(f"/rules/replay/{told['id']}"))["replay"]["state"] != "running"

    await until(over, 60, "the replay to end")
    done: dict[str, Any] = await there.get(f"/rules/replay/{told['id']}")
    return done


async def test_a_candidate_changes_nothing_and_sends_nothing(tmp_path: Path) -> None:
    """Every table of the database, the live state and what a ticket system hears, before and after."""
    clock = Clock()
    async with TicketServer().serving() as tickets:
        options = {"url": f"{tickets.url}/tickets", "find_url": f"{tickets.url}/tickets?reference={{reference}}"}
        backends = {"theirs": {"kind": "webhook", "options": options}}
        more: dict[str, Any] = {"backends": backends, "default_backend": "theirs", "clock": clock}
        async with interface(tmp_path, ALERTS[0], ALERTS[1], **more) as there:
            store, book = there.app.store, there.app.rulebooks.current()
            before, live = kept(tmp_path), [entry.incident for entry in store.live.by_row.values()]
            for files in (live_files(), IGNORE, TABS, {**live_files(), "05-strange.yaml": STRANGE}):
                for asked in ({"payload": ALERTS[2]}, {"alert": 1}, {"alert": 2}):
                    await there.ask("POST", "/api/v1/rules/try", {**asked, "files": files})
                for path in ("check", "test"):
                    await there.ask("POST", f"/api/v1/rules/{path}", {"files": files})
            done = await replayed(there, {"files": {**live_files(), "05-strange.yaml": STRANGE}})
            assert done is not None
            assert (done["replay"]["state"], done["result"]["alerts"]) == ("done", 2)
            assert (await replayed(there, {"files": TABS})) is None
            assert kept(tmp_path) == before
            assert [entry.incident for entry in store.live.by_row.values()] == live == [live[0]]
            assert there.app.rulebooks.current() is book
            assert sum(tickets.met.values()) == 0
            clock.passes(minutes=1)  # and it would have heard: the held ticket is due now
            await until(lambda: _is(tickets.met), 10, "the ticket system to hear of the real one")


async def _is(value: object) -> bool:
    return bool(value)


async def test_a_candidate_that_takes_long_is_given_up() -> None:
    aside = Aside(seconds=0.2)
    rule = "  - {{id: r{0}, match: {{summary: {{regex: 'a{0}.*b'}}}}, action: record}}\n"
    files = {"10.yaml": "rules:\n" + "".join(rule.format(n) for n in range(20_000)) + "fallback: {action: record}\n"}
    try:
        with pytest.raises(Refused, match=r"more than 0\.2 s") as refused:
            await aside.done(tasks.Check(files, frozenset(), USUAL), fleet.build(()), Checked)
        assert refused.value.status == 422
        assert aside._idle == []
    finally:
        await aside.close()


async def test_a_process_is_kept_and_replaced_when_it_has_ended() -> None:
    aside, task = Aside(), tasks.Check(IGNORE, frozenset(), USUAL)
    try:
        assert (await aside.done(task, fleet.build(ELEMENTS), Checked)).ok
        first = aside._idle[0].process
        assert (await aside.done(task, fleet.build(ELEMENTS), Checked)).ok
        assert aside._idle[0].process is first
        first.kill()
        await first.wait()
        assert (await aside.done(task, fleet.build(ELEMENTS), Checked)).ok
        assert aside._idle[0].process is not first
    finally:
        await aside.close()


async def test_a_process_that_breaks_off_is_no_fault_of_the_service() -> None:
    aside, task = Aside(), tasks.Check(IGNORE, frozenset(), USUAL)
    try:
        assert (await aside.done(task, fleet.build(()), Checked)).ok
        process = aside._idle[0].process
        process.send_signal(signal.SIGSTOP)
        asked = asyncio.ensure_future(aside.done(task, fleet.build(()), Checked))
        await until(lambda: _is(not aside._idle), 5, "the process to be asked")
        process.kill()
        with pytest.raises(Refused, match="broke off"):
            await asked
    finally:
        await aside.close()


def test_nothing_of_a_task_is_lost_on_its_way() -> None:
    order = tasks.Order(tasks.Check(IGNORE, frozenset({"desk"}), USUAL), list(ELEMENTS))
    assert tasks.order.decode(tasks.encode(order)) == order


# --- replays -------------------------------------------------------------------------------------------------------


class Playing:
    """A replay that ends when it is told to."""

    def __init__(self, problem: TocsinError | None = None) -> None:
        self.progress: float | None = None
        self.over = threading.Event()
        self._problem = problem

    def cancel(self) -> None:
        self._problem = Cancelled("cancelled")
        self.over.set()

    def run(self) -> Result:
        self.over.wait(20)
        if self._problem:
            raise self._problem
        return EMPTY


async def test_runs_are_started_cancelled_and_kept() -> None:
    runs, clock = Runs(Clock()), Clock()
    one, other = Playing(), Playing()
    first, second = (runs.start(play, clock(), clock(), "files") for play in (one, other))
    with pytest.raises(Refused) as refused:
        runs.start(Playing(), clock(), clock(), "files")
    assert (refused.value.status, bool(refused.value.headers)) == (503, True)
    one.progress = 0.5
    assert (first.state, first.progress, first.result) == (State.RUNNING, 0.5, None)
    await runs.cancel(first)
    assert (first.state, first.ended_at is not None) == (State.CANCELLED, True)
    await runs.cancel(first)
    other.over.set()
    await until(lambda: _is(second.state == State.DONE), 5, "the other to end")
    assert (second.progress, second.result) == (1.0, EMPTY)
    assert [run.id for run in runs.all()] == [2, 1]


async def test_a_run_that_fails_says_why() -> None:
    runs = Runs(Clock())
    play = Playing(StoreError("the database is gone"))
    play.over.set()
    run = runs.start(play, T0, T0, "files")
    await until(lambda: _is(run.ended_at), 5, "it to end")
    assert (run.state, run.problem) == (State.FAILED, "the database is gone")


async def test_the_latest_runs_are_kept_and_a_stop_ends_those_that_run() -> None:
    runs = Runs(Clock())
    long = runs.start(Playing(), T0, T0, "files")
    for _ in range(KEPT + 5):
        play = Playing()
        play.over.set()
        run = runs.start(play, T0, T0, "files")
        await until(lambda run=run: _is(run.ended_at), 5, "it to end")
    assert (len(runs.all()), runs.get(long.id) is long) == (KEPT, True)
    await runs.close()
    assert long.state == State.CANCELLED


async def test_a_replay_of_the_live_rules_differs_in_nothing_and_is_listed(tmp_path: Path) -> None:
    async with interface(tmp_path, *ALERTS) as there:
        done = await replayed(there, {"files": live_files()})
        assert done is not None
        assert (done["replay"]["state"], done["replay"]["progress"], done["result"]["differing"]) == ("done", 1.0, 0)
        assert (await there.get("/rules/replay"))["replays"] == [done["replay"]]
        status, told = await there.ask("DELETE", f"/api/v1/rules/replay/{done['replay']['id']}")
        assert (status, told["state"]) == (200, "done")


# --- what came in --------------------------------------------------------------------------------------------------


async def test_decisions_are_listed_page_by_page_and_filtered(tmp_path: Path) -> None:
    async with interface(tmp_path, *ALERTS, ALERTS[0]) as there:
        pages = [page async for page in all_pages(there, "/decisions?limit=1", "decisions")]
        assert [line["rule"] for page in pages for line in page] == [
            "certificate-expired",
            "anything-critical",
            "database-down",
        ]
        for filters, found in {
            "action=quarantine": ["anything-critical"],
            "rule=database-down": ["database-down"],
            "outcome=held": ["database-down"],
            "source=elsewhere": [],
            "source=generic&action=record": [],
        }.items():
            lines = (await there.get(f"/decisions?{filters}"))["decisions"]
            assert [line["rule"] for line in lines] == found, filters
        (line,) = (await there.get("/decisions?action=quarantine"))["decisions"]
        assert (line["resource"], line["outcome"], line["alert"]) == ("unknown9", "quarantined", 2)
        assert "unknown9" in line["reason"]
        assert line["at"].endswith("Z")


async def test_alerts_are_listed_page_by_page_and_filtered(tmp_path: Path) -> None:
    async with interface(tmp_path, *ALERTS, ALERTS[0]) as there:
        pages = [page async for page in all_pages(there, "/alerts?limit=3", "alerts")]
        assert [[line["number"] for line in page] for page in pages] == [[4, 3, 2], [1]]
        (line,) = (await there.get("/alerts?resource=KNOWN9"))["alerts"]
        assert (line["number"], line["outcome"]) == (2, "quarantined")
        assert [line["repeat"] for line in (await there.get("/alerts?resource=db1"))["alerts"]] == [True, False]


async def all_pages(there: Interface, path: str, name: str) -> Any:
    before = ""
    while True:
        page = await there.get(f"{path}&before={before}")
        yield page[name]
        before = page["next"]
        if not before:
            return


async def test_why_is_told_for_alerts_incidents_and_tickets(tmp_path: Path) -> None:
    async with interface(tmp_path, *ALERTS) as there:
        alert = await there.get("/alerts/1/explain")
        assert (alert["verdict"]["because"], alert["decision"]["rule"]["file"]) == ("held", "60-database.yaml")
        every = await there.get("/alerts/1/explain?every=true")
        assert len(every["decision"]["tried"]) > len(alert["decision"]["tried"]) == 0
        reference = alert["incident"]["reference"]
        assert (await there.get(f"/incidents/{reference}/explain"))["incident"]["reference"] == reference
        assert str(tmp_path) not in json.dumps(every)
        (line,) = (await there.get("/alerts?outcome=opened"))["alerts"]
        told = await there.get(f"/tickets/{line['ticket']}/explain")
        assert (told["verdict"]["because"], told["verdict"]["ticket"]) == ("ticket", line["ticket"])


async def test_what_is_not_mapped_is_told_with_what_maps_it_and_decided_again(tmp_path: Path) -> None:
    async with interface(tmp_path, *ALERTS) as there:
        (group,) = (await there.get("/unmapped"))["groups"]
        assert (group["why"], group["rule"]) == ("element missing", "anything-critical")
        told = await there.get(f"/unmapped/{group['id']}?since=2000-01-01T00:00:00Z")
        assert told["proposals"][0]["kind"] == "elements"
        assert (await there.get("/unmapped?since=2999-01-01T00:00:00Z"))["total"] == 0
        await there.post("/rules/promote", {"who": "Night shift"})
        done = await there.post("/unmapped/redecide")
        assert (done["changed"], done["outcomes"]) == (1, {"recorded": 1})
