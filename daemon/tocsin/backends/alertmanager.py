"""Alertmanager: each incident as one alert, for whoever is notified there.

STATUS: proven against a real Alertmanager 0.25 (Debian) and a fake that misbehaves.

An incident is one alert, known by its labels: `alertname`, `reference`, `element`, `contract`, `source` and those of the
options. What changes often is in its annotations (`summary`, `description`, `impact`, `status`), so that it stays the
same alert; the same labels sent twice are one alert, and nothing has to be looked for. Should a label change, as when
another source tells of it too, the alert with the old ones is resolved. It fires until `expire_after`, told anew with
every change; closing resolves it, reopening fires it again. Format: Alertmanager's API v2.

Alertmanager keeps alerts in memory: one that restarts knows an incident again when something more is told of it. The
members of a cluster do not tell each other of alerts: make each a backend of its own, and inform them all.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field, model_validator

from tocsin.backends import Finding, Level, _login, _texts
from tocsin.backends._api import Api, as_json
from tocsin.backends._can import Can
from tocsin.backends._document import IMPACT_LABELS
from tocsin.backends._http import Answer, Request, refusal
from tocsin.backends._options import Address, Common
from tocsin.backends._scale import Scale
from tocsin.backends._shape import at, objects, required
from tocsin.backends._system import TicketSystem, Wanted
from tocsin.errors import DeliveryError, Reason
from tocsin.model import Impact, Record, Snapshot, TicketStatus
from tocsin.standing import ENDED
from tocsin.units import Duration

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

    from tocsin.backends import Outside

_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_WRONG_PLACE = frozenset({404, 405, 410, 501})
"""Nobody's alert is at fault then."""
_NOT_TOLD = frozenset({Reason.UNAUTHORIZED, Reason.NOT_FOUND, Reason.REFUSED, Reason.MISCONFIGURED, Reason.UNREADABLE})
"""Alerts may be posted, and not read: a proxy keeps them to itself."""
_OURS = frozenset({"reference", "element", "contract", "source"})


class Options(Common):
    """What an alertmanager backend can be told; README.md in this folder says what each option means."""

    url: Address
    """Address of the Alertmanager, without `/api/v2`."""
    alertname: str = Field(default="incident", min_length=1)
    """Label `alertname` of every alert."""
    labels: dict[str, str] = Field(default_factory=dict)
    """Further labels of every alert, such as `team: network`."""
    expire_after: Duration = Field(default=timedelta(days=30), gt=timedelta(0))
    """How long an alert fires when nothing more is told of it."""
    user: str = ""
    """User, where Alertmanager asks for a password."""
    password_file: str = ""
    """File with that user's password."""
    token_file: str = ""
    """File with a bearer token, where something before Alertmanager asks for one."""

    @model_validator(mode="after")
    def _can_be_used(self) -> Self:
        for name in self.labels:
            if not _LABEL.fullmatch(name) or name in _OURS or name == "alertname":
                raise ValueError(f"labels: {name!r} is no label name, or is written by tocsin itself")
        if bool(self.user) != bool(self.password_file) or (self.user and self.token_file):
            raise ValueError("give user and password_file together, or token_file, or none of them")
        return self


