"""From the settings of sources to sources that can be listened to: kinds, options, secrets.

What a source says is the business of `sources`, how it proves who it is that of `web.auth`.
"""

from __future__ import annotations

import ssl
from base64 import b64encode
from typing import TYPE_CHECKING

from pydantic import ValidationError

from tocsin import polling, sources
from tocsin.errors import SettingsError
from tocsin.polling.platform import Asked
from tocsin.settings import Auth
from tocsin.web import auth, hooks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import timedelta
    from pathlib import Path

    from tocsin.settings import Poll, Settings, Source
    from tocsin.settings.source import Hmac, HookAuth, PollAuth
    from tocsin.sources import Kind


def configured(settings: Settings, read_secret: Callable[[str], bytes]) -> list[hooks.Source]:
    """The sources of the settings, in their order.

    Raises:
        SettingsError: a kind is not known, or its options or a secret cannot be used.
    """
    return [source(name, given, settings, read_secret) for name, given in settings.sources.items()]


def source(name: str, given: Source, settings: Settings, read_secret: Callable[[str], bytes]) -> hooks.Source:
    """One source. Raises SettingsError, see `configured`."""
    kind = sources.kinds().get(given.kind)
    if kind is None:
        raise SettingsError(f"sources.{name}.kind: {given.kind!r} is not known; there is: {', '.join(sources.kinds())}")
    try:
        options = kind.options.model_validate(given.options)
    except ValidationError as error:
        told = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors(include_input=False))
        raise SettingsError(f"sources.{name}.options: {told}") from None
    return hooks.Source(
        name=name,
        kind=kind,
        options=options,
        scheme=_scheme(given, kind, read_secret),
        declarant=given.declarant,
        backend=given.backend,
        expire_after=None if given.poll else _span(given.expire_after, kind),
        heartbeats=kind.heartbeats if given.heartbeats is None else given.heartbeats,
        expect_every=given.expect_every,
        anywhere=settings.intake.open_sources_anywhere,
    )


def questions(
    settings: Settings, listened: Iterable[hooks.Source], read_secret: Callable[[str], bytes]
) -> Iterator[tuple[hooks.Source, Asked]]:
    """The sources that are asked, too, and how. Raises SettingsError when one cannot be."""
    for one in listened:
        poll = settings.sources[one.name].poll
        if poll:
            yield one, question(one.name, one.kind, poll, read_secret)


def question(name: str, kind: Kind, poll: Poll, read_secret: Callable[[str], bytes]) -> Asked:
    """How a source is asked. Raises SettingsError when it cannot be, or a secret or its certificates cannot be read."""
    if kind.name not in polling.kinds():
        told = ", ".join(polling.kinds())
        raise SettingsError(f"sources.{name}.poll: kind {kind.name} cannot be asked; these can: {told}")
    return asked(poll, read_secret)


def asked(given: Poll, read_secret: Callable[[str], bytes]) -> Asked:
    """How a platform is asked, with its secret. Raises SettingsError when that cannot be read."""
    return Asked(
        url=given.url,
        headers=_credentials(given.auth, read_secret) if given.auth else {},
        every=given.every,
        timeout=given.timeout,
        settle=given.settle,
        trust=_trust(given.ca_file) if given.ca_file else None,
        server_name=given.server_name,
    )


def _trust(ca_file: Path) -> ssl.SSLContext:
    """Belief in the certificates of a file, and no others. Raises SettingsError when it holds none."""
    try:
        return ssl.create_default_context(cafile=str(ca_file))
    except OSError as error:  # also what ssl raises
        raise SettingsError(
            f"poll.ca_file: {ca_file} holds no certificates that can be read: {error.strerror or error}"
        ) from None


def _credentials(given: PollAuth, read_secret: Callable[[str], bytes]) -> dict[str, str]:
    if given.bearer:
        return {"Authorization": f"{given.bearer.scheme} {read_secret(str(given.bearer.token_file)).decode('latin-1')}"}
    if given.basic is None:
        raise SettingsError("poll.auth: give exactly one of bearer, basic")
    pair = given.basic.user.encode() + b":" + read_secret(str(given.basic.password_file))
    return {"Authorization": f"Basic {b64encode(pair).decode()}"}


def _span(given: timedelta | None, kind: Kind) -> timedelta | None:
    """How long a firing is believed: what the settings say, else the kind; none at all for 0s."""
    return (kind.expire_after if given is None else given) or None


def _scheme(given: Source, kind: Kind, read_secret: Callable[[str], bytes]) -> auth.Scheme:
    if given.auth:
        return scheme(given.auth, kind, read_secret)
    return auth.Open() if given.open else auth.Closed()


def scheme(given: HookAuth, kind: Kind | None, read_secret: Callable[[str], bytes]) -> auth.Scheme:
    """What a sender has to prove, with its secret; `kind` is the source's, None for one that signs by no certificate.

    Raises:
        SettingsError: a secret cannot be read, or the messages of the kind carry no signature.
    """
    if given.bearer:
        return auth.Bearer(read_secret(str(given.bearer.token_file)), given.bearer.scheme)
    if given.header:
        return auth.Header(given.header.name, read_secret(str(given.header.token_file)))
    if given.basic:
        return auth.Basic(given.basic.user.encode(), read_secret(str(given.basic.password_file)))
    if given.parameter:
        return auth.Parameter(given.parameter.name, read_secret(str(given.parameter.token_file)))
    if given.field:
        return auth.Field(given.field.name, read_secret(str(given.field.token_file)))
    if given.hmac:
        return _hmac(given.hmac, read_secret)
    told = given.certificate if isinstance(given, Auth) else None
    if told is None or kind is None or kind.prove is None:
        of = f" of kind {kind.name}" if kind else ""
        raise SettingsError(f"auth.certificate: messages{of} carry no signature; use another way")
    return auth.Certificate(told.hosts or kind.hosts, told.topics, told.max_age)


def _hmac(given: Hmac, read_secret: Callable[[str], bytes]) -> auth.Hmac:
    return auth.Hmac(
        given.header,
        read_secret(str(given.secret_file)),
        given.prefix,
        given.timestamp_header,
        given.max_skew,
        given.algorithm,
        given.encoding,
        given.separator,
    )
