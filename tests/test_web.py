"""The way in over real HTTP: what each request is answered, and what is left behind."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import hmac
import json
import socket
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from door import at_the_door
from house import opened
from service import session, until
from tocsin import intake, rules, sources
from tocsin import settings as settings_of
from tocsin.app import App
from tocsin.model import Element
from tocsin.web import auth, hooks

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import aiohttp

RULES = """
rules:
  - id: disk
    match: {check: disk}
    element: {lookup: '{{ resource }}'}
    impact: degraded
fallback: {action: record}
"""
BODY = {"status": "firing", "severity": "major", "resource": "web1", "check": "disk", "summary": "full"}
SECRETS = {"token": "t0ken", "password": "pa55", "key": "k3y"}
SOURCES: dict[str, Any] = {
    "open": {"kind": "generic", "open": True},
    "prom": {"kind": "prometheus", "open": True},
    "bearer": {"kind": "generic", "auth": {"bearer": {"token_file": "token"}}},
    "basic": {"kind": "generic", "auth": {"basic": {"user": "bmc", "password_file": "password"}}},
    "header": {"kind": "generic", "auth": {"header": {"name": "X-Key", "token_file": "token"}}},
    "signed": {"kind": "generic", "auth": {"hmac": {"header": "X-Sig", "secret_file": "key", "prefix": "sha256="}}},
    "form": {"kind": "nagios", "open": True},
}


def written(folder: Path, **more: Any) -> Path:
    (folder / "rules").mkdir(exist_ok=True)
    (folder / "fleet").mkdir(exist_ok=True)
    (folder / "rules" / "10.yaml").write_text(RULES)
    (folder / "fleet" / "fleet.csv").write_text("reference,name,aliases\nDF1,Web one,web1\n")
    for name, secret in SECRETS.items():
        (folder / name).write_text(secret + "\n")
    usual = {
        "listen": {"port": 0},
        "state": str(folder / "var"),
        "rules": {"path": "rules"},
        "fleet": {"path": "fleet"},
        "sources": SOURCES,
        "intake": {"body_limit": "64KiB", "inflated_limit": "128KiB"},
    }
    (folder / "tocsin.yaml").write_text(json.dumps({**usual, **more}))
    return folder / "tocsin.yaml"


@contextlib.asynccontextmanager
async def serving(folder: Path, **more: Any) -> AsyncIterator[tuple[App, aiohttp.ClientSession]]:
    path = written(folder, **more)
    app = App(settings_of.load(path, {}), settings_of.secret_reader(path, {}), {})
    await app.start()
    try:
        async with session() as http:
            yield app, http
    finally:
        await app.stop()


async def post(app: App, http: aiohttp.ClientSession, path: str, body: Any = None, **more: Any) -> tuple[int, Any]:
    data = body if isinstance(body, bytes) else json.dumps(BODY if body is None else body).encode()
    headers = {"Content-Type": "application/json", **more.pop("headers", {})}
    async with http.post(app.address + path, data=data, headers=headers, **more) as answer:
        assert (answer.status != 503) or answer.headers["Retry-After"]
        return answer.status, await answer.json(content_type=None)


async def test_an_alert_is_answered_202_with_what_became_of_it(tmp_path: Path) -> None:
    async with serving(tmp_path) as (app, http):
        status, said = await post(app, http, "/hooks/open")
        (fate,) = said["alerts"]
        assert status == 202
        assert (fate["outcome"], fate["ticket"][4:], fate["rule"]) == ("opened", "N00001", "disk")


async def test_a_batch_is_answered_alert_by_alert(tmp_path: Path) -> None:
    async with serving(tmp_path) as (app, http):
        batch = [BODY, {**BODY, "check": "other"}, {"nonsense": 1}, {**BODY, "resource": "nowhere"}]
        status, said = await post(app, http, "/hooks/open", batch)
        assert status == 202
        assert [fate["outcome"] for fate in said["alerts"]] == ["opened", "recorded", "rejected", "quarantined"]


async def test_prometheus_is_served_at_alertmanagers_own_path(tmp_path: Path) -> None:
    async with serving(tmp_path) as (app, http):
        alert = [{"labels": {"alertname": "disk", "instance": "web1:9100"}, "annotations": {}}]
        for path in ("/api/v2/alerts", "/hooks/prom", "/hooks/prom/api/v2/alerts"):
            status, said = await post(app, http, path, alert)
            assert (status, len(said["alerts"])) == (200, 1)
        assert said["alerts"][0]["outcome"] == "folded"


def signature(key: str) -> dict[str, str]:
    digest = hmac.new(key.encode(), json.dumps(BODY).encode(), hashlib.sha256).hexdigest()
    return {"X-Sig": f"sha256={digest}"}


@pytest.mark.parametrize(
    ("source", "headers", "status"),
    [
        ("bearer", {"Authorization": "Bearer t0ken"}, 202),
        ("bearer", {"Authorization": "Bearer t0kem"}, 401),
        ("bearer", {}, 401),
        ("basic", {"Authorization": "Basic Ym1jOnBhNTU="}, 202),
        ("basic", {"Authorization": "Basic Ym1jOnBhNTY="}, 401),
        ("header", {"X-Key": "t0ken"}, 202),
        ("header", {"X-Key": "other"}, 401),
        ("signed", signature("k3y"), 202),
        ("signed", signature("k4y"), 401),
        ("signed", {}, 401),
    ],
)
async def test_each_source_asks_for_its_own_credentials(
    tmp_path: Path, source: str, headers: dict[str, str], status: int
) -> None:
    async with serving(tmp_path) as (app, http):
        got, said = await post(app, http, f"/hooks/{source}", headers=headers)
        assert got == status, said
        assert not any(secret in json.dumps(said) for secret in SECRETS.values())


@pytest.mark.parametrize(
    ("path", "body", "headers", "status", "says"),
    [
        ("/hooks/open", b"{", {}, 400, "not JSON"),
        ("/hooks/nobody", b"{}", {}, 404, "no source is called 'nobody'"),
        ("/hooks/open", b" " * 70_000, {}, 413, "65536"),
        ("/hooks/open", gzip.compress(b" " * 200_000), {"Content-Encoding": "gzip"}, 413, "131072"),
        ("/hooks/open", b"{}", {"Content-Type": "text/csv"}, 415, "text/csv"),
        ("/hooks/open", b"{}", {"Content-Encoding": "br"}, 415, "br"),
        ("/hooks/open", b"garbage", {"Content-Encoding": "gzip"}, 400, "gzip"),
        ("/hooks/open", b'{"status": "firing"}', {}, 422, "resource"),
        ("/hooks/open", b"[" * 100 + b"]" * 100, {}, 400, "64"),
    ],
    ids=["not JSON", "no such source", "too large", "a bomb", "type", "encoding", "broken gzip", "missing", "deep"],
)
async def test_what_is_wrong_is_said(
    tmp_path: Path, path: str, body: bytes, headers: dict[str, str], status: int, says: str
) -> None:
    async with serving(tmp_path) as (app, http):
        got, said = await post(app, http, path, body, headers=headers)
        assert got == status
        assert says in said["error"]


async def test_what_cannot_be_read_is_kept(tmp_path: Path) -> None:
    async with serving(tmp_path) as (app, http):
        await post(app, http, "/hooks/open", b'{"status": "firing"}')
        found = await app.store.run(lambda tx: tx._connection.execute("select source, reason from rejected").fetchall())
        assert found[0][0] == "open"
        assert "resource" in found[0][1]


async def test_a_compressed_body_is_read(tmp_path: Path) -> None:
    async with serving(tmp_path) as (app, http):
        body = gzip.compress(json.dumps(BODY).encode())
        assert (await post(app, http, "/hooks/open", body, headers={"Content-Encoding": "gzip"}))[0] == 202


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP"])
async def test_an_open_source_does_not_answer_through_a_proxy(tmp_path: Path, header: str) -> None:
    async with serving(tmp_path) as (app, http):
        assert (await post(app, http, "/hooks/open", headers={header: "203.0.113.9"}))[0] == 403


async def test_unless_the_settings_say_so(tmp_path: Path) -> None:
    async with serving(tmp_path, intake={"open_sources_anywhere": True}) as (app, http):
        assert (await post(app, http, "/hooks/open", headers={"X-Forwarded-For": "203.0.113.9"}))[0] == 202


async def test_a_full_queue_is_503_and_nothing_is_taken(tmp_path: Path) -> None:
    async with serving(tmp_path, intake={"queue": 1}) as (app, http):
        import threading  # noqa: PLC0415

        gate = threading.Event()
        blocked = app.store.run(lambda _tx: gate.wait(10), weight=5)
        status, said = await post(app, http, "/hooks/open")
        assert status == 503
        assert "waiting" in said["error"]
        gate.set()
        await blocked
        assert (await post(app, http, "/hooks/open"))[0] == 202


async def test_health_and_metrics_tell_the_truth(tmp_path: Path) -> None:
    async with serving(tmp_path) as (app, http):
        await post(app, http, "/hooks/open")
        async with http.get(f"{app.address}/healthz") as answer:
            assert answer.status == 200
        async with http.get(f"{app.address}/readyz") as answer:
            assert (await answer.json())["status"] == "ready"
        async with http.get(f"{app.address}/metrics") as answer:
            text = await answer.text()
        for line in (
            'tocsin_alerts_total{outcome="opened",source="open"} 1.0',
            'tocsin_decisions_total{outcome="opened",rule="disk"} 1.0',
            'tocsin_incidents{state="open"} 1.0',
            "tocsin_store_up 1.0",
            "tocsin_reload_successful 1.0",
            "tocsin_queue_alerts 0.0",
            "tocsin_alert_to_ticket_seconds_count 1.0",
        ):
            assert line in text, line


async def reload(app: App, http: aiohttp.ClientSession, **more: Any) -> tuple[int, Any]:
    return await post(app, http, "/-/reload", b"", **more)


async def test_a_good_edit_goes_live_at_a_reload(tmp_path: Path) -> None:
    async with serving(tmp_path) as (app, http):
        (tmp_path / "rules" / "10.yaml").write_text(RULES.replace("id: disk", "id: volume"))
        assert await reload(app, http) == (200, {"status": "live"})
        assert (await post(app, http, "/hooks/open"))[1]["alerts"][0]["rule"] == "volume"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (RULES.replace("match:", "mach:"), "10.yaml:4"),
        (
            RULES
            + "tests: [{name: wrong, alerts: [{at: 0s, source: s, severity: major, resource: web1, check: disk, summary: s}], expect: {at: 1s, tickets: 0}}]\n",
            'test "wrong"',
        ),
    ],
    ids=["unknown key", "its own test fails"],
)
async def test_a_bad_edit_leaves_the_last_good_rules_live_and_says_so(tmp_path: Path, text: str, says: str) -> None:
    async with serving(tmp_path) as (app, http):
        (tmp_path / "rules" / "10.yaml").write_text(text)
        status, said = await reload(app, http)
        assert status == 409
        assert says in said["problem"]
        assert (await post(app, http, "/hooks/open"))[1]["alerts"][0]["rule"] == "disk"
        async with http.get(f"{app.address}/readyz") as answer:
            assert (answer.status, says in (await answer.json())["rules"]) == (200, True)
        async with http.get(f"{app.address}/metrics") as answer:
            assert "tocsin_reload_successful 0.0" in await answer.text()


async def test_a_saved_file_goes_live_by_itself(tmp_path: Path) -> None:
    async with serving(tmp_path) as (app, http):

        async def renamed() -> bool:
            # Saved again at each look: the watcher has no way to say that it watches already.
            part = tmp_path / "rules" / ".10.yaml.new"
            part.write_text(RULES.replace("id: disk", "id: volume"))
            part.rename(tmp_path / "rules" / "10.yaml")
            return (await post(app, http, "/hooks/open"))[1]["alerts"][0].get("rule") == "volume"

        await until(renamed, 20, "the edit to go live")


async def test_broken_rules_at_a_start_let_the_last_good_ones_live(tmp_path: Path) -> None:
    async with serving(tmp_path) as (app, http):
        await post(app, http, "/hooks/open")
    (tmp_path / "rules" / "10.yaml").write_text("rules: nonsense")
    path = tmp_path / "tocsin.yaml"
    app = App(settings_of.load(path, {}), settings_of.secret_reader(path, {}), {})
    await app.start()
    try:
        async with session() as http:
            assert (await post(app, http, "/hooks/open"))[1]["alerts"][0]["outcome"] == "folded"
            async with http.get(f"{app.address}/readyz") as answer:
                assert "last good" in (await answer.json())["rules"]
    finally:
        await app.stop()


async def test_a_backend_that_was_taken_out_leaves_what_waited_for_it_to_a_person(tmp_path: Path) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # held but not listened on: connections are refused
        url = f"http://127.0.0.1:{held.getsockname()[1]}"
        options = {"url": url, "find_url": f"{url}?reference={{reference}}"}
        gone = {"itsm": {"kind": "webhook", "options": options}}
        async with serving(tmp_path, default_backend="itsm", backends=gone) as (app, http):
            await post(app, http, "/hooks/open")
    with capture_logs() as logs:
        async with serving(tmp_path) as (app, _):
            found = await app.store.run(lambda tx: tx.rows("dead_of", ("itsm",)))
    assert len(found) == 1
    (line,) = [line for line in logs if line["event"] == "deliveries have no backend any more"]
    assert (line["backend"], line["count"]) == ("itsm", 1)


@pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}])
async def test_a_browser_cannot_administrate(tmp_path: Path, headers: dict[str, str]) -> None:
    async with serving(tmp_path) as (app, http):
        assert (await reload(app, http, headers=headers))[0] == 403


async def test_administration_from_elsewhere_needs_the_token(tmp_path: Path) -> None:
    far = {"X-Forwarded-For": "203.0.113.9"}
    async with serving(tmp_path) as (app, http):
        assert (await reload(app, http, headers=far))[0] == 403
    (tmp_path / "b").mkdir()
    async with serving(tmp_path / "b", admin={"token_file": "token"}) as (app, http):
        assert (await reload(app, http))[0] == 401
        assert (await reload(app, http, headers={**far, "Authorization": "Bearer t0ken"}))[0] == 200


async def test_a_person_works_on_a_ticket(tmp_path: Path) -> None:
    async with serving(tmp_path) as (app, http):
        (fate,) = (await post(app, http, "/hooks/open"))[1]["alerts"]
        path = f"/-/tickets/{fate['ticket']}"
        status, said = await post(app, http, path, {"actor": "Alice", "status": "in_progress", "note": "on it"})
        assert (status, said["status"]) == (200, "in_progress")
        assert (await post(app, http, "/-/tickets/0000N1", {"actor": "Alice"}))[0] == 404
        assert (await post(app, http, path, {"actor": "Alice", "status": "nonsense"}))[0] == 400
        found = await app.store.run(
            lambda tx: tx._connection.execute("select assignee, status from desk_tickets").fetchall()
        )
        assert found == [("Alice", "in_progress")]
        (entry,) = app.store.live.by_row.values()
        assert entry.incident.touched


class Lying:
    """A fleet that fails for one name, as a fault in our own code would."""

    hash = "lying"

    def resolve(self, name: str) -> tuple[Element, ...]:
        if name == "poison":
            raise KeyError(name)
        return (Element(reference="DF1", name="Web one"),)

    def get(self, _: str) -> Element | None:
        return None


async def test_a_fault_of_our_own_with_one_alert_loses_neither_it_nor_the_others(tmp_path: Path) -> None:
    book = intake.Rulebook(rules.build({"10.yaml": RULES}), Lying(), 1)
    kind = sources.kinds()["generic"]
    async with opened(tmp_path) as store:
        source = hooks.Source(name="open", kind=kind, options=kind.options(), scheme=auth.Open())
        async with at_the_door(store, [source], lambda: book) as server, session() as http:
            batch = [{**BODY, "resource": "poison"}, BODY]
            async with http.post(server.make_url("/hooks/open"), json=batch) as answer:
                assert answer.status == 202
                outcomes = [fate["outcome"] for fate in (await answer.json())["alerts"]]
        assert outcomes == ["rejected", "opened"]
        found = await store.run(lambda tx: tx._connection.execute("select reason from rejected").fetchall())
        assert "a fault in tocsin" in found[0][0]


async def test_a_page_in_a_browser_cannot_post_to_an_open_source(tmp_path: Path) -> None:
    async with serving(tmp_path) as (app, http):
        assert (await post(app, http, "/hooks/open", headers={"Origin": "https://evil.example"}))[0] == 403
