"""What each panel of a picture shows of the readings, in numbers; pure."""

from __future__ import annotations

from datetime import datetime, tzinfo
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from ._balances import Balances, Series
from ._forecast import forecast_marks
from ._outlook import path
from ._periods import known_period, period_edges
from ._readings import microseconds
from ._spend import usage_marks, usage_of, watched
from ._thinning import extremes, largest, merged, reduced, strongest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ._balances import Marks

__all__ = [
    "MOST_COLUMNS",
    "Bars",
    "Line",
    "Outlook",
    "Rises",
    "Shown",
    "bars",
    "latest",
    "line",
    "picture_marks",
    "rises",
    "shown",
    "unwatched",
    "with_outlooks",
]


_DAY = 86_400_000_000  # microseconds
_LEAST_AHEAD = 3.0  # days
_COVERAGE = 0.8

# The columns in which a line's extremes are kept, however many pixels there are; they keep an
# SVG small.
MOST_COLUMNS = 2000


class Shown(NamedTuple):
    """The readings of a picture and the window it shows of them.

    Attributes:
        whole: All readings, by organization.
        by: The period.
        since: The beginning that was asked for.
        until: The end that was asked for.
        first: Where the window begins, asked for or not, in microseconds since 1970 UTC.
        last: Where it ends.
        edges: Where periods begin, from that of the first reading to the end of the last's.
        outlooks: How each organization's balance goes on, where that is to be drawn.
    """

    whole: Balances
    by: str
    since: datetime | None
    until: datetime | None
    first: int
    last: int
    edges: NDArray[np.int64]
    outlooks: tuple[Outlook | None, ...] = ()

    @property
    def ends(self) -> int:
        """Where the time axis ends, which is later when a forecast is drawn."""
        return max([self.last, *(int(each.times[-1]) for each in self.outlooks if each)])


class Line(NamedTuple):
    """One organization's balances: times in microseconds, credits, positions of readings.

    Where there is a reading before the window, or after it, the line begins or ends at the
    window's edge; these points are no readings.
    """

    times: NDArray[np.int64]
    credits: NDArray[np.float64]
    readings: list[int]


class Outlook(NamedTuple):
    """A balance ahead: times in microseconds, and credits: expected, at least, at most."""

    times: NDArray[np.int64]
    middle: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


class Rises(NamedTuple):
    """Readings that showed a top-up, in any order: microseconds, credits left, credits."""

    times: NDArray[np.int64]
    credits: NDArray[np.float64]
    sizes: NDArray[np.float64]
    codes: NDArray[np.int64]


class Bars(NamedTuple):
    """Spending in n bars of k organizations.

    Attributes:
        edges: n + 1 instants in microseconds since 1970 UTC.
        spent: Shape (k, n), credits.
        at_least: Shape (k, n), whether a top-up hides spending.
    """

    edges: NDArray[np.int64]
    spent: NDArray[np.float64]
    at_least: NDArray[np.bool_]


def latest(picture: Shown) -> list[float]:
    """The latest balance of each organization, in credits."""
    return [float(each.credits[-1]) for each in picture.whole.series]


def shown(whole: Balances, by: str, since: datetime | None, until: datetime | None) -> Shown:
    """What a picture shows of readings.

    Raises:
        ValueError: ``by`` is no period, or ``since`` and ``until`` have no time zone or the
            wrong order.
    """
    known_period(by)
    begin, end = _instant("since", since), _instant("until", until)
    if begin is not None and end is not None and begin >= end:
        raise ValueError(f"`since` is {since}, which is not before `until`, {until}")
    edges = period_edges(whole.first, whole.last, by, whole.zone)
    first = whole.first if begin is None else begin
    last = whole.last if end is None else end
    return Shown(whole, by, since, until, first, last, edges)


def picture_marks(
    by: str, zone: tzinfo, since: datetime | None, until: datetime | None, *, forecast: bool
) -> Marks:
    """Where a picture looks at readings: at its periods, and in columns that it cannot tell apart.

    Args:
        by: The period.
        zone: Whose clock cuts the periods.
        since: Where the picture begins; at the first reading when None.
        until: Where it ends; at the last reading when None.
        forecast: Whether it looks ahead too.
    """
    periods = usage_marks(by, zone, since, until)

    def marks(first: int, last: int) -> NDArray[np.int64]:
        begin = first if since is None else microseconds(since)
        end = last if until is None else microseconds(until)
        columns = np.linspace(begin, end, MOST_COLUMNS + 1).astype(np.int64)
        hours = forecast_marks(first, last) if forecast else columns[:0]
        return np.concatenate([periods(first, last), columns, hours])

    return marks


def with_outlooks(picture: Shown) -> Shown:
    """The picture with how each balance is expected to go on, where that can be said."""
    return picture._replace(
        outlooks=tuple(_outlook(picture, each) for each in picture.whole.series)
    )


