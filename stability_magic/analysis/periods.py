"""The hours, days, weeks and months of a time zone, whatever its clock changes; pure."""

from __future__ import annotations

from datetime import datetime, tzinfo
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ..errors import BadArgument
from ..models import from_microseconds, to_microseconds
from ..when import PERIODS

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["check_period", "period_edges", "period_end", "period_start"]

_HOUR = 3_600_000_000
_LENGTHS = {"hour": _HOUR, "day": 24 * _HOUR, "week": 168 * _HOUR, "month": 720 * _HOUR}
_MOST_PERIODS = 1_000_000

# Years in which pandas can name every day in nanoseconds, as its older versions do. Readings have
# no others.
_FIRST_YEAR, _LAST_YEAR = 1700, 2250


def check_period(by: str) -> str:
    """Returns the name of a kind of period after checking it.

    Raises:
        ValueError: ``by`` is not one of the four.
    """
    if by not in PERIODS:
        raise ValueError(f"by is {by!r}; use one of {', '.join(PERIODS)}")
    return by


def period_start(at: datetime, by: str, zone: tzinfo) -> datetime:
    """Where the period in which an instant lies begins, by the zone's clock.

    Args:
        at: The instant, with a time zone; one centuries away from any reading is returned as it is.
        by: One of ``hour``, ``day``, ``week`` (from Monday) and ``month``.
        zone: The time zone whose clock decides where periods begin.

    Raises:
        ValueError: ``by`` is not one of the four, or the instant has no time zone.
    """
    instant = to_microseconds(at)
    if not _FIRST_YEAR <= at.year <= _LAST_YEAR:
        return at
    return from_microseconds(int(period_edges(instant, instant, by, zone)[0])).astimezone(zone)


def period_end(at: datetime, by: str, zone: tzinfo) -> datetime:
    """Where the period ends that an instant ends or lies in; arguments as for period_start."""
    instant = to_microseconds(at) - 1
    if not _FIRST_YEAR <= at.year <= _LAST_YEAR:
        return at
    return from_microseconds(int(period_edges(instant, instant, by, zone)[-1])).astimezone(zone)


def period_edges(first: int, last: int, by: str, zone: tzinfo) -> NDArray[np.int64]:
    """Where periods begin, from the one with ``first`` in it to the end of the one with ``last``.

    Args:
        first: Microseconds since 1970 UTC.
        last: Microseconds since 1970 UTC, not before ``first``.
        by: One of ``hour``, ``day``, ``week`` (from Monday) and ``month``.
        zone: The time zone whose clock decides where they begin.

    Returns:
        n + 1 ascending instants for n periods, in microseconds since 1970 UTC.

    Raises:
        ValueError: ``by`` is not one of the four, or there would be more periods than memory
            has room for.
    """
    is_hourly = check_period(by) == "hour"
    if (last - first) // _LENGTHS[by] > _MOST_PERIODS:
        raise BadArgument(
            f"the readings span {(last - first) // (365 * 24 * _HOUR):,} years, which is too many"
            f" {by}s; use longer periods, or leave out the readings with odd times."
        )
    if is_hourly:
        edges = _hour_starts(first, last, zone)
    else:
        edges = _calendar_starts(first, last, by, zone)
    begin = np.searchsorted(edges, first, side="right") - 1
    end = np.searchsorted(edges, last, side="right")
    return edges[begin : end + 1]


def _calendar_starts(first: int, last: int, by: str, zone: tzinfo) -> NDArray[np.int64]:
    wall = pd.to_datetime([first, last], unit="us", utc=True).tz_convert(zone).tz_localize(None)
    start, stop = wall.normalize()
    # One more period on either side, as a zone can skip or repeat a midnight.
    if by == "month":
        dates = pd.date_range(
            start.replace(day=1) - pd.DateOffset(months=1),
            stop + pd.DateOffset(months=2),
            freq="MS",
        )
    else:
        days = 7 if by == "week" else 1
        monday = pd.Timedelta(days=start.weekday() if by == "week" else 0)
        step = pd.Timedelta(days=days)
        dates = pd.date_range(start - monday - step, stop + 2 * step, freq=step)
    # Of a repeated midnight the first counts; a skipped one becomes the first moment after it.
    starts = dates.tz_localize(
        zone, ambiguous=np.ones(len(dates), dtype=bool), nonexistent="shift_forward"
    )
    return np.unique(starts.as_unit("us").asi8)


def _hour_starts(first: int, last: int, zone: tzinfo) -> NDArray[np.int64]:
    """The instants at which the zone's clock shows a full hour.

    These need not be full hours in UTC. Lord Howe Island changes its clock by half an hour, so
    an hour on that clock can last ninety minutes.
    """
    utc_hours = np.arange(first // _HOUR - 2, last // _HOUR + 4) * _HOUR
    offsets = _offsets(utc_hours, zone)
    edges = np.unique((utc_hours + offsets) // _HOUR * _HOUR - offsets)
    is_full_hour: NDArray[np.bool_] = (edges + _offsets(edges, zone)) % _HOUR == 0
    return edges[is_full_hour]


def _offsets(instants: NDArray[np.int64], zone: tzinfo) -> NDArray[np.int64]:
    utc = pd.DatetimeIndex(instants.view("datetime64[us]"), tz="UTC")
    wall = utc.tz_convert(zone).tz_localize(None)
    offsets: NDArray[np.int64] = wall.as_unit("us").asi8 - instants
    return offsets
