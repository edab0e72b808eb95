"""Grafana: webhook contact point, and the webhook channel of legacy alerting.

Format: the default message of a webhook contact point, which is Alertmanager's with more in each alert
(https://grafana.com/docs/grafana/latest/alerting/configure-notifications/manage-contact-points/integrations/webhook-notifier/),
and the message of legacy alerting, up to Grafana 10: one rule with `ruleId`, `state` and `evalMatches`. They are told apart
by what is in them. A custom payload is read when it keeps the alerts as they are.
Authentication: basic, any `Authorization` scheme, headers of its own, or HMAC (`X-Grafana-Alerting-Signature`); legacy: basic.
Identity: each alert's `fingerprint`; legacy: organisation and `ruleId`, so all series of a rule are one problem.
Resolved: each alert's own `status`; legacy: `state` is `ok`. Missing data are a problem of their own: `DatasourceNoData` and
`DatasourceError` fire about the rule in `rulename`, and a legacy rule that is `no_data` fires. A legacy rule that is
`pending`, `paused` or `unknown`, and the test of a contact point, are no alerts. Leave the message for resolved alerts on.
Delivery: not tried again by the contact point; the next message of the group says what still fires.
Limits: what `Max Alerts` cuts off never reaches us; legacy alerting tells no times and no severity (a tag can).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec.json import Decoder
from msgspec.structs import replace

from tocsin.errors import PayloadError
from tocsin.model import Alert
from tocsin.sources import _build, _dig, _labelled, _labels, _read, _webhook

if TYPE_CHECKING:
    from datetime import datetime

    from tocsin.model import Payload, Unreadable

HEARTBEATS = _labelled.HEARTBEATS

_MORE = ("values", "valueString", "silenceURL", "dashboardURL", "panelURL", "imageURL")
_LEGACY = ("ruleId", "ruleName", "evalMatches")
_IN_LEGACY = tuple(f'"{name}"'.encode() for name in _LEGACY)
_NO_ALERTS = frozenset({"pending", "paused", "unknown"})
"""States of a legacy rule that is not known to be broken: not long enough, switched off, not evaluated yet."""
_TEST = ("TestAlert", "Grafana")
"""Alert name and `instance` of what the button `Test` of a contact point sends."""
_LEGACY_TEST = "Test notification"


class Options(_labelled.LabelOptions):
    """How the alerts of Grafana are read."""

    resource_labels: tuple[str, ...] = (*_labelled.RESOURCE_LABELS, "rulename")
    """The labels (of legacy alerting, the tags) that may name the resource; the first one present does. `instance` loses
    its port. `rulename` is the rule that `DatasourceNoData` and `DatasourceError` are about.
    """


class Shown(_webhook.Notified, kw_only=True, gc=False):
    """One alert of a contact point's message, with what Grafana knows beyond Alertmanager."""

    values: Any = None
    valueString: Any = None  # noqa: N815 - the name in the message
    silenceURL: Any = None  # noqa: N815
    dashboardURL: Any = None  # noqa: N815
    panelURL: Any = None  # noqa: N815
    imageURL: Any = None  # noqa: N815


class Notification(_webhook.Group, kw_only=True):
    """What we need of a message: the group's texts say nothing the alerts do not."""

    alerts: list[Shown] | None


_NOTIFICATION = Decoder(Notification)


def parse(payload: Payload, options: Options, now: datetime) -> list[Alert | Unreadable]:
    """The alerts of one message; one that cannot be read is `Unreadable` in its place.

    Raises:
        NotJsonError: the body is not JSON.
        PayloadError: it is no message of Grafana.
    """
    legacy = _legacy(payload.body)
    if legacy is not None:
        return _of_rule(legacy, payload, options)

    def build(entry: Shown, group: object) -> Alert:
        return _shown(_webhook.alert(entry, group, now, options, payload.source), entry)

    what = "a message of Grafana's webhook: it has neither `alerts` nor, as legacy alerting has, `ruleId`"
    found = _webhook.alerts(payload.body, _NOTIFICATION, Shown, build, what)
    return [entry for entry in found if not _is_test(entry)]


def _legacy(body: bytes) -> dict[str, Any] | None:
    """The message of a legacy rule; None for any other."""
    if not any(name in body for name in _IN_LEGACY):
        return None
    raw = _read.unread(body)
    message = _read.entry(raw, _read.OBJECT, "a message of Grafana") if bytes(raw)[:1] == b"{" else {}
    return message if "alerts" not in message and any(name in message for name in _LEGACY) else None


def _shown(alert: Alert, entry: Shown) -> Alert:
    """The alert, with values and links among its labels."""
    more = {name: getattr(entry, name) for name in _MORE}
    return replace(alert, labels=_labels.fit(_labels.flat(more) | alert.labels))


def _is_test(entry: Alert | Unreadable) -> bool:
    return isinstance(entry, Alert) and (entry.check, entry.labels.get("instance")) == _TEST


def _of_rule(message: dict[str, Any], payload: Payload, options: Options) -> list[Alert | Unreadable]:
    """The alert of a legacy rule, or none for a state that is none."""
    state, rule = _dig.text(message, "state").lower(), _dig.text(message, "ruleName")
    if state in _NO_ALERTS or rule == _LEGACY_TEST:
        return []
    number = _dig.text(message, "ruleId")
    if not (number and state):
        raise PayloadError(f"{'state' if number else 'ruleId'} is missing or empty")
    tags = _labels.flat(_dig.mapping(message, "tags"))
    return [
        _build.alert(
            payload,
            options,
            identity=(_dig.text(message, "orgId"), number),
            resolved=state == "ok",
            severity=tags.get(options.severity_label, ""),
            resource=_labelled.resource_of(tags, options.resource_labels) or payload.source or rule,
            check=rule or f"rule {number}",
            summary=_dig.first(message, "title"),
            description=_described(message),
            labels=_matched(message) | tags | _numbers(message),
            url=_dig.first(message, "ruleUrl", "rule_url"),
        )
    ]


def _described(message: dict[str, Any]) -> str:
    """What the rule's author wrote, and the series that broke it."""
    series = (f"{_dig.text(match, 'metric')}: {_dig.text(match, 'value')}" for match in _matches(message))
    return "\n\n".join(filter(None, (_dig.text(message, "message"), "\n".join(series))))


def _matches(message: dict[str, Any]) -> list[dict[str, Any]]:
    return [match for match in _dig.items(message, "evalMatches") if _dig.text(match, "metric")]


def _matched(message: dict[str, Any]) -> dict[str, str]:
    """The tags of the series that broke a legacy rule, and `metric` and `value`; of several, all, joined by `, `."""
    found: dict[str, dict[str, None]] = {}
    for match in _matches(message):
        for name, value in (_labels.flat(_dig.mapping(match, "tags")) | _labels.flat(match, skip=("tags",))).items():
            found.setdefault(name, {})[value] = None
    return {name: ", ".join(values) for name, values in found.items()}


def _numbers(message: dict[str, Any]) -> dict[str, str]:
    named = {name: message.get(name) for name in ("state", "orgId", "ruleId", "dashboardId", "panelId")}
    return _labels.flat(named | {"imageUrl": _dig.first(message, "imageUrl", "image_url")})
