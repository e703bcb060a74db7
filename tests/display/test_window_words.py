"""What a window is called."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stability_magic.display.window_words import window_phrase

BERLIN = ZoneInfo("Europe/Berlin")
HAVANA = ZoneInfo("America/Havana")
SAO_PAULO = ZoneInfo("America/Sao_Paulo")
NOW = datetime(2026, 11, 25, 18, 56, tzinfo=BERLIN)


def at(*fields, zone=BERLIN):
    return datetime(2026, *fields, tzinfo=zone)


def name(since, until=None, known_from=None, *, now=NOW, zone=BERLIN):
    return window_phrase(since, until, known_from=known_from, zone=zone, now=now)


@pytest.mark.parametrize(
    ("since", "until", "expected"),
    [
        # Until now.
        (at(11, 25), None, "today"),
        (at(11, 25), at(11, 26), "today"),
        (at(11, 24), None, "since yesterday"),
        (at(10, 26), None, "since 26 Oct"),
        (at(10, 26), at(12, 1), "since 26 Oct"),
        (at(11, 25, 9, 43), None, "since 09:43"),
        (at(11, 24, 9, 43), None, "since yesterday 09:43"),
        (at(10, 26, 9, 43), None, "since 26 Oct 09:43"),
        (at(10, 26), NOW, "since 26 Oct"),
        (datetime(2025, 12, 31, tzinfo=BERLIN), None, "since 31 Dec 2025"),
        (None, None, "so far"),
        # Whole days.
        (at(11, 24), at(11, 25), "yesterday"),
        (at(11, 18), at(11, 19), "on 18 Nov"),
        (at(10, 26), at(11, 2), "26 Oct to 1 Nov"),
        (at(11, 16), at(11, 23), "16 Nov to 22 Nov"),
        (at(11, 20), at(11, 25), "20 Nov to 24 Nov"),
        (at(10, 1), at(11, 1), "in October"),
        (at(9, 1), at(11, 1), "1 Sep to 31 Oct"),
        (at(10, 2), at(11, 1), "2 Oct to 31 Oct"),
        # Of other years.
        (datetime(2025, 11, 18, tzinfo=BERLIN), datetime(2025, 11, 19, tzinfo=BERLIN), None),
        # Parts of days.
        (at(11, 20, 9), at(11, 20, 15, 30), "20 Nov 09:00 to 15:30"),
        (at(11, 24, 9), at(11, 24, 15, 30), "yesterday 09:00 to 15:30"),
        (at(11, 25, 9), at(11, 25, 15, 30), "09:00 to 15:30"),
        (at(11, 20, 9), at(11, 21), "20 Nov 09:00 to 24:00"),
        (at(11, 24, 9), at(11, 25), "yesterday 09:00 to 24:00"),
        (at(10, 26), at(11, 1, 12), "26 Oct 00:00 to 1 Nov 12:00"),
        (at(10, 26, 12), at(11, 2), "26 Oct 12:00 to 1 Nov 24:00"),
        (None, at(11, 1, 12), "until 1 Nov 12:00"),
        (None, at(11, 2), "until 1 Nov 24:00"),
        # Ahead.
        (at(12, 2), at(12, 3), "on 2 Dec"),
    ],
)
def test_a_window_is_named_as_it_is(since, until, expected):
    """By its days where these are whole, and by its beginning where it reaches the present."""
    assert name(since, until) == (expected or "on 18 Nov 2025")


@pytest.mark.parametrize(
    ("since", "until", "expected"),
    [
        ((2025, 10, 1), (2025, 11, 1), "in October 2025"),
        ((2025, 1, 1), (2026, 1, 1), "in 2025"),
        ((2025, 10, 26), (2025, 11, 2), "26 Oct to 1 Nov 2025"),
        ((2025, 12, 29), (2026, 1, 5), "29 Dec 2025 to 4 Jan 2026"),
        ((2024, 1, 1), (2026, 1, 1), "1 Jan 2024 to 31 Dec 2025"),
        ((2024, 10, 1), (2025, 11, 1), "1 Oct 2024 to 31 Oct 2025"),
    ],
)
def test_another_year_is_named_once_or_twice(since, until, expected):
    """Twice where the window lies in two."""
    assert name(*(datetime(*each, tzinfo=BERLIN) for each in (since, until))) == expected


@pytest.mark.parametrize(
    ("since", "until", "known_from", "expected"),
    [
        (at(11, 25), None, at(11, 25, 18, 55), "today, known from 18:55 on"),
        (at(11, 24), at(11, 25), at(11, 24, 18), "yesterday, known from 18:00 on"),
        (at(11, 18), at(11, 19), at(11, 18, 18), "on 18 Nov, known from 18:00 on"),
        (at(10, 26), None, at(11, 18, 9), "since 26 Oct, known from 18 Nov 09:00 on"),
        (at(10, 26), at(11, 2), at(10, 26, 9), "26 Oct to 1 Nov, known from 26 Oct 09:00 on"),
        (at(11, 24), None, at(11, 24, 9), "since yesterday, known from yesterday 09:00 on"),
        # It begins with the log.
        (None, None, at(11, 25, 18, 55), "since 18:55"),
        (None, at(11, 2), at(10, 26, 9), "26 Oct 09:00 to 1 Nov 24:00"),
        # The log was there before, or not yet.
        (at(11, 25), None, at(11, 24, 18, 55), "today"),
        (at(11, 25), None, at(11, 25), "today"),
        (at(11, 18), at(11, 19), at(11, 20), "on 18 Nov"),
        (None, at(11, 2), at(11, 20), "until 1 Nov 24:00"),
    ],
)
def test_a_log_that_begins_later_is_told(since, until, known_from, expected):
    """Nothing is known before the first reading."""
    assert name(since, until, known_from) == expected


def test_without_a_present_days_have_their_dates_and_years():
    """A picture of a frame does not know when it is looked at."""
    assert name(at(11, 24), at(11, 25), now=None) == "on 24 Nov 2026"
    assert name(None, None, at(11, 24, 9), now=None) == "since 24 Nov 2026 09:00"
    assert name(at(10, 26), at(11, 2), now=None) == "26 Oct to 1 Nov 2026"


def test_days_are_those_of_the_zone():
    """Whichever zone the instants are told in."""
    assert name(datetime(2026, 11, 23, 23, tzinfo=UTC), datetime(2026, 11, 24, 23, tzinfo=UTC)) == (
        "yesterday"
    )
    assert name(at(11, 24), at(11, 25), zone=UTC) == "23 Nov 23:00 to yesterday 23:00"


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        (BERLIN, (2026, 3, 29), 23),
        (BERLIN, (2026, 10, 25), 25),
        # A midnight that the clock skips, and one that it shows twice.
        (SAO_PAULO, (2018, 11, 4), 23),
        (HAVANA, (2026, 11, 1), 25),
    ],
)
def test_a_day_of_a_clock_change_is_a_whole_day(zone, day, hours):
    """However long it is."""
    begin = datetime(*day, tzinfo=zone).astimezone(UTC)
    end = begin + timedelta(hours=hours)
    now = datetime(2026, 12, 1, tzinfo=zone)
    year = "" if day[0] == 2026 else f" {day[0]}"
    assert name(begin, end, zone=zone, now=now) == f"on {day[2]} {begin:%b}{year}"
    assert name(begin, end - timedelta(hours=1), zone=zone, now=now).endswith("23:00")


@given(
    instants=st.lists(st.none() | st.datetimes(timezones=st.just(UTC)), min_size=4, max_size=4),
    zone=st.sampled_from([BERLIN, HAVANA, UTC]),
)
def test_any_window_has_a_name(instants, zone):
    """At the ends of the calendar too."""
    since, until, known_from, now = instants
    phrase = window_phrase(since, until, known_from=known_from, zone=zone, now=now)
    assert len(phrase.splitlines()) == 1