class Backend(TicketSystem):
    """An Alertmanager as configured."""

    LACKS: ClassVar[Mapping[Can, str]] = {
        Can.LOOK_UP: "the same labels are the same alert, so that nothing has to be looked for",
        Can.READ: "what is resolved is forgotten",
        Can.NOTE: "an alert has no notes",
        Can.REPAIRED: "an alert fires or is over",
        Can.ATTACH: "an alert has no files",
        Can.NOTES_BACK: "an alert has no notes",
        Can.CHANGES: "people silence alerts there, and work on tickets elsewhere",
        Can.HOOK: "it notifies of our own alert only",
    }
    LIMITS: ClassVar[_texts.Limits] = _texts.Limits(title=1_000, text=30_000)

    def __init__(self, name: str, options: Options, outside: Outside) -> None:
        super().__init__(name, options, outside)
        self.statuses = Scale({TicketStatus.DECLARED: "firing", TicketStatus.CLOSED: "resolved"})
        self.impacts = Scale({impact: impact.value for impact in Impact})
        self._options = options
        self._api = Api(
            options.url, outside, timeout=options.timeout, login=self._login(options, outside), judge=_judge
        )

    def _login(self, options: Options, outside: Outside) -> _login.Login:
        if options.token_file:
            return _login.token(_login.secret(self.name, "token_file", options.token_file, outside))
        if options.user:
            given = _login.password(self.name, "password_file", options.password_file, outside)
            return _login.basic(options.user, given)
        return _login.NOBODY

    async def create(self, body: Snapshot) -> Record:
        """POST the alert, firing."""
        await self._post(self._alert(body, TicketStatus.DECLARED, body.opened_at))
        return Record(number=body.reference, reference=body.reference, url=self._link(body))

    async def search(self, reference: str) -> list[Record]:
        """Nothing has to be looked for."""
        raise NotImplementedError(f"{self.name} keeps no ticket of {reference}")

    async def read(self, number: str) -> Record | None:
        """Nothing is read back."""
        raise NotImplementedError(f"{self.name} keeps no ticket {number}")

    async def change(self, record: Record, wanted: Wanted) -> None:
        """POST the alert anew: firing with what is true now, or resolved; and those it was under other labels, resolved."""
        status = wanted.status or record.status
        now = self._outside.clock()
        reopened = wanted.status == TicketStatus.DECLARED
        alert = self._alert(wanted.body, status, now if reopened else wanted.body.opened_at)
        await self._post(alert, *await self._former(wanted.body.reference, alert["labels"]))

    async def check(self) -> list[Finding]:
        """Whether an Alertmanager answers, and which."""
        said = await self._api.ask("GET", "api/v2/status")
        version = required(said, "versionInfo.version", self.name)
        return [Finding(level=Level.FINE, what="url", told=f"Alertmanager {version} answers")]

    async def _former(self, reference: str, labels: Mapping[str, str]) -> list[dict[str, Any]]:
        """The alerts that still fire with our reference and other labels, as they are resolved."""
        try:
            said = await self._api.ask("GET", "api/v2/alerts", query={"filter": f'reference="{reference}"'})
            fires = objects(said, "", self.name)
        except DeliveryError as error:
            if error.reason in _NOT_TOLD:
                return []
            error.harmless = True
            raise
        now = self._outside.clock()
        return [
            {"labels": one["labels"], "annotations": one.get("annotations") or {}, "endsAt": now}
            for one in fires
            if at(one, "labels.reference") == reference and one["labels"] != labels
        ]

    async def _post(self, *alerts: dict[str, Any]) -> None:
        answer, request = await self._api.answer("POST", "api/v2/alerts", as_json(alerts))
        if answer.body.strip() not in (b"", b"{}"):
            raise _strange(answer.status, request.where)

    def _alert(self, body: Snapshot, status: TicketStatus, starts_at: datetime) -> dict[str, Any]:
        now, written = self._outside.clock(), self.written(body)
        ends_at = now if status in ENDED else now + self._options.expire_after
        language = body.language or ("fr" if self._language == "both" else self._language)
        labels = {
            **self._options.labels,
            "alertname": self._options.alertname,
            "reference": body.reference,
            "element": body.element.reference,
            "contract": body.element.contract,
            "source": body.source,
        }
        return {
            "labels": {name: _texts.clean(value, self.LIMITS) for name, value in labels.items() if value},
            "annotations": {
                "summary": written.title,
                "description": written.text,
                "impact": IMPACT_LABELS[body.impact].get(language, body.impact),
                "status": body.status,
            },
            "startsAt": min(starts_at, ends_at),
            "endsAt": ends_at,
        }

    def _link(self, body: Snapshot) -> str:
        return f"{self._options.url}/#/alerts?filter=%7Breference%3D%22{body.reference}%22%7D"


def _judge(answer: Answer, request: Request, now: datetime) -> DeliveryError | None:
    """As for all; but what is not there is Alertmanager itself, and every alert would meet the same."""
    error = refusal(answer, request, now)
    if error is None or answer.status not in _WRONG_PLACE:
        return error
    why = f"{request.where}: {answer.status}; that is not where Alertmanager takes alerts: correct url"
    return DeliveryError(Reason.MISCONFIGURED, why, retry=False, stops=True, harmless=True)


def _strange(status: int, where: str) -> DeliveryError:
    why = f"{where}: {status} with a body; Alertmanager answers none: what listens there?"
    return DeliveryError(Reason.UNREADABLE, why, retry=True)
