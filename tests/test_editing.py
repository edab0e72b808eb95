"""What a person may make of a dead delivery is what can be sent."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from deliveries import delivery
from tocsin.store.editing import EditError, edited


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("language", "de", "language: 'de' is none of en, fr, both; an empty one leaves it to the backend"),
        ("language", "bot", "language: 'bot' is none of .* did you mean 'both'"),
        ("language", None, "language: None is none of"),
        ("language", ["en"], r"language: \['en'\] is none of"),
        ("opened_at", "2026-11-20T10:00:00", "opened_at: a time without a zone; end it in Z for UTC, or in an offset"),
        ("opened_at", "0001-01-01T00:00:00+01:00", "opened_at: a time that UTC has no year for"),
    ],
)
def test_what_could_not_be_sent_is_refused_when_it_is_edited(field: str, value: object, sentence: str) -> None:
    with pytest.raises(EditError, match=sentence):
        edited(delivery(), {field: value}, ["portal"])


@pytest.mark.parametrize("language", ["", "en", "fr", "both"])
def test_each_language_that_tickets_are_written_in_may_be_chosen(language: str) -> None:
    assert edited(delivery(), {"language": language}, ["portal"]).body.language == language


@pytest.mark.parametrize("written", ["2026-11-20T10:00:00Z", "2026-11-20T11:00:00+01:00", "2026-11-20T05:30:00-04:30"])
def test_a_time_of_any_zone_is_kept_in_utc_as_tickets_show_it(written: str) -> None:
    opened_at = edited(delivery(), {"opened_at": written}, ["portal"]).body.opened_at
    assert (opened_at, opened_at.tzinfo) == (datetime(2026, 11, 20, 10, 0, tzinfo=UTC), UTC)
