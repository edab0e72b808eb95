"""What fires there against what fires here: what is taken in, what is over, what is left alone."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from door import source
from house import T0, Running, alert, opened, rows, rulebook
from service import until
from tocsin.listening import Ears
from tocsin.metrics import Metrics
from tocsin.polling import kinds
from tocsin.polling.difference import difference
from tocsin.polling.platform import Asked
from tocsin.sources import Shown

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from datetime import datetime
    from pathlib import Path

    from tocsin.polling import Poller
    from tocsin.polling.difference import Difference
    from tocsin.store import Store

SETTLE = timedelta(minutes=5)


def found(
    shown: Mapping[str, str],
    firing: Mapping[str, float | None],
    missing: Mapping[str, float] | None = None,
    at: float = 0,
) -> Difference:
    """`shown`: fingerprint → fires, over or left; the others: fingerprint → minutes since or until T0."""
    by = {word: [one for one, said in shown.items() if said == word] for word in ("fires", "over", "left")}
    return difference(
        Shown(
            fires={one: alert(fingerprint=one) for one in by["fires"]},
            over={one: alert(fingerprint=one) for one in by["over"]},
            left=frozenset(by["left"]),
        ),
        {one: None if minutes is None else moment(minutes) for one, minutes in firing.items()},
        {one: moment(minutes) for one, minutes in (missing or {}).items()},
        moment(at),
        SETTLE,
    )


def moment(minutes: float) -> datetime:
    return T0 + timedelta(minutes=minutes)


CASES = [
    pytest.param({"a": "fires"}, {}, {"news": ["a"]}, id="fires there and was never heard of"),
    pytest.param({"a": "fires"}, {"a": -9}, {}, id="fires there and here"),
    pytest.param({"a": "over"}, {"a": -9}, {"ended": ["a"]}, id="is over there and fires here"),
    pytest.param({"a": "over"}, {}, {}, id="is over there and does not fire here"),
    pytest.param({"a": "left"}, {"a": -9}, {}, id="muted there, and fires here"),
    pytest.param({"a": "left"}, {}, {}, id="muted there, and does not fire here"),
    pytest.param({}, {"a": -9}, {"missing": ["a"]}, id="missing there for the first time"),
    pytest.param({}, {"a": 1}, {}, id="heard of after the question"),
    pytest.param({"a": "over"}, {"a": 1}, {}, id="over in an answer that is older than the firing"),
    pytest.param({"a": "fires"}, {"a": None}, {}, id="ended here while the question was under way"),
    pytest.param({}, {"a": None}, {}, id="ended here and missing there"),
]


@pytest.mark.parametrize(("shown", "firing", "expected"), CASES)
def test_what_an_answer_means(shown: dict[str, str], firing: dict[str, float], expected: dict[str, Any]) -> None:
    told = found(shown, firing)
    assert [one.fingerprint for one in told.news] == expected.get("news", [])
    assert [one.fingerprint for one in told.ended] == expected.get("ended", [])
    assert list(told.missing) == expected.get("missing", [])
    assert told.gone == []


@pytest.mark.parametrize(("since", "gone"), [(-4.9, []), (-5, ["a"]), (-60, ["a"])])
def test_what_is_missing_for_long_enough_is_over(since: float, gone: list[str]) -> None:
    told = found({}, {"a": -90}, {"a": since})
    assert told.gone == gone
    assert list(told.missing) == ([] if gone else ["a"])


def test_what_comes_back_was_not_missing() -> None:
    told = found({"a": "fires"}, {"a": -90}, {"a": -4})
    assert (told.gone, told.missing) == ([], {})


def test_how_long_something_is_missing_is_counted_from_the_first_answer_without_it() -> None:
    assert found({}, {"a": -90}, {"a": -3}).missing == {"a": moment(-3)}


def test_alertmanager_and_icinga_can_be_asked() -> None:
    assert sorted(kinds()) == ["alertmanager", "icinga"]


# --- asked for once, beside the rest -------------------------------------------------------------------------------------


class Shows:
    """An Alertmanager that shows what the test says."""

    def __init__(self) -> None:
        self.fires: list[str] = []
        self.down = False

    def app(self) -> web.Application:
        application = web.Application()
        application.router.add_get("/api/v2/alerts", self._alerts)
        return application

    async def _alerts(self, _: web.Request) -> web.Response:
        if self.down:
            return web.Response(status=502)
        return web.json_response([_alert(name) for name in self.fires])


def _alert(name: str) -> dict[str, Any]:
    return {
        "labels": {"alertname": name, "instance": "web1"},
        "annotations": {},
        "fingerprint": name,
        "startsAt": T0.isoformat(),
        "endsAt": (T0 + timedelta(days=999)).isoformat(),
        "updatedAt": T0.isoformat(),
        "status": {"state": "active", "inhibitedBy": [], "silencedBy": []},
        "receivers": [{"name": "all"}],
    }


@asynccontextmanager
async def shown(folder: Path, shows: Shows) -> AsyncIterator[tuple[Store, Poller, Running]]:
    """An Alertmanager's poller that does not run: it compares when the test says so."""
    book, listened, clock = rulebook(), source("alertmanager"), Running()
    async with opened(folder) as store, TestServer(shows.app()) as server, AsyncExitStack() as stack:
        ears = Ears([listened], store=store, rulebook=lambda: book, metrics=Metrics("0", "3"), clock=clock)
        asked = Asked(url=str(server.make_url("")), settle=SETTLE)
        yield store, ears.poller(listened, asked, stack), clock


