"""Hours, days, weeks and months of a time zone, cut across daylight-saving changes."""

from __future__ import annotations

from datetime import tzinfo
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ._errors import BadArgument
from ._when import PERIODS

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["known_period", "period_edges"]

_HOUR = 3_600_000_000
_LENGTHS = {"hour": _HOUR, "day": 24 * _HOUR, "week": 168 * _HOUR, "month": 720 * _HOUR}
_MOST = 1_000_000


def known_period(by: str) -> str:
    """The name of a kind of periods, when it is one.

    Raises:
        ValueError: ``by`` is none of the four.
    """
    if by not in PERIODS:
        raise ValueError(f"by is {by!r}; use one of {', '.join(PERIODS)}")
    return by


def period_edges(first: int, last: int, by: str, zone: tzinfo) -> NDArray[np.int64]:
    """Where periods begin, from the one that holds ``first`` to the end of that of ``last``.

    Args:
        first: Microseconds since 1970 UTC.
        last: The same, not before ``first``.
        by: One of ``hour``, ``day``, ``week`` (from Monday) and ``month``.
        zone: The time zone whose clock cuts them.

    Returns:
        n + 1 ascending instants for n periods, in microseconds since 1970 UTC.

    Raises:
        ValueError: ``by`` is none of the four, or there would be more periods than memory has
            room for.
    """
    by_clock = known_period(by) == "hour"
    if (last - first) // _LENGTHS[by] > _MOST:
        raise BadArgument(
            f"the readings span {(last - first) // (365 * 24 * _HOUR):,} years, which is too many"
            f" {by}s; use longer periods, or leave out the readings with odd times."
        )
    edges = _hours(first, last, zone) if by_clock else _calendar(first, last, by, zone)
    begin = np.searchsorted(edges, first, side="right") - 1
    end = np.searchsorted(edges, last, side="right")
    return edges[begin : end + 1]


def _calendar(first: int, last: int, by: str, zone: tzinfo) -> NDArray[np.int64]:
    wall = pd.to_datetime([first, last], unit="us", utc=True).tz_convert(zone).tz_localize(None)
    start, stop = wall.normalize()
    # One period more on either side: a zone can skip or repeat its midnight.
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
    # A repeated midnight begins the day the first time; a skipped one, when it is over.
    starts = dates.tz_localize(
        zone, ambiguous=np.ones(len(dates), dtype=bool), nonexistent="shift_forward"
    )
    return np.unique(starts.as_unit("us").asi8)


def _hours(first: int, last: int, zone: tzinfo) -> NDArray[np.int64]:
    """Instants at which the zone's clock shows a full hour.

    Not every one is a full hour in UTC, and Lord Howe Island changes its clock by half an
    hour: there an hour of the clock can last ninety minutes.
    """
    marks = np.arange(first // _HOUR - 2, last // _HOUR + 4) * _HOUR
    offsets = _offsets(marks, zone)
    edges = np.unique((marks + offsets) // _HOUR * _HOUR - offsets)
    full: NDArray[np.bool_] = (edges + _offsets(edges, zone)) % _HOUR == 0
    return edges[full]


def _offsets(instants: NDArray[np.int64], zone: tzinfo) -> NDArray[np.int64]:
    utc = pd.DatetimeIndex(instants.view("datetime64[us]"), tz="UTC")
    wall = utc.tz_convert(zone).tz_localize(None)
    offsets: NDArray[np.int64] = wall.as_unit("us").asi8 - instants
    return offsets
