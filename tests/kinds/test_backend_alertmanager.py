"""Incidents as alerts: one alert whatever changes, in a fake and in Debian's own Alertmanager."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from deliveries import Pauses, delivery
from fakes.core import Does
from kit import told, world
from programs import alertmanager, require
from service import session
from tocsin.backends import Outside, build, hand_over, kinds, open_session
from tocsin.errors import Reason, SettingsError
from tocsin.model import Impact, TicketStatus

if TYPE_CHECKING:
    from pathlib import Path

KIND = kinds()["alertmanager"]


async def test_whatever_changes_it_stays_the_same_alert() -> None:
    async with world(KIND) as there:
        await there.opened()
        for number, action in enumerate(("update", "close", "reopen", "close"), 18):
            await there.tell(told(action, "K7F3Q2", id=number, body={"impact": list(Impact)[number % 5]}))
            there.server.clock.advance(hours=1)
        assert len(there.server.face.alerts) == 1
        assert there.server.face.tickets()[0].status == "closed"


async def test_an_alert_that_nobody_ends_expires() -> None:
    async with world(KIND, expire_after="2h") as there:
        await there.opened()
        assert there.server.face.tickets()[0].status == "declared"
        there.server.clock.advance(hours=3)
        assert there.server.face.tickets()[0].status == "closed"


async def test_an_alert_whose_labels_change_leaves_none_behind() -> None:
    """Another source tells of the same incident, or the fleet moves the element to another contract."""
    async with world(KIND) as there:
        await there.opened()
        element = replace(delivery().body.element, contract="OCB002")
        await there.tell(told("update", "K7F3Q2", body={"source": "zabbix", "element": element}))
        first, second = there.server.face.tickets()
        assert (first.status, second.status) == ("closed", "declared")
        await there.tell(told("close", "K7F3Q2", id=19))
        assert [one.status for one in there.server.face.tickets()] == ["closed", "closed"]


@pytest.mark.parametrize("behaviour", ["forbidden", "refused", "unauthorized", "giant", "wrong"])
async def test_alerts_that_may_not_be_read_are_posted_all_the_same(behaviour: str) -> None:
    async with world(KIND) as there:
        await there.opened()
        there.server.script(Does.CHECK, behaviour)
        await there.tell(told("close", "K7F3Q2"))
        assert there.server.face.tickets()[0].status == "closed"


@pytest.mark.parametrize("path", ["/alertmanager", "/api/v2"])
async def test_an_address_that_is_not_alertmanagers_stops_the_backend(path: str) -> None:
    async with world(KIND) as there:
        url = f"{there.server.url}{path}"
        there.backend = build("alertmanager", "portal", {**there.server.face.options(), "url": url}, there.outside)
        error = await there.fail(delivery(number=""))
    assert (error.reason, error.stops, error.harmless) == (Reason.MISCONFIGURED, True, True)
    assert "correct url" in error.detail


@pytest.mark.parametrize("labels", [{"reference": "x"}, {"alertname": "x"}, {"no-label": "x"}, {"": "x"}])
async def test_labels_that_cannot_be_sent_are_refused(labels: dict[str, str]) -> None:
    async with world(KIND) as there:
        with pytest.raises(SettingsError, match="is no label name, or is written by tocsin itself"):
            build("alertmanager", "portal", {"url": "http://127.0.0.1:1", "labels": labels}, there.outside)


async def active(url: str) -> list[dict[str, Any]]:
    async with session() as http, http.get(f"{url}/api/v2/alerts") as answer:
        return await answer.json()


async def test_a_real_alertmanager_has_the_incident_as_one_alert(tmp_path: Path) -> None:
    require("prometheus-alertmanager", "prometheus-alertmanager")
    async with alertmanager(tmp_path, "http://127.0.0.1:9/nobody") as url, open_session() as http:
        moment = datetime.now(UTC)
        outside = Outside(session=http, read_secret={}.__getitem__, clock=lambda: datetime.now(UTC), pause=Pauses())
        backend = build("alertmanager", "portal", {"url": url}, outside)
        (finding,) = await backend.check()
        assert "Alertmanager 0." in finding.told
        receipt = await hand_over(backend, delivery(number=""), moment)
        worse = {"impact": Impact.NONE, "opened_at": moment - timedelta(minutes=5)}
        await hand_over(backend, told("update", receipt.number, body=worse), moment)
        (alert,) = await active(url)
        assert alert["labels"]["reference"] == receipt.number == "K7F3Q2"
        assert alert["annotations"]["impact"] == "No service disruption"
        moved = {**worse, "source": "zabbix"}
        await hand_over(backend, told("update", receipt.number, id=22, body=moved), moment)
        (alert,) = await active(url)
        assert alert["labels"]["source"] == "zabbix"
        closed = await hand_over(backend, told("close", receipt.number, id=19, body=worse), moment)
        assert closed.status == TicketStatus.CLOSED
        assert await active(url) == []
        await hand_over(backend, told("reopen", receipt.number, id=20, body=worse), moment)
        assert len(await active(url)) == 1
