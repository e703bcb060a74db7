"""Readings by organization, with what was spent and topped up between them; pure."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, tzinfo
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from ..text import clean_text
from .changes import spent_and_topped_up
from .doubtful import is_doubtful
from .gaps import Gaps, gaps_between
from .windows import ALL_TIME, Window

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]


__all__ = [
    "Histories",
    "LikelyRises",
    "Series",
    "WindowAmounts",
    "histories_from_frame",
    "histories_from_series",
]


_TIME_WITH_OFFSET = re.compile(r".+[T ].*\d(Z|[+-]\d\d(?::?\d\d){0,2})", re.IGNORECASE)
_NO_TIMES = np.empty(0, np.int64)


class WindowAmounts(NamedTuple):
    """Estimates of what was spent in some windows of time, and upper bounds; NaN if unknown."""

    spent: Floats
    at_most: Floats


class LikelyRises(NamedTuple):
    """What was likely spent and topped up at the readings that show a rise, oldest first.

    Attributes:
        times: In microseconds since 1970 UTC.
        spent: Credits.
        topped_up: Credits.
    """

    times: Ints
    spent: Floats
    topped_up: Floats


class Series(NamedTuple):
    """One organization's readings, oldest first, and what happened between them.

    A row may stand for several readings between which the balance did not rise; it is the last
    of them. So sums over rows are the same as sums over all readings.

    Attributes:
        times: In microseconds since 1970 UTC.
        credits: Balances; of two at the same time, the higher one comes first.
        spent: Credits spent since the previous row, not negative; 0 in the first row.
        topped_up: Credits by which the balance rose since the previous row, likewise.
        counts: How many readings each row stands for.
        doubtful: The times of doubtful readings in or near the same time, which have no rows.
        amounts: A function that takes the starts of windows of time, in microseconds since the
            first row, and their lengths, and returns what was spent in them; None where every
            reading has its own row.
        find_gaps: A function that returns the gaps between all of the organization's readings; None
            where every reading has its own row, which then are all that is known of it.
        find_likely: A function that takes the step of purchases and returns what was likely spent
            and topped up at the rises among all of the organization's readings; None where these
            are all of them.
    """

    times: Ints
    credits: Floats
    spent: Floats
    topped_up: Floats
    counts: Ints
    doubtful: Ints = _NO_TIMES
    amounts: Callable[[Floats, Floats], WindowAmounts] | None = None
    find_gaps: Callable[[], Gaps] | None = None
    find_likely: Callable[[float], LikelyRises] | None = None

    @classmethod
    def of(cls, times: Ints, credits: Floats) -> Series:
        """A series with one row for each reading, all of which count."""
        spent, topped_up = spent_and_topped_up(np.zeros(len(times), np.int64), credits)
        spent[:1], topped_up[:1] = 0.0, 0.0
        return cls(times, credits, spent, topped_up, np.ones(len(times), np.int64))

    @classmethod
    def of_those_that_count(
        cls,
        times: Ints,
        credits: Floats,
        window: Window = ALL_TIME,
        is_known_doubtful: NDArray[np.bool_] | None = None,
    ) -> Series:
        """A series with one row for each reading in a window that is not doubtful.

        Args:
            times: Ascending, in microseconds since 1970 UTC; from ``MARGIN`` before the window to
                ``MARGIN`` after it.
            credits: Balances; of two at the same time, the higher one comes first.
            window: What the series is for.
            is_known_doubtful: Which readings are doubtful by others that are not among these; if
                all are, they are still all that there is, and count.
        """
        counts = ~is_doubtful(times, credits)
        if is_known_doubtful is not None:
            counts &= ~is_known_doubtful
            counts |= not counts.any()
        doubtful = _NO_TIMES
        if not counts.all():
            times, credits, doubtful = times[counts], credits[counts], times[~counts]
        rows = window.rows(times)
        return cls.of(times[rows], credits[rows])._replace(doubtful=doubtful)

    def times_factor(self, factor: float) -> Series:
        """The same with all credits multiplied, so that they can be summed and squared."""
        return self._replace(
            credits=self.credits * factor,
            spent=self.spent * factor,
            topped_up=self.topped_up * factor,
            amounts=self.amounts and _amounts_times(self.amounts, factor),
            find_likely=None,
        )

    def until(self, instant: int) -> Series:
        """The rows up to an instant, in microseconds since 1970 UTC."""
        rows = slice(int(np.searchsorted(self.times, instant, side="right")))
        return Series(
            self.times[rows],
            self.credits[rows],
            self.spent[rows],
            self.topped_up[rows],
            self.counts[rows],
            self.doubtful[: int(np.searchsorted(self.doubtful, instant, side="right"))],
            self.amounts,
            self.find_gaps,
            self.find_likely,
        )

    def gaps(self) -> Gaps:
        """The gaps between the readings, which may go on beyond the rows."""
        return gaps_between(self.times) if self.find_gaps is None else self.find_gaps()


def _amounts_times(
    amounts: Callable[[Floats, Floats], WindowAmounts], factor: float
) -> Callable[[Floats, Floats], WindowAmounts]:
    def product(starts: Floats, lengths: Floats) -> WindowAmounts:
        spent, at_most = amounts(starts, lengths)
        return WindowAmounts(spent * factor, at_most * factor)

    return product


class Histories(NamedTuple):
    """The series of some organizations, in the order of the organizations' ids.

    :meth:`seen_in` puts them into the order in which people see them.
    """

    series: list[Series]
    organizations: list[str]
    names: list[str]
    zone: tzinfo

    def seen_in(self, order: Sequence[str]) -> tuple[Histories, tuple[int, ...]]:
        """The same in the order in which a log saw the organizations first, and their places in it.

        Args:
            order: The ids of the log's organizations. Others follow, by their first reading.
        """
        places = {each: place for place, each in enumerate(order)}
        codes = sorted(
            range(len(self.organizations)),
            key=lambda code: (
                places.get(self.organizations[code], len(places)),
                int(self.series[code].times[0]),
            ),
        )
        histories = Histories(
            [self.series[code] for code in codes],
            [self.organizations[code] for code in codes],
            [self.names[code] for code in codes],
            self.zone,
        )
        further = itertools.count(len(places))
        return histories, tuple(
            places[each] if each in places else next(further) for each in histories.organizations
        )

    @property
    def only(self) -> Series:
        """The series of the one organization; one without readings where there is none."""
        return self.series[0] if self.series else Series.of(_NO_TIMES, np.empty(0, np.float64))

    @property
    def first_time(self) -> int:
        """The time of the earliest reading, in microseconds since 1970 UTC; 0 without readings."""
        return min((int(each.times[0]) for each in self.series), default=0)

    @property
    def last_time(self) -> int:
        """The time of the latest reading, likewise."""
        return max((int(each.times[-1]) for each in self.series), default=0)

    def as_part_of(
        self, gaps: Callable[[str], Gaps], likely: Callable[[str, float], LikelyRises]
    ) -> Histories:
        """The same, as a part of a log, in which more is looked up once it is needed.

        What is long for a log, and what was likely bought, is judged by all of its readings, so
        that it is the same whatever window of them these are.

        Args:
            gaps: Returns the gaps between all readings of an organization.
            likely: Returns what was likely spent and topped up at the rises among them, given the
                step of purchases.
        """
        series = [
            each._replace(
                find_gaps=partial(gaps, organization), find_likely=partial(likely, organization)
            )
            for each, organization in zip(self.series, self.organizations, strict=True)
        ]
        return self._replace(series=series)


def histories_from_series(
    parts: Iterable[tuple[str, Series]], names: Mapping[str, str], zone: tzinfo
) -> Histories:
    """The histories of organizations whose series have at least one row each.

    Args:
        parts: The organizations and their series, each organization once.
        names: Names by organization id; an organization without one goes by its id.
        zone: The time zone in which times are shown and periods begin.
    """
    parts = sorted(parts, key=lambda part: part[0])
    ids = [organization for organization, _ in parts]
    return Histories(
        [each for _, each in parts], ids, [names.get(each, each) for each in ids], zone
    )


def histories_from_frame(readings: pd.DataFrame) -> Histories:
    """The histories in a readings frame, which is not changed.

    Args:
        readings: Any frame with zone-aware times as its index and the columns ``organization``
            and ``credits``, in any order; a column ``name`` is used if there is one. The index may
            be of pandas' times, of Arrow's, of Python's, or of ISO 8601 as in a CSV file. Times
            with different offsets, as before and after a change of the clock, are taken in UTC.

    Raises:
        ValueError: A column is missing, the times have no zone, or the credits are not finite
            numbers.
    """
    _require_columns(readings, ("organization", "credits"))
    index = _time_index(readings.index)
    if index is None or index.tz is None:
        raise ValueError(
            "the readings need a time index with a time zone; use"
            " frame.set_index('read_at').tz_localize('UTC')"
        )
    credits = _credits_from(readings["credits"])
    codes, organizations = pd.factorize(readings["organization"], sort=True)
    if index.hasnans or (codes < 0).any():
        raise ValueError("a reading has no time or no organization; drop it with dropna()")
    times = index.as_unit("us").asi8
    if len(organizations) == 1 and np.all(times[1:] > times[:-1]):
        order = np.arange(len(times))
    else:
        order = np.lexsort((-credits, times, codes))
        times, credits, codes = times[order], credits[order], codes[order]
    ids = [str(each) for each in organizations]
    ends = np.searchsorted(codes, np.arange(len(ids)), side="right")
    is_known_doubtful = _known_doubts(readings, order)
    series = [
        Series.of_those_that_count(
            times[rows], credits[rows], is_known_doubtful=is_known_doubtful[rows]
        )
        for rows in itertools.starmap(slice, itertools.pairwise([0, *ends]))
    ]
    return Histories(series, ids, _latest_names(readings, ids, order[ends - 1]), index.tz)


def _known_doubts(readings: pd.DataFrame, order: Ints) -> NDArray[np.bool_]:
    """Which rows the frame itself says are doubtful.

    A part of a log may not hold the readings that showed it.
    """
    if "doubtful" not in readings.columns:
        return np.zeros(len(order), dtype=bool)
    return readings["doubtful"].notna().to_numpy(dtype=bool)[order]


def _time_index(index: pd.Index[Any]) -> pd.DatetimeIndex | None:
    """An index as pandas' own times; None if it holds no times, or some without a zone."""
    if isinstance(index, pd.DatetimeIndex):
        return index
    if isinstance(index.dtype, pd.ArrowDtype) and str(index.dtype).startswith("timestamp"):
        return pd.DatetimeIndex(index)
    values = index.tolist()
    try:
        zones = _zones_of(values)
        if not zones or not all(zones):
            return None
        times = pd.to_datetime(values, utc=True, format="ISO8601")
    except ValueError:
        return None
    return times.tz_convert(zones[0]) if all(each == zones[0] for each in zones) else times


