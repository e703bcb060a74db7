"""Times as people type and read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stability_magic.errors import BadArgument
from stability_magic.when import (
    PERIOD_FORMS,
    WHEN_FORMS,
    default_window_start,
    parse_period,
    parse_when,
    time_phrase,
)

BERLIN = ZoneInfo("Europe/Berlin")
HAVANA = ZoneInfo("America/Havana")
SAO_PAULO = ZoneInfo("America/Sao_Paulo")
NOW = datetime(2026, 11, 10, 18, 2, 3, 4, tzinfo=BERLIN)


def berlin(*fields, fold=0):
    return datetime(*fields, tzinfo=BERLIN, fold=fold)


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("90m", NOW - timedelta(minutes=90)),
        ("12h", NOW - timedelta(hours=12)),
        ("7d", NOW - timedelta(days=7)),
        ("4w", NOW - timedelta(days=28)),
        ("0m", NOW),
        ("0d", NOW),
        (" 12 H ", NOW - timedelta(hours=12)),
        ("'7d'", NOW - timedelta(days=7)),
        ('"2026-11-01 18:00"', berlin(2026, 11, 1, 18)),
        ("2026-11-01", berlin(2026, 11, 1)),
        ("20261101", berlin(2026, 11, 1)),
        ("2026-W45", berlin(2026, 11, 2)),
        ("2026-W45-3", berlin(2026, 11, 4)),
        ("2026-11-01 18:00", berlin(2026, 11, 1, 18)),
        ("2026-11-01t18:00:05.5", berlin(2026, 11, 1, 18, 0, 5, 500_000)),
        ("2026-11-01T18:00Z", datetime(2026, 11, 1, 18, tzinfo=UTC)),
        ("2026-11-01T18:00+05:30", datetime(2026, 11, 1, 12, 30, tzinfo=UTC)),
        ("today", berlin(2026, 11, 10)),
        ("Yesterday", berlin(2026, 11, 9)),
        ("2030-01-01", berlin(2030, 1, 1)),
    ],
)
def test_a_time_is_an_aware_instant(text, at):
    """Spans, dates, times, today and yesterday, in the zone of now or their own."""
    parsed_at = parse_when(text, now=NOW)
    assert parsed_at.utcoffset() is not None
    assert parsed_at.astimezone(UTC) == at.astimezone(UTC)


@pytest.mark.parametrize("end", [False, True])
@pytest.mark.parametrize("text", ["all", "ALL", " 'all' "])
def test_all_is_no_limit(text, end):
    """``all`` gives no instant."""
    assert parse_when(text, now=NOW, is_window_end=end) is None


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026-11-01", berlin(2026, 11, 2)),
        ("20261231", berlin(2027, 1, 1)),
        ("2026-W45-3", berlin(2026, 11, 5)),
        ("today", berlin(2026, 11, 11)),
        ("yesterday", berlin(2026, 11, 10)),
        ("2026-11-01 18:00", berlin(2026, 11, 1, 18)),
        ("2026-11-01 00:00", berlin(2026, 11, 1)),
        ("7d", NOW - timedelta(days=7)),
    ],
)
def test_a_date_ends_a_window_with_its_last_moment(text, at):
    """A window until a date includes that day; until a time or a span it ends exactly then."""
    assert parse_when(text, now=NOW, is_window_end=True).astimezone(UTC) == at.astimezone(UTC)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "soon",
        "-5d",
        "1.5h",
        "5",
        "5x",
        "5 years",
        "d",
        "all of it",
        "2026-13-01",
        "2026-02-29",
        "01.11.2026",
        "11/01/2026",
        "2026-11-01 25:00",
        "18:00",
        "2026-11",
        "today 18:00",
        "1234567d",
        "999999w",
        "999999d",
        "0001-01-01",
        "9999999-01-01",
        "2026-11-01T18:00+99:00",
        "\0",
        "7d\N{RIGHT-TO-LEFT OVERRIDE}",
        "²d",
        "\ud800",
    ],
)
def test_nonsense_and_overflow_are_bad_arguments(text):
    """The error lists the valid forms, in one line."""
    with pytest.raises(BadArgument) as caught:
        parse_when(text, now=NOW)
    assert str(caught.value) == f"{text!r} is no time; use {WHEN_FORMS}"
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("text", ["9999-12-31", "9999-12-31T23:59-12:00"])
def test_the_end_of_the_calendar_is_a_bad_argument(text):
    """The day after the last one, or a time that UTC cannot express."""
    with pytest.raises(BadArgument, match="is no time"):
        parse_when(text, now=NOW, is_window_end=True)


@settings(max_examples=200, deadline=None)
@given(
    text=st.one_of(
        st.text(max_size=12),
        st.from_regex(r"\d{1,7} ?[mhdwy]", fullmatch=True),
        st.from_regex(
            r"\d{4}-?\d\d-?\d\d([ T]\d\d:?\d\d(:\d\d)?(Z|[+-]\d\d:\d\d)?)?", fullmatch=True
        ),
    ),
    now=st.datetimes(
        min_value=datetime(2000, 1, 1),
        max_value=datetime(2040, 1, 1),
        timezones=st.sampled_from([BERLIN, HAVANA, SAO_PAULO, UTC]),
    ),
    end=st.booleans(),
)
def test_any_text_is_an_instant_or_a_bad_argument(text, now, end):
    """There is no other result, and every instant can be expressed in UTC."""
    try:
        at = parse_when(text, now=now, is_window_end=end)
    except BadArgument:
        return
    assert at is None or at.astimezone(UTC).utcoffset() == timedelta(0)


# Periods


@pytest.mark.parametrize(
    ("text", "begin", "end"),
    [
        ("today", (2026, 11, 10), (2026, 11, 11)),
        ("Yesterday", (2026, 11, 9), (2026, 11, 10)),
        ("2026-11-01", (2026, 11, 1), (2026, 11, 2)),
        ("20261231", (2026, 12, 31), (2027, 1, 1)),
        ("2026-W45-3", (2026, 11, 4), (2026, 11, 5)),
        ("this week", (2026, 11, 9), (2026, 11, 16)),
        (" 'Last  Week' ", (2026, 11, 2), (2026, 11, 9)),
        ("2026-W45", (2026, 11, 2), (2026, 11, 9)),
        ("2026w53", (2026, 12, 28), (2027, 1, 4)),
        ("this month", (2026, 11, 1), (2026, 12, 1)),
        ("last month", (2026, 10, 1), (2026, 11, 1)),
        ("2026-12", (2026, 12, 1), (2027, 1, 1)),
        ("2028-02", (2028, 2, 1), (2028, 3, 1)),
        ("this year", (2026, 1, 1), (2027, 1, 1)),
        ("last year", (2025, 1, 1), (2026, 1, 1)),
        ("2028", (2028, 1, 1), (2029, 1, 1)),
    ],
)
def test_a_period_is_two_midnights(text, begin, end):
    """Of a day, a week from Monday, a month or a year, in the zone of now."""
    assert parse_period(text, now=NOW) == (berlin(*begin), berlin(*end))


@pytest.mark.parametrize("now", [berlin(2026, 1, 1, 0), berlin(2028, 2, 29, 23, 59)])
def test_the_last_period_ends_where_this_one_begins(now):
    """On the first day of a year and of a month, and on 29 February."""
    for unit in ("week", "month", "year"):
        last, this = (parse_period(f"{each} {unit}", now=now) for each in ("last", "this"))
        assert last[0] < last[1] == this[0] <= now < this[1]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "soon",
        "all",
        "7d",
        "2026-11-01 18:00",
        "last",
        "week",
        "last fortnight",
        "next week",
        "2026-13",
        "2026-00",
        "2026-W54",
        "2026-02-29",
        "0000",
        "9999",
        "202611",
        "11-2026",
        "\0",
        "²026",
    ],
)
def test_what_is_no_period_is_a_bad_argument(text):
    """The error lists the valid forms, in one line."""
    with pytest.raises(BadArgument) as caught:
        parse_period(text, now=NOW)
    assert str(caught.value) == f"{text!r} is no period; use {PERIOD_FORMS}"
    assert len(str(caught.value).splitlines()) == 1


def test_a_day_that_a_calendar_left_out_is_a_bad_argument():
    """Samoa went from 29 to 31 December."""
    apia = datetime(2026, 1, 1, tzinfo=ZoneInfo("Pacific/Apia"))
    with pytest.raises(BadArgument, match="never was"):
        parse_period("2011-12-30", now=apia)


@settings(max_examples=200, deadline=None)
@given(
    text=st.text(max_size=12)
    | st.from_regex(r"\d{4}-?(w?\d{1,2}(-?\d{1,2})?)?", fullmatch=True)
    | st.from_regex(r"(this|last) (week|month|year)", fullmatch=True),
    now=st.datetimes(
        min_value=datetime(2000, 1, 1),
        max_value=datetime(2040, 1, 1),
        timezones=st.sampled_from([BERLIN, HAVANA, SAO_PAULO, UTC]),
    ),
)
def test_any_text_is_a_period_or_a_bad_argument(text, now):
    """There is no other result, and a period has a length."""
    try:
        begin, end = parse_period(text, now=now)
    except BadArgument:
        return
    assert begin.astimezone(UTC) < end.astimezone(UTC)


# Where clocks change


@pytest.mark.parametrize(
    ("now", "text", "at"),
    [
        # Spring: at 2:00 on 29 March the clock went to 3:00.
        (berlin(2026, 3, 29, 12), "12h", datetime(2026, 3, 28, 22, tzinfo=UTC)),
        (berlin(2026, 3, 29, 12), "1d", datetime(2026, 3, 28, 11, tzinfo=UTC)),
        (berlin(2026, 3, 29, 12), "today", datetime(2026, 3, 28, 23, tzinfo=UTC)),
        (berlin(2026, 3, 30, 12), "1d", datetime(2026, 3, 29, 10, tzinfo=UTC)),
        (berlin(2026, 4, 1, 12), "1w", datetime(2026, 3, 25, 11, tzinfo=UTC)),
        # Autumn: at 3:00 on 25 October it went back to 2:00.
        (berlin(2026, 10, 25, 12), "12h", datetime(2026, 10, 24, 23, tzinfo=UTC)),
        (berlin(2026, 10, 25, 12), "1d", datetime(2026, 10, 24, 10, tzinfo=UTC)),
        (berlin(2026, 10, 25, 2, 30, fold=1), "60m", datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),
        (berlin(2026, 10, 25, 2, 30, fold=1), "today", datetime(2026, 10, 24, 22, tzinfo=UTC)),
        # Cuba's clocks go back from 1:00 to 0:00: that day has its midnight twice.
        (
            datetime(2026, 11, 1, 0, 30, fold=1, tzinfo=HAVANA),
            "today",
            datetime(2026, 11, 1, 4, tzinfo=UTC),
        ),
        (
            datetime(2026, 11, 1, 0, 30, fold=1, tzinfo=HAVANA),
            "2026-11-01",
            datetime(2026, 11, 1, 4, tzinfo=UTC),
        ),
        # Brazil's went from 0:00 to 1:00: that day began at 1:00.
        (
            datetime(2018, 11, 4, 12, tzinfo=SAO_PAULO),
            "today",
            datetime(2018, 11, 4, 3, tzinfo=UTC),
        ),
    ],
)
def test_spans_and_days_are_right_across_clock_changes(now, text, at):
    """Minutes and hours are elapsed time, days and weeks are calendar days."""
    assert parse_when(text, now=now).astimezone(UTC) == at


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("today", 24)])
def test_a_day_may_have_23_or_25_hours(day, hours):
    """From a date until the same date are its 23, 24 or 25 hours."""
    begin, end = (
        parse_when(day, now=NOW, is_window_end=end).astimezone(UTC) for end in (False, True)
    )
    assert end - begin == timedelta(hours=hours)
    assert parse_period(day, now=NOW) == (begin, end)


@pytest.mark.parametrize(
    ("by", "at"),
    [
        ("hour", berlin(2026, 11, 9)),
        ("day", berlin(2026, 10, 11)),
        ("week", berlin(2026, 8, 17)),
        ("month", berlin(2025, 11, 1)),
    ],
)
def test_the_default_window_begins_with_a_whole_period(by, at):
    """Two days of hours, a month of days, a quarter of weeks, a year of months."""
    assert default_window_start(by, NOW) == at
    assert default_window_start(by, NOW).utcoffset() == at.utcoffset()


@pytest.mark.parametrize("by", ["hour", "day", "week", "month"])
def test_the_default_window_exists_on_every_day(by):
    """Also on 29 February, and in the hour that occurs twice."""
    for now in (
        datetime(2028, 2, 29, 5, tzinfo=BERLIN),
        datetime(2026, 11, 1, 0, 30, fold=1, tzinfo=HAVANA),
    ):
        begin = default_window_start(by, now)
        assert begin.astimezone(UTC) < now.astimezone(UTC)
        assert (begin.hour, begin.minute, begin.fold) == (0, 0, 0)


# Times as people read them


@pytest.mark.parametrize(
    ("at", "phrase"),
    [
        (NOW, "18:02"),
        (berlin(2026, 11, 10, 0, 0), "00:00"),
        (berlin(2026, 11, 9, 23, 59), "yesterday 23:59"),
        (berlin(2026, 11, 8, 9, 5), "8 Nov 09:05"),
        (berlin(2026, 1, 1), "1 Jan 00:00"),
        (berlin(2025, 12, 31, 18), "31 Dec 2025 18:00"),
        (berlin(2026, 11, 11, 8), "11 Nov 08:00"),
        (datetime(2026, 11, 9, 23, 30, tzinfo=UTC), "00:30"),
        (datetime(2026, 11, 9, 22, 30, tzinfo=UTC), "yesterday 23:30"),
    ],
)
def test_a_time_is_written_in_the_zone_of_now(at, phrase):
    """Today only the time, yesterday by name, another year with the year."""
    assert time_phrase(at, NOW) == phrase
