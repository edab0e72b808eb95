"""From the settings of sources to sources that can be listened to: kinds, options, secrets.

What a source says is the business of `sources`, how it proves who it is that of `web.auth`.
"""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING

from pydantic import ValidationError

from tocsin import polling, sources
from tocsin.errors import SettingsError
from tocsin.polling.platform import Asked
from tocsin.web import auth, hooks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import timedelta

    from tocsin.settings import Auth, Poll, Settings, Source
    from tocsin.settings.source import Hmac, PollAuth
    from tocsin.sources import Kind


def configured(settings: Settings, read_secret: Callable[[str], bytes]) -> list[hooks.Source]:
    """The sources of the settings, in their order.

    Raises:
        SettingsError: a kind is not known, or its options or a secret cannot be used.
    """
    return [_source(name, source, settings, read_secret) for name, source in settings.sources.items()]


def _source(name: str, given: Source, settings: Settings, read_secret: Callable[[str], bytes]) -> hooks.Source:
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
        scheme=scheme(given.auth, kind, read_secret) if given.auth else auth.Open(),
        declarant=given.declarant,
        backend=given.backend,
        expire_after=_span(given.expire_after, kind),
        heartbeats=kind.heartbeats if given.heartbeats is None else given.heartbeats,
        expect_every=given.expect_every,
        anywhere=settings.intake.open_sources_anywhere,
    )


def questions(
    settings: Settings, listened: Iterable[hooks.Source], read_secret: Callable[[str], bytes]
) -> Iterator[tuple[hooks.Source, Asked]]:
    """The sources that are asked, too, and how. Raises SettingsError when one cannot be."""
    for source in listened:
        poll = settings.sources[source.name].poll
        if poll is None:
            continue
        if source.kind.name not in polling.kinds():
            told = ", ".join(polling.kinds())
            raise SettingsError(
                f"sources.{source.name}.poll: kind {source.kind.name} cannot be asked; these can: {told}"
            )
        yield source, asked(poll, read_secret)


def asked(given: Poll, read_secret: Callable[[str], bytes]) -> Asked:
    """How a platform is asked, with its secret. Raises SettingsError when that cannot be read."""
    return Asked(
        url=given.url,
        headers=_credentials(given.auth, read_secret) if given.auth else {},
        every=given.every,
        timeout=given.timeout,
        settle=given.settle,
        ca_file=str(given.ca_file or ""),
        server_name=given.server_name,
    )


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


def scheme(given: Auth, kind: Kind, read_secret: Callable[[str], bytes]) -> auth.Scheme:
    """What a source has to prove, with its secret.

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
    if given.certificate is None or kind.prove is None:
        raise SettingsError(f"auth.certificate: messages of kind {kind.name} carry no signature; use another way")
    told = given.certificate
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
