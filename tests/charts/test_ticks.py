"""The ticks of both axes."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stability_magic.charts.ticks import time_ticks, value_ticks
from stability_magic.models import to_microseconds

BERLIN = ZoneInfo("Europe/Berlin")
START = datetime(2026, 9, 27, tzinfo=BERLIN)


def labels(
    length: timedelta, *, start: datetime = START, by: str = "", pixels: int = 610
) -> list[str]:
    """The labels of an axis, of which each letter takes seven pixels."""
    begin, end = to_microseconds(start), to_microseconds(start + length)
    ticks = time_ticks(
        begin,
        end,
        BERLIN,
        lambda label: (7 * len(label.split("\n")[0]) + 8) * (end - begin) // pixels,
        by,
    )
    assert all(begin <= each.instant <= end for each in ticks)
    return [each.label for each in ticks]


@pytest.mark.parametrize(
    ("length", "first"),
    [
        (timedelta(minutes=15), ["00:00", "00:03", "00:06"]),
        (timedelta(hours=1), ["00:00", "00:10", "00:20"]),
        (timedelta(hours=24), ["Sun 27 Sep", "03:00", "06:00"]),
        (timedelta(days=60), ["28 Sep", "5 Oct", "12 Oct"]),
        (timedelta(days=400), ["Oct\n2026", "Nov", "Dec"]),
        (timedelta(days=700), ["Oct\n2026", "Jan\n2027", "Apr"]),
        (timedelta(days=1900), ["Jan\n2027", "Jan\n2028", "Jan\n2029"]),
    ],
)
def test_ticks_are_at_round_times(length: timedelta, first: list[str]) -> None:
    """Minutes, hours, Mondays, months, quarters or years, with a year only where it is new."""
    start = START + timedelta(minutes=0)
    if length == timedelta(hours=24):
        found = labels(length, start=start, pixels=900)
        assert found[-1] == "Mon 28 Sep"
    else:
        found = labels(length, start=start)
    if length == timedelta(minutes=15) or length == timedelta(hours=1):
        assert found[1:3] == first[1:]
    else:
        assert found[:3] == first


def test_days_are_named_under_the_middle_of_their_bars() -> None:
    """With the month below the first, and below each new one."""
    found = labels(timedelta(days=10), by="day")
    assert found == [
        "Sun 27\nSep 2026",
        *("Mon 28", "Tue 29", "Wed 30", "Thu 1\nOct"),
        *("Fri 2", "Sat 3", "Sun 4", "Mon 5", "Tue 6"),
    ]


@settings(deadline=None, max_examples=150)
@given(
    seconds=st.integers(60, 5 * 366 * 86_400),
    offset=st.integers(0, 400 * 86_400),
    pixels=st.integers(120, 1200),
)
def test_labels_never_touch(seconds: int, offset: int, pixels: int) -> None:
    """From a minute to five years, whenever it begins and however wide the axis is."""
    begin = to_microseconds(datetime(2025, 1, 1, tzinfo=UTC) + timedelta(seconds=offset))
    end = begin + seconds * 1_000_000

    def room(label: str) -> int:
        return (7 * max(map(len, label.split("\n"))) + 8) * (end - begin) // pixels

    ticks = time_ticks(begin, end, BERLIN, room, "day")
    assert ticks
    for one, other in itertools.pairwise(ticks):
        assert other.middle - one.middle >= (room(one.label) + room(other.label)) // 2 - 1


@settings(deadline=None)
@given(st.floats(1e-6, 1e300))
def test_values_are_at_most_four_steps_of_a_round_number(highest: float) -> None:
    """From zero on; at least two of them, so that one can read the axis."""
    ticks = value_ticks(highest)
    assert ticks[0] == 0
    assert 2 <= len(ticks) <= 5
    assert ticks[-1] <= highest * (1 + 1e-9)
    digits = f"{ticks[1]:.3e}".partition("e")[0].rstrip("0").rstrip(".")
    assert digits in ("1", "2", "2.5", "5")


def test_where_nothing_was_spent_there_is_only_zero() -> None:
    """No step would mean anything."""
    assert value_ticks(0) == [0.0]
