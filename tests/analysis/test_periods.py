"""Hours, days, weeks and months, by the local clock of each zone."""

from __future__ import annotations

import calendar
import itertools
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stability_magic.analysis.periods import check_period, period_edges, period_end, period_start
from stability_magic.models import to_microseconds
from stability_magic.when import PERIODS, parse_period

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# Clock changes by an hour and by half an hour, at night and at midnight, forward and back; and
# zones with quarter-hour offsets or no changes.
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
    """The day, week or month of an instant, as a number that grows with time."""
    wall = at.astimezone(zone)
    if by == "month":
        return wall.year * 12 + wall.month
    return wall.toordinal() if by == "day" else (wall.toordinal() - 1) // 7


def starts_step_by_step(first, last, by, zone):
    """The instants at which periods begin, searched slowly in small steps."""
    step = MINUTE if by in ("hour", "day") else 5 * MINUTE
    latest = period_of(first - step, by, zone) if by != "hour" else 0
    for n in range(int((last - first) / step) + 1):
        at = first + n * step
        if by == "hour" and at.astimezone(zone).minute == 0:
            yield at
        elif by != "hour" and period_of(at, by, zone) > latest:
            # A repeated midnight does not begin a second day.
            latest = period_of(at, by, zone)
            yield at


def edges(first, last, by, zone):
    """The edges as instants."""
    result = period_edges(to_microseconds(first), to_microseconds(last), by, zone)
    return [EPOCH + int(each) * timedelta(microseconds=1) for each in result]


@AROUND_CHANGES
@pytest.mark.parametrize("by", PERIODS)
def test_periods_begin_where_the_local_clock_says(name, change, by):
    """Every edge is the start of a period, and no period starts between two of them."""
    zone = ZoneInfo(name)
    around = 40 * DAY if by == "month" else 9 * DAY if by == "week" else 2 * DAY
    first, last = change - around, change + around
    result = edges(first, last, by, zone)
    assert result[0] <= first < result[1]
    assert result[-2] <= last < result[-1]
    assert result == list(starts_step_by_step(result[0], result[-1], by, zone))


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
    """From midnight to midnight, or from the first moment of a day that has no midnight."""
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
    """Even across the end of a year."""
    zone = ZoneInfo("Europe/Berlin")
    result = edges(
        datetime(2026, 12, 27, 23, tzinfo=zone), datetime(2027, 1, 4, tzinfo=zone), "week", zone
    )
    days = [each.astimezone(zone) for each in result]
    assert [f"{each:%a %d %b %H:%M}" for each in days] == [
        "Mon 21 Dec 00:00",
        "Mon 28 Dec 00:00",
        "Mon 04 Jan 00:00",
        "Mon 11 Jan 00:00",
    ]


def test_months_have_their_lengths():
    """A leap year's February too."""
    result = edges(
        datetime(2028, 1, 31, 23, 59, tzinfo=UTC), datetime(2029, 1, 1, tzinfo=UTC), "month", UTC
    )
    lengths = [(end - begin).days for begin, end in itertools.pairwise(result)]
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
    """The first period contains the first instant, the last one the last; none is empty."""
    last = first + length
    result = edges(first, last, by, zone)
    assert result[0] <= first < result[1]
    assert result[-2] <= last < result[-1]
    assert all(begin < end for begin, end in itertools.pairwise(result))
    middle = first + length / 2
    assert sorted({*edges(first, middle, by, zone), *edges(middle, last, by, zone)}) == result


@pytest.mark.parametrize("by", ["year", "Day", "days", "", "quarter"])
def test_an_unknown_period_is_refused(by):
    """The message names all four."""
    for call in (lambda: check_period(by), lambda: period_edges(0, 0, by, UTC)):
        with pytest.raises(ValueError, match="use one of hour, day, week, month") as error:
            call()
        assert repr(by) in str(error.value)
        assert len(str(error.value).splitlines()) == 1


@given(
    change=st.sampled_from(CHANGES),
    minutes=st.integers(-3 * 1440, 3 * 1440),
    by=st.sampled_from(PERIODS),
)
def test_a_period_starts_at_the_last_edge(change, minutes, by):
    """Around clock changes too, where hours, and days by their midnights, are odd."""
    name, at = change
    zone = ZoneInfo(name)
    at += timedelta(minutes=minutes)
    start = period_start(at, by, zone)
    edges = period_edges(to_microseconds(at - 40 * DAY), to_microseconds(at), by, zone)
    assert to_microseconds(start) == edges[-2]
    assert start.tzinfo is zone
    assert period_start(start, by, zone) == start
    # It ends where the next one begins, which is also the end of itself.
    end = period_end(at, by, zone)
    assert to_microseconds(start) == to_microseconds(at) or to_microseconds(end) == edges[-1]
    assert period_end(end, by, zone) == end
    assert period_end(start, by, zone) == start


@given(
    change=st.sampled_from(CHANGES),
    days=st.integers(-40, 40),
    period=st.sampled_from([("day", "%Y-%m-%d"), ("week", "%G-W%V"), ("month", "%Y-%m")]),
)
def test_a_period_that_was_typed_is_one_of_them(change, days, period):
    """It begins at an edge, and ends at the next."""
    (name, at), (by, form) = change, period
    zone = ZoneInfo(name)
    day = at + timedelta(days=days)
    begin, end = parse_period(f"{day:{form}}", now=datetime(2026, 6, 1, tzinfo=zone))
    first = to_microseconds(begin)
    assert period_edges(first, first, by, zone).tolist() == [first, to_microseconds(end)]


@pytest.mark.parametrize("by", PERIODS)
@pytest.mark.parametrize("year", [1, 1699, 2251, 9999])
def test_an_instant_far_from_any_reading_is_its_own_start(by, year):
    """No version of pandas has to name it."""
    at = datetime(year, 6, 1, 12, 30, tzinfo=UTC)
    assert period_start(at, by, ZoneInfo("Europe/Berlin")) == at
    assert period_end(at, by, ZoneInfo("Europe/Berlin")) == at


def test_a_period_that_does_not_exist_has_no_start():
    """Nor has an instant without a zone."""
    with pytest.raises(ValueError, match="fortnight"):
        period_start(EPOCH, "fortnight", UTC)
    with pytest.raises(ValueError, match="no time zone"):
        period_start(datetime(2026, 1, 1), "day", UTC)
