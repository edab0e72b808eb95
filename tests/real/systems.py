"""Real ticket systems as tests of kinds see them: what to configure, what stands in a ticket, and people who work on it.

What stands there is read through each system's own API by a person, never through tocsin.
"""

from __future__ import annotations

import base64
import contextlib
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from aiohttp import encode_basic_auth

from fakes.core import Truth
from programs import require
from real import redmine, rt, znuny
from real.once import PATH, once
from service import ROOT, session

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

SHIPPED = ROOT / "config" / "backends"
TOKEN = "made-up-hook-token"


async def ask(method: str, url: str, status: int = 200, **more: Any) -> Any:
    """The answer to one request, which must have this status."""
    async with session() as http, http.request(method, url, **more) as answer:
        told = await answer.read()
        assert answer.status == status, f"{method} {answer.url.path}: {answer.status} {told[:500]!r}"
        return await answer.json() if "json" in answer.content_type else told


class System(ABC):
    """One that runs."""

    KIND: ClassVar[str]
    OURS: ClassVar[dict[str, str]]
    """Its statuses in the words of the tests."""
    options: dict[str, Any]
    """Of its backend."""
    secrets: dict[str, str]
    """Option → what its file holds."""
    onlooker: dict[str, str]
    """The same of somebody who may see no ticket."""
    log: Path

    @abstractmethod
    async def truth(self, number: str) -> Truth:
        """A ticket as it stands."""

    @abstractmethod
    async def person(self, number: str, *, note: str = "", status: str = "") -> None:
        """Somebody writes a note, or sets a status, in the system's own word."""

    @abstractmethod
    async def hooked(self, url: str) -> None:
        """Let it call tocsin back, as we ship it, where it can."""


@dataclass
class RequestTracker(System):
    KIND = "rt"
    OURS: ClassVar = {
        "new": "declared", "open": "in_progress", "stalled": "waiting", "resolved": "closed", "rejected": "cancelled",
    }  # fmt: skip

    it: rt.RequestTracker

    def __post_init__(self) -> None:
        self.options = {"url": self.it.url, "queue": rt.QUEUE}
        self.secrets, self.log = {"token_file": self.it.token}, self.it.log
        self.onlooker = {"user": rt.ONLOOKER, "password_file": rt.PASSWORD}
        self._api = f"{self.it.url}/REST/2.0"
        self._login = {"Authorization": encode_basic_auth(rt.AGENT, rt.PASSWORD)}

    async def truth(self, number: str) -> Truth:
        ticket = await ask("GET", f"{self._api}/ticket/{number}", headers=self._login)
        fields = {one["name"]: one["values"][0] for one in ticket["CustomFields"] if one["values"]}
        query = {"fields": "ContentType,Filename,Content", "per_page": "100"}
        listed = await ask("GET", f"{self._api}/ticket/{number}/attachments", params=query, headers=self._login)
        parts = [one for one in listed["items"] if one["ContentType"].startswith("text/")]
        texts = [one["Content"] for one in parts if not one["Filename"]]
        files = {one["Filename"]: one["Content"].encode() for one in parts if one["Filename"]}
        return Truth(
            number=number, reference=fields.get(rt.FIELD, ""), status=self.OURS[ticket["Status"]], title=ticket["Subject"],
            text=texts[0], impact=ticket["Priority"], notes=texts[1:], files=files,
        )  # fmt: skip

    async def person(self, number: str, *, note: str = "", status: str = "") -> None:
        if note:
            body = {"Content": f"<p>{note}</p>", "ContentType": "text/html"}
            await ask("POST", f"{self._api}/ticket/{number}/comment", 201, json=body, headers=self._login)
        if status:
            await ask("PUT", f"{self._api}/ticket/{number}", json={"Status": status}, headers=self._login)

    async def merge(self, number: str, into: str) -> None:
        await ask("PUT", f"{self._api}/ticket/{number}", json={"MergeInto": int(into)}, headers=self._login)

    async def hooked(self, url: str) -> None:
        scrip = (SHIPPED / "rt" / "scrip.pl").read_text()
        ours = scrip.replace("https://tocsin.example.net/hooks/tickets/rt", url).replace(
            "Bearer made-up", f"Bearer {TOKEN}"
        )
        file, folder = self.log.with_name("scrip.pl"), self.log.parent
        file.write_text(ours)
        env = {"PATH": PATH, "RT_SITE_CONFIG": f"{folder}/RT_SiteConfig.pm", "RT_SITE_CONFIG_DIR": f"{folder}/conf.d"}
        setup = require("rt-setup-database-5", rt.PACKAGE)
        await once(setup, "--action", "insert", "--datafile", file, log=self.log, env=env)


