"""Hooks as platforms meet them: their own paths, handshakes, credentials that travel in odd places, and what is kept."""

from __future__ import annotations

import asyncio
import base64
import json
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from authority import Authority
from door import at_the_door, source
from house import Running, opened, rows, rulebook
from service import session
from tocsin.web import auth
from tocsin.web.hooks import FATES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    import aiohttp

    from tocsin.store import Store
    from tocsin.web.hooks import Source

US = Authority()
TRIGGER = {
    "routing_key": "t0ken",
    "event_action": "trigger",
    "dedup_key": "disk-web1",
    "payload": {"summary": "disk is full", "source": "web1", "severity": "critical"},
}


class Caller:
    """Asks the hooks, and looks at what is kept."""

    def __init__(self, server: TestServer, http: aiohttp.ClientSession, store: Store) -> None:
        self._server = server
        self._http = http
        self.store = store

    async def ask(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> tuple[int, Any, dict[str, str]]:
        data = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
        told = ({"Content-Type": "application/json"} if data is not None else {}) | (headers or {})
        async with self._http.request(method, self._server.make_url(path), data=data, headers=told) as answer:
            said = await answer.read()
            value = json.loads(said) if answer.content_type.endswith("json") and said else said.decode()
            return answer.status, value, dict(answer.headers)

    @property
    def address(self) -> tuple[str, int]:
        """Where the hooks are, for requests that no client makes."""
        return str(self._server.host), int(self._server.port or 0)

    async def kept(self, table: str = "bodies") -> str:
        """Everything that was stored of messages, in one text."""
        found = await rows(self.store, f"select body, about from {table}")  # noqa: S608 - named by the test
        return "".join(f"{body.decode('utf-8', 'replace')}{about}" for body, about in found)


@asynccontextmanager
async def listening(folder: Path, *listened: Source) -> AsyncIterator[Caller]:
    book = rulebook()
    async with opened(folder) as store:
        door = at_the_door(store, listened, lambda: book, Running(), US.trust())
        async with door as server, session() as http:
            yield Caller(server, http, store)


# --- own paths ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/v2/enqueue", "/hooks/pagerduty/v2/enqueue", "/hooks/pagerduty"])
async def test_a_client_of_the_platform_is_served_at_its_own_path_and_told_what_it_expects(
    path: str, tmp_path: Path
) -> None:
    async with listening(tmp_path, source("pagerduty")) as caller:
        status, said, _ = await caller.ask("POST", path, TRIGGER)
    assert (status, said["status"], said["dedup_key"]) == (202, "success", "disk-web1")


async def test_who_wants_to_know_is_told_what_became_of_each_alert_whatever_the_platform_expects(
    tmp_path: Path,
) -> None:
    async with listening(tmp_path, source("pagerduty")) as caller:
        _, said, _ = await caller.ask("POST", "/v2/enqueue", TRIGGER, {"Accept": FATES})
    assert [fate["outcome"] for fate in said["alerts"]] == ["recorded"]


async def test_variables_of_the_path_reach_the_parser(tmp_path: Path) -> None:
    alert = {"message": "disk is full", "alias": "disk-web1", "entity": "web1", "priority": "P1"}
    async with listening(tmp_path, source("opsgenie")) as caller:
        opened_ = await caller.ask("POST", "/v2/alerts", alert, {"Accept": FATES})
        closed = await caller.ask(
            "POST", "/v2/alerts/disk-web1/close?identifierType=alias", {"user": "x"}, {"Accept": FATES}
        )
    assert [opened_[1]["alerts"][0]["outcome"], closed[1]["alerts"][0]["outcome"]] == ["recorded", "resolved"]


async def test_the_first_source_of_a_kind_answers_at_the_platforms_own_path(tmp_path: Path) -> None:
    first, second = source("pagerduty", "first"), source("pagerduty", "second", auth.Field("routing_key", b"other"))
    async with listening(tmp_path, first, second) as caller:
        assert (await caller.ask("POST", "/v2/enqueue", TRIGGER))[0] == 202
        assert (await caller.ask("POST", "/hooks/second/v2/enqueue", TRIGGER))[0] == 401


async def test_a_message_that_the_platforms_client_must_not_send_again_is_refused_in_its_own_way(
    tmp_path: Path,
) -> None:
    async with listening(tmp_path, source("pagerduty")) as caller:
        status, said, _ = await caller.ask("POST", "/v2/enqueue", {"event_action": "trigger"})
    assert status == 400
    assert said["status"] == "invalid event"
    assert "payload" in said["errors"][0] or "summary" in said["errors"][0] or "source" in said["errors"][0]


async def test_a_path_that_may_be_anything_is_nobodys_own(tmp_path: Path) -> None:
    body = {"message_type": "CRITICAL", "entity_id": "disk-web1", "host_name": "web1"}
    async with listening(tmp_path, source("victorops")) as caller:
        assert (await caller.ask("POST", "/hooks/victorops/key/ops", body))[0] == 200
        assert (await caller.ask("POST", "/key/ops", body))[0] == 404


@pytest.mark.parametrize("media", ["text/html", "application/pdf", "multipart/form-data; boundary=x"])
async def test_a_content_type_that_the_kind_does_not_read_is_refused_and_nothing_is_kept(
    media: str, tmp_path: Path
) -> None:
    async with listening(tmp_path, source("pagerduty")) as caller:
        status, said, _ = await caller.ask("POST", "/v2/enqueue", TRIGGER, {"Content-Type": media})
        assert status == 415
        assert "reads application/json" in said["error"]
        assert await caller.kept() == await caller.kept("rejected") == ""


# --- credentials -------------------------------------------------------------------------------------------------------


async def test_a_token_in_the_body_lets_in_and_is_not_kept(tmp_path: Path) -> None:
    keyed = source("pagerduty", scheme=auth.Field("routing_key", b"t0ken"))
    async with listening(tmp_path, keyed) as caller:
        assert (await caller.ask("POST", "/v2/enqueue", TRIGGER))[0] == 202
        assert (await caller.ask("POST", "/v2/enqueue", TRIGGER | {"routing_key": "other"}))[0] == 401
        assert (await caller.ask("POST", "/v2/enqueue", {"routing_key": "t0ken", "event_action": "x"}))[0] == 400
        assert "t0ken" not in await caller.kept() + await caller.kept("rejected")
        assert "disk is full" in await caller.kept()


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/hooks/generic?token=t0ken", 202),
        ("/hooks/generic?token=t0kem", 401),
        ("/hooks/generic?token=", 401),
        ("/hooks/generic", 401),
    ],
)
async def test_a_token_in_the_query_lets_in_and_is_not_kept(path: str, status: int, tmp_path: Path) -> None:
    body = {"resource": "web1", "check": "disk"}
    async with listening(tmp_path, source("generic", scheme=auth.Parameter("token", b"t0ken"))) as caller:
        assert (await caller.ask("POST", path, body))[0] == status
        assert "t0ken" not in await caller.kept()


