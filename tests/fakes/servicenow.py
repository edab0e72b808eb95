"""A ServiceNow instance's REST APIs (Table, Import Set, Attachment), as far as an incident's client sees them.

Sources: ServiceNow's product documentation ("Table API", "Import Set API", "Inbound REST API rate limiting", "Journal
field type", KB0621602 for what becomes of characters beyond the first plane), and error bodies that public clients quote.
"""

from __future__ import annotations

import hashlib
import json
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar
from zoneinfo import ZoneInfo

from aiohttp import web

from fakes.core import RETRY_AFTER, Behaviour, Does, Face, Route, Server, Truth

if TYPE_CHECKING:
    from collections.abc import Mapping

SECRET = b"cl1ent-s3cret"
PASSWORD = "pässword of tocsin".encode()
TOKEN = "b4c5d6e7-access-token"
ZONE = ZoneInfo("Europe/Paris")
STATES = {
    "1": ("New", "declared"),
    "2": ("In Progress", "in_progress"),
    "3": ("On Hold", "waiting"),
    "6": ("Resolved", "repaired"),
    "7": ("Closed", "closed"),
    "8": ("Canceled", "cancelled"),
}
LEVELS = {"1": "1 - High", "2": "2 - Medium", "3": "3 - Low"}
PRIORITIES = {2: "1 - Critical", 3: "2 - High", 4: "3 - Moderate", 5: "4 - Low", 6: "5 - Planning"}
CLOSE_CODES = ("Solution provided", "Workaround provided", "Resolved by caller", "Duplicate")
CHOICES = {
    "state": {number: name for number, (name, _) in STATES.items()},
    "close_code": {code: code for code in CLOSE_CODES},
    "category": {"inquiry": "Inquiry / Help", "software": "Software", "network": "Network"},
    "contact_type": {"event": "Event", "phone": "Phone"},
    "hold_reason": {"1": "Awaiting Caller", "3": "Awaiting Problem", "4": "Awaiting Vendor"},
}
COLUMNS = [
    "sys_id",
    "number",
    "correlation_id",
    "correlation_display",
    "short_description",
    "description",
    "impact",
    "urgency",
    "priority",
    "state",
    "category",
    "subcategory",
    "contact_type",
    "caller_id",
    "assignment_group",
    "assigned_to",
    "cmdb_ci",
    "close_code",
    "close_notes",
    "hold_reason",
    "work_notes",
    "comments",
    "sys_created_on",
    "sys_created_by",
    "sys_updated_on",
    "sys_updated_by",
]
READ_ONLY = frozenset(
    {"sys_id", "number", "priority", "sys_created_on", "sys_created_by", "sys_updated_on", "sys_updated_by"}
)
JOURNALS = ("work_notes", "comments")
LONGEST = {"short_description": 160, "description": 4000, "correlation_id": 100, "correlation_display": 100}
ENTRY = 4000


