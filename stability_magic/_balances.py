"""Readings taken apart, by organization, with what happened between them; pure."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from datetime import tzinfo
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from ._frames import changes

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

    # Where a series is looked at, by the times of its first row and of the last one that is not
    # after the window, in microseconds since 1970 UTC. What lies between two marks counts as a
    # whole.
    Marks = Callable[[int, int], Ints]

__all__ = ["Amounts", "Balances", "Marks", "Series", "assembled", "balances"]


class Amounts(NamedTuple):
    """What was spent in some windows of time, and at most; NaN where it is not known."""

    spent: Floats
    at_most: Floats


class Series(NamedTuple):
    """One organization's readings, oldest first, and what happened between them.

    A row may stand for several readings: it is the last of them, and no balance rose between
    them. So sums between two rows are the same as if every reading were there.

    Attributes:
        times: In microseconds since 1970 UTC.
        credits: Balances; of two at one time the higher first.
        spent: Credits spent since the row before, not negative; 0 in the first row.
        topped_up: The same of what the balance rose.
        counts: How many readings came after the row before, with this one.
        amounts: Where rows are left out, tells what was spent in windows of time, by their
            starts and lengths, in microseconds since the first row; None where all are here.
    """

    times: Ints
    credits: Floats
    spent: Floats
    topped_up: Floats
    counts: Ints
    amounts: Callable[[Floats, Floats], Amounts] | None = None

    @classmethod
    def of(cls, times: Ints, credits: Floats) -> Series:
        """The series of all readings."""
        spent, topped_up = changes(np.zeros(len(times), np.int64), credits)
        spent[:1], topped_up[:1] = 0.0, 0.0
        return cls(times, credits, spent, topped_up, np.ones(len(times), np.int64))

    def until(self, instant: int) -> Series:
        """Without what was read later."""
        seen = slice(int(np.searchsorted(self.times, instant, side="right")))
        return Series(
            self.times[seen],
            self.credits[seen],
            self.spent[seen],
            self.topped_up[seen],
            self.counts[seen],
            self.amounts,
        )


class Balances(NamedTuple):
    """The series of some organizations, which are in the order of their ids."""

    series: list[Series]
    organizations: list[str]
    names: list[str]
    zone: tzinfo

    @property
    def first(self) -> int:
        """The time of the first reading of all, in microseconds since 1970 UTC; 0 for none."""
        return min((int(each.times[0]) for each in self.series), default=0)

    @property
    def last(self) -> int:
        """The time of the last one."""
        return max((int(each.times[-1]) for each in self.series), default=0)


def assembled(
    parts: Iterable[tuple[str, Series]], names: Mapping[str, str], zone: tzinfo
) -> Balances:
    """The balances of series that have at least one row each.

    Args:
        parts: Organizations, each once, with their series.
        names: Names by organization id; an organization without one goes by its id.
        zone: The time zone that is shown and cut in.
    """
    parts = sorted(parts, key=lambda part: part[0])
    ids = [organization for organization, _ in parts]
    return Balances([each for _, each in parts], ids, [names.get(each, each) for each in ids], zone)


def balances(readings: pd.DataFrame) -> Balances:
    """Takes a readings frame apart; the frame is not changed.

    Args:
        readings: Any frame with a zone-aware DatetimeIndex and the columns ``organization``
            and ``credits``; ``name`` is used where it is there. In any order.

    Raises:
        ValueError: A column is missing, the times have no zone, or credits are no numbers.
    """
    _require(readings, ("organization", "credits"))
    index = readings.index
    if not isinstance(index, pd.DatetimeIndex) or index.tz is None:
        raise ValueError(
            "the readings need a time index with a time zone; use"
            " frame.set_index('read_at').tz_localize('UTC')"
        )
    credits = _numbers(readings["credits"])
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
    series = [
        Series.of(times[begin:end], credits[begin:end])
        for begin, end in itertools.pairwise([0, *ends])
    ]
    return Balances(series, ids, _names(readings, ids, order[ends - 1]), index.tz)


def _require(frame: pd.DataFrame, columns: Iterable[str]) -> None:
    missing = [each for each in columns if each not in frame.columns]
    if missing:
        raise ValueError(f"the readings have no column {missing[0]!r}")


def _numbers(column: pd.Series[Any]) -> NDArray[np.float64]:
    numeric = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
    if len(column) and not numeric:
        raise ValueError("the column 'credits' does not hold numbers; use astype(float)")
    credits = column.to_numpy(dtype="float64", na_value=np.nan)
    if not np.isfinite(credits).all():
        raise ValueError("the column 'credits' holds NaN or infinity; drop these readings first")
    return credits


def _names(
    readings: pd.DataFrame, organizations: list[str], latest: NDArray[np.int64]
) -> list[str]:
    """The names in each organization's latest row; its id where the frame tells none."""
    if "name" not in readings.columns:
        return organizations
    names = readings["name"].iloc[latest]
    return [
        str(name) if pd.notna(name) else each
        for each, name in zip(organizations, names, strict=True)
    ]
