"""The payloads of rule tests: messages as platforms send them, read by the sources' own parsers.

Knows the kinds of sources and the files of a rule set; what comes of the alerts is the business of the tests.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pydantic import ValidationError

from tocsin import sources
from tocsin.errors import PayloadError
from tocsin.model import Payload, Unreadable
from tocsin.yaml12 import nearest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from pydantic import BaseModel

    from tocsin.model import Alert
    from tocsin.rules.examples import Stored
    from tocsin.yaml12 import Path

FOLDER = "payloads/"
"""Where files of payloads are, below the rules' folder."""

_FORM, _JSON = "application/x-www-form-urlencoded", "application/json"


class UnfitError(ValueError):
    """A payload cannot be used; `path` leads to what is wrong, `hint` helps."""

    def __init__(self, sentence: str, *path: str | int, hint: str = "") -> None:
        super().__init__(sentence)
        self.path: Path = path
        self.hint = hint


def alerts(stored: Stored, files: Mapping[str, str], now: datetime) -> list[Alert]:
    """Return the alerts that a payload says when it arrives at `now`.

    Args:
        stored: what the rule file says of it.
        files: name → text of the rule set's files.
        now: when it arrives.

    Raises:
        UnfitError: there is no such kind, option or file, or its parser cannot read all of it.
    """
    kind = _kind(stored.kind)
    options = _options(kind, stored)
    where = "file" if stored.file is not None else "body"
    media_type = stored.content_type or (_FORM if (stored.file or "").endswith(".form") else _JSON)
    if media_type not in kind.media_types:
        read = " or ".join(sorted(kind.media_types))
        raise UnfitError(f"{kind.name} reads {read}, and this is {media_type}", "content_type")
    message = Payload(body=_body(stored, files), content_type=media_type, source=stored.source or kind.name)
    try:
        entries = kind.parse(message, options, now)
    except PayloadError as error:
        raise UnfitError(f"{kind.name} cannot read this payload: {error}", where) from None
    return _whole(entries, kind.name, where)


def _whole(entries: list[Alert | Unreadable], kind: str, where: str) -> list[Alert]:
    found: list[Alert] = []
    for entry in entries:
        if isinstance(entry, Unreadable):
            raise UnfitError(f"{kind} cannot read entry {entry.position} of this payload: {entry.problem}", where)
        found.append(entry)
    if not found:
        raise UnfitError(f"this payload says nothing that {kind} calls an alert", where)
    return found


def _kind(name: str) -> sources.Kind:
    kinds = sources.kinds()
    if name not in kinds:
        hint = nearest(name, kinds) or f"there are {', '.join(kinds)}"
        raise UnfitError(f'"{name}" is no kind of source', "kind", hint=hint)
    return kinds[name]


def _options(kind: sources.Kind, stored: Stored) -> BaseModel:
    try:
        return kind.options.model_validate(stored.options)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        hint = f"{kind.name} has {', '.join(kind.options.model_fields)}"
        raise UnfitError(f"option of {kind.name}: {first['msg']}", "options", *first["loc"][:1], hint=hint) from None


def _body(stored: Stored, files: Mapping[str, str]) -> bytes:
    if stored.file is None:
        said = stored.body if isinstance(stored.body, str) else json.dumps(stored.body, ensure_ascii=False)
        return said.encode("utf-8", "surrogatepass")
    known = [name for name in files if name.startswith(FOLDER)]
    if stored.file not in known:
        hint = nearest(stored.file, known) or (f"there are {', '.join(sorted(known)[:9])}" if known else "")
        raise UnfitError(f'there is no file "{stored.file}" below the rules\' folder', "file", hint=hint)
    return files[stored.file].encode("utf-8", "surrogatepass")
