"""Labels out of what a message says: any JSON object becomes names and texts, for the rules to look at.

`_identity.tidy` keeps the limits of labels that a platform calls so; here, where everything a message holds may become
one, what is too much is left out, and the alert is taken all the same.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from tocsin.sources import _identity, _read, _secret

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

MAX_DEEP = 6
"""How many objects deep a label may come from."""

_NESTED = frozenset({dict, list})


def flat(value: Mapping[str, Any], *, skip: Iterable[str] = ()) -> dict[str, str]:
    """The scalars of an object under their own names; of an object inside, under both names joined by `_`.

    A list of scalars is one label, its values joined by `, `; other lists are left out, and so are empty values. How long
    and how many they are is not looked at here, but by `fit`, which `_build.alert` asks.

    Args:
        value: the object.
        skip: names at the top that are no labels: long texts, what is told elsewhere, secrets.
    """
    found: dict[str, str] = {}
    left_out = frozenset(skip)
    kept = {name: inner for name, inner in value.items() if name not in left_out} if left_out else value
    _fill(found, kept, "", MAX_DEEP)
    return found


def fit(labels: Mapping[str, str]) -> dict[str, str]:
    """The labels within the limits: long values cut, empty ones, names too long, secrets and what is too many left out.

    Of more than `_identity.MAX_LABELS` those first in alphabetical order stay.
    """
    if len(labels) <= _identity.MAX_LABELS and _are_small(labels):
        return public(labels)
    kept = {
        name: _identity.cut(value, _identity.MAX_LABEL)
        for name, value in labels.items()
        if name and value and len(name) <= _identity.MAX_LABEL
    }
    if len(kept) <= _identity.MAX_LABELS:
        return public(kept)
    names = (name for name in sorted(kept) if not _secret.is_secret(name))
    return public({name: kept[name] for name in islice(names, _identity.MAX_LABELS)})


def public(labels: Mapping[str, str]) -> dict[str, str]:
    """The labels without secrets, and without what is secret in addresses."""
    return {
        name: _secret.public(value) if "://" in value else value
        for name, value in labels.items()
        if not _secret.is_secret(name)
    }


def _are_small(labels: Mapping[str, str]) -> bool:
    """Whether each says something, and none is too long: the usual case, told fast."""
    values = labels.values()
    return bool(labels) and "" not in labels and "" not in values and _are_short(labels) and _are_short(values)


def _are_short(texts: Collection[str]) -> bool:
    return len("".join(texts)) <= _identity.MAX_LABEL or max(map(len, texts)) <= _identity.MAX_LABEL


def tags(values: Iterable[Any], separator: str = ":") -> dict[str, str]:
    """Tags such as `team:web` as labels; a tag without a value is `true`, one given twice has both joined by `, `."""
    found: dict[str, str] = {}
    for value in values:
        name, _, rest = str(value).strip().partition(separator) if isinstance(value, str) else ("", "", "")
        if name := name.strip():
            told, known = rest.strip() or "true", found.get(name)
            if known is None:
                found[name] = told
            elif len(known) <= _identity.MAX_LABEL:  # nobody will see more of it
                found[name] = f"{known}, {told}"
    return found


def named(values: Iterable[Any], name: str = "name", value: str = "value") -> dict[str, str]:
    """A list of objects that each hold a name and a value, as labels; anything else in it is left out."""
    found: dict[str, str] = {}
    for pair in values:
        if isinstance(pair, dict) and isinstance(pair.get(name), str) and not isinstance(pair.get(value), (dict, list)):
            found[pair[name]] = _read.text(pair.get(value))
    return found


def _fill(found: dict[str, str], value: Mapping[str, Any], prefix: str, deep: int) -> None:
    """Put the labels of an object in, `deep` objects deep at most."""
    for name, inner in value.items():
        kind = type(inner)
        if kind is str:
            if inner:
                found[prefix + name] = inner
        elif kind is dict:
            if deep > 1:
                _fill(found, inner, f"{prefix}{name}_", deep - 1)
        elif kind is list:
            if inner and _NESTED.isdisjoint(map(type, inner)):
                found[prefix + name] = ", ".join(filter(None, map(_read.text, inner)))
        elif inner is not None:
            found[prefix + name] = _read.text(inner)
