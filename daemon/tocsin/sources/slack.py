"""Slack-compatible messages, from whatever posts to an incoming webhook.

Format: a message for an incoming webhook, as JSON or as the form field `payload`
(https://api.slack.com/messaging/webhooks): `text`, `attachments`, `blocks`. Also what is sent to Mattermost,
Rocket.Chat, and Discord's Slack-compatible address.
Authentication: the path variable `secret` of `/services/TEAM/BOT/SECRET`, or `?secret=…` behind the hook's own
address.
Identity: the format has none. A group of Alertmanager or Grafana is known by its grouping labels, anything else by
its fields for host and check, or by the line that says the state, without words of state, figures and reasons; or by
`identity_fields`.
Resolved: words such as `[RESOLVED]`, `OK:`, `is UP`, `recovered`; where none says it, a status field, the colour
(green) or a picture. A message that says no state at all is a problem. Acknowledgements, downtimes and flapping are
no alerts.
Delivery: once, by most senders; Alertmanager tries 5xx again.
Limits: one alert in each message. Texts serve as identity here, so where a tool can send anything else, let it: two
problems that differ in a figure only are one, and one whose words change is two.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from tocsin.errors import PayloadError
from tocsin.sources import _answers, _build, _chat, _details, _grouped, _headline, _labelled, _read, _severity, _times
from tocsin.sources._options import SourceOptions
from tocsin.sources._remembered import remembered

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from tocsin.model import Alert, Payload, Unreadable

PATHS = ("/services/{team}/{bot}/{secret}",)
STATUS = 200
REFUSAL = 400
FORM = "application/x-www-form-urlencoded"
MEDIA_TYPES = frozenset({"application/json", FORM, "text/plain"})
EXPIRE_AFTER = timedelta(hours=24)
"""A safety net: a tool may word its recovery so that nothing shows what has recovered."""

_SUBJECT = re.compile(r"\[(FIRING:\d+(?:, ?RESOLVED:\d+)?|RESOLVED(?::\d+)?)\] ?(.*?)(?: ?\(.*\))?", re.DOTALL)
"""What Alertmanager and Grafana head a group with: state, grouping labels, in brackets what else its alerts share."""

_GROUPS_LINK = "/#/alerts?receiver="
_STATUS = ("status", "state", "event", "alertstate", "currentstate", "newstate", "notificationtype")
_SEVERITY = ("severity", "priority", "level", "urgency")
_NOTHING = _headline.Headline()


class Options(SourceOptions):
    """How messages for Slack are read."""

    identity_fields: tuple[str, ...] = ()
    """What identifies a problem: titles of fields (`Host`), or ways into the JSON (`attachments.0.title`); all that are
    found count, without words of state and figures. Where nothing is found, what the kind's documentation says."""

    resource_fields: tuple[str, ...] = ()
    """The same for the resource: the first one found."""

    check_fields: tuple[str, ...] = ()
    """The same for the check."""

    mask_numbers: bool = True
    """Leave figures out of what identifies; `false` where messages repeat them, and problems differ in nothing else."""


class Told(NamedTuple):
    """What a message says of its problem."""

    identity: tuple[str, ...]
    resource: str
    check: str
    state: str
    severity: str
    line: str


def parse(payload: Payload, options: Options, now: datetime) -> list[Alert | Unreadable]:  # noqa: ARG001
    """The one alert of a message; none when it says what people do about a problem.

    Raises:
        NotJsonError: the message is not JSON.
        PayloadError: it says nothing.
    """
    document = _document(payload)
    message = _chat.Message(document)
    fields = message.fields()
    told = _told(message, fields, options)
    if told.state == "quiet":
        return []
    return [_alert(payload, options, message, fields, told)]


def answer(payload: Payload, entries: Sequence[Alert | Unreadable]) -> _answers.Answer:  # noqa: ARG001
    """What Slack answers, and some clients compare."""
    return _answers.Answer(status=STATUS, body=b"ok", media_type="text/plain")


def _document(payload: Payload) -> dict[str, Any]:
    """The message: JSON, or JSON in the form field `payload`."""
    body = payload.body
    if body.lstrip()[:8] == b"payload=" or (payload.content_type == FORM and body.lstrip()[:1] != b"{"):
        form = _read.form(body)
        if "payload" not in form and "text" not in form:
            raise PayloadError("the form has no field `payload` with the message in it")
        if "payload" not in form:
            return dict(form)
        body = form["payload"].encode("utf-8", "replace")
    return _read.whole(body, _read.OBJECT) or _read.entry(_read.unread(body), _read.OBJECT, "a message for Slack")


def _told(message: _chat.Message, fields: dict[str, str], options: Options) -> Told:
    heading = _heading(message)
    line, headline = _best(message, heading, options)
    if not line:
        raise PayloadError("text, attachments and blocks are missing or empty: the message says nothing")
    texts = _details.known(fields)
    state, severity = _decided(message, texts, headline)
    identity, resource, check = _group(message, heading) if heading else _other(fields, headline)
    if chosen := _chosen(message, fields, options):
        identity = ("chosen", *chosen)
    document = {**fields, **message.document} if options.check_fields or options.resource_fields else {}
    check = _details.told(document, options.check_fields) or check or _details.short(line)
    resource = _details.told(document, options.resource_fields) or resource or check
    summary = _summary(message, line, heading is not None, (resource, check))
    return Told(identity, resource, check, state, severity, summary)


