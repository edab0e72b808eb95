"""Debian's own Prometheus watches a page of this test and pushes to the real service, straight and through Alertmanager.

It takes five seconds before it looks at anything: that is how long its discovery waits.
"""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from aiohttp import web

from programs import ELEMENTS, RULES, alertmanager, answers, has, ready, require, started, tickets
from service import ROOT, Service, free_port, running, session, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

TOKEN = "t0ken-of-prometheus"
ALERTS = """
groups:
  - name: filesystem
    interval: 100ms
    rules:
      - alert: FilesystemAlmostFull
        expr: filesystem_free_percent < 3
        labels: {severity: critical}
        annotations: {summary: '{{ $labels.mountpoint }} is almost full'}
"""


class Page:
    """What the watched host says of its disk."""

    def __init__(self) -> None:
        self.free = 50.0
        self.asked = 0

    async def answer(self, _: web.Request) -> web.Response:
        self.asked += 1
        return web.Response(text=f'filesystem_free_percent{{mountpoint="/srv"}} {self.free}\n')

    async def is_read(self) -> bool:
        return self.asked > 0


@contextlib.asynccontextmanager
async def watched() -> AsyncIterator[tuple[Page, str]]:
    """The page, and where it is served."""
    page, app, port = Page(), web.Application(), free_port()
    app.router.add_get("/metrics", page.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        yield page, f"127.0.0.1:{port}"
    finally:
        await runner.cleanup()


def straight(url: str) -> dict[str, Any]:
    """The part of Prometheus' settings that pushes to an Alertmanager, or to what looks like one."""
    return {"alertmanagers": [{"static_configs": [{"targets": [url.removeprefix("http://")]}]}]}


def as_shipped(url: str, folder: Path) -> dict[str, Any]:
    """The same part as people paste it."""
    token = folder / "token"
    token.write_text(f"{TOKEN}\n")
    shipped = (ROOT / "config" / "sources" / "prometheus" / "prometheus.yml").read_text()
    told = shipped.replace("{{url}}", url).replace("/etc/prometheus/tocsin-token", str(token))
    alerting: dict[str, Any] = yaml.safe_load(told)["alerting"]
    return alerting


@contextlib.asynccontextmanager
async def prometheus(folder: Path, target: str, alerting: dict[str, Any]) -> AsyncIterator[None]:
    """A Prometheus, in haste, that watches the target."""
    program, at = require("prometheus", "prometheus"), f"127.0.0.1:{free_port()}"
    config, rules, log = folder / "prometheus.yml", folder / "rules.yml", folder / "prometheus.log"
    rules.write_text(ALERTS)
    told = {
        "global": {"scrape_interval": "100ms", "scrape_timeout": "100ms", "external_labels": {"replica": "a"}},
        "rule_files": [str(rules)],
        "scrape_configs": [
            {"job_name": "node", "static_configs": [{"targets": [target], "labels": {"instance": "web1:9100"}}]}
        ],
        "alerting": alerting,
    }
    config.write_text(json.dumps(told))  # JSON is YAML
    options = (f"--config.file={config}", f"--storage.tsdb.path={folder / 'tsdb'}", f"--web.listen-address={at}")
    async with started(program, *options, "--rules.alert.resend-delay=500ms", log=log) as process, session() as http:
        await ready(process, log, lambda: answers(http, f"http://{at}/-/ready"), "Prometheus to be ready")
        yield


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    require("prometheus", "prometheus")
    token = tmp_path / "prometheus.token"
    token.write_text(f"{TOKEN}\n")
    sources = {
        "prometheus": {"kind": "prometheus", "open": True},
        "guarded": {"kind": "prometheus", "auth": {"bearer": {"token_file": str(token)}}},
        "alertmanager": {"kind": "alertmanager", "open": True},
    }
    async with running(tmp_path / "tocsin", {"sources": sources}, RULES, ELEMENTS) as service:
        yield service


async def one_ticket_opens_and_closes(service: Service, page: Page) -> None:
    await until(page.is_read, 10, "Prometheus to look at the page")
    assert tickets(service) == []
    page.free = 2.4
    await until(lambda: has(service, ("declared", "interrupted")), 15, "the ticket")
    assert "FilesystemAlmostFull on Web one" in tickets(service)[0].name
    page.free = 40.0
    await until(lambda: has(service, ("closed", "interrupted")), 15, "the ticket to be closed")


async def test_a_real_prometheus_pushes_straight_to_the_service(tmp_path: Path, service: Service) -> None:
    async with watched() as (page, target), prometheus(tmp_path, target, straight(service.url)):
        await one_ticket_opens_and_closes(service, page)


async def test_a_real_prometheus_pushes_as_the_shipped_settings_say(tmp_path: Path, service: Service) -> None:
    alerting = as_shipped(f"{service.url}/hooks/guarded", tmp_path)
    async with watched() as (page, target), prometheus(tmp_path, target, alerting):
        await one_ticket_opens_and_closes(service, page)


async def test_a_real_prometheus_pushes_through_a_real_alertmanager(tmp_path: Path, service: Service) -> None:
    async with (
        watched() as (page, target),
        alertmanager(tmp_path, f"{service.url}/hooks/alertmanager") as address,
        prometheus(tmp_path, target, straight(address)),
    ):
        await one_ticket_opens_and_closes(service, page)
