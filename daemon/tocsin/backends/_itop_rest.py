"""iTop's REST/JSON services, as one operation after the other: HTTP 200 for everything, and a code inside."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

import msgspec

from tocsin.backends import _login
from tocsin.backends._api import Api, as_form
from tocsin.backends._document import reach
from tocsin.backends._http import Answer, Request, excerpt, refusal
from tocsin.backends._shape import at, required, strange
from tocsin.errors import DeliveryError, Reason

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime, timedelta

    from tocsin.backends import Outside
    from tocsin.backends._itop_options import Options

_VERSION = {"version": "1.3"}
"""Of the services: since iTop 2.2, and still the newest."""
_UNKNOWN = frozenset({"1", "5", "6"})
"""Not authorised, and no user or password in the request."""
_INTERNAL = "100"
_OUR_FAULT = re.compile(
    r"(?i)invalid stimulus|missing mandatory|no item found|nothing found|several items found|unexpected value"
    r"|wrong value|not allowed|unknown attribute|invalid attribute|invalid class|could not be (saved|written)|too long"
)
"""Sentences that come with code 100 although iTop is well: trying the same again makes nothing better."""


def judge(answer: Answer, request: Request, now: datetime) -> DeliveryError | None:
    """As HTTP says, and as the code inside says."""
    error = refusal(answer, request, now)
    if error is not None or answer.cut:
        return error
    try:
        said = msgspec.json.decode(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None  # whoever reads it says so
    code, told = at(said, "code"), excerpt(at(said, "message").encode(), request)
    if code in ("", "0"):
        return None
    where = f"{request.where}: code {code} {told!r}"
    if code in _UNKNOWN:
        why = f"{where}; check user and password or token, the profile REST Services User, and the rights"
        return DeliveryError(Reason.UNAUTHORIZED, why, retry=False, stops=True)
    if code == _INTERNAL and not _OUR_FAULT.search(told):
        return DeliveryError(Reason.UNAVAILABLE, f"{where}; iTop's log/error.log says more", retry=True)
    return DeliveryError(Reason.REFUSED, f"{where}; check what the options name", retry=False)


def quoted(text: str) -> str:
    """A text as OQL writes it."""
    inner = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{inner}'"


def named(kind: str, name: str, field: str = "name") -> str:
    """The OQL for the one object of a class that is called so."""
    return f"SELECT {kind} WHERE {field} = {quoted(name)}"


def person(name: str) -> str:
    """The OQL for a person by full name, or by e-mail address."""
    return named("Person", name, "email" if "@" in name else "friendlyname")


def proof(name: str, options: Options, outside: Outside) -> tuple[_login.Login, dict[str, str]]:
    """What proves who we are, in headers and in the form. Raises SettingsError."""
    if options.token_file:
        token = _login.secret(name, "token_file", options.token_file, outside)
        return _login.token(token, "", "Auth-Token"), {}
    password = _login.password(name, "password_file", options.password_file, outside)
    if options.auth == "basic":
        return _login.basic(options.user, password), {}
    return _login.Fixed({}, (password, quote_plus(password))), {"auth_user": options.user, "auth_pwd": password}


class Rest:
    """The services of one iTop."""

    def __init__(
        self,
        name: str,
        url: str,
        outside: Outside,
        *,
        allowed: timedelta,
        login: _login.Login,
        proof: Mapping[str, str],
    ) -> None:
        """Take where iTop is, who asks, and what of the proof travels in the form."""
        self._name, self._proof = name, proof
        self._api = Api(f"{url}/webservices", outside, timeout=allowed, login=login, judge=judge, inside=True)

    async def ask(self, operation: str, **what: Any) -> list[dict[str, Any]]:
        """The objects that an operation answers, each its fields and its `key`. Raises DeliveryError."""
        said = await self.answer(operation, **what)
        objects = reach(said, "objects")
        if objects is None or objects == []:  # PHP writes an empty array for an empty object
            return []
        if not isinstance(objects, dict):
            raise strange(self._name, "no objects")
        return [self._object(one) for one in objects.values()]

    async def answer(self, operation: str, **what: Any) -> Any:
        """What an operation answers, whole. Raises DeliveryError."""
        told = msgspec.json.encode({"operation": operation, **what}).decode()
        form = as_form({**self._proof, "json_data": told})
        said = await self._api.ask("POST", "rest.php", form, query=_VERSION)
        required(said, "code", self._name)
        return said

    def _object(self, one: Any) -> dict[str, Any]:
        fields = reach(one, "fields")
        if not isinstance(fields, dict):
            raise strange(self._name, "an object without fields")
        return {**fields, "key": at(one, "key") or required(fields, "id", self._name)}
