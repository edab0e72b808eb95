"""The part of backends/README.md that the kinds say themselves: what each can do, and a section for each."""

from __future__ import annotations

import inspect
import re
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic_core import PydanticUndefined

from tocsin.backends import kinds
from tocsin.backends._can import Can
from tocsin.units import duration_text

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

    from tocsin.backends import Kind

README = Path(import_module("tocsin.backends").__file__ or "").parent / "README.md"
BEGIN, END = (
    "<!-- what the kinds say of themselves: `make goldens` writes it -->\n",
    "<!-- end of what the kinds say -->\n",
)


def written() -> str:
    """The part as it is in the manual."""
    return README.read_text("utf-8").partition(BEGIN)[2].partition(END)[0]


def write() -> None:
    before, _, rest = README.read_text("utf-8").partition(BEGIN)
    README.write_text(before + BEGIN + made() + END + rest.partition(END)[2], "utf-8")


def made() -> str:
    """The part as the kinds say it."""
    remote = [kind for kind in kinds().values() if not kind.embedded]
    return f"\n{_proofs()}\n\n{_abilities(remote)}\n\n" + "\n".join(_section(kind) for kind in remote)


def _proofs() -> str:
    rows = [f"| `{kind.name}` | {kind.title} | {kind.status} |" for kind in kinds().values()]
    return "\n".join(["| kind | what it is | proven against |", "| --- | --- | --- |", *rows])


def _abilities(remote: list[Kind]) -> str:
    """A row for each thing that a system may be able to do, with the kinds that cannot."""
    rows = []
    for can in Can:
        without = [f"`{kind.name}`" for kind in remote if can in kind.lacks]
        rows.append(f"| `{can}` | {can.told} | {', '.join(without) or 'none'} |")
    return "\n".join(["| | every kind: | but not |", "| --- | --- | --- |", *rows])


def _section(kind: Kind) -> str:
    module = import_module(f"tocsin.backends.{kind.name}")
    said = [part for part in inspect.cleandoc(module.__doc__ or "").split("\n\n")[1:] if not part.startswith("STATUS")]
    lines = [f"## {kind.name}", "", f"{kind.title}.", ""]
    lines += [line for part in said for line in (part, "")]
    lines += [f"- cannot `{can}`: {why}" for can, why in kind.lacks.items()]
    lines += [""] if kind.lacks else []
    lines += ["| option | default | meaning |", "| --- | --- | --- |"]
    lines += [_row(name, field) for name, field in (kind.options.model_fields.items() if kind.options else ())]
    return "\n".join(lines) + "\n"


def _row(name: str, field: FieldInfo) -> str:
    meaning = re.sub(r"\s+", " ", field.description or "").replace("|", "\\|")
    return f"| `{name}` | {_default(field)} | {meaning} |"


def _default(field: FieldInfo) -> str:
    default: Any = field.get_default(call_default_factory=True, validated_data={})
    if default is PydanticUndefined:
        return "required"
    if default is None or default in ("", {}, ()):
        return "none"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    return f"`{duration_text(default) if isinstance(default, timedelta) else default}`"
