"""Patching a TMF621 ticket so that nothing is lost: lists are replaced whole, and a status may not be ours to set."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from tocsin.backends import _tmf
from tocsin.backends._api import Api, as_json
from tocsin.backends._http import AnswerError, decoded
from tocsin.backends._shape import an_object, at, each, required
from tocsin.errors import DeliveryError, Reason

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tocsin.backends._http import Answer, Request
    from tocsin.model import Record

MEDIA = {"merge-patch": "application/merge-patch+json", "json": "application/json"}
_TRIES = 3
"""How often a ticket is read anew because somebody changed it between our reading and our writing."""


class Patches:
    """The patches of one server. `whole` says that a list in a patch replaces the one that stands."""

    def __init__(self, name: str, api: Api, form: _tmf.Form, *, media: str, whole: bool) -> None:
        """Take who is patched, how, and which media type to begin with."""
        self._name = name
        self._api = api
        self._form = form
        self._media = [MEDIA[media], *(other for key, other in MEDIA.items() if key != media)]
        self._whole = whole

    async def patch(self, path: str, record: Record, changes: Mapping[str, Any]) -> None:
        """Change attributes. Raises DeliveryError, also when the server answers that the status stands as it was."""
        await self._patch(path, record, changes, {}, 0)

    async def tell(self, path: str, record: Record, changes: Mapping[str, Any], note: Mapping[str, Any]) -> None:
        """The same, with a note more; anew when somebody was quicker, the last time without asking whether. Raises alike."""
        for left in reversed(range(_TRIES)):
            stood, unless = await self._stood(path, "note")
            try:
                there = len(stood) if self._whole else len(record.notes)
                asked = {**changes, "note": [*stood, note]}
                said = await self._patch(path, record, asked, unless if left else {}, there)
            except AnswerError as error:
                if error.status != HTTPStatus.PRECONDITION_FAILED or not left:
                    raise
            else:
                return self._require_sense(record, said)
        return None

    async def attach(self, path: str, attachment: Mapping[str, Any]) -> None:
        """A file more. Raises DeliveryError."""
        stood, unless = await self._stood(path, "attachment")
        await self._send(path, {"attachment": [*stood, attachment]}, unless)

    async def _stood(self, path: str, attribute: str) -> tuple[list[dict[str, Any]], dict[str, str]]:
        """What must be sent along so that it stays, and the header that makes sure that this is all of it."""
        if not self._whole:
            return [], {}
        answer, request = await self._api.answer("GET", path, query={"fields": f"id,{attribute}"})
        said = an_object(decoded(answer, request), "", self._name)
        required(said, "id", self._name)
        tag = answer.headers.get("ETag", "")
        return each(said, attribute), {"If-Match": tag} if tag.startswith('"') else {}

    async def _patch(
        self, path: str, record: Record, changes: Mapping[str, Any], headers: Mapping[str, str], there: int
    ) -> Mapping[str, Any]:
        """The ticket after the patch; empty when the server does it later. `there` is how many notes stood before.

        A server may read no body of a media type that it does not know, and answer 200 all the same.
        """
        said = await self._stands(path, *await self._send(path, changes, headers))
        if said and not _took(changes, said, there):
            seen = await self._seen(path)
            if not _took(changes, seen, there):
                self._media.reverse()
                said = await self._stands(path, *await self._send(path, changes, headers))
                seen = await self._seen(path) if said and "note" in changes else said
                self._require_taken(record, changes, seen, there)
        stands, wanted = at(said, "status"), changes.get("status", "")
        if wanted and said and stands.casefold() != wanted.casefold():
            raise self._kept(record, wanted, stands)
        return said

    async def _stands(self, path: str, answer: Answer, request: Request) -> Mapping[str, Any]:
        """The ticket as the answer to a patch tells it, or as it is read when the answer does not."""
        if answer.status == HTTPStatus.ACCEPTED:
            return {}
        said = None if answer.cut or not answer.body.strip() else decoded(answer, request)
        return an_object(said, "", self._name) if at(said, "status") else await self._seen(path)

    async def _seen(self, path: str) -> Mapping[str, Any]:
        """The ticket as it stands. What fails here ends nothing: the patch was taken, and is found so the next time."""
        try:
            said = await self._api.find(path, query={"fields": self._form.fields("note")})
            required(said, "status", self._name)
            return an_object(said, "", self._name)
        except DeliveryError as error:
            error.retry = True
            raise

    def _require_taken(self, record: Record, changes: Mapping[str, Any], said: Mapping[str, Any], there: int) -> None:
        if said and "note" in changes and "status" not in changes and not _took(changes, said, there):
            why = f"ticket {record.number} of {self._name} did not take the note, although its server answered that it did"
            raise DeliveryError(Reason.REFUSED, f"{why}; let tocsin's account write notes", retry=False)

    async def _send(self, path: str, changes: Mapping[str, Any], headers: Mapping[str, str]) -> tuple[Answer, Request]:
        """Send, once more as the other media type when the server does not know the first."""
        body = self._form.typed("TroubleTicket", **changes)
        try:
            return await self._api.answer("PATCH", path, as_json(body, self._media[0]), headers=headers)
        except AnswerError as error:
            if error.status != HTTPStatus.UNSUPPORTED_MEDIA_TYPE:
                raise
        self._media.reverse()
        return await self._api.answer("PATCH", path, as_json(body, self._media[0]), headers=headers)

    def _kept(self, record: Record, wanted: str, stands: str) -> DeliveryError:
        why = f"ticket {record.number} of {self._name} did not become {wanted!r}, it stands as {stands!r}"
        if stands.casefold() == record.state.casefold():
            remedy = "its server keeps the status to itself: let tocsin's account set it, or give `sets_status: false`"
        else:
            remedy = "if that is as far as tocsin may take it, name that word in `statuses`"
        return DeliveryError(Reason.REFUSED, f"{why}; {remedy}", retry=False)

    def _require_sense(self, record: Record, said: Mapping[str, Any]) -> None:
        """Refuse to go on losing or doubling notes. Raises DeliveryError, which stops the backend."""
        told = _tmf.disagreement((note.text for note in record.notes), said.get("note"), whole=self._whole)
        if told:
            why = f"ticket {record.number} of {self._name} shows how its server takes notes: {told}"
            raise DeliveryError(Reason.MISCONFIGURED, why, retry=False, stops=True)


def _took(changes: Mapping[str, Any], said: Mapping[str, Any], there: int) -> bool:
    """Whether anything of a patch shows in the ticket, or nothing that was asked for could."""
    shows = [at(said, "status").casefold() == changes["status"].casefold()] if "status" in changes else []
    if "note" in changes and isinstance(said.get("note"), list):
        told = changes["note"][-1]["text"].rpartition("\n")[2]
        shows.append(len(said["note"]) > there or any(told in at(one, "text") for one in each(said, "note")))
    return any(shows) or not shows
