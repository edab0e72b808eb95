"""Whether a Jira is as the options say: asked without changing anything.

Format: developer.atlassian.com, "Get create field metadata for a project and issue type id", "Get my permissions",
"Get request type fields".
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from tocsin.backends import Finding, Level
from tocsin.backends._shape import an_object, at, each, objects
from tocsin.errors import DeliveryError, Reason

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tocsin.backends._api import Api
    from tocsin.backends._jira_options import Options
    from tocsin.backends._jira_query import Found

_SEE = "BROWSE_PROJECTS"
_RIGHTS = (
    _SEE,
    "CREATE_ISSUES",
    "EDIT_ISSUES",
    "TRANSITION_ISSUES",
    "ADD_COMMENTS",
    "CREATE_ATTACHMENTS",
)
_FILLED = frozenset({"project", "issuetype", "summary", "description", "reporter"})


async def account(api: Api, name: str, options: Options) -> list[Finding]:
    """Who we are, and our rights in the project. Raises DeliveryError."""
    said = await api.ask("GET", f"rest/api/{options.api}/myself")
    who = at(said, "displayName") or at(said, "name") or at(said, "accountId")
    found = [_fine("token_file" if options.token_file else "client_id", f"works as {who!r}")]
    rights = await _rights(api, name, options, _RIGHTS)
    if rights is None:
        return [*found, _error("project", f"there is no project {options.project!r}, or the account may not see it")]
    lacking = [right for right in _RIGHTS if at_true(rights, right) is False]
    if lacking:
        told = f"the account lacks {', '.join(lacking)} in project {options.project!r}; grant it to its role"
        return [*found, _error("project", told)]
    return [*found, _fine("project", f"the account may work in project {options.project!r}")]


async def require_sight(api: Api, name: str, options: Options) -> None:
    """What is not found is surely not there. Raises DeliveryError where the project's issues are not for us to see."""
    rights = await _rights(api, name, options, (_SEE,))
    if rights is None or at_true(rights, _SEE) is False:
        why = (
            f"{name} finds nothing, for the account lacks {_SEE} in project {options.project!r}, or the project is gone"
        )
        hint = "grant it to its role: tickets may be there and not be found"
        raise DeliveryError(Reason.MISCONFIGURED, f"{why}; {hint}", retry=False, stops=True, harmless=True)


async def _rights(api: Api, name: str, options: Options, asked: tuple[str, ...]) -> Mapping[str, Any] | None:
    """Our rights in the project; None when there is none to be seen."""
    project = {"projectId" if options.project.isdecimal() else "projectKey": options.project}
    query = {**project, "permissions": ",".join(asked)}
    said = await api.find(f"rest/api/{options.api}/mypermissions", query=query)
    return None if said is None else an_object(said, "permissions", name)


def at_true(rights: Mapping[str, Any], right: str) -> bool | None:
    """Whether a right is had; None where this version of Jira does not tell it."""
    one = rights.get(right)
    return one.get("havePermission") is True if isinstance(one, dict) else None


async def creating(found: Found, options: Options, words: Iterable[str]) -> list[Finding]:
    """Whether the issue type exists, and its new issues can carry what they shall. Raises DeliveryError."""
    project = quote(options.project, safe="")
    try:
        types = await found.listed(f"issue/createmeta/{project}/issuetypes", "issueTypes", "values")
    except DeliveryError as error:
        if error.reason != Reason.NOT_FOUND:
            raise
        return [_error("issue_type", f"the account may make no issue of any type in project {options.project!r}")]
    wanted = options.issue_type.casefold()
    chosen = [one for one in types if wanted in (at(one, "id"), at(one, "name").casefold())]
    if not chosen:
        names = [at(one, "name") for one in types]
        near = get_close_matches(options.issue_type, names, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(names) or 'none'}"
        return [_error("issue_type", f"project {options.project!r} has no issue type {options.issue_type!r}; {hint}")]
    kind = quote(at(chosen[0], "id"), safe="")
    fields = await found.listed(f"issue/createmeta/{project}/issuetypes/{kind}", "fields", "values")
    there = {at(one, "fieldId") or at(one, "key"): one for one in fields}
    told = _fine("issue_type", f"issue type {at(chosen[0], 'name')!r} is there")
    return [told, *_fields(there, options, words, "the create screen of the issue type")]


async def form(
    api: Api, name: str, options: Options, ids: tuple[str | None, str | None], words: Iterable[str]
) -> list[Finding]:
    """Whether the request type's form has what requests shall carry. Raises DeliveryError."""
    if ids[0] is None or ids[1] is None:
        return []  # said already
    said = await api.ask("GET", f"rest/servicedeskapi/servicedesk/{ids[0]}/requesttype/{ids[1]}/field")
    there = {at(one, "fieldId"): one for one in objects(said, "requestTypeFields", name)}
    return _fields(there, options, words, "the form of the request type")


def _fields(there: Mapping[str, Any], options: Options, words: Iterable[str], where: str) -> list[Finding]:
    reference = options.reference_field or "labels"
    sent = {reference: "reference_field" if options.reference_field else "label", "description": "project"}
    sent |= {options.impact_field: "impact_field"} if options.impact_field else {}
    sent |= {options.element_field: "element_field"} if options.element_field else {}
    sent |= dict.fromkeys(options.fields, "fields")
    found = []
    for field, option in sent.items():
        if field in there:
            found.append(_fine(option, f"field {field!r} is on {where}"))
        else:
            found.append(
                _error(option, f"field {field!r} is not on {where}: new tickets will be refused; put it there")
            )
    found += _allowed(there.get(options.impact_field), words)
    filled = _FILLED | sent.keys()
    for field, one in there.items():
        if one.get("required") is True and one.get("hasDefaultValue") is not True and field not in filled:
            told = f"{where} requires {at(one, 'name') or field!r}; give a value for {field!r} in `fields`"
            found.append(_error("fields", told))
    return found


def _allowed(field: Any, words: Iterable[str]) -> list[Finding]:
    """Whether a select list offers the values that impacts are told by."""
    path = "allowedValues" if each(field, "allowedValues") else "validValues"
    offered = {at(one, "name") or at(one, "value") or at(one, "label") for one in each(field, path)}
    missing = [word for word in words if word not in offered] if offered else []
    names = ", ".join(sorted(offered))
    told = [f"{at(field, 'name') or 'the field'} has no value {word!r}; there are: {names}" for word in missing]
    return [_error("impacts", one) for one in told] or ([_fine("impacts", "all values are there")] if offered else [])


def _fine(what: str, told: str) -> Finding:
    return Finding(level=Level.FINE, what=what, told=told)


def _error(what: str, told: str) -> Finding:
    return Finding(level=Level.ERROR, what=what, told=told)
