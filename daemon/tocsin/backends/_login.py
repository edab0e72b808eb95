"""How a backend proves who it is: fixed headers, or a token that is fetched, kept and renewed.

Secrets are read while the backend is built, and no error, log or printed value ever holds one.
"""

from __future__ import annotations

import asyncio
import base64
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlencode

from tocsin.backends._document import word
from tocsin.backends._http import Answer, Request, call, decoded, refusal, unreadable
from tocsin.errors import DeliveryError, Reason, SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from tocsin.backends import Outside

_EARLY = timedelta(seconds=30)
"""A token is renewed so long before it ends."""
_USUAL = timedelta(hours=1)
_REFUSED = frozenset({400, 401, 403})
_LONGEST_DIGITS = 9


class Login(Protocol):
    """What proves who we are."""

    @property
    def hide(self) -> tuple[str, ...]:
        """Texts that no error may repeat."""
        ...

    async def headers(self) -> Mapping[str, str]:
        """The headers that prove it, fetched when need be. Raises DeliveryError, which leaves no doubt."""
        ...

    def expire(self, used: Mapping[str, str]) -> bool:
        """Forget what was refused, by the headers that it was sent in; whether asking anew may help."""
        ...


@dataclass(frozen=True, slots=True)
class Fixed:
    """Headers that never change."""

    always: Mapping[str, str] = field(repr=False, default_factory=dict)
    hide: tuple[str, ...] = field(repr=False, default=())

    async def headers(self) -> Mapping[str, str]:
        """Return them."""
        return self.always

    def expire(self, used: Mapping[str, str]) -> bool:  # noqa: ARG002 - as for all
        """Nothing can be renewed."""
        return False


NOBODY = Fixed()


def secret(name: str, option: str, path: str, outside: Outside) -> str:
    """The one line of plain ASCII in a secret's file. Raises SettingsError naming the backend and the option."""
    text = outside.read_secret(path).rstrip(b"\r\n").decode("latin-1")
    if not text:
        raise SettingsError(f"backend {name}: the file of {option} is empty; write the secret into it")
    if not (text.isascii() and text.isprintable()):
        raise SettingsError(f"backend {name}: the file of {option} must hold one line of plain ASCII")
    return text


def password(name: str, option: str, path: str, outside: Outside) -> str:
    """A password, which may hold any characters but line ends. Raises SettingsError as `secret` does."""
    try:
        text = outside.read_secret(path).rstrip(b"\r\n").decode()
    except UnicodeDecodeError:
        raise SettingsError(f"backend {name}: the file of {option} must hold UTF-8 text") from None
    if not text or "\n" in text:
        raise SettingsError(f"backend {name}: the file of {option} must hold one line: the secret")
    return text


def token(value: str, scheme: str = "Bearer", header: str = "Authorization") -> Fixed:
    """A token in a header, after a word where `scheme` is not empty."""
    return Fixed({header: f"{scheme} {value}".lstrip()}, (value,))


def basic(user: str, given: str) -> Fixed:
    """A user and a password (RFC 7617, UTF-8)."""
    packed = base64.b64encode(f"{user}:{given}".encode()).decode()
    return Fixed({"Authorization": f"Basic {packed}"}, (given, packed))


class ClientCredentials:
    """OAuth 2.0 client credentials (RFC 6749 §4.4): one token for all calls, renewed before it ends and when refused."""

    def __init__(  # noqa: PLR0913 - what a token endpoint may want
        self,
        token_url: str,
        client: str,
        client_secret: str,
        outside: Outside,
        *,
        scope: str = "",
        allowed: timedelta = timedelta(seconds=10),
        in_body: bool = False,
        more: Mapping[str, str] | None = None,
        judge: Callable[[Answer, Request, datetime], DeliveryError | None] = refusal,
    ) -> None:
        """Take where the token is asked for, and as whom.

        Args:
            token_url: the token endpoint.
            client: the client's id.
            client_secret: its secret.
            outside: the world.
            scope: what to ask for; empty asks for nothing in particular.
            allowed: time for the whole answer.
            in_body: send id and secret in the form instead of as a basic credential.
            more: further fields of the form.
            judge: what an answer of the token endpoint means.
        """
        self._request = _token_request(token_url, (client, client_secret), scope, more or {}, in_body=in_body)
        self._outside = outside
        self._allowed = allowed
        self._judge = judge
        self._lock = asyncio.Lock()
        self._token = ""
        self._until: datetime | None = None
        self._secrets = self._request.hide

    @property
    def hide(self) -> tuple[str, ...]:
        """The secret, and the token of the moment."""
        return (*self._secrets, self._token) if self._token else self._secrets

    async def headers(self) -> Mapping[str, str]:
        """The token as a header; asks for one when there is none or it is about to end."""
        async with self._lock:  # deliveries that begin together share one token
            now = self._outside.clock()
            if not self._token or self._until is None or now >= self._until:
                await self._fetch(now)
            return self._proof()

    def expire(self, used: Mapping[str, str]) -> bool:
        """Forget the token if it is the one that was refused: another call may have a new one already. One may be taken."""
        if used.get("Authorization") == self._proof()["Authorization"]:
            self._token = ""
        return True

    def _proof(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token}"}

    async def _fetch(self, now: datetime) -> None:
        try:
            answer = await call(self._outside.session, self._request, timeout=self._allowed, pause=self._outside.pause)
            self._take(answer, now)
        except DeliveryError as error:
            error.harmless = True
            raise

    def _take(self, answer: Answer, now: datetime) -> None:
        error = self._judge(answer, self._request, now)
        if answer.status in _REFUSED and not (error and error.retry and not error.stops):
            why = f"{self._request.where}: {answer.status}; the client's id or secret is not accepted: correct it"
            raise DeliveryError(Reason.UNAUTHORIZED, why, retry=False, stops=True)
        if error is not None:
            raise error
        said = decoded(answer, self._request, quoted=False)
        token = word(said.get("access_token")) if isinstance(said, dict) else ""
        if not token:
            raise unreadable(self._request, "no access_token in the answer")
        self._token = token
        self._until = now + _lifetime(said.get("expires_in"))


def _token_request(url: str, client: tuple[str, str], scope: str, more: Mapping[str, str], *, in_body: bool) -> Request:
    form = {"grant_type": "client_credentials", **({"scope": scope} if scope else {}), **more}
    entry = basic(*client)
    if in_body:
        form |= {"client_id": client[0], "client_secret": client[1]}
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "Accept": "application/json",
        "User-Agent": "tocsin",
        **({} if in_body else entry.always),
    }
    return Request("POST", url, headers, urlencode(form).encode(), (*entry.hide, more.get("password", "")))


def _lifetime(expires_in: object) -> timedelta:
    """How long a token may be used; some servers write the seconds as text (RFC 6749 says number)."""
    seconds = word(expires_in)
    told = seconds.isascii() and seconds.isdecimal() and len(seconds) < _LONGEST_DIGITS
    span = timedelta(seconds=int(seconds)) if told else _USUAL
    return max(span - _EARLY, span / 2)
