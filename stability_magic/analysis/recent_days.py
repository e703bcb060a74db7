"""The last four weeks of one organization's readings as days and hours of spending; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .series import Series

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["DAYS_USED", "HOUR", "RecentDays", "describe_readings", "lookback_start", "recent_days"]

HOUR = 3_600_000_000  # microseconds

# Four weeks: enough for a weekly rhythm, too short for last season's habits.
DAYS_USED = 28
# Hours. A longer step in which something was spent does not say on which day that was.
_DAY = 24.0
# Hours. A longer step is told as a gap.
_GAP = 6.0


def lookback_start(last: int) -> int:
    """The earliest time a forecast looks at, given the last reading's; in microseconds."""
    return int(last) - 24 * DAYS_USED * HOUR


class RecentDays(NamedTuple):
    """Whole days that end at the last reading, oldest first.

    Attributes:
        hours: Shape (n, 24), credits spent in each hour; what a top-up hides is filled in with
            what is usual at that time of day.
        trust: Shape (n,), from 0 to 1: how far each day's spending was seen and not interpolated.
        known_days: Days, also parts of days, of which it is known what was spent.
        recent_per_day: Credits a day, over the known time of the last seven days; NaN without any.
    """

    hours: Floats
    trust: Floats
    known_days: float
    recent_per_day: float

    @property
    def totals(self) -> Floats:
        """Credits spent on each day."""
        return np.asarray(self.hours.sum(axis=1))

    @property
    def highest_day(self) -> tuple[float, int]:
        """Credits spent in the highest 24 hours, and how long ago, in hours, was their peak."""
        hours = self.hours.ravel()
        sums = np.convolve(hours, np.ones(24), mode="valid")
        first = int(sums.argmax())
        peak = first + int(hours[first : first + 24].argmax())
        return float(sums[first]), len(hours) - peak


def recent_days(series: Series) -> RecentDays:
    """The days of a series that a forecast draws on.

    Args:
        series: At least one row; it may be condensed at every hour before its last reading.
    """
    start = _first_row(series)
    steps = slice(start + 1, None)
    at = (series.times[start:] - series.times[-1]) / HOUR
    lengths = np.diff(at)
    is_known = ~(series.topped_up[steps] > 0)
    # In a long step in which nothing was spent every hour is known.
    mean_lengths = lengths / series.counts[steps]
    is_idle = series.spent[steps] == 0
    trust = np.where(is_idle, 1.0, np.minimum(1.0, _DAY / np.maximum(mean_lengths, _DAY)))
    edges = np.arange(-24.0 * int(min(DAYS_USED, -at[0] // 24)), 1.0)

    def per_hour(amounts: Floats) -> Floats:
        sums = np.concatenate(([0.0], np.cumsum(amounts)))
        return np.diff(np.interp(edges, at, sums))

    spent, known = per_hour(series.spent[steps]), per_hour(lengths * is_known)
    # A top-up hides what was spent meanwhile. Zero would be too low: assume the usual.
    filled = spent + np.maximum(1.0 - known, 0.0) * _usual(spent, known)
    known_lately = float(known[-168:].sum())
    return RecentDays(
        filled.reshape(-1, 24),
        per_hour(lengths * is_known * trust).reshape(-1, 24).mean(axis=1),
        float((lengths * is_known).sum()) / 24.0,
        24.0 * float(spent[-168:].sum()) / known_lately if known_lately > 0.0 else np.nan,
    )


def describe_readings(series: Series) -> str:
    """How many days and readings a forecast looks at, and how many gaps are among them."""
    start = _first_row(series)
    lengths, count = np.diff(series.times[start:]) / HOUR, int(series.counts[start + 1 :].sum())
    # The mean, unlike the median, is the same where steps have been added up.
    gaps = int((lengths > max(_GAP, 3.0 * float(lengths.sum()) / max(count, 1))).sum())
    days = min(float(DAYS_USED), float(series.times[-1] - series.times[start]) / HOUR / 24.0)
    text = f"{days:.1f} days, {1 + count} readings"
    return text if gaps == 0 else f"{text}, {gaps} {'gap' if gaps == 1 else 'gaps'}"


def _first_row(series: Series) -> int:
    """The last row before the time that a forecast looks at, or the first of all."""
    start = np.searchsorted(series.times, lookback_start(series.times[-1]), side="right")
    return max(int(start) - 1, 0)


def _usual(spent: Floats, known: Floats) -> Floats:
    """Credits per known hour at the same time of day, for each of the hours."""
    overall = spent.sum() / max(float(known.sum()), 1.0)
    spent_then, known_then = spent.reshape(-1, 24).sum(0), known.reshape(-1, 24).sum(0)
    rates = np.where(known_then >= 1.0, spent_then / np.maximum(known_then, 1.0), overall)
    return np.tile(rates, len(spent) // 24)
