"""Hours, days, weeks and months, by the clock on the wall of each zone."""

from __future__ import annotations

import calendar
import itertools
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stability_magic._periods import known_period, period_edges
from stability_magic._readings import microseconds
from stability_magic._when import PERIODS

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# Around a change of each zone's clock: whole hours and half ones, at night and at midnight,
# skipped and repeated, and quarter-hour offsets.
CHANGES = [
    ("Europe/Berlin", datetime(2026, 3, 29, tzinfo=UTC)),
    ("Europe/Berlin", datetime(2026, 10, 25, tzinfo=UTC)),
    ("America/New_York", datetime(2026, 3, 8, tzinfo=UTC)),
    ("America/New_York", datetime(2026, 11, 1, tzinfo=UTC)),
    ("Europe/Dublin", datetime(2026, 10, 25, tzinfo=UTC)),
    ("Australia/Lord_Howe", datetime(2026, 4, 4, tzinfo=UTC)),
    ("Australia/Lord_Howe", datetime(2026, 10, 3, tzinfo=UTC)),
    ("America/Sao_Paulo", datetime(2018, 11, 4, tzinfo=UTC)),
    ("America/Sao_Paulo", datetime(2018, 2, 18, tzinfo=UTC)),
    ("Asia/Beirut", datetime(2026, 3, 29, tzinfo=UTC)),
    ("Asia/Beirut", datetime(2026, 10, 25, tzinfo=UTC)),
    ("America/Havana", datetime(2026, 3, 8, tzinfo=UTC)),
    ("America/Havana", datetime(2026, 11, 1, tzinfo=UTC)),
    ("Africa/Casablanca", datetime(2026, 2, 15, tzinfo=UTC)),
    ("Asia/Kathmandu", datetime(2026, 1, 1, tzinfo=UTC)),
    ("UTC", datetime(2026, 1, 1, tzinfo=UTC)),
]
AROUND_CHANGES = pytest.mark.parametrize(
    ("name", "change"), CHANGES, ids=[f"{name}-{at:%Y-%m}" for name, at in CHANGES]
)


def period_of(at, by, zone):
    """The day, week or month that an instant is in, as a number that grows with time."""
    wall = at.astimezone(zone)
    if by == "month":
        return wall.year * 12 + wall.month
    return wall.toordinal() if by == "day" else (wall.toordinal() - 1) // 7


def beginnings(first, last, by, zone):
    """The periods that begin from one instant to another: found slowly, step by step."""
    step = MINUTE if by in ("hour", "day") else 5 * MINUTE
    latest = period_of(first - step, by, zone) if by != "hour" else 0
    for n in range(int((last - first) / step) + 1):
        at = first + n * step
        if by == "hour" and at.astimezone(zone).minute == 0:
            yield at
        elif by != "hour" and period_of(at, by, zone) > latest:
            # A midnight that comes twice begins no second day.
            latest = period_of(at, by, zone)
            yield at


def edges(first, last, by, zone):
    """The edges as instants."""
    found = period_edges(microseconds(first), microseconds(last), by, zone)
    return [EPOCH + int(each) * timedelta(microseconds=1) for each in found]


@AROUND_CHANGES
@pytest.mark.parametrize("by", PERIODS)
def test_periods_begin_where_the_clock_on_the_wall_says(name, change, by):
    """Every edge is a beginning, and between two of them there is none."""
    zone = ZoneInfo(name)
    around = 40 * DAY if by == "month" else 9 * DAY if by == "week" else 2 * DAY
    first, last = change - around, change + around
    found = edges(first, last, by, zone)
    assert found[0] <= first < found[1]
    assert found[-2] <= last < found[-1]
    assert found == list(beginnings(found[0], found[-1], by, zone))