def _summary(message: _chat.Message, line: str, is_group: bool, about: tuple[str, str]) -> str:  # noqa: FBT001 - a fact
    """The line, or the title of a group; with what it is about where the line does not say it."""
    text = _headline.clean((is_group and message.first("title")) or line)
    words = text.casefold()
    told = (
        is_group
        or any(one.casefold() in words for one in about)
        or not set(about[1].casefold().split()).isdisjoint(words.split())
    )
    return text if told else f"{text}: {about[1]}: {about[0]}"


def _best(message: _chat.Message, heading: re.Match[str] | None, options: Options) -> tuple[str, _headline.Headline]:
    """The first line that is built to say a state and has something it says it of; else the first that has something.

    The state may stand in a line of its own before it.
    """
    if heading:
        state = "over" if heading[1].startswith("RESOLVED") else "firing"
        return heading.string, _headline.Headline(state=state, strong=True)
    best, found, alone = "", _NOTHING, _NOTHING
    for line in message.lines():
        headline = _headline.read(line, mask=options.mask_numbers)
        if headline.strong and headline.about:
            return line, headline
        if headline.strong and not alone.strong:
            alone = headline
        if headline.about and not found.about:
            best, found = line, headline
        best = best or line
    return best, found._replace(state=alone.state, strong=True, severity=alone.severity) if alone.strong else found


def _heading(message: _chat.Message) -> re.Match[str] | None:
    """The heading of a group of Alertmanager or Grafana. The fallback has it even where the title is another."""
    if _GROUPS_LINK not in message.first("title_link") and not message.is_of_grafana():
        return None
    for line in (message.first("fallback"), message.first("title")):
        told = line.rsplit(" | ", 1)[0].strip()[: _headline.MAX_LINE] if line.startswith("[") else ""
        if told and (match := _SUBJECT.fullmatch(told)):
            return match
    return None


def _group(message: _chat.Message, heading: re.Match[str]) -> tuple[tuple[str, ...], str, str]:
    """Identity, resource and check of a group of Alertmanager or Grafana."""
    link = message.first("title_link") if _GROUPS_LINK in message.first("title_link") else ""
    named = heading[2].strip()
    resource = _details.about(_grouped.labels(message.first("text")))[0] or _headline.host(named)
    return ("group", named, link), _labelled.host_of(resource), named or link.rpartition("receiver=")[2] or "all alerts"


def _other(fields: dict[str, str], headline: _headline.Headline) -> tuple[tuple[str, ...], str, str]:
    """Identity, resource and check of any other message: out of its fields, or of its line."""
    where, what = _chat.about(fields)
    words = () if where and what else headline.about
    return ("said", where.casefold(), what.casefold(), *words), where or headline.resource, what or headline.check


def _chosen(message: _chat.Message, fields: dict[str, str], options: Options) -> list[str]:
    if not options.identity_fields:
        return []
    document = {**fields, **message.document}
    found = (_details.told(document, (way,)) for way in options.identity_fields)
    return [" ".join(_headline.read(text, mask=options.mask_numbers).about) or text for text in found if text]


def _decided(message: _chat.Message, texts: dict[str, str], headline: _headline.Headline) -> tuple[str, str]:
    """The state and severity: of the line if it is built to say it, then of a field, the colour, a word in the line."""
    if any(map(_headline.is_quiet, message.heads)):
        return "quiet", ""
    field = next((_read_status(texts[name]) for name in _STATUS if name in texts), _NOTHING)
    named = next((texts[name] for name in _SEVERITY if name in texts), "")
    severity = (
        named or headline.severity or field.severity or ("warning" if _chat.is_warning(message.first("color")) else "")
    )
    if headline.strong and headline.state:
        return headline.state, severity
    cleared = next((_cleared(texts[name]) for name in _STATUS if name in texts), "")
    return cleared or field.state or message.colour() or headline.state or "firing", severity


@remembered(512)
def _read_status(text: str) -> _headline.Headline:
    return _headline.read(text)


def _cleared(word: str) -> str:
    return "over" if _severity.is_clear(word) else ""


def _alert(payload: Payload, options: Options, message: _chat.Message, fields: dict[str, str], told: Told) -> Alert:
    document = message.document
    resolved = told.state == "over"
    is_timed = resolved or message.is_of_grafana()  # others may mean the start, which comes again
    own = {name: _details.said(document, name) for name in ("channel", "username")}
    footer = {name: _headline.clean(message.first(name)) for name in ("author_name", "footer")}
    at = _times.moment(message.first("ts")) if is_timed else None
    texts = [_headline.clean(text) if "\n" not in text else text for text in message.texts]
    return _build.alert(
        payload,
        options,
        identity=told.identity,
        resolved=resolved,
        severity=told.severity,
        resource=_details.short(told.resource),
        check=_details.short(told.check),
        summary=told.line,
        description="\n".join(text for text in texts if text != told.line),
        labels=_grouped.labels(message.first("text")) | _details.labels({**footer, **own, **fields}),
        ends_at=at if resolved else None,
        said_at=at,
        url=message.url(),
    )