@pytest.mark.parametrize("name", ["auth", "tocken", "q"])
async def test_a_token_in_the_query_is_not_kept_whatever_its_name(name: str, tmp_path: Path) -> None:
    body = {"resource": "web1", "check": "disk"}
    async with listening(tmp_path, source("generic", scheme=auth.Parameter(name, b"t0ken"))) as caller:
        assert (await caller.ask("POST", f"/hooks/generic?{name}=t0ken&x=1", body))[0] == 202
        assert (await caller.kept()).count("t0ken") == 0


TOKEN = "ab/cd+ef=="
XML = "<checkresults><checkresult type='host'><hostname>web1</hostname><state>1</state><output>x</output></checkresult></checkresults>"


@pytest.mark.parametrize(
    "body",
    [
        b"token=ab%2Fcd%2Bef%3D%3D&XMLDATA=" + XML.encode(),
        b"token=ab%2fcd%2bef%3d%3d&XMLDATA=" + XML.encode(),
        b"XMLDATA=" + quote(XML).encode() + b"&token=ab/cd%2Bef==",
    ],
)
async def test_a_token_in_a_form_is_not_kept_however_it_is_written(body: bytes, tmp_path: Path) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    async with listening(tmp_path, source("nrdp", scheme=auth.Field("token", TOKEN.encode()))) as caller:
        assert (await caller.ask("POST", "/nrdp/", body, form))[0] == 200
        kept = await caller.kept()
        assert "cd" not in kept
        assert "web1" in kept


