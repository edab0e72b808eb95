"""What a check of a Redmine asks, and what it finds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tocsin.backends import Finding, Level
from tocsin.backends._shape import at, each
from tocsin.errors import DeliveryError, Reason

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tocsin.backends._api import Api
    from tocsin.backends._redmine_options import Options

ANY_STATUS = {"status_id": "*"}
"""Without it only open issues are found."""
_NOBODYS = "no-such-reference"
_ACTIVE = frozenset({"", "1"})
"""Statuses of a project in which issues can be made; older releases tell none."""


def project(said: Any, name: str) -> Finding:
    """Whether the project takes issues; `said` is None when it is not to be seen."""
    if said is None:
        why = f"project {name!r} is not there, or not to be seen; correct it, or give tocsin's user a role in it"
        return Finding(level=Level.ERROR, what="project", told=why)
    if at(said, "project.status") not in _ACTIVE:
        return Finding(level=Level.ERROR, what="project", told=f"project {name!r} is closed or archived; open it")
    return Finding(level=Level.FINE, what="project", told=f"project {name!r} is there")


def rights(lacking: list[str] | None, project: str) -> Finding:
    """Whether the role of our user is enough."""
    if lacking is None:
        why = f"tocsin's user is no member of {project!r}: what it may do there is not told; give it a role of its own"
        return Finding(level=Level.WARNING, what="rights", told=why)
    if lacking:
        why = f"tocsin's role in {project!r} lacks: {', '.join(lacking)}; grant them (Administration, Roles and permissions)"
        return Finding(level=Level.ERROR, what="rights", told=why)
    return Finding(level=Level.FINE, what="rights", told=f"tocsin's role in {project!r} is enough")


async def fields(api: Api, options: Options, closed: str) -> list[Finding]:
    """Whether the custom fields are there, ours is a filter, and issues of ours can be closed. Raises DeliveryError."""
    name, one = f"cf_{options.reference_field}", {**ANY_STATUS, "limit": "1"}
    of_project = {**one, "project_id": options.project, "sort": "id:desc"}
    newest = await api.ask("GET", "issues.json", query=of_project)
    found = [await _filtered(api, options.reference_field, newest)]
    wanted = ("reference_field", "impact_field", "element_field")
    found += _known(newest, [(option, getattr(options, option)) for option in wanted])
    ours = await api.ask("GET", "issues.json", query={**of_project, name: "*"})
    for issue in each(ours, "issues"):
        said = await api.ask("GET", f"issues/{at(issue, 'id')}.json", query={"include": "allowed_statuses"})
        found += _steps(said, closed)
    return found


async def _filtered(api: Api, field: int, newest: Any) -> Finding:
    """Whether issues are found by the custom field: Redmine ignores a filter that it does not know."""
    name, one = f"cf_{field}", {**ANY_STATUS, "limit": "1"}
    if await _is_refused(api, {**one, name: ""}):
        return Finding(level=Level.FINE, what="reference_field", told=f"issues are found by the custom field {field}")
    if each(await api.ask("GET", "issues.json", query={**one, name: _NOBODYS}), "issues"):
        why = f"Redmine ignores the custom field {field} as a filter: no issue could be found again"
        return Finding(level=Level.ERROR, what="reference_field", told=f"{why}; {correct(field)}")
    if each(newest, "issues"):
        return Finding(level=Level.FINE, what="reference_field", told=f"issues are found by the custom field {field}")
    why = f"whether issues are found by the custom field {field} shows with the first issue"
    return Finding(level=Level.WARNING, what="reference_field", told=why)


async def _is_refused(api: Api, query: Mapping[str, str]) -> bool:
    """A filter that is known may not be empty; one that is not known may be anything."""
    try:
        await api.ask("GET", "issues.json", query=query)
    except DeliveryError as error:
        if error.reason != Reason.REFUSED:
            raise
        return True
    return False


def correct(field: int) -> str:
    """What to do about a custom field that does not filter."""
    return (
        f"let it be used as a filter and be visible to tocsin's role (Administration, Custom fields), or correct "
        f"`reference_field`, which is {field}"
    )


def _known(newest: Any, wanted: Iterable[tuple[str, int | None]]) -> list[Finding]:
    """Whether the newest issue of the project has the custom fields that options name."""
    issue = next(iter(each(newest, "issues")), None)
    if issue is None:
        return []
    known = {at(one, "id"): at(one, "name") for one in each(issue, "custom_fields")}
    found = []
    for option, field in wanted:
        if field is None:
            continue
        if str(field) in known:
            told = f"custom field {field} is {known[str(field)]!r}"
            found.append(Finding(level=Level.FINE, what=option, told=told))
            continue
        there = ", ".join(f"{number} ({name})" for number, name in known.items()) or "none"
        why = f"issue {at(issue, 'id')} has no custom field {field} that tocsin may see; it has: {there}"
        todo = "correct it, or add the field for the tracker and the project"
        found.append(Finding(level=Level.ERROR, what=option, told=f"{why}; {todo}"))
    return found


def _steps(issue: Any, closed: str) -> list[Finding]:
    """Whether the workflow lets an issue of ours be closed; `closed` is the id of that status."""
    allowed = [at(one, "id") for one in each(issue, "issue.allowed_statuses")]
    if not allowed or closed in allowed:
        return []
    number, state = at(issue, "issue.id"), at(issue, "issue.status.name")
    why = f"the workflow does not let tocsin close issue {number} from {state!r}; allow the step for its role"
    return [Finding(level=Level.WARNING, what="statuses", told=why)]
