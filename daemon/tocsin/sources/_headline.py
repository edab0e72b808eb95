"""What a line that was written for people says about a problem: its state, and the words that stay while it lasts.

Chats have no fields for that. Firing and resolved messages of one tool mostly differ in words of state (`[FIRING:2]`,
`is DOWN`, `recovered`), in figures and in reasons: without these, they are the same.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from tocsin.sources._remembered import remembered

if TYPE_CHECKING:
    from collections.abc import Iterable


def _words_of(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _either(words: Iterable[str]) -> str:
    r"""A regular expression for any of the words, letter by letter: trying one word after the other takes far longer.

    Which of two words that begin alike is tried first is not said: a `\b` must follow.
    """
    rests: dict[str, list[str]] = {}
    for word in sorted(words):
        rests.setdefault(word[:1], []).append(word[1:])
    told = (re.escape(first) + (rest[0] if len(rest) == 1 else _either(rest)) for first, rest in rests.items())
    return f"(?:{'|'.join(told)})"


MAX_LINE = 400
"""So much of a line is looked at."""

_SEVERE = {
    word: severity
    for severity, words in {
        "critical": "critical crit fatal emergency disaster down offline outage",
        "major": "major error errored failed failing failure unhealthy unreachable unavailable degraded",
        "minor": "minor",
        "warning": "warning warn unknown attention unstable",
    }.items()
    for word in words.split()
}
"""Words of a problem that say how bad it is."""

_FIRING = frozenset(_SEVERE) | _words_of(
    "firing alerting triggered problem alarm alert breached pending nodata started opened open active unresolved"
)
_OVER = _words_of(
    "resolved recovered recovery ok okay up cleared clear closed normal healthy online available reachable "
    "restored fixed operational solved ended passing success succeeded successful"
)
_PAST = _words_of("resolved recovered cleared restored solved succeeded")
"""Words that end a problem wherever they stand; others of `_OVER` may be part of its name: `low available memory`."""

_QUIET = _words_of(
    "acknowledged acknowledgement acknowledgment ack muted silenced paused flappingstart flappingstop "
    "flappingend flappingdisabled downtimestart downtimeend downtimecancelled downtimeremoved"
)
"""Words of what people or a platform do about a problem: no alert."""

_PLAIN = _words_of("firing alerting triggered problem resolved recovered recovery cleared") | _QUIET
"""Words that say a state at the beginning of a line however they are written; others must be upper case, or have `:` or
`-` behind them."""

_LASTING = _words_of("down offline outage unreachable unavailable up online available reachable failing passing")
"""States of a thing that works or does not: what stands behind them is the reason, not another problem."""

_FILLER = _words_of(
    "a an the is are was were has have had been be being now currently again back just still went gone came "
    "become becomes became turned changed returned state status on at in for from to of and by your alert "
    "alerts alarm notification new due after incident since until because"
)
"""Words that tell no problem from another."""

_KINDS = _words_of("host service device monitor check server site website endpoint url node instance")
"""Words before the name of a thing; alone they name none."""

_NUMBERED = _words_of(
    "port interface slot unit disk vlan channel shard partition pool fan psu core cpu node room rack phase line"
)
"""Words that a number belongs to: `port 3` is another one than `port 4`."""

_UNITS = _words_of(
    "% ms sec secs second seconds min mins minute minutes hr hrs hour hours day days kb mb gb tb kib mib gib "
    "tib bytes rps qps times time(s"
)
_EVER = _PAST | _words_of("failed triggered firing alerting started opened")
"""Words of state that are no part of a problem's name wherever they stand."""

_SIGNS = {
    "firing": (
        *("🔴", "🔥", "🚨", "❌", "⚠", "🟠", "🟡", "❗", "‼", "🆘", "💥", "💔", "⛔", "🛑", ":red_circle:", ":fire:"),
        *(":rotating_light:", ":x:", ":warning:", ":exclamation:", ":bangbang:", ":sos:", ":boom:", ":no_entry:"),
        *(":large_orange_circle:", ":large_yellow_circle:", ":broken_heart:", ":heavy_exclamation_mark:"),
    ),
    "over": (
        *("✅", "🟢", "💚", "✔", "👍", "☑", ":white_check_mark:", ":heavy_check_mark:", ":large_green_circle:"),
        *(":green_heart:", ":ok:", ":+1:", ":tada:", ":green_circle:"),
    ),
}
_STATE_OF_SIGN = {sign.rstrip("\ufe0f"): state for state, signs in _SIGNS.items() for sign in signs}
_SIGN = re.compile("|".join(map(re.escape, sorted(_STATE_OF_SIGN, key=len, reverse=True))))

