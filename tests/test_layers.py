"""The rooms of the house know each other in one direction only: down."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCE = Path(__file__).parents[1] / "daemon" / "tocsin"
MODULES = sorted(SOURCE.rglob("*.py"))

FLOORS = {
    "told": -1,
    "model": 0,
    "errors": 0,
    "titling": 1,
    "units": 1,
    "yaml12": 1,
    "wording": 1,
    "informing": 1,
    "events": 1,
    "flapping": 1,
    "marks": 1,
    "saying": 1,
    "standing": 1,
    "folding": 1,
    "priorities": 1,
    "heap": 0,
    "fate": 0,
    "undo": 1,
    "metrics": 1,
    "log": 1,
    "settings": 2,
    "lifecycle": 2,
    "unsent": 2,
    "breaker": 2,
    "overtaken": 2,
    "fleet": 2,
    "sources": 2,
    "hearing": 3,
    "live": 3,
    "store": 4,
    "rules": 4,
    "desk": 5,
    "workbench": 5,
    "backends": 6,
    "intake": 7,
    "outbox": 7,
    "watchdog": 7,
    "timers": 8,
    "seeing": 6,
    "following": 9,
    "agreement": 2,
    "names": 7,
    "mending": 7,
    "reconciling": 9,
    "reload": 8,
    "taking": 8,
    "silence": 9,
    "polling": 9,
    "web": 10,
    "sourcing": 11,
    "returning": 12,
    "ticketing": 11,
    "delivering": 11,
    "listening": 11,
    "offering": 11,
    "app": 13,
    "cli": 14,
    "__main__": 15,
}
"""Each room (a folder or a module) and its floor: a room may use those of lower floors, and no other."""

KNOWS = {
    "fleet": {"model", "errors", "titling", "yaml12"},
    "sources": {"model", "errors", "units"},
    "desk": {"model", "errors", "standing", "wording", "store"},
    "backends": {"model", "errors", "marks", "standing", "told", "units", "yaml12", "desk"},
}
"""Rooms that are easily added to, or taken elsewhere: they may use these only."""

READERS_OF_SETTINGS = {"app", "returning", "cli", "settings", "sourcing", "ticketing", "delivering", "offering"}
PURE = (
    "model",
    "units",
    "wording",
    "folding",
    "informing",
    "events",
    "flapping",
    "marks",
    "saying",
    "standing",
    "undo",
    "unsent",
    "breaker",
    "overtaken",
    "lifecycle",
    "live",
    "fleet.names",
    "rules.engine",
    "rules.routing",
    "workbench.comparing",
    "workbench.coverage",
    "workbench.junit",
    "workbench.nearest",
    "workbench.play",
    "workbench.sending",
    "workbench.testing",
    "workbench.ticketing",
    "workbench.world",
    "workbench.shadow",
    "hearing",
    "agreement",
    "polling.difference",
    "sources",
)
FORBIDDEN_TO_PURE = {"asyncio", "time", "logging", "structlog", "os", "socket", "aiohttp"}
BROAD = {"Exception", "BaseException"}
BROAD_ROOMS = {"backends": "broad", "timers": "broad", "taking": "broad", "store": "not swallowed"}
"""Where everything may be caught, once each, and the comment that says why; the store hands it to who asked."""
LONGEST_MODULE = 350
LONGER = {"model": 450}
"""A list of types is read like a dictionary."""
LONGEST_FUNCTION = 45


def dotted(file: Path) -> str:
    """The module's name below the package, such as `rules.engine`; `rules` for the folder's own."""
    parts = file.relative_to(SOURCE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__") or "tocsin"


def room(module: str) -> str:
    return module.partition(".")[0]


@cache
def tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def imports(file: Path) -> Iterator[tuple[str, int]]:
    """Everything a module imports, as full names with their line; also what it imports for type checking only."""
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}:{node.lineno}: imports are absolute"
            for alias in node.names:
                yield f"{node.module}.{alias.name}", node.lineno


def ours(file: Path) -> Iterator[tuple[str, int]]:
    """The rooms that a module imports."""
    for name, line in imports(file):
        package, _, inner = name.partition(".")
        if package == "tocsin" and room(inner) in ROOMS:
            yield room(inner), line


ROOMS = {room(dotted(file)) for file in MODULES} - {"tocsin"}


def may_use(user: str, used: str) -> bool:
    if used == "settings" and user not in READERS_OF_SETTINGS:
        return False
    return user == used or (FLOORS[used] < FLOORS[user] and used in KNOWS.get(user, FLOORS))


def test_every_room_has_a_floor() -> None:
    assert ROOMS - FLOORS.keys() == set()


@pytest.mark.parametrize("file", MODULES, ids=dotted)
def test_imports_point_down(file: Path) -> None:
    user = room(dotted(file))
    up = [
        f"{file.name}:{line} imports {used}" for used, line in ours(file) if user in ROOMS and not may_use(user, used)
    ]
    assert up == []


def test_only_the_desk_backend_knows_the_desk() -> None:
    users = {dotted(file) for file in MODULES for used, _ in ours(file) if used == "desk"}
    assert {user for user in users if room(user) == "backends"} <= {"backends.desk"}


@pytest.mark.parametrize(
    "file", [file for file in MODULES if any(f"{dotted(file)}.".startswith(f"{pure}.") for pure in PURE)], ids=dotted
)
def test_pure_rooms_have_no_clock_no_io_and_no_log(file: Path) -> None:
    impure = [f"{file.name}:{line} imports {name}" for name, line in imports(file) if room(name) in FORBIDDEN_TO_PURE]
    assert impure == []


def test_the_package_knows_no_room() -> None:
    assert list(ours(SOURCE / "__init__.py")) == []


def test_the_source_root_is_no_package() -> None:
    assert not (SOURCE.parent / "__init__.py").exists()


def swallowing(file: Path) -> Iterator[ast.ExceptHandler]:
    """The handlers that catch everything and do not raise it again."""
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.ExceptHandler):
            caught = (
                [] if node.type is None else [part.id for part in ast.walk(node.type) if isinstance(part, ast.Name)]
            )
            raised = isinstance(node.body[-1], ast.Raise) and node.body[-1].exc is None
            if (node.type is None or BROAD & set(caught)) and not raised:
                yield node


def test_everything_is_caught_in_marked_places_only() -> None:
    places: dict[str, int] = {}
    for file in MODULES:
        lines = file.read_text(encoding="utf-8").splitlines()
        for handler in swallowing(file):
            user = room(dotted(file))
            where = f"{file.relative_to(SOURCE)}:{handler.lineno}"
            assert user in BROAD_ROOMS, f"{where} catches everything"
            assert f"{BROAD_ROOMS[user]}: " in lines[handler.lineno - 1], (
                f"{where}: say why, after `{BROAD_ROOMS[user]}: `"
            )
            places[user] = places.get(user, 0) + 1
    assert all(count == 1 for count in places.values()), places


@pytest.mark.parametrize("file", MODULES, ids=dotted)
def test_a_module_fits_in_one_head(file: Path) -> None:
    assert len(file.read_text(encoding="utf-8").splitlines()) <= LONGER.get(dotted(file), LONGEST_MODULE)


@pytest.mark.parametrize("file", MODULES, ids=dotted)
def test_a_function_fits_on_one_screen(file: Path) -> None:
    functions = [node for node in ast.walk(tree(file)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    lengths = {node.name: (node.end_lineno or node.lineno) - node.lineno + 1 for node in functions}
    assert {name: length for name, length in lengths.items() if length > LONGEST_FUNCTION} == {}


@pytest.mark.parametrize("file", MODULES, ids=dotted)
def test_a_module_says_what_it_knows(file: Path) -> None:
    assert ast.get_docstring(tree(file))
