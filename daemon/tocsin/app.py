"""The composition root: from settings to running parts, started and stopped in order.

The one place that knows every part, together with the command line. Start: store, rules, outbox, timers, web. Stop, in
at most ten seconds: take nothing in any more, finish what is under way or release it, commit, close.
"""

from __future__ import annotations

import asyncio
import gc
import signal
import time
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import structlog
from aiohttp import web

from tocsin import __version__, backends, delivering, offering, reconciling, returning, timers
from tocsin.desk import Desk
from tocsin.errors import SettingsError, StoreError
from tocsin.listening import Ears
from tocsin.metrics import Metrics
from tocsin.model import State
from tocsin.reload import Places, Rulebooks
from tocsin.rules import routing
from tocsin.sourcing import configured, questions
from tocsin.store import Backends, Store, dead
from tocsin.store.pruning import Retention
from tocsin.store.sqlite import SQLITE_VERSION
from tocsin.store.sqlite import Observer as StoreObserver
from tocsin.ticketing import ticketing
from tocsin.watchdog import Watchdog
from tocsin.web import admin, auth, body, health, hooks, outgoing, redeciding, ticket_hooks
from tocsin.web.api import mounting
from tocsin.web.api import service as interface
from tocsin.web.certificates import Certificates
from tocsin.web.guard import Guard
from tocsin.web.reconciling import Reconciling as ReconcilingPages
from tocsin.web.visits import Visits

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    from tocsin.settings import Settings

_log = structlog.get_logger("app")

_LEAVE_EVERY = 60.0
"""Seconds after which what waits for a backend that is gone is looked for again."""
_GRACE = 2.0
"""Seconds that requests under way get at a stop."""


def utc_now() -> datetime:
    """The clock of the house."""
    return datetime.now(UTC)


