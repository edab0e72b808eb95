from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.errors import PayloadError
from tocsin.model import Severity
from tocsin.sources import _identity, _severity, _texts

labels = st.dictionaries(st.text(max_size=4), st.text(max_size=4), max_size=5)


@given(labels, st.randoms())
def test_the_order_of_labels_does_not_matter(found: dict[str, str], random: object) -> None:
    shuffled = sorted(found.items(), key=lambda _: random.random())  # type: ignore[attr-defined]
    assert _identity.encode(dict(shuffled)) == _identity.encode(found)


@given(labels, labels)
def test_only_the_same_labels_share_a_fingerprint(one: dict[str, str], other: dict[str, str]) -> None:
    same = _identity.fingerprint(_identity.encode(one)) == _identity.fingerprint(_identity.encode(other))
    assert same is (one == other)


def test_the_border_between_names_cannot_be_forged() -> None:
    assert _identity.encode(("a,b", "c")) != _identity.encode(("a", "b,c"))
    assert _identity.encode(('a","b', "c")) != _identity.encode(("a", 'b","c'))


def test_a_fingerprint_never_changes_between_releases() -> None:
    assert _identity.fingerprint(_identity.encode(("db01", "disk"))) == "7defa9fd657a859c12d9b85c"
    assert _identity.fingerprint(_identity.encode({"b": "2", "a": "é"})) == "7436e824efc4d3516996af77"


@pytest.mark.parametrize("value", ["", " ", "\t\n", "x" * 513])
def test_a_name_that_cannot_identify_is_refused(value: str) -> None:
    with pytest.raises(PayloadError, match="resource"):
        _identity.name(value, "resource")


def test_the_longest_name_is_taken_whole() -> None:
    assert _identity.name("x" * 512, "check") == "x" * 512


def test_labels_beyond_the_limits_are_refused_or_cut() -> None:
    with pytest.raises(PayloadError, match="257 labels"):
        _identity.tidy({str(number): "" for number in range(257)})
    with pytest.raises(PayloadError, match="label name"):
        _identity.tidy({"x" * 2_049: ""})
    cut = _identity.tidy({"a": "x" * 2_049, "b": "y"})
    assert cut == {"a": "x" * 2_047 + "…", "b": "y"}
    assert _identity.tidy({}) == {}


@given(st.dictionaries(st.text(max_size=3), st.text(max_size=9), max_size=400))
def test_labels_whose_encoding_is_small_are_within_every_limit(found: dict[str, str]) -> None:
    if len(_identity.encode(found)) <= _identity.SMALL:
        assert _identity.tidy(found) == found


@pytest.mark.parametrize(
    ("word", "severity"),
    [
        ("critical", Severity.CRITICAL),
        ("CRITICAL", Severity.CRITICAL),
        (" Page ", Severity.CRITICAL),
        ("P1", Severity.CRITICAL),
        ("DOWN", Severity.CRITICAL),
        ("error", Severity.MAJOR),
        ("high", Severity.MAJOR),
        ("UNREACHABLE", Severity.MAJOR),
        ("average", Severity.MINOR),
        ("p3", Severity.MINOR),
        ("warn", Severity.WARNING),
        ("UNKNOWN", Severity.WARNING),
        ("informational", Severity.INFO),
        ("none", Severity.INFO),
        ("OK", Severity.INFO),
        ("", Severity.MINOR),
        ("catastrophic-ish", Severity.MINOR),
    ],
)
def test_severity_words_of_all_platforms_are_understood(word: str, severity: Severity) -> None:
    assert _severity.severity(word, Severity.MINOR) is severity


def test_every_severity_is_its_own_word() -> None:
    assert all(_severity.WORDS[severity] is severity for severity in Severity)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://a", "https://a"),
        ("http://a", "http://a"),
        ("javascript:alert(1)", ""),
        ("HTTP://a", ""),
        ("", ""),
        ("https://" + "a" * 2_000, ""),
    ],
)
def test_only_an_address_of_the_web_is_a_link(url: str, shown: str) -> None:
    assert _texts.link(url) == shown


def test_texts_are_cut_with_an_ellipsis() -> None:
    assert _texts.summary(" " + "x" * 2_001) == "x" * 1_999 + "…"
    assert _texts.description("x" * 20_001) == "x" * 19_999 + "…"
    assert _texts.description("x" * 20_000) == "x" * 20_000