@pytest.mark.parametrize("written", ['"ab/cd+ef=="', '"ab\\/cd+ef=="', '"\\u0061b/cd+ef=="'])
async def test_a_token_in_json_is_not_kept_however_it_is_written(written: str, tmp_path: Path) -> None:
    body = json.dumps(TRIGGER | {"routing_key": "?"}).replace('"?"', written).encode()
    async with listening(tmp_path, source("pagerduty", scheme=auth.Field("routing_key", TOKEN.encode()))) as caller:
        assert (await caller.ask("POST", "/v2/enqueue", body))[0] == 202
        kept = await caller.kept()
        assert "cd" not in kept
        assert "disk is full" in kept


async def test_a_token_in_the_path_lets_in_and_is_not_kept(tmp_path: Path) -> None:
    body = {"message_type": "CRITICAL", "entity_id": "disk-web1", "host_name": "web1", "state_message": "full"}
    at = "/integrations/generic/20131114/alert"
    async with listening(tmp_path, source("victorops", scheme=auth.Parameter("api_key", b"t0ken"))) as caller:
        assert (await caller.ask("POST", f"{at}/t0ken/ops", body))[0] == 200
        assert (await caller.ask("POST", f"{at}/t0kem/ops", body))[0] == 401
        kept = await caller.kept()
        assert "t0ken" not in kept
        assert '"routing_key":"ops"' in kept


async def test_another_word_before_the_token_is_asked_for(tmp_path: Path) -> None:
    keyed = source("opsgenie", scheme=auth.Bearer(b"t0ken", "GenieKey"))
    async with listening(tmp_path, keyed) as caller:
        for word, status in (("GenieKey", 202), ("Bearer", 401)):
            told = {"Authorization": f"{word} t0ken"}
            assert (await caller.ask("POST", "/v2/alerts", {"message": "full", "alias": "a"}, told))[0] == status


async def test_a_source_that_is_only_asked_lets_nobody_in(tmp_path: Path) -> None:
    async with listening(tmp_path, source("alertmanager", scheme=auth.Closed())) as caller:
        assert (await caller.ask("POST", "/hooks/alertmanager", {"alerts": []}))[0] == 401


async def test_a_page_in_a_browser_cannot_make_a_source_hear_something(tmp_path: Path) -> None:
    path = f"/nrdp/?cmd=submitcheck&XMLDATA={quote(XML)}"
    async with listening(tmp_path, source("nrdp")) as caller:
        assert (await caller.ask("GET", path, None, {"Sec-Fetch-Site": "cross-site"}))[0] == 403
        assert (await caller.ask("GET", path))[0] == 200


@pytest.mark.parametrize(
    ("kind", "scheme", "headers"),
    [
        ("pagerduty", auth.Field("routing_key", b"t"), {}),
        ("cloudevents", None, {"ce-subject": "Caf\u00e9", "ce-type": "x.y", "ce-source": "s", "ce-id": "1"}),
        ("sentry", None, {"Sentry-Hook-Resource": "\u00e9"}),
    ],
)
async def test_bytes_that_are_no_utf_8_are_no_fault_of_ours(
    kind: str, scheme: auth.Scheme | None, headers: dict[str, str], tmp_path: Path
) -> None:
    async with listening(tmp_path, source(kind, scheme=scheme)) as caller:
        reader, writer = await asyncio.open_connection(*caller.address)
        told = {"Content-Type": "application/json", "Content-Length": "9", "Connection": "close"} | headers
        lines = "".join(f"{name}: {value}\r\n" for name, value in told.items())
        writer.write(f"POST /hooks/{kind} HTTP/1.1\r\nHost: h\r\n{lines}\r\n".encode("latin-1") + b'{"a": "\xe9')
        status = int((await reader.readline()).split()[1])
        writer.close()
        assert 200 <= status < 500


# --- handshakes --------------------------------------------------------------------------------------------------------


