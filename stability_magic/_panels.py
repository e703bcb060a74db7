"""What each panel of a picture shows of the readings, in numbers; pure."""

from __future__ import annotations

import itertools
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from ._balances import Balances, balances
from ._frames import changes, utc_index
from ._outlook import path
from ._periods import period_edges
from ._readings import microseconds
from ._spend import usage_between, watched
from ._thinning import extremes, largest, merged, strongest, turning_points

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

__all__ = [
    "Bars",
    "Line",
    "Outlook",
    "Rises",
    "Shown",
    "bars",
    "latest",
    "line",
    "rises",
    "shown",
    "unwatched",
    "with_outlooks",
]


_DAY = 86_400_000_000  # microseconds
_LEAST_AHEAD = 3.0  # days
_COVERAGE = 0.8


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
        turns: Positions of the readings that spending and top-ups depend on.
        outlooks: How each organization's balance goes on, where that is to be drawn.
    """

    whole: Balances
    by: str
    since: datetime | None
    until: datetime | None
    first: int
    last: int
    edges: NDArray[np.int64]
    turns: NDArray[np.int64]
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
    return [float(picture.whole.credits[rows][-1]) for rows in _organizations(picture.whole)]


def shown(readings: pd.DataFrame, by: str, since: datetime | None, until: datetime | None) -> Shown:
    """Takes a readings frame apart for a picture.

    Raises:
        ValueError: As ``balances`` and ``period_edges``, or ``since`` and ``until`` have no
            time zone or the wrong order.
    """
    whole = balances(readings)
    begin, end = _instant("since", since), _instant("until", until)
    if begin is not None and end is not None and begin >= end:
        raise ValueError(f"`since` is {since}, which is not before `until`, {until}")
    times = whole.times
    first, last = (int(times.min()), int(times.max())) if len(times) else (0, 0)
    edges = period_edges(first, last, by, whole.zone)
    first = first if begin is None else begin
    last = last if end is None else end
    turns = np.zeros(len(times), dtype=bool)
    marks = np.append(edges, [first, last])
    for rows in _organizations(whole):
        turns[rows] = turning_points(times[rows], whole.credits[rows], marks)
    return Shown(whole, by, since, until, first, last, edges, np.flatnonzero(turns))


def with_outlooks(picture: Shown) -> Shown:
    """The picture with how each balance is expected to go on, where that can be said."""
    codes = range(len(picture.whole.organizations))
    return picture._replace(outlooks=tuple(_outlook(picture, code) for code in codes))


def _outlook(picture: Shown, code: int) -> Outlook | None:
    # As far ahead as the picture looks back, so that the past stays readable.
    rows = slice(*np.searchsorted(picture.whole.codes, [code, code + 1]))
    times, credits = picture.whole.times[rows], picture.whole.credits[rows]
    now = min(picture.last, int(picture.whole.times.max()))
    days = max(_LEAST_AHEAD, (now - picture.first) / _DAY)
    found = Outlook(*path(times, credits, now=now, coverage=_COVERAGE, days=days))
    return found if len(found.times) > 1 else None


def line(picture: Shown, code: int, columns: int) -> Line | None:
    """One organization's line in so many columns; None where nothing of it is in the window."""
    rows = slice(*np.searchsorted(picture.whole.codes, [code, code + 1]))
    times, credits = picture.whole.times[rows], picture.whole.credits[rows]
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
    times = np.sort(picture.whole.times, kind="stable")
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
    whole, turns = picture.whole, picture.turns
    _, sizes = changes(whole.codes[turns], whole.credits[turns])
    times = whole.times[turns]
    inside = (sizes > 0) & (times >= picture.first)
    inside &= times <= picture.last if picture.until is None else times < picture.last
    at, sizes = turns[inside], sizes[inside]
    most = largest(whole.times[at], sizes, nearest)
    at = at[most]
    return Rises(whole.times[at], whole.credits[at], sizes[most], whole.codes[at])


def bars(picture: Shown, room: int) -> Bars | None:
    """Spending by period; None where no time of any organization is in the window.

    Args:
        picture: What is shown.
        room: How many bars can be told from each other. Of more periods than that neighbours
            are made one, which shows the period in which most was spent.
    """
    whole, turns = picture.whole, picture.turns
    organizations = pd.Index(whole.organizations)
    # The same usage from far fewer rows than there are.
    telling = pd.DataFrame(
        {
            "organization": pd.Categorical.from_codes(whole.codes[turns], organizations),
            "credits": whole.credits[turns],
        },
        index=utc_index(whole.times[turns], whole.zone, "read_at"),
    )
    frame = usage_between(telling, picture.by, since=picture.since, until=picture.until)
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


def _organizations(whole: Balances) -> Iterator[slice]:
    bounds = np.searchsorted(whole.codes, np.arange(len(whole.organizations) + 1))
    return (slice(*each) for each in itertools.pairwise(bounds))