_STATE = dict.fromkeys(_FIRING, "firing") | dict.fromkeys(_OVER, "over") | dict.fromkeys(_QUIET, "quiet")
_STATES = _either(_STATE)
_QUIET_LINE = re.compile(rf"[\W_]*(?i:{_either(_QUIET)}\b(?=\s*[\]):|!-]|\s+by\b|\s*$)(?!\W+(?:no|none|false|0)\b))")
_QUIET_NAME = re.compile(r"\b(?:ACKNOWLEDGE?MENT|FLAPPING[A-Z]+|DOWNTIME[A-Z]+)\b")
_COPULA = _words_of(
    "is are was were went gone came has have been becomes became turned changed returned now currently state "
    "status need needs"
)
_MORE = _COPULA | _words_of("to back again just not no longer")
_LINKS = re.compile(r"<(?:[!@#][^<>]*|(?:https?|mailto):[^<>|]*\|([^<>]*)|((?:https?|mailto):[^<>|]*))>")
_MARKDOWN = re.compile(r"\[([^\[\]]*)\]\(https?://[^()\s]*\)")
_EMOJI = re.compile(r":[a-z0-9_+-]{1,40}:|[\U0001F000-\U0001FAFF\u2600-\u27BF\u203C\u2049\uFE0F\u200D]")
_LEADING = re.compile(
    rf"[\W_]*(?:(?P<bracket>[\[(]\s*(?:{_STATES}|no data)\b[^\[\]()]*[\])])|(?P<word>{_STATES})\b)"
    r"(?P<mark>\s*[:|!\]>)-]|\s+[-\u2013\u2014|]|)",
    re.IGNORECASE,
)
_LATER = re.compile(
    rf"[\[(][^\w\[\]()]*+(?P<bracket>{_STATES})\b[^\[\]()]*+[\])]"
    rf"|\b{_either(_COPULA)}[\W_]++(?:{_either(_MORE)}[\W_]++)*+(?P<state>{_STATES})\b"
    rf"|\bfrom[\W_]+\w+[\W_]+to[\W_]+(?P<moved>{_STATES})\b"
    rf"|(?:->|=>|\u2192|\u279c)[\W_]*+(?P<arrow>{_STATES})\b"
    rf"|(?<=[\w\"'*`)])(?<!\bnot)[\W_]++(?P<verb>recovered|resolved|triggered|unreachable)\b",
    re.IGNORECASE,
)
_WEAK = re.compile(rf"\b(?<!not ){_STATES}\b", re.IGNORECASE)
_NEGATION = re.compile(r"\b(?:not|no longer)\b", re.IGNORECASE)
_LASTED = re.compile(
    r"\((?=[^()]*+\))[^()]*\b(?:for|after|lasted|was|took)\b[^()]*\d[^()]*\)|\b(?:in|after|for) (?:\d+\s?[dhms]\w*[,\s]*)+",
    re.IGNORECASE,
)
_NUMBER = re.compile(
    r"[#~≈<>=±+-]*\d[\d.,]*(?:/\d[\d.,]*)?(?:%|[a-zµ]{1,3}(?:/s)?)?|\d{4}-\d\d-\d\d\w*|\d{1,2}:\d\d(?::\d\d)?[\w.]*",
    re.IGNORECASE,
)
_ADDRESS = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?", re.ASCII)
_HOST = re.compile(r"https?://\S+|[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.[a-z]{2,}(?::\d+)?(?:/\S*)?", re.IGNORECASE)
_ON = re.compile(
    r"\b(?=[oahsdni])(?:(?:on|at)\s+(?:(?:host|server|device|node|instance)\s+)?|(?:host|server|device|node|instance)\s+)"
    r"[\"'“(]?(\w[\w.:-]*)",
    re.IGNORECASE,
)
_ARROW = re.compile(r"[\W_]*(?:->|=>|\u2192|\u279c)")
_WHERE = re.compile(r"\s*(?:on|at|in|from)\s+(\S+)", re.IGNORECASE)
_CLAUSE = re.compile(r"\s[-\u2013\u2014|]\s|[.;](?:\s|$)|\n")
_EDGES = ".,;:!?()[]{}<>\"'“”\u2018\u2019„«»*_`|=~-\u2013\u2014\u2192"


