"""The notification scripts that are shipped for Checkmk and Centreon, run as those run them."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from programs import require
from tocsin.model import Alert, Payload
from tocsin.sources import centreon, checkmk

if TYPE_CHECKING:
    from collections.abc import Iterator

SNIPPETS = Path(__file__).resolve().parent.parent / "config" / "sources"
NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
NOTIFICATION = {
    "WHAT": "SERVICE",
    "NOTIFICATIONTYPE": "PROBLEM",
    "HOSTNAME": "db1",
    "SERVICEDESC": "Filesystem /var",
    "SERVICESTATE": "CRITICAL",
    "SERVICEOUTPUT": "97 % & rising é",
    "PARAMETER_1": "s3cret",
}


class Hook(ThreadingHTTPServer):
    """What a script posts to."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Request)
        self.url = f"http://127.0.0.1:{self.server_port}/hooks/test"
        self.status = 202
        self.told: list[tuple[str, Payload]] = []
        """`Authorization`, and the message."""


class _Request(BaseHTTPRequestHandler):
    server: Hook

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        payload = Payload(body=body, content_type=self.headers.get_content_type(), source="test")
        self.server.told.append((self.headers["Authorization"], payload))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing: pytest is told by the assertions."""


@pytest.fixture
def hook() -> Iterator[Hook]:
    with Hook() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def installed(snippet: str, url: str, folder: Path, **changes: str) -> Path:
    """The script, as it is after its placeholders are filled in."""
    text = (SNIPPETS / snippet).read_text(encoding="utf-8")
    for old, new in {"{{url}}": url, **changes}.items():
        assert old in text
        text = text.replace(old, new)
    script = folder / "script"
    script.write_text(text, encoding="utf-8")
    return script


def of_checkmk(hook: Hook, folder: Path, *arguments: str, env: dict[str, str], told: str = "") -> int:
    (folder / "etc").mkdir()
    (folder / "etc" / "tocsin-token").write_text("t0ken\n")
    script = installed("checkmk/tocsin", hook.url, folder)
    environment = {"PATH": os.environ["PATH"], "OMD_ROOT": str(folder), "USER": "prod", "LANG": "C.UTF-8", **env}
    run = subprocess.run([sys.executable, script, *arguments], env=environment, input=told, text=True, check=False)
    return run.returncode


def only(alerts: list[Any]) -> Alert:
    (alert,) = alerts
    assert isinstance(alert, Alert)
    return alert


def test_checkmk_tells_one_notification_without_the_parameters(hook: Hook, tmp_path: Path) -> None:
    env = {f"NOTIFY_{name}": value for name, value in NOTIFICATION.items()}
    assert of_checkmk(hook, tmp_path, env=env) == 0
    ((authorization, payload),) = hook.told
    alert = only(checkmk.parse(payload, checkmk.Options(), NOW))
    assert (authorization, alert.resource, alert.summary) == ("Bearer t0ken", "db1", "97 % & rising é")
    assert b"s3cret" not in payload.body
    assert b"OMD_ROOT" not in payload.body


def test_checkmk_tells_a_bulk_in_one_message(hook: Hook, tmp_path: Path) -> None:
    others = [NOTIFICATION, {**NOTIFICATION, "HOSTNAME": "db2", "LONGSERVICEOUTPUT": "one\1two"}]
    blocks = ["\n".join(f"{name}={value}" for name, value in other.items()) for other in others]
    told = "PARAMETER_1=s3cret\n\n" + "\n\n".join(blocks) + "\n"
    assert of_checkmk(hook, tmp_path, "--bulk", env={}, told=told) == 0
    ((_, payload),) = hook.told
    alerts = [only([found]) for found in checkmk.parse(payload, checkmk.Options(), NOW)]
    assert [(alert.resource, alert.description) for alert in alerts] == [("db1", ""), ("db2", "one\ntwo")]
    assert b"s3cret" not in payload.body


@pytest.mark.parametrize(("status", "code"), [(202, 0), (503, 1), (429, 1), (401, 2), (422, 2)])
def test_checkmk_tries_again_what_may_still_be_taken(hook: Hook, tmp_path: Path, status: int, code: int) -> None:
    hook.status = status
    assert of_checkmk(hook, tmp_path, env={"NOTIFY_HOSTNAME": "db1"}) == code


def test_centreon_tells_its_macros(hook: Hook, tmp_path: Path) -> None:
    require("curl", "curl")
    (tmp_path / "token").write_text("Authorization: Splunk t0ken\n")
    script = installed(
        "centreon/tocsin-notify", hook.url, tmp_path, **{"/etc/centreon/tocsin-token": f"{tmp_path}/token"}
    )
    macros = [f"{name}={value}" for name, value in NOTIFICATION.items()]
    subprocess.run(["sh", script, *macros, "LONGSERVICEOUTPUT=", "HOSTALIAS=a=b 'c' \"d\""], check=True)
    ((authorization, payload),) = hook.told
    alert = only(centreon.parse(payload, centreon.Options(), NOW))
    assert (authorization, alert.resource, alert.check) == ("Splunk t0ken", "db1", "Filesystem /var")
    assert (alert.summary, alert.labels["HOSTALIAS"]) == ("97 % & rising é", "a=b 'c' \"d\"")
