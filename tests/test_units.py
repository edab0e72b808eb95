from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from tocsin.units import Duration, Size, duration, duration_text, size, size_text


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("250ms", timedelta(milliseconds=250)),
        ("5s", timedelta(seconds=5)),
        ("15m", timedelta(minutes=15)),
        ("1h30m", timedelta(hours=1, minutes=30)),
        ("90d", timedelta(days=90)),
        ("1d2h3m4s5ms", timedelta(days=1, hours=2, minutes=3, seconds=4, milliseconds=5)),
        ("0s", timedelta(0)),
        (timedelta(1), timedelta(1)),
    ],
)
def test_a_span_of_time_is_read(text: object, span: timedelta) -> None:
    assert duration(text) == span


@pytest.mark.parametrize("text", ["", "5", "s", "5 s", "-5s", "1m1h", "1.5h", "5S", "\u0665s", "5s\n", 5, None, True])
def test_what_is_no_span_of_time_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="1h30m"):
        duration(text)


def test_a_span_of_time_beyond_all_calendars_is_refused() -> None:
    with pytest.raises(ValueError, match="too long"):
        duration("999999999d999999999h")


@given(st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=10_000)))
def test_a_span_of_time_is_written_as_it_is_read(span: timedelta) -> None:
    span -= span % timedelta(milliseconds=1)
    assert duration(duration_text(span)) == span


@pytest.mark.parametrize(
    ("text", "count"),
    [("0", 0), ("12", 12), (12, 12), ("1B", 1), ("512KiB", 524_288), ("10 MiB", 10_485_760), ("1GiB", 2**30)],
)
def test_a_size_is_read(text: object, count: int) -> None:
    assert size(text) == count


@pytest.mark.parametrize("text", ["", "10MB", "10mib", "-1", "1.5GiB", "MiB", None, True, 1.5])
def test_what_is_no_size_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="10MiB"):
        size(text)


@given(st.integers(0, 10**15 - 1))
def test_a_size_is_written_as_it_is_read(count: int) -> None:
    assert size(size_text(count)) == count


def test_both_are_written_in_json_as_people_write_them() -> None:
    assert TypeAdapter(Duration).dump_python(timedelta(seconds=90)) == "1m30s"
    assert TypeAdapter(Size).dump_python(2**20) == "1MiB"