def sys_id(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def stamp(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}"


def failure(status: int, message: str, detail: str, **headers: str) -> web.Response:
    body = {"error": {"message": message, "detail": detail}, "status": "failure"}
    return web.json_response(body, status=status, headers=headers)


class ServiceNow(Face):
    KIND = "servicenow"
    SECRETS: ClassVar = {
        "servicenow-secret": SECRET,
        "servicenow-password": PASSWORD,
        "token-of-the-moment": TOKEN.encode(),
    }
    RENEWS = True
    OPTIONS: ClassVar = {
        "close_as": "closed",
        "caller": "tocsin.integration",
        "assignment_group": "Service Desk",
        "category": "software",
        "cmdb_ci": "name",
    }
    MEANINGS: ClassVar = {Behaviour.INSIDE: "unavailable"}

    def __init__(self, server: Server) -> None:
        super().__init__(server)
        self.incidents: list[dict[str, str]] = []
        self.journal: list[dict[str, str]] = []
        self.files: dict[str, dict[str, bytes]] = {}
        self.denied: set[str] = set()  # fields that this account may not write
        self.journal_open = True  # whether sys_journal_field may be read
        self.closed_tables: set[str] = set()
        self.hidden: set[str] = set()  # numbers of incidents that an access rule takes out of each page
        self.deaf = False  # the instance ignores correlation_id in queries, as it does what is invalid
        self.flow = True  # whether a state flow lets closed incidents be reopened
        self.asynchronous = False  # import sets are transformed later
        self.ignoring = False  # a script of the transform map ignores every row
        self.first_version = False  # of the Table API: a query that finds nothing is answered 404 (KB0551763)
        self.tables: dict[str, list[dict[str, str]]] = {
            "sys_user": [
                {"sys_id": sys_id(name), "user_name": name, "email": f"{name}@example.net", "name": shown}
                for name, shown in (("tocsin.integration", "Tocsin Integration"), ("ines.martin", "Ines Martin"))
            ],
            "sys_user_group": [{"sys_id": sys_id(name), "name": name} for name in ("Service Desk", "Network", "Twins")],
            "cmdb_ci": [
                {"sys_id": sys_id(name), "name": name, "asset_tag": tag}
                for name, tag in (("vfcanubkpm01", "P1"), ("Cloud Infra", "P2"), ("twin", "P3"))
            ],
            "sys_choice": [
                {
                    "sys_id": sys_id(element + value),
                    "name": "incident",
                    "element": element,
                    "value": value,
                    "label": label,
                }
                | {"inactive": "false"}
                for element, values in CHOICES.items()
                for value, label in values.items()
            ],
        }
        self.tables["cmdb_ci"].append({"sys_id": sys_id("other twin"), "name": "twin", "asset_tag": "P4"})

    def options(self) -> dict[str, Any]:
        return {"url": self.server.url, "client_id": "tocsin", "client_secret_file": "servicenow-secret"}

    def routes(self) -> list[Route]:
        return [
            Route("POST", "/oauth_token.do", self._token, Does.LOGIN),
            Route("GET", "/api/now/table/{table}", self._rows, _asking),
            Route("POST", "/api/now/table/{table}", self._create, Does.CREATE),
            Route("PATCH", "/api/now/table/{table}/{sys_id}", self._change, Does.CHANGE),
            Route("POST", "/api/now/import/{staging}", self._import, Does.CREATE),
            Route("POST", "/api/now/attachment/file", self._attach, Does.ATTACH),
        ]

    def tickets(self) -> list[Truth]:
        return [
            Truth(
                number=one["number"],
                reference=one["correlation_id"],
                status=STATES[one["state"]][1],
                title=one["short_description"],
                text=one["description"],
                impact=f"{one['impact']}/{one['urgency']}",
                element=one["cmdb_ci"],
                notes=[entry["value"] for entry in self.journal if entry["element_id"] == one["sys_id"]],
                files=dict(self.files.get(one["sys_id"], {})),
            )
            for one in self.incidents
        ]

    def person(self, number: str, *, status: str = "", note: str = "", assignee: str = "", priority: str = "") -> None:
        one = self._incident(number)
        if status:
            one["state"] = next(state for state, (_, word) in STATES.items() if word == status)
            if one["state"] in ("6", "7"):  # the form wants them
                one["close_code"], one["close_notes"] = (
                    one["close_code"] or CLOSE_CODES[1],
                    one["close_notes"] or "done",
                )
        if priority:
            one["impact"], one["urgency"] = priority.split("/")
        one["assigned_to"] = sys_id("ines.martin") if assignee else one["assigned_to"]
        self._note(one, "comments", note, "ines.martin")
        self._touched(one, "ines.martin")

    def forget(self, number: str) -> None:
        self.incidents.remove(self._incident(number))

    def disown(self, number: str, reference: str) -> None:
        self._incident(number)["correlation_id"] = reference

    def hook(self, number: str) -> tuple[Mapping[str, str], bytes]:
        """What the business rule of config/backends/servicenow.yaml sends."""
        one = self._incident(number)
        said = {name: one[name] for name in ("number", "sys_id", "correlation_id", "state", "sys_updated_on")}
        return {"Content-Type": "application/json"}, json.dumps(said).encode()

    # --- how ServiceNow says no ---------------------------------------------------------------------------------------

    def not_found(self) -> web.StreamResponse:
        return failure(404, "No Record found", "Record doesn't exist or ACL restricts the record retrieval")

    def refused(self) -> web.StreamResponse:
        return failure(
            403, "Operation Failed", "Data Policy Exception: The following fields are mandatory: Resolution code"
        )

    def inside(self) -> web.StreamResponse:
        told = "maximum execution time exceeded Check logs for error trace or enable glide.rest.debug property"
        return failure(200, "Transaction cancelled: maximum execution time exceeded", told)

    def unauthorized(self, request: web.Request) -> web.StreamResponse:
        told = f"Required to provide Auth information, not {request.headers.get('Authorization')}"
        return failure(401, "User Not Authenticated", told, **{"WWW-Authenticate": 'BASIC realm="Service-now"'})

    def forbidden(self, request: web.Request) -> web.StreamResponse:
        return failure(
            403, "User Not Authorized", f"Failed API level ACL Validation for {request.headers.get('Authorization')}"
        )

    def limited(self) -> web.StreamResponse:
        reset = self.server.clock() + timedelta(minutes=20)
        return failure(
            429,
            "Rate limit exceeded",
            "Rate limit of 10 requests per hour for Table API exceeded",
            **{"Retry-After": str(RETRY_AFTER), "X-RateLimit-Limit": "10"},
            **{"X-RateLimit-Reset": str(int(reset.timestamp())), "X-RateLimit-Rule": sys_id("rule")},
        )

    # --- its API ------------------------------------------------------------------------------------------------------

    async def _token(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        known = form.get("client_id") == "tocsin" and form.get("client_secret") == SECRET.decode()
        if not known or form.get("grant_type") != "client_credentials":
            return web.json_response({"error_description": "access_denied", "error": "server_error"}, status=401)
        said = {"access_token": TOKEN, "scope": "useraccount", "token_type": "Bearer", "expires_in": 1799}
        return web.json_response(said)

    async def _rows(self, request: web.Request) -> web.StreamResponse:
        table = request.match_info["table"]
        if refused := self._stranger(request) or self._no_table(table):
            return refused
        found = self._found(table, request.query.get("sysparm_query", ""))
        if table == "incident":
            found = self.server.ordered(found)
        total, offset = len(found), int(request.query.get("sysparm_offset", 0))
        limit = int(request.query.get("sysparm_limit", 10_000))
        limit = min(limit, self.server.page or limit)
        window = [row for row in found[offset : offset + limit] if row.get("number", "-") not in self.hidden]
        page = [self._shown(table, row, request.query) for row in window]
        if self.first_version and not found:
            return failure(
                404, "No Record found", "Records matching query not found. Check query parameter or offset parameter"
            )
        return web.json_response({"result": page}, headers={"X-Total-Count": str(total)})

    async def _create(self, request: web.Request) -> web.StreamResponse:
        if refused := self._stranger(request) or self._no_table(request.match_info["table"]):
            return refused
        given = await self._given(request)
        if isinstance(given, web.Response):
            return given
        one = self._made(given)
        headers = {"Location": f"{self.server.url}/api/now/table/incident/{one['sys_id']}"}
        return web.json_response({"result": self._shown("incident", one, request.query)}, status=201, headers=headers)

    async def _change(self, request: web.Request) -> web.StreamResponse:
        if refused := self._stranger(request) or self._no_table(request.match_info["table"]):
            return refused
        one = next((one for one in self.incidents if one["sys_id"] == request.match_info["sys_id"]), None)
        if one is None:
            return self.not_found()
        given = await self._given(request)
        if isinstance(given, web.Response):
            return given
        if refused := self._problem({**one, **given}):
            return refused
        self._set(one, given)
        self._touched(one, "tocsin.integration")
        return web.json_response({"result": self._shown("incident", one, request.query)})

    async def _import(self, request: web.Request) -> web.StreamResponse:
        """A staging table with columns `u_…`, whose transform map coalesces on correlation_id."""
        if refused := self._stranger(request):
            return refused
        if request.match_info["staging"] != "u_tocsin_import":
            return failure(400, f"Invalid table {request.match_info['staging']}", "")
        given = await self._given(request)
        if isinstance(given, web.Response):
            return given
        said: dict[str, Any] = {"import_set": "ISET0010001", "staging_table": "u_tocsin_import"}
        row = {name.removeprefix("u_"): value for name, value in given.items() if name.startswith("u_")}
        if not row.get("short_description"):
            told = {"transform_map": "Tocsin", "table": "incident", "status": "error"}
            told["error_message"] = "Row transform ignored by onBefore script: short_description is empty"
            return web.json_response({**said, "result": [told]}, status=201)
        if self.ignoring:
            told = {"transform_map": "Tocsin", "table": "incident", "status": "ignored"}
            told["status_message"] = "Row transform ignored by onBefore script"
            return web.json_response({**said, "result": [told]}, status=201)
        one = next((one for one in self.incidents if one["correlation_id"] == row["correlation_id"]), None)
        status = "updated" if one else "inserted"
        one = one or self._made(row)
        if self.asynchronous:
            return web.json_response(said, status=201)
        told = {
            "transform_map": "Tocsin",
            "table": "incident",
            "display_name": "number",
            "display_value": one["number"],
            "record_link": f"{self.server.url}/api/now/table/incident/{one['sys_id']}",
            "status": status,
            "sys_id": one["sys_id"],
        }
        return web.json_response({**said, "result": [told]}, status=201)

    async def _attach(self, request: web.Request) -> web.StreamResponse:
        if refused := self._stranger(request):
            return refused
        query = request.query
        if query.get("table_name") != "incident" or not query.get("file_name") or not request.content_type:
            return failure(400, "Invalid request", "table_name, table_sys_id and file_name are required")
        if all(one["sys_id"] != query.get("table_sys_id") for one in self.incidents):
            return self.not_found()
        self.files.setdefault(query["table_sys_id"], {})[query["file_name"]] = await request.read()
        said = {"sys_id": sys_id(query["file_name"]), "file_name": query["file_name"], "table_name": "incident"}
        return web.json_response({"result": said}, status=201)

    # --- within -------------------------------------------------------------------------------------------------------

    def _stranger(self, request: web.Request) -> web.Response | None:
        given = request.headers.get("Authorization", "")
        known = given == f"Bearer {TOKEN}"
        if given.startswith("Basic "):
            import base64  # noqa: PLC0415 - one place's

            known = base64.b64decode(given[6:]) == b"tocsin.integration:" + PASSWORD
        return None if known else self.unauthorized(request)  # type: ignore[return-value]

    def _no_table(self, table: str) -> web.Response | None:
        if table not in {*self.tables, "incident", "sys_journal_field", "u_tocsin_import"}:
            return failure(400, f"Invalid table {table}", "")
        closed = table in self.closed_tables or (table == "sys_journal_field" and not self.journal_open)
        return (
            failure(
                403,
                "Insufficient rights to query records",
                "Field(s) present in the query do not have permission to be read",
            )
            if closed
            else None
        )

    async def _given(self, request: web.Request) -> dict[str, str] | web.Response:
        if request.content_type != "application/json":
            return failure(415, "Unsupported media type", request.content_type)
        try:
            given = await request.json()
        except ValueError:
            return failure(400, "Exception while reading request", "The payload is not valid JSON")
        return {name: value if isinstance(value, str) else json.dumps(value) for name, value in given.items()}

    def _made(self, given: dict[str, str]) -> dict[str, str]:
        number = f"INC{10_000 + len(self.incidents) + 1:07}"
        at = stamp(self.server.clock())
        one = {**dict.fromkeys(COLUMNS, ""), "number": number, "sys_id": sys_id(number), "sys_created_on": at}
        one |= {"sys_created_by": "tocsin.integration"}
        one |= {"state": "1", "impact": "3", "urgency": "3", "category": "inquiry"}
        self.incidents.append(one)
        self._set(one, given)
        self._touched(one, "tocsin.integration")
        return one

    def _set(self, one: dict[str, str], given: dict[str, str]) -> None:
        closed = one["state"] == "7"
        for name, value in given.items():
            if name in JOURNALS:
                if not closed and name not in self.denied:
                    self._note(one, name, value, "tocsin.integration")
            elif name == "state" and closed and not self.flow:
                continue
            elif name in COLUMNS and name not in READ_ONLY | self.denied:
                text = re.sub(r"[\U00010000-\U0010ffff]", "????", value)
                one[name] = text[: LONGEST.get(name, 4000)]

    def _problem(self, after: dict[str, str]) -> web.Response | None:
        if after["state"] not in STATES:
            return None
        if after["state"] not in ("6", "7"):
            return None
        missing = [] if after["close_code"] in CLOSE_CODES else ["Resolution code"]
        missing += [] if after["close_notes"] else ["Resolution notes"]
        told = f"Data Policy Exception: The following fields are mandatory: {', '.join(missing)}"
        return failure(403, "Operation Failed", told) if missing else None

    def _touched(self, one: dict[str, str], who: str) -> None:
        one["priority"] = str(int(one["impact"]) + int(one["urgency"]) - 1)
        one["sys_updated_on"], one["sys_updated_by"] = stamp(self.server.clock()), who

    def _note(self, one: dict[str, str], element: str, text: str, who: str) -> None:
        if text:
            entry = {"sys_id": sys_id(f"{len(self.journal)}"), "element_id": one["sys_id"], "name": "incident"}
            entry |= {"element": element, "value": text[:ENTRY], "sys_created_by": who}
            self.journal.append({**entry, "sys_created_on": stamp(self.server.clock())})

    def _incident(self, number: str) -> dict[str, str]:
        return next(one for one in self.incidents if one["number"] == number)

    def _table(self, table: str) -> list[dict[str, str]]:
        special = {"incident": self.incidents, "sys_journal_field": self.journal, "u_tocsin_import": []}
        return special[table] if table in special else self.tables[table]

    def _found(self, table: str, query: str) -> list[dict[str, str]]:
        """An encoded query; what it has that is invalid is ignored, as instances do unless they are told otherwise."""
        rows = list(self._table(table))
        orders: list[tuple[str, bool]] = []
        for part in re.split(r"(?<!\^)\^(?!\^|OR(?!DERBY))", query):
            if order := re.fullmatch(r"ORDERBY(DESC)?(\w+)", part):
                orders.append((order[2], bool(order[1])))
            elif part:
                rows = [row for row in rows if any(self._holds(row, one) for one in part.split("^OR"))]
        for field, descending in reversed(orders):
            rows.sort(key=lambda row: row.get(field, ""), reverse=descending)
        if table == "incident" and "correlation_id" in query and "sys_updated_on" not in query:
            rows = [
                row for row in rows if self.server.visible(datetime.fromisoformat(row["sys_created_on"] + "+00:00"))
            ]
        return rows

    def _holds(self, row: dict[str, str], condition: str) -> bool:
        found = re.fullmatch(r"([a-z_]+)(ISNOTEMPTY|ISEMPTY|LIKE|>=|<=|IN|=)(.*)", condition, re.DOTALL)
        if found is None or found[1] not in row or (self.deaf and found[1] == "correlation_id"):
            return True
        stands, value = row[found[1]], found[3].replace("^^", "^")
        if value == "javascript:gs.getUserID()":
            value = sys_id("tocsin.integration")
        if value == "javascript:gs.getUserName()":
            value = "tocsin.integration"
        match found[2]:
            case "ISNOTEMPTY":
                return bool(stands)
            case "ISEMPTY":
                return not stands
            case "LIKE":
                return value.casefold() in stands.casefold()
            case ">=":
                return stands >= value
            case "<=":
                return stands <= value
            case "IN":
                return stands in value.split(",")
        return stands.casefold() == value.casefold()

    def _shown(self, table: str, row: dict[str, str], query: Mapping[str, str]) -> dict[str, Any]:
        wanted = [name for name in query.get("sysparm_fields", ",".join(row)).split(",") if name in row]
        how = query.get("sysparm_display_value", "false")
        both = {name: {"display_value": self._display(table, row, name), "value": row[name]} for name in wanted}
        if how == "all":
            return both
        return {name: one["display_value" if how == "true" else "value"] for name, one in both.items()}

    def _display(self, table: str, row: dict[str, str], name: str) -> str:
        value = row[name]
        if name in JOURNALS and table == "incident":
            return self._entries(row, name)
        if name.startswith("sys_") and name.endswith("_on"):
            return stamp(datetime.fromisoformat(value + "+00:00").astimezone(ZONE)) if value else ""
        if table != "incident":
            return value
        match name:
            case "state":
                return STATES[value][0] if value in STATES else value
            case "impact" | "urgency":
                return LEVELS.get(value, value)
            case "priority":
                return PRIORITIES.get(int(value) + 1, value)
        known = {
            one["sys_id"]: one["name"]
            for table in ("sys_user", "sys_user_group", "cmdb_ci")
            for one in self.tables[table]
        }
        return known.get(value, value)

    def _entries(self, row: dict[str, str], journal: str) -> str:
        """A journal as people see it: the newest first, each below when, who and which."""
        label = {"work_notes": "Work notes", "comments": "Additional comments"}[journal]
        names = {one["user_name"]: one["name"] for one in self.tables["sys_user"]}
        told = []
        for entry in reversed(self.journal):
            if (entry["element_id"], entry["element"]) == (row["sys_id"], journal):
                at = datetime.fromisoformat(entry["sys_created_on"]).replace(tzinfo=UTC).astimezone(ZONE)
                who = names.get(entry["sys_created_by"], entry["sys_created_by"])
                told.append(f"{stamp(at)} - {who} ({label})\n{entry['value']}\n\n")
        return "".join(told)


def _asking(request: web.Request, _: bytes) -> Does:
    table, query = request.match_info["table"], request.query.get("sysparm_query", "")
    if table == "sys_journal_field":
        return Does.READ
    if table != "incident" or query.startswith("ORDERBY"):
        return Does.CHECK
    if "sys_updated_on" in query:
        return Does.LIST
    return Does.SEARCH if "correlation_id" in query else Does.READ
