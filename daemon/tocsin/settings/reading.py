"""From a file and variables to settings: every problem is collected, and told with its place.

Knows where values come from (the YAML file, under it the defaults, over it `TOCSIN_…` variables) and where paths start;
what the settings are is `tree`. Reads no secret.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_settings import EnvSettingsSource
from pydantic_settings import SettingsError as VariableError

from tocsin import yaml12
from tocsin.errors import RuleError, SettingsError
from tocsin.settings import known
from tocsin.settings.secrets import find_secret, read_secret
from tocsin.settings.tree import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pydantic_core import ErrorDetails

DEFAULT = Path("config/tocsin.yaml")
"""The settings file when neither the command line nor TOCSIN_CONFIG names one."""

_PREFIX, _DELIMITER, _FILE = "TOCSIN_", "__", "TOCSIN_CONFIG"
_INLINE = re.compile(r"(?:.*[_-])?(?:token|password|secret)", re.IGNORECASE)
_OUR_WORDS = {
    "path_type": "must be a path",
    "string_pattern_mismatch": "a name is made of a-z, 0-9 and -",
    "model_type": "must be a mapping of keys and values",
    "dict_type": "must be a mapping of keys and values",
}
_Part = TypeVar("_Part", bound=BaseModel)
_Path = tuple[str | int, ...]


def load(path: Path | None, environ: Mapping[str, str]) -> Settings:
    """Read the settings.

    Args:
        path: the settings file; None for the one TOCSIN_CONFIG names, or config/tocsin.yaml.
        environ: the environment: `TOCSIN_LISTEN__PORT` is `listen.port`, and counts before the file.

    Returns:
        The settings, with paths made absolute: relative ones start at the settings file's folder, secrets at the
        credentials' folder first.

    Raises:
        SettingsError: every problem, one a line, each with what to do about it.
    """
    file = _file(path, environ)
    data, positions = _read(file)
    settings = _Check(data, positions, environ).settings()
    folder, credentials = file.absolute().parent, _credentials(environ)

    def place(name: str, path: Path) -> Path:
        found = find_secret(path, folder, credentials) if name.endswith("_file") else folder / path
        return Path(os.path.normpath(found))

    return _placed(settings, place)


def secret_reader(path: Path | None, environ: Mapping[str, str]) -> Callable[[str], bytes]:
    """Return what reads the secret that an option names, from where `load` with the same arguments looks for secrets."""
    folder, credentials = _file(path, environ).absolute().parent, _credentials(environ)
    return lambda name: read_secret(find_secret(Path(name), folder, credentials))


def _file(path: Path | None, environ: Mapping[str, str]) -> Path:
    return path or Path(environ.get(_FILE) or DEFAULT)


def _credentials(environ: Mapping[str, str]) -> Path | None:
    return Path(environ["CREDENTIALS_DIRECTORY"]) if environ.get("CREDENTIALS_DIRECTORY") else None


def _read(file: Path) -> tuple[dict[str, Any], yaml12.Positions]:
    try:
        data, positions = yaml12.read(file.read_bytes(), str(file))
    except OSError as error:
        sentence = f"{file}: the settings cannot be read: {error.strerror}; give --config FILE or set {_FILE}"
        raise SettingsError(sentence) from None
    except RuleError as error:
        raise SettingsError(str(error)) from None
    data = {} if data is None else data
    if not isinstance(data, dict):
        raise SettingsError(str(positions.problem("settings are a mapping of keys and values", ())))
    return data, positions


class _Variables(EnvSettingsSource):
    """The variables of the environment that is handed over, not of the process."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        super().__init__(Settings)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return {name.lower(): value for name, value in self._environ.items()}