class Headline(NamedTuple):
    """What a line says."""

    state: str = ""
    """`firing`, `over`, `quiet`; empty when the line does not say it."""
    strong: bool = False
    """Whether the line is built to say its state, and does not only have such a word in it."""
    severity: str = ""
    about: tuple[str, ...] = ()
    """The words that stay while the problem lasts, in lower case: its identity, as far as a text has one."""
    check: str = ""
    """The same for people to read."""
    resource: str = ""
    """The host, address or thing the line names; empty when it names none."""


@remembered(4_096)
def clean(line: str) -> str:
    """A line without the marks of chats: links become their text, mentions go, entities are characters again."""
    if not line or line.isalnum():
        return line[:MAX_LINE]
    line = line[: 4 * MAX_LINE]
    if "<" in line:
        line = _LINKS.sub(lambda link: link[1] or link[2] or "", line)
    if "](" in line:
        line = _MARKDOWN.sub(r"\1", line)
    if "&" in line:
        line = line.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    return " ".join(line.replace("*", " ").replace("`", " ").split())[:MAX_LINE]


def has_state(text: str) -> bool:
    """Whether a word of state is in it."""
    return _WEAK.search(text[:MAX_LINE]) is not None


def host(text: str) -> str:
    """The first full name or address of a host in a text, if there is one."""
    found = (word for raw in text[:MAX_LINE].split() if "." in raw and (word := raw.strip(_EDGES)))
    return next((word for word in found if _HOST.fullmatch(word) or _ADDRESS.fullmatch(word)), "")


def is_quiet(line: str) -> bool:
    """Whether it says what people or a platform do about a problem: an acknowledgement, a downtime."""
    line = line[:MAX_LINE]
    return _QUIET_LINE.match(line) is not None or _QUIET_NAME.search(line) is not None


def is_state(word: str) -> bool:
    """Whether it is a word of state."""
    return bool(_state(word.lower()))


def read(line: str, *, mask: bool = True) -> Headline:
    """What a line says; of short ones it is kept, because what fires is said again and again.

    Args:
        line: as the message has it.
        mask: figures are left out of what stays the same.
    """
    return _masked(line) if mask else _unmasked(line)


@remembered(4_096)
def _masked(line: str) -> Headline:
    return _read(line, mask=True)


@remembered(4_096)
def _unmasked(line: str) -> Headline:
    return _read(line, mask=False)


def _read(line: str, *, mask: bool) -> Headline:
    line = line[: 4 * MAX_LINE]
    plain = line.isascii() and line.count(":") < 2  # noqa: PLR2004 - `:fire:`
    sign = None if plain else _SIGN.search(line)
    cleaned = clean(line)
    rest, words = _without_leading((cleaned if plain else _EMOJI.sub(" ", cleaned)).strip())
    later = _LATER.search(rest)
    word = next((found for found in later.groups() if found), "").lower() if later else ""
    before, behind = (rest[: later.start()], rest[later.end() :]) if later else (rest, "")
    state, strong, told = _said(words, later, word, rest)
    if state == "quiet" and not is_quiet(line):
        state, strong = "", False
    kept = _kept(before, behind, word, last=not words, mask=mask)
    return Headline(
        state=state or (_STATE_OF_SIGN[sign[0]] if sign else ""),
        strong=strong or bool(sign),
        severity=next((_SEVERE[one] for one in (*words, word, told) if one in _SEVERE), ""),
        about=tuple(one.casefold() for one in kept),
        check=" ".join(kept),
        resource=_resource(before, behind, kept, word),
    )