class App:
    """One service. `start` it, `wait` until it is asked to stop, `stop` it."""

    def __init__(
        self,
        settings: Settings,
        read_secret: Callable[[str], bytes],
        environ: Mapping[str, str],
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self.address = ""
        """Where it serves, once started."""
        self._settings = settings
        self._read_secret = read_secret
        self._clock = clock
        self._stopping = asyncio.Event()
        self._stack = AsyncExitStack()
        self._tasks: list[asyncio.Task[None]] = []
        self.metrics = Metrics(__version__, SQLITE_VERSION)
        self.desk = Desk(settings.desk.priority)
        self.store = Store(
            settings.state,
            backends=Backends(default=settings.default_backend, embedded=self._embedded()),
            limit=settings.intake.queue,
            observer=_StoreObserver(self.metrics),
            clock=time.perf_counter,
        )
        places = Places(
            rules=settings.rules.path,
            fleet=settings.fleet.path,
            backends=frozenset(settings.backends),
            shadow=settings.rules.shadow,
            ticketing=ticketing(settings),
        )
        self.rulebooks = Rulebooks(places, self.store, self.metrics, clock)
        self._watchdog = Watchdog(environ)
        self._offer = offering.Offer()

    # --- life ------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Bring everything up; returns when requests are answered.

        Raises:
            SettingsError, RuleError, StoreError: It cannot; nothing is left running.
        """
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise

    async def _start(self) -> None:
        door_sources = configured(self._settings, self._read_secret)
        await self.store.open(self._clock())
        self._stack.push_async_callback(self.store.close)
        await self.rulebooks.start()
        ears = Ears(
            door_sources,
            store=self.store,
            rulebook=self.rulebooks.current,
            metrics=self.metrics,
            clock=self._clock,
            routes=routing.compiled(self.rulebooks.places.ticketing.routes),
        )
        await ears.silence.start()
        self._stack.push_async_callback(ears.silence.write)
        retention = Retention(**self._settings.retention.model_dump())
        self._timers = timers.Timers(self.store, retention, self._clock, also=ears.silence.come_round)
        self._watch_metrics()
        asked = list(questions(self._settings, door_sources, self._read_secret))
        await self._tell()
        self._spawn(self._timers.run(self._stopping), self.rulebooks.watch(self._stopping))
        there = offering.There(
            store=self.store,
            desk=self.desk,
            rulebook=self.rulebooks.current,
            clock=self._clock,
            told=self.metrics.told_event,
        )
        self._offer = await offering.offer(self._settings, there, self._read_secret, self._stack)
        self._spawn(*self._offer.loops(self._stopping))
        self._pollers = {source.name: ears.poller(source, how, self._stack) for source, how in asked}
        await self._serve(door_sources, ears)
        self._spawn(*(poller.run(self._stopping) for poller in self._pollers.values()))
        gc.collect()
        gc.freeze()  # what was loaded stays: the collector need not look at it again and again
        self._spawn(self._watchdog.run(self.store, lambda: self._timers.beat, self._clock, self._stopping))
        self._watchdog.ready(self.address)
        _log.info("serving", address=self.address, version=__version__, sqlite=SQLITE_VERSION)

    async def _tell(self) -> None:
        """Begin to tell the ticket systems, and to hear of them."""
        systems = delivering.systems(self._settings, await self._outside())
        self.store.live.final = delivering.final(systems)
        self._outbox = delivering.outgoing(self._settings, systems, self.store, self.metrics, self._clock)
        await self._leave_to_people(frozenset(systems))
        self._spawn(self._go_on_leaving(frozenset(systems)))
        paced = delivering.paced(self._settings, systems)
        self._followers = returning.followers(self._settings, paced, self.store, self.metrics, self._clock)
        self._reconcilers = returning.reconcilers(self._settings, paced, self.store, self._clock)
        self._spawn(self._outbox.run(self._stopping), delivering.look_over(systems))
        self._spawn(*(follower.run(self._stopping) for follower in self._followers.values()), self._compare())

    async def wait(self) -> None:
        """Until SIGTERM or SIGINT; SIGHUP reloads rules and fleet. A part that dies ends the wait with its error."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)
        loop.add_signal_handler(signal.SIGHUP, lambda: self._spawn(self._reload()))
        stop = asyncio.create_task(self._stopping.wait())
        while not stop.done():
            done, _ = await asyncio.wait({stop, *self._tasks}, return_when=asyncio.FIRST_COMPLETED)
            self._tasks = [task for task in self._tasks if task not in done]
            for task in done - {stop}:
                task.result()

    async def stop(self) -> None:
        """Take nothing in any more, finish or release what is under way, commit, close."""
        self._watchdog.stopping()
        self._stopping.set()
        with suppress(AttributeError):
            await self._runner.cleanup()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=7)
            for task in late:
                task.cancel()
        await self._stack.aclose()
        _log.info("stopped")

    def _spawn(self, *parts: Any) -> None:
        self._tasks.extend(asyncio.create_task(part) for part in parts)

    async def _reload(self) -> None:
        await self.rulebooks.reload()

    def _compare(self) -> Coroutine[Any, Any, None]:
        how, told = self._settings.reconcile, returning.told(self.metrics, self._clock)
        return reconciling.Rounds(self._reconcilers, how.every, told, fix=how.mend).run(self._stopping)

    # --- parts -----------------------------------------------------------------------------------------------------

    def _embedded(self) -> dict[str, Desk]:
        return dict.fromkeys(delivering.embedded(self._settings), self.desk)

    async def _leave_to_people(self, told: frozenset[str]) -> None:
        """What waits for a backend that is gone is said at once, and a person's to do."""
        for backend, count in (await self.store.run(lambda tx: dead.strand(tx, told, self._clock()))).items():
            todo = f"put it back and `tocsin deliveries resend --all-dead --backend {backend}`, or drop or edit them"
            _log.warning("deliveries have no backend any more", backend=backend, count=count, todo=todo)

    async def _go_on_leaving(self, told: frozenset[str]) -> None:
        """What comes up later for such a backend, too: its tickets may be open still."""
        while not self._stopping.is_set():
            await timers.pause(self._stopping, _LEAVE_EVERY)
            with suppress(StoreError):
                await self._leave_to_people(told)

    async def _outside(self) -> backends.Outside:
        session = backends.open_session()
        self._stack.push_async_callback(session.close)
        return backends.Outside(session=session, read_secret=self._read_secret, clock=self._clock)

    async def _serve(self, door_sources: list[hooks.Source], ears: Ears) -> None:
        visits = Visits()
        self._stack.push_async_callback(visits.close)
        door = hooks.Door(
            store=self.store,
            taking=ears.taking,
            hearing=ears.hearing,
            visits=visits,
            certificates=Certificates(visits, self._clock),
            limits=body.Limits(
                received=self._settings.intake.body_limit, inflated=self._settings.intake.inflated_limit
            ),
            clock=self._clock,
            metrics=self.metrics,
        )
        application = web.Application()
        application.add_routes(self._web_routes(door_sources, door))
        self._runner = web.AppRunner(
            application, access_log=None, shutdown_timeout=_GRACE, auto_decompress=False, handle_signals=False
        )
        await self._runner.setup()
        listen = self._settings.listen
        try:
            await web.TCPSite(self._runner, listen.host, listen.port, backlog=1024, reuse_address=True).start()
        except OSError as error:
            text = f"listen: {listen.host}:{listen.port}: {error.strerror}; is another one running, or is `listen.port` taken?"
            raise SettingsError(text) from error
        host, port = self._runner.addresses[0][:2]
        self.address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def _web_routes(self, door_sources: list[hooks.Source], door: hooks.Door) -> list[web.RouteDef]:
        pages = health.Health(self.store, self.metrics, self.rulebooks.detail)
        again = redeciding.Redeciding(door_sources, door).run
        guard = Guard(self._admin_scheme(), self._clock)
        desk = admin.Admin(self.store, self.desk, self.rulebooks.reload, again, guard, self._clock)
        sending = outgoing.Outgoing(self.store, self._outbox, frozenset(self._settings.backends), guard, self._clock)
        named = returning.hooks(self._settings, self._followers, self._read_secret, door.limits, self._clock)
        heard = returning.told(self.metrics, self._clock)
        compared = ReconcilingPages(self._reconcilers, self._pollers, heard, guard)
        return [
            *ticket_hooks.routes(named),
            *compared.routes(),
            *hooks.routes(door_sources, door),
            web.get("/healthz", pages.alive),
            web.get("/readyz", pages.ready),
            web.get("/metrics", pages.metrics),
            web.post("/-/reload", desk.reload),
            web.post("/-/redecide", desk.redecide),
            web.post("/-/tickets/{number}", desk.work),
            *sending.routes(),
            *self._offer.routes,
            *mounting.routes(self._interface(door_sources, again), guard),
        ]

    def _interface(self, door_sources: list[hooks.Source], again: interface.Redecide) -> interface.Service:
        """What programs may ask for; ends with the service."""
        settings = self._settings
        known = interface.Tickets(sources=door_sources, desks=self._embedded())
        service = interface.Service(self.rulebooks, settings.state, known, again, self._clock)
        self._stack.push_async_callback(service.close)
        return service

    def _admin_scheme(self) -> auth.Scheme:
        token_file = self._settings.admin.token_file
        return auth.Bearer(self._read_secret(str(token_file))) if token_file else auth.Open()

    # --- what is told --------------------------------------------------------------------------------------------

    def _watch_metrics(self) -> None:
        self.metrics.watch(self._gauges, self._states)

    def _gauges(self) -> dict[str, float]:
        live = self.store.live
        unsent = live.unsent.all()
        oldest = min((delivery.made_at for delivery in unsent if delivery.made_at), default=None)
        return {
            "tocsin_queue_alerts": self.store.waiting,
            "tocsin_firing_alerts": sum(len(fires) for fires in list(live.firing.values())),
            "tocsin_unsent_deliveries": len(unsent),
            "tocsin_oldest_undelivered_seconds": (self._clock() - oldest).total_seconds() if oldest else 0,
            "tocsin_store_up": 0 if self.store.problem else 1,
            **self._offer.gauges(),
        }

    def _states(self) -> dict[str, int]:
        counts = {state.value: 0 for state in State if state != State.CLOSED}
        for entry in list(self.store.live.by_row.values()):
            if entry.incident.state in counts:
                counts[entry.incident.state] += 1
        return counts


class _StoreObserver(StoreObserver):
    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def committed(self, weight: int, seconds: float) -> None:
        self._metrics.committed(weight, seconds)

    def failed(self, problem: str) -> None:
        _log.error("the store cannot write", problem=problem)
        self._metrics.failed(problem)


async def serve(app: App, told: Callable[[str], None]) -> None:
    """Start, say the address, wait, stop."""
    await app.start()
    try:
        told(app.address)
        await app.wait()
    finally:
        await app.stop()