class _Check:
    """One reading of the settings, with the problems found so far."""

    def __init__(self, data: dict[str, Any], positions: yaml12.Positions, environ: Mapping[str, str]) -> None:
        self._data = data
        self._positions = positions
        self._variables = {
            tuple(name.removeprefix(_PREFIX).lower().split(_DELIMITER)): name
            for name, value in environ.items()
            if name.startswith(_PREFIX) and name != _FILE and value
        }
        self._environ = {name: environ[name] for name in self._variables.values()}
        self._problems: dict[_Path, str] = {}

    def settings(self) -> Settings:
        """The settings, or SettingsError with all problems."""
        self._check_variables()
        self._check_secrets(self._data, ())
        if settings := self._validated():
            self._check_names(settings)
        if self._problems or settings is None:
            raise SettingsError("\n".join(self._problems.values()))
        return settings

    def _check_variables(self) -> None:
        for path, name in self._variables.items():
            if _is_inline_secret(path):
                sentence = f"{name} holds a secret: put it in a file, and set {name}_FILE to its path"
            elif (nearest := _nearest_variable(path)) is not None:
                sentence = f"{name} is no setting{nearest}: unset it"
            else:
                continue
            self._problems[path] = sentence
            del self._environ[name]

    def _check_secrets(self, value: Any, path: _Path) -> None:
        """Keys that hold a secret in plain text, anywhere in the file."""
        for step, inner in _items(value):
            here = (*path, step)
            if _is_inline_secret(here) and not isinstance(inner, dict):
                sentence = f"{_dotted(here)} holds a secret: put it in a file, and write {step}_file: PATH"
                self._add(here, sentence)
            self._check_secrets(inner, here)

    def _validated(self) -> Settings | None:
        try:
            merged = _merged(self._data, _Variables(self._environ)())
            strange = [key for key in merged if key not in Settings.model_fields]
            for key in strange:
                self._add((key,), self._unknown((key,)))
                del merged[key]
            return Settings(**merged)
        except ValidationError as error:
            for problem in error.errors(include_url=False, include_input=False):
                path = tuple(step for step in problem["loc"] if step != "[key]")
                self._add(path, self._sentence(path, problem))
        except VariableError as error:
            said = str(error).partition(" from source")[0]
            self._problems[()] = f"a {_PREFIX}… variable is not valid JSON: {said}"
        return None

    def _check_names(self, settings: Settings) -> None:
        """Backends that sources, routes and the default name."""
        named: dict[_Path, str] = {("sources", name, "backend"): of.backend for name, of in settings.sources.items()}
        named[("default_backend",)] = settings.default_backend
        for number, route in enumerate(settings.routing):
            named[("routing", number, "backend")] = route.backend or ""
            named |= {("routing", number, "inform", at): name for at, name in enumerate(route.inform)}
        for path, backend in named.items():
            if backend and backend not in settings.backends:
                hint = (
                    yaml12.nearest(backend, settings.backends) or f"there are {', '.join(settings.backends) or 'none'}"
                )
                self._add(path, f'{_dotted(path)} names the backend "{backend}", which is not in backends ({hint})')

    def _sentence(self, path: _Path, problem: ErrorDetails) -> str:
        if problem["type"] == "extra_forbidden":
            return self._unknown(path)
        if problem["type"] == "missing":
            return f"{_dotted(path)} is missing: add it"
        said = problem["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
        return f"{_dotted(path)}: {_OUR_WORDS.get(problem['type']) or said}"

    def _unknown(self, path: _Path) -> str:
        among = known.names(path[:-1])
        hint = yaml12.nearest(str(path[-1]), among) or (f"there are {', '.join(among)}" if among else "")
        return f"{_dotted(path)} is no setting{f' ({hint})' if hint else ''}"

    def _variable(self, path: _Path) -> str:
        """The variable that a value comes from: it holds the value or all around it, or only it has anything there."""
        for at, name in self._variables.items():
            if at == path[: len(at)] or (at[: len(path)] == path and not _holds(self._data, path)):
                return name
        return ""

    def _add(self, path: _Path, sentence: str) -> None:
        """One problem, with the variable or the line it comes from; the first about a path, or its secret, is enough."""
        if (*path[:-1], str(path[-1]).removesuffix("_file")) in self._problems:
            return
        variable = self._variable(path)
        at_key = sentence.startswith(f"{_dotted(path)} is no setting")
        place = variable or str(self._positions.problem("", path, key=at_key)).removesuffix(": ")
        self._problems[path] = f"{place}: {sentence}"


def _holds(data: Any, path: _Path) -> bool:
    """Whether the file has a value at a path."""
    for step in path:
        if not isinstance(data, dict) or step not in data:
            return False
        data = data[step]
    return True


def _nearest_variable(path: _Path) -> str | None:
    """None when a variable is a setting; else a question with the variable that is nearest, or nothing."""
    for depth, step in enumerate(path):
        if known.part(path[: depth + 1]) is None:
            near = yaml12.closest(str(step), known.names(path[:depth]))
            name = _PREFIX + _DELIMITER.join(map(str, (*path[:depth], near, *path[depth + 1 :]))).upper()
            return f" (did you mean {name}?)" if near else ""
    return None


def _items(value: Any) -> Iterator[tuple[str | int, Any]]:
    if isinstance(value, dict):
        yield from value.items()
    elif isinstance(value, list):
        yield from enumerate(value)


def _is_inline_secret(path: _Path) -> bool:
    """Whether the last key would hold a secret; names that people give sources and backends do not count."""
    given_by_people = len(path) == 2 and path[0] in ("sources", "backends")  # noqa: PLR2004 - the section and the name
    return not given_by_people and isinstance(path[-1], str) and _INLINE.fullmatch(path[-1]) is not None


def _merged(under: Any, over: Any) -> Any:
    """Both mappings in one; what is over counts."""
    if not isinstance(under, dict) or not isinstance(over, dict):
        return over
    return {**under, **{key: _merged(under.get(key), value) for key, value in over.items()}}


def _dotted(path: _Path) -> str:
    return ".".join(str(step) for step in path)


def _placed(part: _Part, place: Callable[[str, Path], Path]) -> _Part:
    """The same part, with every path put where it starts."""

    def put(name: str, value: Any) -> Any:
        if isinstance(value, Path):
            return place(name, value)
        if isinstance(value, BaseModel):
            return _placed(value, place)
        if isinstance(value, dict):
            return {
                key: _placed(inner, place) if isinstance(inner, BaseModel) else inner for key, inner in value.items()
            }
        return value

    return part.model_copy(update={name: put(name, value) for name, value in part})
