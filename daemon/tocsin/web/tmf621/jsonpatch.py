"""A JSON Patch (RFC 6902) as the merge patch that comes to the same.

`add`, `replace`, `remove` and `test`; `move` and `copy` are not supported: nothing of a ticket is moved, and copies of
copies grow without limit. Notes and files can only be added. Pure.
"""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

import msgspec

from tocsin.web.tmf621.answers import Code, Refused, wrong
from tocsin.web.tmf621.parts import JsonPatch

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST = 100
"""Operations of one patch."""
_GROWING = ("note", "attachment")


def checked(sent: Any) -> list[JsonPatch]:
    """The operations. Raises Refused (400)."""
    try:
        operations = msgspec.convert(sent, list[JsonPatch])
    except msgspec.ValidationError as error:
        raise wrong(str(error)) from None
    if len(operations) > MOST:
        raise wrong(f"there are more than {MOST} operations: send several patches")
    return operations


def merge_patch(operations: list[JsonPatch], shown: Mapping[str, Any]) -> dict[str, Any]:
    """What the operations change of a document, as a merge patch.

    Raises:
        Refused: 400 an operation cannot be done; 409 a `test` failed.
    """
    document: dict[str, Any] = deepcopy(dict(shown))
    for position, operation in enumerate(operations):
        try:
            _apply(document, operation)
        except (LookupError, TypeError, ValueError) as error:
            raise wrong(f"[{position}]: {operation.op} {operation.path[:200]!r}: {error}") from None
    changed = [name for name in document if document[name] != shown.get(name)]
    gone = {name: None for name in shown if name not in document}
    return {name: document[name] for name in changed} | gone


def _apply(document: dict[str, Any], operation: JsonPatch) -> None:
    steps = _steps(operation.path)
    if steps[0] in _GROWING and (operation.op in ("remove", "replace") or (operation.op == "add" and len(steps) != 2)):  # noqa: PLR2004
        raise ValueError(f"what is in {steps[0]} stays as it is; add to /{steps[0]}/-")
    if operation.op in ("add", "replace", "test") and operation.value is msgspec.UNSET:
        raise ValueError("there is no value")
    if operation.op == "add" and steps[0] not in document and steps[1:] == ["-"]:
        document[steps[0]] = []
    holder = _holder(document, steps)
    if operation.op == "test":
        _test(_at(holder, steps[-1]), operation)
    elif operation.op == "remove":
        _at(holder, steps[-1])
        del holder[_index(holder, steps[-1])]
    else:
        _put(holder, steps[-1], operation)


def _steps(path: str) -> list[str]:
    if not path.startswith("/"):
        raise ValueError("the path of an attribute begins with /")
    return [step.replace("~1", "/").replace("~0", "~") for step in path[1:].split("/")]


def _holder(document: Any, steps: list[str]) -> Any:
    for step in steps[:-1]:
        document = _at(document, step)
    return document


def _at(holder: Any, step: str) -> Any:
    if not isinstance(holder, list | dict):
        raise TypeError("there is nothing within")
    try:
        return holder[_index(holder, step)]
    except LookupError:
        raise LookupError("there is no such thing") from None


def _index(holder: Any, step: str) -> Any:
    if isinstance(holder, dict):
        return step
    if not step.isascii() or not step.isdigit():
        raise ValueError(f"{step[:50]!r} is no position in a list")
    return int(step)


def _put(holder: Any, step: str, operation: JsonPatch) -> None:
    if operation.op == "replace":
        _at(holder, step)
        holder[_index(holder, step)] = operation.value
    elif isinstance(holder, dict):
        holder[step] = operation.value
    elif isinstance(holder, list):
        at = len(holder) if step == "-" else _index(holder, step)
        if at > len(holder):
            raise ValueError("the position is beyond the end of the list")
        holder.insert(at, operation.value)
    else:
        raise TypeError("there is nothing within")


def _test(there: Any, operation: JsonPatch) -> None:
    if there != operation.value:
        raise Refused(409, Code.BAD_STATE, f"test {operation.path[:200]!r}: the value there is another one")