async def named(poller: Poller, *, fix: bool = False) -> list[tuple[str, str, bool]]:
    said = await poller.compare(fix=fix)
    assert said.problem == ""
    return [(one.kind.value, one.fingerprint, one.mended) for one in said.differences]


async def test_a_comparison_names_what_differs_and_takes_it_in_only_when_that_is_asked_for(tmp_path: Path) -> None:
    shows = Shows()
    async with shown(tmp_path, shows) as (store, poller, clock):
        assert await named(poller) == []
        shows.fires = ["disk"]
        ((kind, _, mended),) = await named(poller)
        assert (kind, mended) == ("unheard", False)
        assert await outcomes(store) == [], "a look changes nothing"
        assert [mended for _, _, mended in await named(poller, fix=True)] == [True]
        assert len(await outcomes(store)) == 1
        assert await named(poller) == []
        shows.fires = []
        clock.passes(minutes=1)
        assert [(kind, mended) for kind, _, mended in await named(poller, fix=True)] == [("unknown", False)]
        (one,) = (await poller.compare(fix=False)).differences
        assert "it counts as over after 5 min" in one.told
        clock.passes(minutes=6)
        assert [(kind, mended) for kind, _, mended in await named(poller, fix=True)] == [("unknown", True)]
        assert await named(poller) == []
        assert (await outcomes(store))[-1:] != [], "its end was taken in"


async def test_a_platform_that_does_not_answer_a_comparison_is_said(tmp_path: Path) -> None:
    shows = Shows()
    shows.down = True
    async with shown(tmp_path, shows) as (_, poller, _clock):
        assert "502" in (await poller.compare(fix=True)).problem


# --- Icinga's stream, with a server that does what the test says -----------------------------------------------------------


class Stream:
    """Icinga's API as far as it is asked: streams that end when the test says so, and what is listed meanwhile."""

    def __init__(self) -> None:
        self.begun = 0
        self.problem = False
        self.lines: list[dict[str, Any]] = []
        self.ends = asyncio.Event()

    def app(self) -> web.Application:
        application = web.Application()
        application.router.add_post("/v1/events", self._events)
        application.router.add_get("/v1/objects/hosts", self._hosts)
        application.router.add_get("/v1/objects/services", self._services)
        return application

    async def _events(self, request: web.Request) -> web.StreamResponse:
        self.begun += 1
        response = web.StreamResponse()
        await response.prepare(request)
        for line in self.lines:
            await response.write(json.dumps(line).encode() + b"\n")
        self.lines.clear()
        await self.ends.wait()
        self.ends.clear()
        return response

    async def _hosts(self, _: web.Request) -> web.Response:
        return web.json_response({"results": []})

    async def _services(self, _: web.Request) -> web.Response:
        attributes = {"state": 2.0 if self.problem else 0.0, "state_type": 1.0, "last_check": T0.timestamp()}
        return web.json_response({"results": [{"name": "web1!disk", "type": "Service", "attrs": attributes}]})


@asynccontextmanager
async def asking(folder: Path, stream: Stream) -> AsyncIterator[Store]:
    """Icinga's poller, running against the stream."""
    book, listened = rulebook(), source("icinga")
    metrics, clock, stopping = Metrics("0", "3"), Running(), asyncio.Event()
    async with opened(folder) as store, TestServer(stream.app()) as server:
        ears = Ears([listened], store=store, rulebook=lambda: book, metrics=metrics, clock=clock)
        quick = timedelta(seconds=0.2)
        asked = Asked(
            url=str(server.make_url("")), every=quick, timeout=timedelta(seconds=5), settle=timedelta(hours=1)
        )
        async with AsyncExitStack() as stack:
            task = asyncio.create_task(ears.poller(listened, asked, stack).run(stopping))
            yield store
            stopping.set()
            stream.ends.set()
            await task


async def outcomes(store: Store) -> list[str]:
    return [outcome for (outcome,) in await rows(store, "select outcome from alerts order by id")]


async def test_a_stream_that_ends_is_begun_anew_and_everything_is_compared(tmp_path: Path) -> None:
    stream = Stream()
    async with asking(tmp_path, stream) as store:

        async def begun(times: int, told: list[str]) -> bool:
            return stream.begun >= times and await outcomes(store) == told

        await until(lambda: begun(1, []), 10, "the stream")
        stream.problem = True
        stream.ends.set()
        await until(lambda: begun(2, ["opened"]), 10, "what nobody told")
        stream.problem = False
        stream.ends.set()
        await until(lambda: begun(3, ["opened", "resolved"]), 10, "its end")


async def test_what_the_stream_says_is_taken_in_and_what_cannot_be_read_is_kept(tmp_path: Path) -> None:
    stream = Stream()
    stream.problem = True
    stream.lines = [
        {"type": "NoSuchEvent", "host": "web1"},
        {"type": "StateChange", "host": "web1", "service": "http", "state": 1, "state_type": 1, "timestamp": 1.0e9},
    ]
    async with asking(tmp_path, stream) as store:

        async def told() -> bool:
            return sorted(await outcomes(store)) == ["opened", "recorded"]

        await until(told, 10, "both alerts")
        assert len(await rows(store, "select reason from rejected")) == 1
