"""Where the axes of a picture have ticks, and what stands at them; pure."""

from __future__ import annotations

import itertools
import math
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..analysis.periods import period_edges
from .picture_data import DAY, HOUR, MINUTE, SECOND
from .words import day, local

if TYPE_CHECKING:
    from collections.abc import Callable


__all__ = ["TimeTick", "time_ticks", "value_ticks"]

_MOST_STEPS = 4
_YEAR = 366 * DAY
# Up to such a span, a tick each so many microseconds.
_STEPS = (
    (2 * MINUTE, 15 * SECOND),
    (6 * MINUTE, MINUTE),
    (30 * MINUTE, 3 * MINUTE),
    (2 * HOUR, 10 * MINUTE),
    (6 * HOUR, 30 * MINUTE),
    (12 * HOUR, HOUR),
    (36 * HOUR, 3 * HOUR),
    (72 * HOUR, 12 * HOUR),
)


class TimeTick(NamedTuple):
    """An instant in microseconds since 1970 UTC, its label, and where the label's middle is."""

    instant: int
    label: str
    middle: int


def value_ticks(highest: float) -> list[float]:
    """From zero on, at most four steps of 1, 2, 2.5 or 5 times a power of ten."""
    if not highest > 0:
        return [0.0]
    power = 10.0 ** math.floor(math.log10(highest / _MOST_STEPS))
    step = next(
        factor * power
        for factor in (1, 2, 2.5, 5, 10, 20)
        if highest / (factor * power) < _MOST_STEPS + 1
    )
    return [step * count for count in range(int(highest / step) + 1)]


def time_ticks(
    start: int, end: int, zone: tzinfo, room: Callable[[str], int], by: str = ""
) -> list[TimeTick]:
    """The ticks of a time axis, as many as have room.

    Args:
        start: Where the axis begins, in microseconds since 1970 UTC.
        end: Where it ends, likewise.
        zone: The time zone of the labels.
        room: How many microseconds a label takes up, with a gap beside it.
        by: The period of the bars; with days, each label is under the middle of its bar.
    """
    span = end - start
    for longest, step in _STEPS:
        if span <= longest and not (by == "day" and longest > 36 * HOUR):
            return _clock_ticks(start, end, step, zone, room)
    if span <= 16 * DAY:
        is_centred = by == "day"
        ticks = _dated(_edges(start, end, "day", zone), zone, _weekday_label)
        if is_centred:
            ticks = [each._replace(middle=each.instant + DAY // 2) for each in ticks]
    elif span <= 122 * DAY:
        ticks = _dated(_edges(start, end, "week", zone), zone, _day_label)
    else:
        months = _edges(start, end, "month", zone)
        every = 1 if span <= 15 * 31 * DAY else 3 if span <= 4 * _YEAR else 12
        months = [each for each in months if (local(each, zone).month - 1) % every == 0]
        ticks = _dated(months, zone, _month_label)
    inside = [each for each in ticks if start <= each.middle <= end]
    return _thin(inside, room, is_monthly=span > 122 * DAY)


def _edges(start: int, end: int, by: str, zone: tzinfo) -> list[int]:
    return [int(each) for each in period_edges(start, end, by, zone) if start <= each <= end]


def _clock_ticks(
    start: int, end: int, step: int, zone: tzinfo, room: Callable[[str], int]
) -> list[TimeTick]:
    # Round by the zone's clock, whose offset need not be whole hours.
    offset = local(start, zone).utcoffset()
    shift = int(offset.total_seconds() * 1e6) if offset is not None else 0
    instants = np.arange(-(-(start + shift) // step), (end + shift) // step + 1) * step - shift
    form = "%H:%M:%S" if step < MINUTE else "%H:%M"
    ticks = []
    for each in instants:
        at = local(int(each), zone)
        # Where the clock changes in between, full hours are elsewhere.
        is_midnight = step >= 30 * MINUTE and (at.hour, at.minute) == (0, 0)
        label = f"{at:%a} {day(at)}" if is_midnight else f"{at:{form}}"
        ticks.append(TimeTick(int(each), label, int(each)))
    return _thin(ticks, room)


def _dated(
    instants: list[int], zone: tzinfo, label: Callable[[datetime, datetime | None], str]
) -> list[TimeTick]:
    ticks: list[TimeTick] = []
    before: datetime | None = None
    for each in instants:
        at = local(each + MINUTE, zone)
        ticks.append(TimeTick(each, label(at, before), each))
        before = at
    return ticks


def _weekday_label(at: datetime, before: datetime | None) -> str:
    text = f"{at:%a} {at.day}"
    if before is None:
        return f"{text}\n{at:%b %Y}"
    return text if at.month == before.month else f"{text}\n{at:%b}{_new_year(at, before)}"


def _day_label(at: datetime, before: datetime | None) -> str:
    year = "" if before is None or at.year == before.year else f"\n{at.year}"
    return f"{day(at)}{year}"


def _month_label(at: datetime, before: datetime | None) -> str:
    is_new = before is None or at.year != before.year
    return f"{at:%b}\n{at.year}" if is_new else f"{at:%b}"


def _new_year(at: datetime, before: datetime) -> str:
    return "" if at.year == before.year else f" {at.year}"


def _thin(
    ticks: list[TimeTick], room: Callable[[str], int], *, is_monthly: bool = False
) -> list[TimeTick]:
    """Every second or third tick, and so on, so that no label touches the next one."""
    for every in range(1, len(ticks) + 1):
        if is_monthly:
            # January stays, since it names its year.
            first = next((at for at, each in enumerate(ticks) if "Jan" in each.label), 0) % every
        else:
            first = 0
        kept = ticks[first::every]
        pairs = itertools.pairwise(kept)
        if all(
            (room(one.label) + room(other.label)) / 2 <= other.middle - one.middle
            for one, other in pairs
        ):
            return kept
    return ticks[:1]