async def test_cloudevents_are_agreed_upon_before_they_are_sent_and_no_secret_is_asked_for_that(tmp_path: Path) -> None:
    asked = {"WebHook-Request-Origin": "events.example.net", "WebHook-Request-Rate": "120"}
    keyed = source("cloudevents", scheme=auth.Bearer(b"t0ken"))
    async with listening(tmp_path, keyed) as caller:
        status, _, headers = await caller.ask("OPTIONS", "/hooks/cloudevents", None, asked)
        assert (status, headers["WebHook-Allowed-Origin"]) == (200, "events.example.net")
        _, _, headers = await caller.ask("OPTIONS", "/hooks/cloudevents")
        assert "WebHook-Allowed-Origin" not in headers
        assert (await caller.ask("POST", "/hooks/cloudevents", {"specversion": "1.0"}))[0] == 401


class Cloud:
    """A cloud's message service on loopback: its certificate, and the confirmations it was asked for."""

    def __init__(self) -> None:
        self.confirmed: list[str] = []
        self.up = True
        self.address = ""

    async def answer(self, request: web.Request) -> web.Response:
        if not self.up:
            return web.Response(status=500)
        if request.path.endswith(".pem"):
            return web.Response(body=US.pem)
        self.confirmed.append(request.query_string)
        return web.Response(text="ok")

    def message(self, kind: str, **facts: Any) -> dict[str, Any]:
        """What SNS sends, signed."""
        told = {
            "Type": kind,
            "MessageId": "11111111-2222-3333-4444-555555555555",
            "TopicArn": "arn:aws:sns:eu-west-3:123456789012:alarms",
            "Timestamp": f"{Running().now:%Y-%m-%dT%H:%M:%S.000Z}",
            "SignatureVersion": "2",
            "SigningCertURL": f"{self.address}/us.pem",
        } | facts
        names = ["Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
        text = "".join(f"{name}\n{told[name]}\n" for name in names if name in told)
        return told | {"Signature": base64.b64encode(US.sign(text.encode())).decode()}


@asynccontextmanager
async def cloud(folder: Path, hosts: Sequence[str] | None = None) -> AsyncIterator[tuple[Cloud, Caller]]:
    it = Cloud()
    application = web.Application()
    application.router.add_get("/{path:.*}", it.answer)
    server = TestServer(application, scheme="https", host="localhost")
    await server.start_server(ssl=US.server(folder))
    it.address = f"https://localhost:{server.port}"
    allowed = (f"localhost:{server.port}",) if hosts is None else tuple(hosts)
    signed = source("sns", scheme=auth.Certificate(allowed, ("arn:aws:sns:*:alarms",)))
    try:
        async with listening(folder / "tocsin", signed) as caller:
            yield it, caller
    finally:
        await server.close()


PLAIN = {"Content-Type": "text/plain; charset=UTF-8"}
ALARM = {
    "AlarmName": "disk-web1",
    "AlarmArn": "arn:aws:cloudwatch:eu-west-3:123456789012:alarm:disk-web1",
    "NewStateValue": "ALARM",
    "NewStateReason": "Threshold Crossed",
    "StateChangeTime": "2026-11-23T08:00:00.000+0000",
    "Region": "EU (Paris)",
    "AWSAccountId": "123456789012",
}


async def test_a_subscription_is_confirmed_at_its_own_cloud(tmp_path: Path) -> None:
    async with cloud(tmp_path) as (it, caller):
        asked = it.message(
            "SubscriptionConfirmation", Message="hello", Token="t", SubscribeURL=f"{it.address}/?Action=Confirm&Token=t"
        )
        status, _, _ = await caller.ask("POST", "/hooks/sns", asked, PLAIN)
        assert status == 200
        assert it.confirmed == ["Action=Confirm&Token=t"]


async def test_a_subscription_is_confirmed_nowhere_else(tmp_path: Path) -> None:
    async with cloud(tmp_path) as (it, caller):
        asked = it.message(
            "SubscriptionConfirmation", Message="hello", Token="t", SubscribeURL="https://example.net/?t"
        )
        status, said, _ = await caller.ask("POST", "/hooks/sns", asked, PLAIN)
        assert (status, it.confirmed) == (403, [])
        assert "not on the list" in said["error"]


async def test_a_confirmation_that_fails_is_asked_for_again(tmp_path: Path) -> None:
    async with cloud(tmp_path) as (it, caller):
        message = it.message("Notification", Message=json.dumps(ALARM))
        assert (await caller.ask("POST", "/hooks/sns", message, PLAIN))[0] == 202
        it.up = False
        asked = it.message("SubscriptionConfirmation", Message="hello", Token="t", SubscribeURL=f"{it.address}/?t")
        status, _, headers = await caller.ask("POST", "/hooks/sns", asked, PLAIN)
        assert status == 503
        assert headers["Retry-After"]


async def test_a_signed_message_is_taken_and_one_that_was_changed_is_not(tmp_path: Path) -> None:
    async with cloud(tmp_path) as (it, caller):
        message = it.message("Notification", Message=json.dumps(ALARM))
        status, said, _ = await caller.ask("POST", "/hooks/sns", message, PLAIN | {"Accept": FATES})
        assert (status, said["alerts"][0]["outcome"]) == (202, "recorded")
        changed = message | {"Message": message["Message"].replace("ALARM", "OK")}
        assert (await caller.ask("POST", "/hooks/sns", changed, PLAIN))[0] == 401
        assert (await caller.ask("POST", "/hooks/sns", {}, PLAIN))[0] == 401


async def test_a_message_of_ones_own_topic_cannot_be_cut_into_one_of_another(tmp_path: Path) -> None:
    """What is signed has no marks between its fields: line breaks in a value must not move its borders."""
    async with cloud(tmp_path) as (it, caller):
        ours = "arn:aws:sns:eu-west-3:123456789012:alarms"
        stamp = f"{Running().now:%Y-%m-%dT%H:%M:%S.000Z}"
        hidden = f"{json.dumps(ALARM)}\nMessageId\n1\nTimestamp\n{stamp}\nTopicArn\n{ours}"
        own = it.message("Notification", Message=hidden, TopicArn="arn:aws:sns:eu-west-3:666666666666:alarms")
        rest = f"MessageId\n{own['MessageId']}\nTimestamp\n{own['Timestamp']}\nTopicArn\n{own['TopicArn']}"
        cut = own | {"Message": json.dumps(ALARM), "MessageId": "1", "Timestamp": stamp, "TopicArn": f"{ours}\n{rest}"}
        assert (await caller.ask("POST", "/hooks/sns", cut, PLAIN))[0] == 401


async def test_a_message_that_is_replayed_changes_nothing(tmp_path: Path) -> None:
    now = Running().now
    before, after = (f"{now - timedelta(minutes=minutes):%Y-%m-%dT%H:%M:%S.000}" for minutes in (10, 5))
    recovered = ALARM | {"NewStateValue": "OK", "StateChangeTime": f"{after}+0000"}
    async with cloud(tmp_path) as (it, caller):
        fires = ALARM | {"StateChangeTime": f"{before}+0000"}
        message = it.message("Notification", Message=json.dumps(fires), Timestamp=f"{before}Z")
        over = it.message("Notification", Message=json.dumps(recovered), Timestamp=f"{after}Z")
        outcomes = []
        for one in (message, message, over, message):
            _, said, _ = await caller.ask("POST", "/hooks/sns", one, PLAIN | {"Accept": FATES})
            outcomes.append(said["alerts"][0]["outcome"])
        assert outcomes == ["recorded", "recorded", "resolved", "overtaken"]


async def test_a_certificate_that_cannot_be_fetched_now_makes_the_sender_come_again(tmp_path: Path) -> None:
    async with cloud(tmp_path) as (it, caller):
        it.up = False
        status, _, _ = await caller.ask("POST", "/hooks/sns", it.message("Notification", Message="x"), PLAIN)
        assert status == 503


async def test_a_certificate_from_elsewhere_is_not_even_fetched(tmp_path: Path) -> None:
    async with cloud(tmp_path, ["sns.*.amazonaws.com"]) as (it, caller):
        status, _, _ = await caller.ask("POST", "/hooks/sns", it.message("Notification", Message="x"), PLAIN)
        assert status == 401
        assert await caller.kept("rejected") == ""