def _said(words: list[str], later: re.Match[str] | None, word: str, rest: str) -> tuple[str, bool, str]:
    """The state of a line, whether it is built to say it, and the word that does."""
    if words:
        return _state(words[0]), True, words[0]
    if later:
        state = _state(word)
        if _NEGATION.search(later[0]):
            state = {"over": "firing", "firing": "over"}.get(state, state)
        return state, True, word
    found = [match[0] for match in _WEAK.finditer(rest)]
    for state, some in (("quiet", str.isupper), ("over", _is_past), ("firing", str), ("over", str.isupper)):
        for one in found:
            if _state(low := one.lower()) == state and some(one):
                return state, one.isupper() and not rest.isupper(), low
    return "", False, ""


def _is_past(word: str) -> bool:
    return word.lower() in _PAST


def _without_leading(text: str) -> tuple[str, list[str]]:
    """The line without the words of state that it begins with, and these words."""
    words: list[str] = []
    while len(words) < 3 and (match := _LEADING.match(text)):  # noqa: PLR2004 - `[FIRING] PROBLEM: CRITICAL - …`
        plain = match["mark"] or match["word"].isupper() or match["word"].lower() in _PLAIN if match["word"] else True
        if not plain or _ARROW.match(text, match.start("mark")):
            break
        word = _WEAK.search(match[0])
        words.append(word[0].lower() if word else "nodata")
        text = text[match.end() :]
    return _LASTED.sub(" ", text), words


def _state(word: str) -> str:
    return _STATE.get(word, "")


def _kept(before: str, behind: str, word: str, *, last: bool, mask: bool) -> list[str]:
    """The words that stay, of what stands before a word of state and behind it."""
    first = _words(before, last=last and not word, mask=mask)
    if not word:
        return first or _words(before, last=False, mask=False)
    named = [one for one in first if one.casefold() not in _KINDS]
    if named and (word in _LASTING or len(named) > 1 or "/" in named[0].strip("/")):
        where = _WHERE.match(behind)
        return [*first, *_words(where[1], last=False, mask=mask)] if where else first
    rest = _words(_CLAUSE.split(behind.lstrip(_EDGES + " "), maxsplit=1)[0], last=last, mask=mask)
    return [*first, *rest] or _words(f"{before} {behind}", last=False, mask=False)


def _words(text: str, *, last: bool, mask: bool) -> list[str]:
    """The words that stay of a text; `last`: its last word may be one of state."""
    found: list[str] = []
    numbered = False
    raws = text.split()
    for at, raw in enumerate(raws, 1):
        word = raw.strip(_EDGES)
        low = word.casefold()
        figure = mask and not numbered and _is_figure(low)
        numbered = low in _NUMBERED
        state = low in _STATE and (low in _EVER or raw.isupper() or (last and at == len(raws)))
        if word and not figure and not state and low not in _FILLER:
            found.append(low if low in _KINDS else word)
    return found


def _is_figure(word: str) -> bool:
    """Whether it is a number, a time or a unit: what changes while a problem lasts."""
    if word[:1].isalpha() or word in _UNITS:
        return word in _UNITS
    return bool(_NUMBER.fullmatch(word)) and not _ADDRESS.fullmatch(word)


def _resource(before: str, behind: str, kept: list[str], word: str) -> str:
    """The host, address or thing that a line names, out of words that stay."""
    stays = {one.casefold() for one in kept}
    for match in _ON.finditer(f"{before} {behind}"):
        if (named := match[1].strip(_EDGES)).casefold() in stays:
            return named
    for one in kept:
        if ("." in one or "/" in one) and (_HOST.fullmatch(one) or _ADDRESS.fullmatch(one)):
            return one
    first = [one for raw in before.split() if (one := raw.strip(_EDGES)) and one.casefold() not in _FILLER]
    if len(first) > 1 and first[0].casefold() in _KINDS:
        first = first[1:]
    if not word or len(first) != 1 or first[0].casefold() not in stays or ("[" in before and word not in _LASTING):
        return ""
    host, _, rest = first[0].partition("/")
    return host if host and rest and ":" not in host and word not in _EVER else first[0]