@pytest.mark.parametrize(
    ("name", "day", "hours"),
    [
        ("Europe/Berlin", (2026, 3, 29), 23),
        ("Europe/Berlin", (2026, 10, 25), 25),
        ("America/New_York", (2026, 3, 8), 23),
        ("America/New_York", (2026, 11, 1), 25),
        ("Australia/Lord_Howe", (2026, 4, 5), 24.5),
        ("Australia/Lord_Howe", (2026, 10, 4), 23.5),
        ("America/Sao_Paulo", (2018, 11, 4), 23),
        ("America/Sao_Paulo", (2018, 2, 17), 25),
        ("Asia/Beirut", (2026, 3, 29), 23),
        ("Asia/Beirut", (2026, 10, 24), 25),
        ("America/Havana", (2026, 11, 1), 25),
        ("Asia/Tokyo", (2026, 3, 29), 24),
    ],
)
def test_a_day_is_as_long_as_the_clock_makes_it(name, day, hours):
    """From midnight to midnight; where there is none, from the first moment of the day."""
    zone = ZoneInfo(name)
    noon = datetime(*day, 12, tzinfo=zone)
    begin, end = edges(noon, noon, "day", zone)
    assert end - begin == hours * HOUR
    assert (begin.astimezone(zone).date(), end.astimezone(zone).date()) == (
        noon.date(),
        noon.date() + DAY,
    )


def test_a_day_without_a_midnight_begins_with_its_first_moment():
    """In Beirut the clock jumps from 23:59 to 01:00."""
    zone = ZoneInfo("Asia/Beirut")
    begin, _ = edges(*[datetime(2026, 3, 29, 12, tzinfo=zone)] * 2, "day", zone)
    assert begin.astimezone(zone).isoformat() == "2026-03-29T01:00:00+03:00"


def test_a_repeated_midnight_begins_its_day_the_first_time():
    """In Havana it is 00:00 twice."""
    zone = ZoneInfo("America/Havana")
    begin, _ = edges(*[datetime(2026, 11, 1, 12, tzinfo=zone)] * 2, "day", zone)
    assert begin.astimezone(zone).isoformat() == "2026-11-01T00:00:00-04:00"


def test_weeks_begin_on_monday():
    """Also across the end of a year."""
    zone = ZoneInfo("Europe/Berlin")
    found = edges(
        datetime(2026, 12, 27, 23, tzinfo=zone), datetime(2027, 1, 4, tzinfo=zone), "week", zone
    )
    days = [each.astimezone(zone) for each in found]
    assert [f"{each:%a %d %b %H:%M}" for each in days] == [
        "Mon 21 Dec 00:00",
        "Mon 28 Dec 00:00",
        "Mon 04 Jan 00:00",
        "Mon 11 Jan 00:00",
    ]


def test_months_have_their_lengths():
    """A leap year's February too."""
    found = edges(
        datetime(2028, 1, 31, 23, 59, tzinfo=UTC), datetime(2029, 1, 1, tzinfo=UTC), "month", UTC
    )
    lengths = [(end - begin).days for begin, end in itertools.pairwise(found)]
    assert lengths == [calendar.monthrange(2028, n)[1] for n in range(1, 13)] + [31]


@pytest.mark.parametrize("by", PERIODS)
def test_an_instant_on_an_edge_is_in_the_period_that_begins(by):
    """One microsecond before, it is in the one that ends."""
    edge = datetime(2026, 6, 1, tzinfo=UTC)
    assert edges(edge, edge, by, UTC)[0] == edge
    assert edges(*[edge - timedelta(microseconds=1)] * 2, by, UTC)[-1] == edge


@given(
    first=st.datetimes(datetime(1975, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC)),
    length=st.timedeltas(timedelta(0), 3 * DAY),
    by=st.sampled_from(PERIODS),
    zone=st.sampled_from([*(ZoneInfo(name) for name, _ in CHANGES), timezone(-3.5 * HOUR), UTC]),
)
def test_periods_hold_their_instants_and_follow_each_other(first, length, by, zone):
    """The first holds the first instant, the last the last; none is empty."""
    last = first + length
    found = edges(first, last, by, zone)
    assert found[0] <= first < found[1]
    assert found[-2] <= last < found[-1]
    assert all(begin < end for begin, end in itertools.pairwise(found))
    cut = first + length / 2
    assert sorted({*edges(first, cut, by, zone), *edges(cut, last, by, zone)}) == found


@pytest.mark.parametrize("by", ["year", "Day", "days", "", "quarter"])
def test_a_period_that_is_none_is_refused_with_those_there_are(by):
    """The message names all four."""
    for ask in (lambda: known_period(by), lambda: period_edges(0, 0, by, UTC)):
        with pytest.raises(ValueError, match="use one of hour, day, week, month") as caught:
            ask()
        assert repr(by) in str(caught.value)
        assert len(str(caught.value).splitlines()) == 1