def _outlook(picture: Shown, series: Series) -> Outlook | None:
    # As far ahead as the picture looks back, so that the past stays readable.
    now = min(picture.last, picture.whole.last)
    days = max(_LEAST_AHEAD, (now - picture.first) / _DAY)
    found = Outlook(*path(series, now=now, coverage=_COVERAGE, days=days))
    return found if len(found.times) > 1 else None


def line(picture: Shown, code: int, columns: int) -> Line | None:
    """One organization's line in so many columns; None where nothing of it is in the window."""
    series = picture.whole.series[code]
    times, credits = series.times, series.credits
    begin = int(np.searchsorted(times, picture.first))
    # An end that was asked for is itself left out, as it is in the usage frame.
    side = "right" if picture.until is None else "left"
    end = int(np.searchsorted(times, picture.last, side=side))  # type: ignore[call-overload]
    before, after = begin > 0, end < len(times)
    if begin == end and not (before and after):
        return None
    cut = slice(begin - before, end + after)
    times, credits = np.clip(times[cut], picture.first, picture.last), credits[cut]
    if after:
        # A balance that was first seen later holds from then on, not at the window's edge.
        credits = np.append(credits[:-1], credits[-2])
    at = extremes(times, credits, columns)
    is_reading = (at >= before) & (at < len(times) - after)
    return Line(times[at], credits[at], np.flatnonzero(is_reading).tolist())


def unwatched(picture: Shown, nearest: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Stretches with no reading of any organization for longer than a period.

    A window that was asked for and reaches beyond the readings is unwatched there as well.

    Args:
        picture: At least one reading.
        nearest: Stretches no further apart than this are made one, in microseconds.

    Returns:
        Where they begin and where they end, ascending, in microseconds since 1970 UTC.
    """
    times = np.sort(np.concatenate([each.times for each in picture.whole.series]), kind="stable")
    low, high = min(picture.first, int(times[0])), max(picture.last, int(times[-1]))
    times = np.concatenate([[low], times, [high]])
    shortest = np.diff(picture.edges).min()
    long = np.flatnonzero(np.diff(times) > shortest)
    pairs = np.column_stack([times[long], times[long + 1]])
    away = long[~watched(pairs.ravel(), picture.edges)[1::2]]
    starts = np.clip(times[away], picture.first, picture.last)
    ends = np.clip(times[away + 1], picture.first, picture.last)
    inside = ends > starts
    return merged(starts[inside], ends[inside], nearest)


def rises(picture: Shown, nearest: int) -> Rises:
    """The top-ups in the window, of those closer than ``nearest`` microseconds the largest."""
    found = [_rises(picture, code) for code in range(len(picture.whole.series))]
    times, credits, sizes, codes = (np.concatenate(each) for each in zip(*found, strict=True))
    most = largest(times, sizes, nearest)
    return Rises(times[most], credits[most], sizes[most], codes[most])


def _rises(picture: Shown, code: int) -> Rises:
    series = picture.whole.series[code]
    inside = (series.topped_up > 0) & (series.times >= picture.first)
    inside &= series.times <= picture.last if picture.until is None else series.times < picture.last
    sizes = series.topped_up[inside]
    codes = np.full(len(sizes), code)
    return Rises(series.times[inside], series.credits[inside], sizes, codes)


def bars(picture: Shown, room: int) -> Bars | None:
    """Spending by period; None where no time of any organization is in the window.

    Args:
        picture: What is shown.
        room: How many bars can be told from each other. Of more periods than that neighbours
            are made one, which shows the period in which most was spent.
    """
    whole = picture.whole
    organizations = pd.Index(whole.organizations)
    # The same usage from far fewer rows than there are, and without a guess at what is likely.
    marks = np.append(picture.edges, [picture.first, picture.last])
    few = whole._replace(series=[reduced(each, marks) for each in whole.series])
    frame = usage_of(few, picture.by, since=picture.since, until=picture.until, topup_step=None)
    if frame.empty:
        return None
    starts = pd.DatetimeIndex(frame.index).as_unit("us").asi8
    edges = period_edges(int(starts[0]), int(starts[-1]), picture.by, whole.zone)
    cells = (
        organizations.get_indexer(pd.Index(frame["organization"])),
        np.searchsorted(edges, starts),
    )
    spent = np.zeros((len(whole.organizations), len(edges) - 1))
    at_least = np.zeros(spent.shape, dtype=bool)
    spent[cells], at_least[cells] = frame["spent"], frame["at_least"]
    groups, picks = strongest(spent.sum(axis=0), room)
    return Bars(
        np.append(edges[groups], edges[-1]),
        spent[:, picks],
        np.logical_or.reduceat(at_least, groups, axis=1),
    )


def _instant(argument: str, at: datetime | None) -> int | None:
    if at is None:
        return None
    if at.tzinfo is None:
        raise ValueError(f"`{argument}` is {at}, without a time zone; give it one")
    return microseconds(at)
