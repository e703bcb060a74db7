"""When one organization is empty, and how its balance may go on; pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .futures import DAYS_AHEAD, Futures, simulate_futures
from .recent_days import DAYS_USED, HOUR, RecentDays, describe_readings, recent_days
from .series import Series

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

__all__ = [
    "EMPTY",
    "TOO_LITTLE",
    "Estimate",
    "HighestDay",
    "SpendingAhead",
    "estimate",
    "path",
    "spending_ahead",
]

# The evidence of a balance that is empty, and of one that counts as empty.
EMPTY = "the balance is empty"
TOO_LITTLE = "less is left than the next operation costs"


_DAYS_NEEDED = 3  # days of known spending below which any date would be a guess
_YEAR = 24.0 * DAYS_AHEAD
_MAX_POINTS = 720
_HARDLY_ANY = 1e-9
_LARGEST_TO_SQUARE = 1e100
# An interval whose end is so many times as far off as its beginning tells nothing,
_USELESS = 20.0
# but for what would use up the credits, if a few more days like the largest would.
_MOST_DAYS = 3


class HighestDay(NamedTuple):
    """The 24 hours in which most was spent, as what would use up the credits.

    Attributes:
        peak_at: When their highest hour began, in microseconds since 1970.
        days_left: How many more such days would use up the credits.
    """

    peak_at: int
    days_left: int


class Estimate(NamedTuple):
    """When it is empty; a time is None if it is unknown or more than a year ahead.

    Attributes:
        spent_per_day: Credits, expected on average until they are spent, or in the next year.
        empty_at: Microseconds since 1970; in half of the cases they last longer.
        empty_early: The same, for the early end of the interval.
        empty_late: The same, for its late end.
        evidence: What it was told from, or why it was not.
        recent_per_day: Credits a day, over the known time of the last seven days.
        highest_day: What would use up the credits of somebody who spends by the job; None where
            the interval is narrow enough to tell something.
    """

    spent_per_day: float
    empty_at: int | None
    empty_early: int | None
    empty_late: int | None
    evidence: str
    recent_per_day: float
    highest_day: HighestDay | None = None


class SpendingAhead(NamedTuple):
    """What will be spent from the last reading up to an instant, in credits; NaN if unknown.

    Attributes:
        expected: In half of the cases it will be less.
        low: The low end of the interval.
        high: Its high end.
        evidence: What it was told from, or why it was not.
    """

    expected: float
    low: float
    high: float
    evidence: str


class _Known(NamedTuple):
    """What is known of a series, or in ``evidence`` why that is too little."""

    last: int
    credits: float
    evidence: str
    days: RecentDays | None
    recent_per_day: float


def _look_at(series: Series, now: int, empty_below: float) -> _Known:
    series = series.until(now)
    if not len(series.times):
        return _Known(now, np.nan, f"too little to tell: 0.0 of {_DAYS_NEEDED} days", None, np.nan)
    last, credits = int(series.times[-1]), float(series.credits[-1]) - empty_below
    if empty_below > 0.0:
        # Exactly as much still pays for it, and nothing that is spent before.
        credits = max(credits, _HARDLY_ANY * empty_below) if credits >= 0.0 else credits
    if credits <= 0.0:
        return _Known(last, credits, TOO_LITTLE if empty_below else EMPTY, None, np.nan)
    days = recent_days(series) if len(series.times) > 1 else None
    # Rounded down: 2.96 days are not yet 3.0.
    known = np.floor(days.known_days * 10.0) / 10.0 if days else 0.0
    if days is None or known < _DAYS_NEEDED:
        reason = f"too little to tell: {known:.1f} of {_DAYS_NEEDED} days"
        return _Known(last, credits, reason, None, np.nan)
    age = (now - last) / HOUR / 24.0
    evidence = describe_readings(series)
    if age >= 1.0:
        evidence += f", the last {age:.1f} days ago"
    if not days.hours.any():
        reason = f"nothing is being spent: {evidence}"
        return _Known(last, credits, reason, None, days.recent_per_day)
    return _Known(last, credits, evidence, days, days.recent_per_day)


def _scale(series: Series) -> float:
    """A power of two by which the credits are multiplied, where their squares have no room."""
    largest = max(float(np.abs(each).max(initial=0.0)) for each in (series.credits, series.spent))
    return 1.0 if largest < _LARGEST_TO_SQUARE else 2.0**-600


def estimate(series: Series, *, now: int, coverage: float, empty_below: float = 0.0) -> Estimate:
    """When one organization is empty.

    Args:
        series: Its readings.
        now: The moment to look from, in microseconds since 1970; later readings are ignored.
        coverage: The share of true run-outs that should lie between early and late.
        empty_below: The balance under which it counts as empty, in credits; with 0, no credits
            are left.
    """
    scale = _scale(series)
    known = _look_at(series.times_factor(scale), now, empty_below * scale)
    recent_per_day = known.recent_per_day / scale
    if known.credits <= 0.0:
        return Estimate(np.nan, now, now, now, known.evidence, recent_per_day)
    if known.days is None:
        rate = 0.0 if recent_per_day == 0.0 else np.nan
        return Estimate(rate, None, None, None, known.evidence, recent_per_day)
    futures = simulate_futures(known.days, known.credits)
    middle, early, late = _empty_after(futures, known.credits, coverage)

    def moment(hours_ahead: float) -> int | None:
        if hours_ahead >= _YEAR * (1.0 - 1e-9):
            return None
        # Whole seconds: below them are rounding errors, which depend on where the sums were made.
        return max(known.last + round(hours_ahead * 3600.0) * 1_000_000, now)

    highest, hours_ago = known.days.highest_day
    is_irregular = late > _USELESS * early and known.credits <= _MOST_DAYS * highest
    is_past_a_year = moment(middle) is None
    evidence = _aged(known, now)
    if evidence == known.evidence and is_past_a_year:
        evidence = f"more than a year: {evidence}"
    return Estimate(
        (_yearly_rate(futures) if is_past_a_year else 24.0 * known.credits / middle) / scale,
        moment(middle),
        moment(early),
        moment(late),
        evidence,
        recent_per_day,
        HighestDay(known.last - hours_ago * HOUR, math.ceil(known.credits / highest))
        if is_irregular
        else None,
    )


def _empty_after(futures: Futures, credits: float, coverage: float) -> tuple[float, float, float]:
    """Hours until the balance is empty: middle, early and late."""
    logarithms = np.log(np.maximum(futures.hours_until_empty(credits), 1e-6))
    shares = (0.5, 0.5 - coverage / 2.0, 0.5 + coverage / 2.0)
    middle, early, late = np.exp(np.quantile(logarithms, shares))
    return float(middle), float(early), float(late)


def _yearly_rate(futures: Futures) -> float:
    return float(np.median(futures.spent.sum(axis=0))) / len(futures.spent)


def path(
    series: Series,
    *,
    now: int,
    coverage: float,
    days: float = DAYS_AHEAD,
    empty_below: float = 0.0,
) -> tuple[Ints, Floats, Floats, Floats]:
    """The balance ahead, from the last reading on: times, expected, low and high.

    It ends ``days`` after ``now``, a year after the last reading, or where even the high bound
    is empty, whichever comes first. All four are empty if nothing can be said. The other
    arguments are those of ``estimate``.
    """
    scale = _scale(series)
    known = _look_at(series.times_factor(scale), now, empty_below * scale)
    if known.days is None:
        return np.empty(0, np.int64), np.empty(0), np.empty(0), np.empty(0)
    end = int(min(np.ceil((now - known.last) / HOUR + 24.0 * days), _YEAR))
    futures = simulate_futures(known.days, known.credits, least_days=1)
    _, _, late = _empty_after(futures, known.credits, coverage)
    end = min(end, int(np.ceil(late)))
    at = np.unique(np.linspace(0, end, min(end, _MAX_POINTS) + 1).astype(np.int64))
    spent = futures.spent_after(at)
    shares = (0.5, 0.5 + coverage / 2.0, 0.5 - coverage / 2.0)
    lines = np.maximum(known.credits - np.quantile(spent, shares, axis=1), 0.0) / scale
    middle, low, high = lines + empty_below
    return known.last + at * HOUR, middle, low, high


def spending_ahead(series: Series, *, now: int, until: int, coverage: float) -> SpendingAhead:
    """What one organization will spend from its last reading up to an instant.

    Spending goes on as in the last four weeks, in the same futures as :func:`estimate`, whether or
    not the credits last so long: who has a budget buys more.

    Args:
        series: Its readings.
        now: The moment to look from, in microseconds since 1970; later readings are ignored.
        until: The instant, likewise; not before ``now``, and at most a year after it.
        coverage: The share of true sums that should lie between low and high.
    """
    scale = _scale(series)
    known = _look_at(series.times_factor(scale), now, 0.0)
    evidence = _aged(known, now)
    if known.days is None:
        rest = 0.0 if known.recent_per_day == 0.0 else np.nan
        return SpendingAhead(rest, rest, rest, evidence)
    if evidence != known.evidence:
        return SpendingAhead(np.nan, np.nan, np.nan, evidence)
    hours = min(max((until - known.last) / HOUR, 0.0), _YEAR)
    whole = int(hours)
    # The credits that are left limit nothing.
    futures = simulate_futures(known.days, 0.0, least_days=math.ceil(hours / 24.0))
    before, after = futures.spent_after(np.array([whole, whole + 1]))
    spent = before + (after - before) * (hours - whole)
    shares = (0.5, 0.5 - coverage / 2.0, 0.5 + coverage / 2.0)
    expected, low, high = (float(each) / scale for each in np.quantile(spent, shares))
    return SpendingAhead(expected, low, high, evidence)


def _aged(known: _Known, now: int) -> str:
    """The evidence, which says so where it is too old."""
    # Whoever bought credits since would be told that they are gone.
    is_old = now - known.last > 24 * DAYS_USED * HOUR
    return f"too old to tell: {known.evidence}" if is_old else known.evidence
