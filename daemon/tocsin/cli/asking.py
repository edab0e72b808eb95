"""Asks the running service: one request, and its answer in JSON.

Knows where the service listens and the admin token; not what is asked.
"""

from __future__ import annotations

import json
from http.client import HTTPException
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.error import HTTPError
from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, build_opener

from tocsin.errors import SettingsError, TocsinError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tocsin.cli.given import Given
    from tocsin.settings.tree import Listen

_PATIENCE = 30
"""Seconds that an answer may take; a reload of a large fleet takes some."""
_REFUSED = 300
"""The first HTTP status that is no success."""
_EVERYWHERE = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - nothing is bound here
"""Addresses that are listened on, and the one to reach them by from this machine."""


class SilentError(TocsinError):
    """The service does not answer: start it (exit status 3)."""


class RefusedError(TocsinError):
    """The service answered that it will not do what was asked (exit status 1)."""


class Answer(NamedTuple):
    """What the service answered: HTTP status, and the JSON object of its body."""

    status: int
    body: dict[str, Any]


class _NoRedirects(HTTPRedirectHandler):
    """The service never redirects; whoever does is not it, and gets no token."""

    def redirect_request(self, *_: Any) -> None:
        return None


def address(listen: Listen) -> str:
    """Return where the service that listens so is reached from this machine.

    Raises:
        SettingsError: It listens on a port that only it knows.
    """
    if listen.port == 0:
        raise SettingsError("listen.port is 0, so only the service knows its port: set listen.port to reach it")
    host = _EVERYWHERE.get(listen.host, listen.host)
    return f"http://[{host}]:{listen.port}" if ":" in host else f"http://{host}:{listen.port}"


def admin(given: Given, path: str, value: object = None) -> dict[str, Any]:
    """Ask for something under `/-/`, with the admin token where the settings name one; returns the answer.

    Raises:
        SilentError: The service does not answer.
        RefusedError: It will not do it.
        SettingsError: The admin token cannot be read.
    """
    return _done(post(f"{address(given.settings.listen)}/-/{path}", value, _admin_headers(given)))


def looked_up(given: Given, path: str) -> dict[str, Any]:
    """What the service tells at an address under `/-/`; raises what `admin` raises."""
    return _done(send("GET", f"{address(given.settings.listen)}/-/{path}", _admin_headers(given), None))


def lines(given: Given, path: str, value: object) -> Iterator[dict[str, Any]]:
    """What the service answers line by line to a POST under `/-/`, each as it comes; raises what `admin` raises.

    One line may take as long as `_PATIENCE`; all of them, as long as they take.
    """
    url = f"{address(given.settings.listen)}/-/{path}"
    headers = {"Content-Type": "application/json", **_admin_headers(given)}
    request = Request(url, json.dumps(value).encode(), headers, method="POST")  # noqa: S310 - see `send`
    service = url.split("/", 3)[2]
    try:
        with build_opener(ProxyHandler({}), _NoRedirects).open(request, timeout=_PATIENCE) as response:
            for line in response:
                yield _object(line, service)
    except HTTPError as error:
        with error:
            raise RefusedError(said(Answer(error.code, _object(error.read(), service)))) from None
    except (OSError, HTTPException) as error:
        raise _silent(service, error) from None


def _admin_headers(given: Given) -> dict[str, str]:
    token = given.settings.admin.token_file
    return bearer(given.read_secret(str(token))) if token else {}


def _done(answer: Answer) -> dict[str, Any]:
    if answer.status >= _REFUSED:
        raise RefusedError(said(answer))
    return answer.body


def bearer(token: bytes) -> dict[str, str]:
    """The header that hands a token over."""
    return {"Authorization": f"Bearer {token.decode('latin-1')}"}


def post(url: str, value: object, headers: Mapping[str, str]) -> Answer:
    """POST a value as JSON, past any proxy; an answer of any status is returned.

    Raises:
        SilentError: No answer came, or one that cannot be of the service.
    """
    return send("POST", url, {"Content-Type": "application/json", **headers}, json.dumps(value).encode())


def send(method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
    """Send a body as it is, or none; the same otherwise."""
    request = Request(url, body, dict(headers), method=method)  # noqa: S310 - the address is built here and is always http
    service = url.split("/", 3)[2]
    try:
        with build_opener(ProxyHandler({}), _NoRedirects).open(request, timeout=_PATIENCE) as response:
            return Answer(response.status, _object(response.read(), service))
    except HTTPError as error:
        with error:
            return Answer(error.code, _object(error.read(), service))
    except (OSError, HTTPException) as error:
        raise _silent(service, error) from None


def _silent(service: str, error: Exception) -> SilentError:
    cause = getattr(error, "reason", error)
    why = getattr(cause, "strerror", None) or cause
    return SilentError(f"tocsin does not answer at {service} ({why}): start it with make run or tocsin serve")


def _object(body: bytes, service: str) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise SilentError(f"what answers at {service} is not tocsin: look at listen.port in the settings")
    return value


def said(answer: Answer) -> str:
    """The sentence of an answer that refuses."""
    body = answer.body
    return str(body.get("error") or body.get("problem") or f"the service answered {answer.status}")
