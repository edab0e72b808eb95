"""The second API of a GLPI, /api.php/v2 of release 11: its OAuth server, its filters, its words for no."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from aiohttp import web

from fakes.core import Does, Route

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from fakes.glpi import Glpi, Ticket

NAMES = {1: "New", 2: "Processing (assigned)", 3: "Processing (planned)", 4: "Pending", 5: "Solved", 6: "Closed"}
KINDS = {"Followup": "ITILFollowup", "Solution": "ITILSolution"}
ROOT = "/api.php/v2"


def routes(glpi: Glpi) -> list[Route]:
    ticket, timeline = f"{ROOT}/Assistance/Ticket", "Timeline/{kind:Followup|Solution}"

    def of(handler: Callable[[Glpi, web.Request], Awaitable[web.StreamResponse]]) -> Any:
        async def handle(request: web.Request) -> web.StreamResponse:
            known = request.headers.get("Authorization", "").removeprefix("Bearer ") in glpi.tokens
            if not known:
                text = "You are not authenticated"
                return _no("ERROR_UNAUTHENTICATED", f"{text} {request.headers.get('Authorization')}", 401)
            return await handler(glpi, request)

        return handle

    return [
        Route("POST", "/api.php/token", lambda request: _token(glpi, request), Does.LOGIN),
        Route("POST", ticket, of(_create), Does.CREATE),
        Route("GET", ticket, of(_list), _listing),
        Route("GET", f"{ticket}/{{id:\\d+}}", of(_read), Does.READ),
        Route("PATCH", f"{ticket}/{{id:\\d+}}", of(_update), Does.CHANGE),
        Route("GET", f"{ticket}/{{id:\\d+}}/{timeline}", of(_timeline), Does.READ),
        Route("POST", f"{ticket}/{{id:\\d+}}/{timeline}", of(_write), Does.CHANGE),
        Route("GET", f"{ROOT}/Administration/User/Me", of(_me), Does.CHECK),
    ]


def shown(one: Ticket) -> dict[str, Any]:
    team = [{"role": "requester", "name": "tocsin", "href": "/front/user.form.php?id=5"}]
    if one.assigned:
        team.append({"role": "assigned", "name": one.assigned, "display_name": one.assigned})
    return {
        "id": one.id,
        "name": one.name,
        "content": one.content,
        "is_deleted": one.deleted,
        "category": None,
        "urgency": one.urgency,
        "impact": one.impact,
        "priority": one.priority,
        "date_creation": _stamp(one.created_at),
        "date_mod": _stamp(one.changed_at),
        "type": 1,
        "external_id": one.externalid,
        "status": {"id": one.status, "name": NAMES[one.status]},
        "entity": {"id": 0, "name": "Root entity", "completename": "Root entity"},
        "team": team,
    }


def _stamp(at: Any) -> str:
    from fakes.glpi import ZONE  # noqa: PLC0415 - the two modules are one face

    return at.astimezone(ZONE).isoformat(timespec="seconds")


def _no(status: str, title: str, code: int, detail: Any = None) -> web.StreamResponse:
    return web.json_response({"status": status, "title": title, "detail": detail}, status=code)


def _right_missing() -> web.StreamResponse:
    return _no("ERROR_RIGHT_MISSING", "You don't have permission to perform this action.", 403)


async def _token(glpi: Glpi, request: web.Request) -> web.StreamResponse:
    from fakes.glpi import CLIENT_SECRET, PASSWORD  # noqa: PLC0415 - the two modules are one face

    if glpi.careless:
        return web.Response(status=500, text=f"cannot read {(await request.read()).decode()}")
    form = await request.post()
    if (form.get("client_id"), form.get("client_secret")) != ("tocsin-client", CLIENT_SECRET.decode()):
        return web.json_response({"error": "invalid_client", "message": "Client authentication failed"}, status=401)
    grant = str(form.get("grant_type"))
    named = (form.get("username"), form.get("password")) == ("tocsin", PASSWORD.decode())
    if form.get("scope") != "api" or not (grant == "client_credentials" or (grant == "password" and named)):
        return web.json_response({"error": "invalid_grant", "message": "The credentials are incorrect"}, status=400)
    glpi.granted.append(grant)
    token = f"access-{len(glpi.granted)}"
    glpi.tokens.add(token)
    return web.json_response({"token_type": "Bearer", "expires_in": 3600, "access_token": token})


async def _create(glpi: Glpi, request: web.Request) -> web.StreamResponse:
    given = await request.json()
    try:
        one = glpi.make(given, given.get("external_id", ""))
    except Exception as problem:  # noqa: BLE001 - whatever GLPI would not do
        return _failed("create", problem)
    path = f"{ROOT}/Assistance/Ticket/{one.id}"
    return web.json_response({"id": one.id, "href": path}, status=201, headers={"Location": path})


async def _list(glpi: Glpi, request: web.Request) -> web.StreamResponse:
    query = request.query
    found = [one for one in glpi.held.values() if one.id not in glpi.unseen]
    for condition in filter(None, query.get("filter", "").split(";")):
        name, how, value = re.fullmatch(r"([\w.]+)(=\w*=|!=)(.*)", condition).groups()  # type: ignore[union-attr]
        found = [one for one in found if _holds(glpi, one, name, how, value.strip("\"'"))]
    for by in reversed(query.get("sort", "id").split(",")):
        name = {"date_mod": "changed_at"}.get(by.partition(":")[0], by.partition(":")[0])
        found.sort(key=lambda one: getattr(one, name), reverse=by.endswith(":desc"))
    found = glpi.server.ordered(found)
    start, limit = int(query.get("start", 0)), min(int(query.get("limit", 100)), glpi.server.page or 1000)
    page = [shown(one) for one in found[start : start + limit]]
    headers = {"Content-Range": f"{start}-{start + len(page)}/{len(found)}"}
    return web.json_response(page, status=206 if start + limit < len(found) else 200, headers=headers)


def _holds(glpi: Glpi, one: Ticket, name: str, how: str, value: str) -> bool:
    from fakes.glpi import local  # noqa: PLC0415 - the two modules are one face

    has = {"external_id": one.externalid, "is_deleted": str(one.deleted).lower(), "date_mod": local(one.changed_at)}
    if name not in has:
        return True  # what it does not know is left out
    if how == "=ge=":
        return has[name] >= value
    assert how == "==", how
    return has[name].lower() == value.lower() and (name != "external_id" or glpi.server.visible(one.created_at))


async def _read(glpi: Glpi, request: web.Request) -> web.StreamResponse:
    one = glpi.held.get(int(request.match_info["id"]))
    if not glpi.views:
        return _right_missing()
    seen = one is not None and one.id not in glpi.unseen
    return web.json_response(shown(one)) if seen else _no("ERROR_ITEM_NOT_FOUND", "Not found", 404)


async def _update(glpi: Glpi, request: web.Request) -> web.StreamResponse:
    one, given = glpi.held[int(request.match_info["id"])], await request.json()
    if one.id in glpi.locked:
        return _right_missing()
    try:
        status = given.get("status")
        glpi.alter(one, {**given, **({"status": status["id"]} if isinstance(status, dict) else {})})
    except Exception as problem:  # noqa: BLE001 - whatever GLPI would not do
        return _failed("update", problem)
    return web.json_response(shown(one))


async def _timeline(glpi: Glpi, request: web.Request) -> web.StreamResponse:
    one, kind = glpi.held[int(request.match_info["id"])], request.match_info["kind"]
    items = [
        {
            "type": kind,
            "item": {
                "id": note.id,
                "itemtype": "Ticket",
                "items_id": one.id,
                "content": note.content,
                "is_private": note.private,
                "user": {"id": 5, "name": note.user},
                "date_creation": _stamp(note.at),
            },
        }
        for note in one.notes
        if note.kind == KINDS[kind]
    ]
    return web.json_response(items)


async def _write(glpi: Glpi, request: web.Request) -> web.StreamResponse:
    one, given = glpi.held[int(request.match_info["id"])], await request.json()
    if one.id in glpi.locked:
        return _right_missing()
    try:
        glpi.storable(given)
        private = bool(given.get("is_private"))
        note = glpi.write(one, KINDS[request.match_info["kind"]], given["content"], "tocsin", private=private)
    except Exception as problem:  # noqa: BLE001 - whatever GLPI would not do
        return _failed("create", problem)
    return web.json_response({"id": note.id, "href": request.path})


async def _me(glpi: Glpi, _: web.Request) -> web.StreamResponse:
    if glpi.granted[-1] == "client_credentials":
        return _no("ERROR_ITEM_NOT_FOUND", "Not found", 404)
    return web.json_response({"id": 5, "username": "tocsin"})


def _failed(action: str, problem: Exception) -> web.StreamResponse:
    messages = [{"priority": "error", "message": str(problem)}]
    body = {"status": "ERROR", "title": f"Failed to {action} item(s)", "detail": None, "additional_messages": messages}
    return web.json_response(body, status=500)


def _listing(request: web.Request, _: bytes) -> Does:
    return Does.LIST if "date_mod=ge=" in request.query.get("filter", "") else Does.SEARCH
