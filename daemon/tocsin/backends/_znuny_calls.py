"""The operations of a Znuny web service, and what their answers mean: every refusal comes as a success with an error in it."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec

from tocsin.backends import _login
from tocsin.backends._api import Api, as_json
from tocsin.backends._document import reach
from tocsin.backends._http import Answer, Request, decoded, excerpt, refusal
from tocsin.backends._shape import an_object, at, objects, required, strange
from tocsin.backends._znuny_options import ROUTES, Operation
from tocsin.errors import DeliveryError, Reason

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from tocsin.backends import Outside
    from tocsin.backends._znuny_options import Options

_BATCH = 50
"""So many tickets are read at once."""
DENIED = "AccessDenied"
_NO_ROUTE = b"determine Operation for request URI"
_STOPPING = {
    "AuthFail": (Reason.UNAUTHORIZED, "correct the login or the password"),
    DENIED: (Reason.UNAUTHORIZED, "grant tocsin's agent the rights in the queue's group: ro, create, note, rw"),
    "InvalidConfiguration": (Reason.MISCONFIGURED, "import the web service again"),
}


def judge(answer: Answer, request: Request, now: datetime) -> DeliveryError | None:
    """The error that an answer holds, or None when it is a success; pure."""
    if _NO_ROUTE in answer.body and answer.status == HTTPStatus.INTERNAL_SERVER_ERROR:
        why = f"{request.where}: the web service has no such route; import the one that tocsin ships, or set `routes`"
        return DeliveryError(Reason.MISCONFIGURED, why, retry=False, stops=True)
    error = refusal(answer, request, now)
    if error is not None or b'"ErrorCode"' not in answer.body:
        return error
    code = problem(answer)
    if not code:
        return None
    kind = code.rpartition(".")[2]
    reason, todo = _STOPPING.get(kind, (Reason.REFUSED, "correct the option that gives this parameter"))
    why = f"{request.where}: {excerpt(answer.body, request)!r}; {todo}"
    return DeliveryError(reason, why, retry=False, stops=reason != Reason.REFUSED)


def problem(answer: Answer) -> str:
    """The code of the error that an answer holds, such as `TicketCreate.AuthFail`; empty when it holds none. Total."""
    try:
        said = msgspec.json.decode(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
    return at(said, "Error.ErrorCode")


class Calls:
    """One web service, and who asks: login and password go with every call.

    A session would be a secret as well, would have to be kept and renewed, and Znuny would keep each until it times out.
    """

    def __init__(self, name: str, options: Options, outside: Outside) -> None:
        """Take the backend's name, its options, and the world. Raises SettingsError."""
        password = _login.password(name, "password_file", options.password_file, outside)
        self.name = name
        self._proof = {"UserLogin": options.user, "Password": password}
        self._routes = {**ROUTES, **options.routes}
        url = f"{options.url}/nph-genericinterface.pl/Webservice/{quote(options.webservice, safe='')}"
        login = _login.Fixed({}, (password,))
        self._api = Api(url, outside, timeout=options.timeout, login=login, judge=judge, inside=True)

    async def create(self, ticket: Mapping[str, Any]) -> dict[str, Any]:
        """Make a ticket: its id and number. Raises DeliveryError."""
        return an_object(await self._ask(Operation.CREATE, ticket), "", self.name)

    async def update(self, key: str, changes: Mapping[str, Any]) -> None:
        """Change a ticket, all or nothing. Raises DeliveryError."""
        said = await self._ask(Operation.UPDATE, {"TicketID": key, **changes})
        if required(said, "TicketID", self.name) != key:
            raise strange(self.name, "another TicketID")

    async def search(self, conditions: Mapping[str, Any], limit: int) -> list[str]:
        """The ids of the tickets that meet the conditions, archived ones as well. Raises DeliveryError."""
        said = await self._ask(Operation.SEARCH, {**conditions, "SearchInArchive": "AllTickets", "Limit": limit})
        if said == {}:  # that is how Znuny says that there are none
            return []
        ids = reach(said, "TicketID")
        told = ids if isinstance(ids, list) else [ids]
        if not all(isinstance(one, (str, int)) and str(one).isdecimal() for one in told):
            raise strange(self.name, "no list of ids at 'TicketID'")
        return [str(one) for one in told]

    async def get(self, ids: Sequence[str], **more: Any) -> list[dict[str, Any]]:
        """Tickets with their dynamic fields; those that may not be seen (any more) are left out. Raises DeliveryError."""
        found: list[dict[str, Any]] = []
        for start in range(0, len(ids), _BATCH):
            some = ids[start : start + _BATCH]
            try:
                found += await self._get(",".join(some), **more)
            except DeliveryError as error:
                if not is_denied(error):
                    raise
                if len(some) > 1:  # one of them is gone meanwhile
                    found += [ticket for one in some for ticket in await self.get([one], **more)]
        return found

    async def _get(self, ids: str, **more: Any) -> list[dict[str, Any]]:
        return objects(
            await self._ask(Operation.GET, {"TicketID": ids, "DynamicFields": 1, **more}), "Ticket", self.name
        )

    async def whole(self, key: str, articles: int) -> dict[str, Any] | None:
        """A ticket and its latest articles: fewer, where so many are more than an answer may hold. Raises DeliveryError."""
        asked = {"TicketID": key, "DynamicFields": 1, "AllArticles": 1, "ArticleOrder": "DESC"}
        for count in (articles, articles // 10, 1):
            answer, request = await self._answer(Operation.GET, {**asked, "ArticleLimit": count})
            if not answer.cut:
                return next(iter(objects(decoded(answer, request), "Ticket", self.name)), None)
        return next(iter(await self._get(key)), None)

    async def _ask(self, operation: Operation, values: Mapping[str, Any]) -> Any:
        answer, request = await self._answer(operation, values)
        return decoded(answer, request)

    async def _answer(self, operation: Operation, values: Mapping[str, Any]) -> tuple[Answer, Request]:
        method, path = self._routes[operation].split(" ", 1)
        if ":TicketID" in path:
            path = path.replace(":TicketID", quote(str(values["TicketID"]), safe=","))
            values = {name: value for name, value in values.items() if name != "TicketID"}
        if method == "GET":  # nothing secret in an address: it would stand in access logs
            query = {name: str(value) for name, value in values.items()}
            headers = {f"X-OTRS-Header-{name}": value for name, value in self._proof.items()}
            return await self._api.answer(method, path, query=query, headers=headers)
        return await self._api.answer(method, path, as_json({**self._proof, **values}))


def is_denied(error: DeliveryError) -> bool:
    """Whether it was said that this ticket is not ours to see or to change, or is not there: Znuny says the same of both."""
    return error.reason == Reason.UNAUTHORIZED and DENIED in error.detail
