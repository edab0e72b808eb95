from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.sources import _times

AT = datetime(2026, 11, 22, 1, 24, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    "written",
    [
        "2026-11-22T01:24:10Z",
        "2026-11-22T02:24:10+01:00",
        "2026-11-22 02:24:10 +0100".replace(" +", "+"),
        "2026-11-22 02:24:10 +0100",
        " 2026-11-22T01:24:10.000000000Z ",
        "1795310650",
        "1795310650000",
        "1795310650.0",
        1795310650,
        1795310650000,
        1795310650.0,
        1.79531065e12,
        "20261121202410.000000-300",
        "20261122022410.000000+60",
        "Sun Nov 22 01:24:10 UTC 2026",
        "Sun Nov 22 01:24:10 GMT 2026",
    ],
)
def test_one_moment_is_written_in_many_ways(written: object) -> None:
    assert _times.moment(written) == AT


@pytest.mark.parametrize(
    "written",
    [
        *(None, "", "0", 0, -1, "-1", "soon", "{EVENT.DATE}", "$TIMET$", True, [], {}, [1795310650]),
        *("0001-01-01T00:00:00Z", "0001-01-01T00:00:00+05:00", "1970-01-01T00:00:00Z", "0000-00-00T00:00:00Z"),
        *("2026-11-22T01:24:10", "2026-13-22T01:24:10Z", "9999-12-31T23:59:59-05:00", "2026-11-22"),
        *("9" * 14, "9" * 400, 10**400, 1e300, float("inf"), float("nan")),
        *("20261399000000.000000+000", "20261122022410.000000+9999", "20261122022410"),
        *("Sun Nov 32 01:24:10 UTC 2026", "Sun Nul 22 01:24:10 UTC 2026", "Sun Nov 22 01:24:10 CET 2026"),
    ],
)
def test_what_is_no_moment_is_none(written: object) -> None:
    assert _times.moment(written) is None


@given(
    st.text()
    | st.integers()
    | st.floats()
    | st.datetimes(timezones=st.timezones()).map(str)
    | st.from_regex(r"\d{8,20}")
)
def test_every_value_is_a_moment_in_utc_or_none(value: object) -> None:
    moment = _times.moment(value)
    assert moment is None or (moment.tzinfo is UTC and moment >= _times.FIRST)


@given(st.datetimes(timezones=st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))))
def test_an_aware_moment_stays_the_same_moment_or_stands_for_none(moment: datetime) -> None:
    known = _times.known(moment)
    if known is None:
        assert moment < _times.FIRST or moment.year == 9999
    else:
        assert known == moment
        assert known.tzinfo is UTC
