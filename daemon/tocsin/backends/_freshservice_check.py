"""Whether what the options of a Freshservice backend name is there, asked without changing anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tocsin.backends import Finding, Level
from tocsin.backends._shape import at, each, objects
from tocsin.errors import DeliveryError, Reason

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tocsin.backends._api import Api
    from tocsin.backends._choices import Choices
    from tocsin.backends._freshservice_options import Options

_ASKABLE = (Reason.REFUSED, Reason.NOT_FOUND, Reason.UNAUTHORIZED)


def choices_of(said: Any, field: str, name: str) -> dict[str, str]:
    """The choices of a ticket field, name to number. Raises DeliveryError when these are no ticket fields."""
    for one in objects(said, "ticket_fields", name):
        if at(one, "name") == field:
            choices = each(one, "choices")
            return {at(choice, "value") or at(choice, "label"): at(choice, "id") for choice in choices}
    return {}


class Check:
    """One check."""

    def __init__(self, api: Api, options: Options, name: str) -> None:
        """Take how to ask, what was said, and the backend's name."""
        self._api = api
        self._options = options
        self._name = name
        self._space = {"workspace_id": str(options.workspace_id)} if options.workspace_id else {}

    async def findings(
        self, states: Choices, groups: Choices, words: Iterable[str], looking: dict[str, str]
    ) -> list[Finding]:
        """All findings. Raises DeliveryError when Freshservice cannot be asked, or does not take the key."""
        await self._api.ask("GET", "api/v2/tickets", query={"per_page": "1", **self._space})
        found = [Finding(level=Level.FINE, what="key_file", told="the key is good, and tickets can be read")]
        found += await self._form(states, words)
        found.append(await self._search(looking))
        if self._options.group and not self._options.group.isdecimal():
            found += await self._named(groups, [self._options.group], "group")
        if "@" in self._options.requester:
            found.append(await self._requester())
        return found

    async def _form(self, states: Choices, words: Iterable[str]) -> list[Finding]:
        """The fields of the ticket form: ours, and the statuses."""
        try:
            said = await self._api.ask("GET", "api/v2/ticket_form_fields", query=self._space)
            names = {at(one, "name") for one in objects(said, "ticket_fields", self._name)}
        except DeliveryError as error:
            if error.reason not in _ASKABLE:
                raise
            told = f"the ticket form cannot be read ({error.reason}), so neither field nor statuses could be looked up"
            return [Finding(level=Level.WARNING, what="reference_field", told=told)]
        found = [self._field(names)]
        return [*found, *await self._named(states, words, "statuses")]

    def _field(self, names: set[str]) -> Finding:
        field = self._options.reference_field
        if field in names:
            return Finding(level=Level.FINE, what="reference_field", told=f"the ticket form has the field {field!r}")
        told = f"the ticket form has no field {field!r}; it has {', '.join(sorted(names))}"
        return Finding(level=Level.ERROR, what="reference_field", told=told)

    async def _search(self, looking: dict[str, str]) -> Finding:
        try:
            objects(await self._api.ask("GET", "api/v2/tickets/filter", query=looking), "tickets", self._name)
        except DeliveryError as error:
            if error.reason != Reason.REFUSED:
                raise
            told = "the filter does not take the field: the requester's tickets of some days are looked through instead"
            return Finding(level=Level.WARNING, what="reference_field", told=told)
        told = "the filter takes the field; what it does not find is looked for among the requester's tickets"
        return Finding(level=Level.FINE, what="reference_field", told=told)

    async def _named(self, choices: Choices, words: Iterable[str], option: str) -> list[Finding]:
        try:
            return await choices.findings(words, option)
        except DeliveryError as error:
            if error.reason not in _ASKABLE:
                raise
            told = f"they cannot be read ({error.reason}); the agent's role does not allow it"
            return [Finding(level=Level.WARNING, what=option, told=told)]

    async def _requester(self) -> Finding:
        email = self._options.requester
        try:
            said = await self._api.ask("GET", "api/v2/requesters", query={"query": f"\"primary_email:'{email}'\""})
        except DeliveryError as error:
            if error.reason not in _ASKABLE:
                raise
            return Finding(level=Level.WARNING, what="requester", told=f"requesters cannot be read ({error.reason})")
        if any(at(one, "primary_email").casefold() == email.casefold() for one in each(said, "requesters")):
            return Finding(level=Level.FINE, what="requester", told=f"requester {email} is there")
        told = f"there is no requester {email}: the first ticket makes one; an agent's address is fine, too"
        return Finding(level=Level.WARNING, what="requester", told=told)