@dataclass
class Redmine(System):
    KIND = "redmine"
    OURS: ClassVar = {
        "New": "declared", "In Progress": "in_progress", "Feedback": "waiting", "Resolved": "repaired", "Closed": "closed",
        "Rejected": "cancelled",
    }  # fmt: skip

    it: redmine.Redmine

    def __post_init__(self) -> None:
        self.options = {
            "url": self.it.url, "project": redmine.PROJECT, "tracker": redmine.TRACKER,
            "reference_field": self.it.reference_field,
        }  # fmt: skip
        self.secrets, self.log = {"key_file": self.it.keys["tocsin"]}, self.it.log
        self.onlooker = {"key_file": self.it.keys["onlooker"]}
        self._login = {"X-Redmine-API-Key": self.it.keys["agent"]}

    async def truth(self, number: str) -> Truth:
        query = {"include": "journals,attachments"}
        issue = (await ask("GET", f"{self.it.url}/issues/{number}.json", params=query, headers=self._login))["issue"]
        fields = {one["id"]: one["value"] or "" for one in issue["custom_fields"]}
        files = {
            one["filename"]: await ask("GET", one["content_url"], headers=self._login) for one in issue["attachments"]
        }
        return Truth(
            number=number, reference=fields[self.it.reference_field], status=self.OURS[issue["status"]["name"]],
            title=issue["subject"], text=issue["description"], impact=issue["priority"]["name"],
            notes=[one["notes"] for one in issue["journals"] if one["notes"]], files=files,
        )  # fmt: skip

    async def person(self, number: str, *, note: str = "", status: str = "") -> None:
        changed = {**({"notes": note} if note else {}), **({"status_id": self.it.statuses[status]} if status else {})}
        await ask("PUT", f"{self.it.url}/issues/{number}.json", 204, json={"issue": changed}, headers=self._login)

    async def hooked(self, url: str) -> None:
        """This release has no webhooks."""


@dataclass
class Znuny(System):
    KIND = "znuny"
    OURS: ClassVar = {
        "new": "declared", "open": "in_progress", "pending reminder": "waiting", "pending auto close+": "repaired",
        "closed successful": "closed", "closed unsuccessful": "cancelled",
    }  # fmt: skip

    it: znuny.Znuny

    def __post_init__(self) -> None:
        self.options = {
            "url": self.it.url.partition("/nph-genericinterface.pl")[0], "user": znuny.USER, "queue": znuny.QUEUE,
            "customer": znuny.CUSTOMER, "zone": self.it.zone,
        }  # fmt: skip
        self.secrets, self.log = {"password_file": znuny.PASSWORD}, self.it.log
        self.onlooker = {"user": znuny.ONLOOKER, "password_file": znuny.PASSWORD}
        self._login = {"UserLogin": znuny.AGENT, "Password": znuny.PASSWORD}

    async def truth(self, number: str) -> Truth:
        key = await self._key(number)
        whole = {**self._login, "TicketID": key, "DynamicFields": 1, "AllArticles": 1, "Attachments": 1}
        (ticket,) = (await ask("POST", f"{self.it.url}/Ticket/Get", json=whole))["Ticket"]
        fields = {one["Name"]: one["Value"] or "" for one in ticket["DynamicField"]}
        articles = ticket["Article"]
        attached = [file for one in articles for file in one.get("Attachment", ())]
        return Truth(
            number=number, reference=fields[znuny.FIELD], status=self.OURS[ticket["State"]], title=ticket["Title"],
            text=articles[0]["Body"], impact=ticket["Priority"], notes=[one["Body"] for one in articles[1:]],
            files={file["Filename"]: base64.b64decode(file["Content"]) for file in attached},
        )  # fmt: skip

    async def person(self, number: str, *, note: str = "", status: str = "") -> None:
        article = {"Subject": "note", "Body": note, "ContentType": "text/plain; charset=utf8"}
        changed = {**({"Article": article} if note else {}), **({"Ticket": {"State": status}} if status else {})}
        told = await ask("PATCH", f"{self.it.url}/Ticket/{await self._key(number)}", json={**self._login, **changed})
        assert "Error" not in told, told

    async def _key(self, number: str) -> str:
        found = await ask("POST", f"{self.it.url}/Ticket/Search", json={**self._login, "TicketNumber": number})
        (key,) = found["TicketID"]
        return str(key)

    async def hooked(self, url: str) -> None:
        host, _, path = url.partition("/hooks/")
        shipped = (SHIPPED / "znuny" / "webhook.yaml").read_text()
        ours = shipped.replace("https://tocsin.example.net", host).replace("/hooks/tickets/znuny", f"/hooks/{path}")
        # sent while the person waits: its daemon does not run here
        ours = ours.replace("Bearer made-up", f"Bearer {TOKEN}").replace("Asynchronous: '1'", "Asynchronous: '0'")
        await self.add("hook", ours)

    async def add(self, name: str, webservice: str) -> None:
        """One more web service."""
        file, home = self.log.with_name(f"{name}.yaml"), self.log.parent / "home"
        file.write_text(webservice)
        argv = ("Admin::WebService::Add", "--name", name, "--source-path", file, "--allow-root")
        await once("perl", home / "bin" / "otrs.Console.pl", *argv, log=self.log, env={"PATH": PATH})


@contextlib.asynccontextmanager
async def system(kind: str, folder: Path) -> AsyncIterator[System]:
    """One of this kind, which keeps everything in this folder."""
    match kind:
        case "rt":
            async with rt.requesttracker(folder) as tracker:
                yield RequestTracker(tracker)
        case "redmine":
            async with redmine.redmine(folder) as it:
                yield Redmine(it)
        case "znuny":
            async with znuny.znuny(folder, SHIPPED / "znuny" / "webservice.yaml") as one:
                yield Znuny(one)