def _zones_of(values: Sequence[Any]) -> list[tzinfo | None]:
    """The different time zones of texts or of Python's times; None for what has none.

    pandas would take what has none for UTC.
    """
    if all(isinstance(each, str) for each in values):
        matches = {match and match[1]: match for match in map(_TIME_WITH_OFFSET.fullmatch, values)}
        return [match and pd.Timestamp(match[0]).tz for match in matches.values()]
    zones: list[tzinfo | None] = []
    for each in values:
        zone = each.tzinfo if isinstance(each, datetime) else None
        if each is not pd.NaT and (not zones or zone != zones[-1]):
            zones.append(zone)
    return zones


def _require_columns(frame: pd.DataFrame, columns: Iterable[str]) -> None:
    missing = [each for each in columns if each not in frame.columns]
    if missing:
        raise ValueError(f"the readings have no column {missing[0]!r}")


def _credits_from(column: pd.Series[Any]) -> NDArray[np.float64]:
    is_numeric = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
    if len(column) and not is_numeric:
        raise ValueError("the column 'credits' does not hold numbers; use astype(float)")
    credits = column.to_numpy(dtype="float64", na_value=np.nan)
    if not np.isfinite(credits).all():
        raise ValueError("the column 'credits' holds NaN or infinity; drop these readings first")
    return credits


def _latest_names(
    readings: pd.DataFrame, organizations: list[str], latest: NDArray[np.int64]
) -> list[str]:
    """The name in each organization's latest row; its id where that row has none."""
    if "name" not in readings.columns:
        return organizations
    names = readings["name"].iloc[latest]
    return [
        # Half a surrogate pair cannot be in a column of text.
        clean_text(str(name)) if pd.notna(name) else each
        for each, name in zip(organizations, names, strict=True)
    ]
