"""Readings of one organization, hour by hour, as far back as a forecast looks; pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ._balances import Series

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Flags = NDArray[np.bool_]

__all__ = ["HOUR", "Hours", "Log", "hours_of", "looks_back_to"]

HOUR = 3_600_000_000  # microseconds

_DAYS_USED = 28  # four weeks: enough for a weekly rhythm, too short for last season's habits
_HOUR_GAP = 6.0  # hours: a longer step between readings says nothing about the time of day
_DAY_GAP = 36.0  # hours: a longer step says nothing about the day of the week


def looks_back_to(last: int) -> int:
    """From when on readings are looked at, by the time of the last one, in microseconds."""
    return int(last) - 24 * _DAYS_USED * HOUR


@dataclass(frozen=True, slots=True)
class Log:
    """The readings that the forecast looks at, oldest first."""

    at: Floats  # hours before the last reading: ends in 0
    drops: Floats  # credits spent in each step from one reading to the next
    rises: Flags  # steps with a top-up, whose spending cannot be known
    counts: Ints  # of the readings that each step stands for

    @classmethod
    def of(cls, series: Series) -> Log:
        times = series.times
        first = max(int(np.searchsorted(times, looks_back_to(times[-1]), side="right")) - 1, 0)
        steps = slice(first + 1, None)
        rises = series.topped_up[steps] > 0
        at = (times[first:] - times[-1]) / HOUR
        return cls(at, series.spent[steps], rises, series.counts[steps])

    def looked_at(self) -> str:
        # Of steps that are not told apart the mean stands for each.
        steps = np.repeat(np.diff(self.at) / self.counts, self.counts)
        gaps = int((steps > max(_HOUR_GAP, 3.0 * float(np.median(steps)))).sum())
        readings = 1 + int(self.counts.sum())
        text = f"{min(_DAYS_USED, -self.at[0] / 24.0):.1f} days, {readings} readings"
        return text if gaps == 0 else f"{text}, {gaps} {'gap' if gaps == 1 else 'gaps'}"


@dataclass(frozen=True, slots=True)
class Hours:
    """The last whole days of a log, in hours that end at its last reading, oldest first."""

    spent: Floats  # credits; what a top-up hides is filled with what is usual
    timed: Flags  # read often enough to tell the time of day
    dated: Flags  # read often enough to tell the day of the week
    steps: int  # between readings, with known spending
    per_day: float  # credits, over the known time of the last seven days; NaN without any


def hours_of(log: Log) -> Hours:
    days = int(min(_DAYS_USED, -log.at[0] // 24))
    edges = np.arange(-24.0 * days, 1.0)
    steps = np.diff(log.at)

    def per_hour(amounts: Floats) -> Floats:
        sums = np.concatenate(([0.0], np.cumsum(amounts)))
        return np.diff(np.interp(edges, log.at, sums))

    def share_of_steps(these: Flags) -> Floats:
        return per_hour(np.where(these, steps, 0.0))

    spent, known = per_hour(log.drops), share_of_steps(~log.rises)
    # A top-up hides what was spent beside it. Zero would be too low: expect the usual.
    filled = spent + np.maximum(1.0 - known, 0.0) * _usual(spent, known)
    lately = float(known[-168:].sum())
    per_day = 24.0 * float(spent[-168:].sum()) / lately if lately > 0.0 else np.nan
    return Hours(
        filled,
        timed=share_of_steps(~log.rises & (steps <= _HOUR_GAP)) >= 0.5,
        dated=share_of_steps(~log.rises & (steps <= _DAY_GAP)) >= 0.5,
        steps=int(log.counts[~log.rises].sum()),
        per_day=per_day,
    )


def _usual(spent: Floats, known: Floats) -> Floats:
    """Credits per known hour at the same time of day, for each of the hours."""
    overall = spent.sum() / max(float(known.sum()), 1.0)
    spent_then, known_then = spent.reshape(-1, 24).sum(0), known.reshape(-1, 24).sum(0)
    rates = np.where(known_then >= 1.0, spent_then / np.maximum(known_then, 1.0), overall)
    return np.tile(rates, len(spent) // 24)
