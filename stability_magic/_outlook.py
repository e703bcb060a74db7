"""When prepaid credits run out: numbers alone, from the readings of one organization; pure.

The last four weeks of spending, hour by hour up to the last reading, are projected forward:

1. The rhythm: what recurs by hour of the day and, from two weeks on, by day and hour of the
   week. Means over few days are shrunk towards no rhythm by the share of variance that these
   days have in common. A drift from week to week is taken out first, or its climb within
   each week would pass for rhythm. Long steps between readings count with their total, but
   say nothing about rhythm.
2. The level, once the rhythm of the week is taken out: the mean of the last 7 and the last 14
   days, and the last day's departure from it, which fades by 0.6 a day. One short burst that
   is over is left out.
3. The same forecast is made from every past day of the log and compared with what came (time
   series cross-validation). A lasting bias, such as a trend, is corrected as far as it stands
   out; the spread of the errors, for as many days ahead, makes the interval, widened for
   short logs and taken as log-normal. A trend is not carried further than a week.

See Hyndman & Athanasopoulos, Forecasting: Principles and Practice, 3rd edition, sections 5.5
(prediction intervals) and 5.10 (time series cross-validation); James & Stein, Estimation with
quadratic loss, 1961 (shrinkage).
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ._balances import Series
from ._hours import HOUR, Hours, Log, hours_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

__all__ = ["Estimate", "estimate", "path"]

_DAYS_NEEDED = 3  # days of known spending below which any date would be a guess
_DAYS_AHEAD = 365
_LEVELS = (7, 14)  # days: the usual level is the mean of the means over these windows
_PERSISTENCE = 0.6  # share of yesterday's departure from that level still there a day later
_DOUBT = 12.0  # the squared t at which a drift or bias is half believed
_WIDE = 0.5  # spread where a log is too short to show how wrong forecasts from it were
_NARROW = 0.01  # spread of a log without any scatter: even that does not promise the future


class Estimate(NamedTuple):
    """When the credits end; a time is None where it is unknown or past a year."""

    spent_per_day: float  # credits, over the known time of the last seven days; may be NaN
    empty_at: int | None  # microseconds since 1970
    empty_early: int | None
    empty_late: int | None
    evidence: str


def _recurring(departures: Floats) -> Floats:
    """What recurs in rows of equal meaning: the mean of each column, shrunk towards zero.

    The share of variance that the rows have in common (their intraclass correlation) tells
    how far the mean of a few rows can be trusted. NaN marks what was not seen.
    """
    seen = np.isfinite(departures)
    values = np.where(seen, departures, 0.0)
    count, sums, squares = seen.sum(0), values.sum(0), (values**2).sum(0)
    others = np.maximum(count - 1, 0)
    scale = float((squares * others).sum())
    if scale <= 0.0:
        return np.zeros(departures.shape[1])
    common = float(np.clip((sums**2 - squares).sum() / scale, 0.0, 1.0))
    return np.asarray(sums * common / (1.0 + others * common))


def _trust(values: Floats) -> float:
    """How far the mean of these is believed, from 0 to 1, by how it stands out of the scatter.

    Neighbours go together, so even a squared t that rules out chance earns no more than half.
    """
    with_mean = len(values) * float(values.mean()) ** 2
    scatter = _DOUBT * float(values.var())
    return with_mean / (with_mean + scatter) if with_mean > 0.0 else 0.0


def _drift(days: Floats) -> float:
    """Change per day, from each day to the same day a week later: rhythm cancels there."""
    changes = days[7:] - days[:-7]
    return _trust(changes) * float(changes.mean()) / 7.0


def _rhythm(hours: Hours) -> tuple[Floats, Floats]:
    """Credits above the mean on each of the next 7 days, and the hours' shares in them."""
    days = hours.spent.reshape(-1, 24)
    mean = days.mean()
    within = np.where(hours.timed.reshape(-1, 24), days - days.mean(1, keepdims=True), np.nan)
    by_hour = np.tile(_recurring(within), (7, 1))
    by_day = np.zeros(7)
    weeks = len(days) // 7
    if weeks >= 2:
        days, within = days[-7 * weeks :], within[-7 * weeks :]
        dated = hours.dated[-168 * weeks :].reshape(weeks, 7, 24).all(2)
        levels = days.mean(1).reshape(weeks, 7)
        usual = levels.mean(1, keepdims=True) + _drift(levels.ravel()) * (np.arange(7.0) - 3.0)
        by_day = _recurring(np.where(dated, levels - usual, np.nan))
        rest = (within - np.tile(by_hour, (weeks, 1))).reshape(weeks, 168)
        by_hour = by_hour + _recurring(rest).reshape(7, 24)
    # Half the rhythm of the day: its peaks move, and at full strength a few credits more or
    # less would carry the estimate over a whole night.
    shape = np.maximum(mean + by_day[:, None] + by_hour / 2.0, 0.01 * mean)
    return by_day * 24.0, shape / shape.sum(1, keepdims=True)


def _without_burst(days: Floats, rate_now: float) -> Floats:
    """Cut a single short burst that is over: it tells nothing of the days to come.

    Two bursts may be a habit and stay. So does one that is longer than three days, which is
    a change of level, one that goes on, and one in a log too short to know what is usual.
    """
    bound = max(3.0 * float(np.median(days)), float(days.mean()))
    high = np.flatnonzero(days > bound)
    goes_on = len(high) > 0 and high[-1] == len(days) - 1 and rate_now > bound
    if len(high) == 0 or high[-1] - high[0] >= 3 or goes_on or len(days) < 7:
        return days
    usual = float(days[days <= bound].mean())
    # Where nothing else was spent, a burst may come again as rarely as it did.
    return np.where(days > bound, usual if usual > 0.0 else bound, days)


def _expected(days: Floats, origins: Ints, ahead: Ints | int) -> Floats:
    """Mean of the ``ahead`` days after each origin, expected from the days before it."""
    sums = np.concatenate(([0.0], np.cumsum(days)))

    def mean(window: int) -> Floats:
        since = np.maximum(origins - window, 0)
        return np.asarray((sums[origins] - sums[since]) / (origins - since))

    usual = np.mean([mean(window) for window in _LEVELS], axis=0)
    left = _PERSISTENCE * (1.0 - _PERSISTENCE**ahead) / (1.0 - _PERSISTENCE) / ahead
    return np.asarray(usual + (mean(1) - usual) * left)


def _lessons(days: Floats, seen: int) -> tuple[Floats, Floats]:
    """Bias and spread of the forecasts that the log itself would have made.

    Both are of log(what came / what was expected), for 1, 2, 3 ... days ahead. ``seen`` is
    how many of the days are no mere interpolation.
    """
    longest = min(7, (seen - _DAYS_NEEDED - 1) // 2)
    if longest < 1:
        return np.zeros(1), np.full(1, _WIDE)
    bias, variance = np.zeros(longest), np.zeros(longest)
    sums = np.concatenate(([0.0], np.cumsum(days)))
    least = 0.05 * days.mean()  # keeps a day without spending from an infinite logarithm
    trust = 0.0
    for i in range(longest):
        ahead = i + 1
        origins = np.arange(_DAYS_NEEDED, len(days) - ahead + 1)
        came = (sums[origins + ahead] - sums[origins]) / ahead
        errors = np.log((came + least) / (_expected(days, origins, ahead) + least))
        if ahead == 1:
            # A steady trend shows as a mean error that stands out from the scatter.
            trust = _trust(errors)
        bias[i] = trust * np.median(errors)
        # Few windows tell little, and overlapping ones repeat each other. Lean on the errors
        # a day ahead: their variance falls with days, but as levels drift, by little.
        windows = len(days) / ahead
        squared = np.mean((errors - bias[i]) ** 2)
        usual = (variance[0] if i else squared) / ahead**0.25
        variance[i] = (windows * squared + 2.0 * usual) / (windows + 2.0)
        variance[i] += bias[i] ** 2 / 2.0  # a trend that is corrected for may also end
    # A rhythm of the week was fitted to the same few weeks, which flatters these errors.
    few = 1.0 + (14.0 if len(days) >= 14 else 7.0) / seen
    return bias, np.maximum(np.sqrt(variance), _NARROW) * few


def _outlook(hours: Hours) -> tuple[Floats, Floats]:
    """Expected spending summed up over the hours to come, and the spread of its logarithm."""
    by_day, shares = _rhythm(hours)
    totals = hours.spent.reshape(-1, 24).sum(1)
    # Days and weeks are counted from the last reading, so the rhythm ends where the log does.
    rhythm = np.resize(by_day[::-1], len(totals))[::-1]
    if len(totals) >= 14 and totals.any():
        growth = _drift(totals) / totals.mean() * (np.arange(len(totals)) - len(totals) / 2.0 + 0.5)
        rhythm = rhythm * np.clip(1.0 + growth, 0.5, 1.5)  # its swings grow with the level
    days = _without_burst(np.maximum(totals - rhythm, 0.0), 4.0 * float(hours.spent[-6:].sum()))
    bias, spread = _lessons(days, min(len(days), hours.steps))
    ahead = np.arange(1, _DAYS_AHEAD + 1)
    learned = bias[np.minimum(ahead, len(bias)) - 1]
    level = _expected(days, np.array([len(days)]), ahead) * np.exp(learned)
    daily = np.diff(np.maximum.accumulate(ahead * level), prepend=0.0)
    weights = np.maximum(totals.mean() + by_day, 0.0)
    daily *= np.resize(weights / weights.mean(), _DAYS_AHEAD)
    hourly = daily[:, None] * np.resize(shares, (_DAYS_AHEAD, 24))
    total = np.concatenate(([0.0], np.cumsum(hourly)))
    after = np.maximum(np.arange(len(total)), 1) / 24.0
    scatter = np.interp(after, np.arange(1, len(spread) + 1), spread)
    # Parts of a day scatter more than whole days; far ahead errors grow, but slowly.
    scatter *= np.maximum(after / len(spread), 1.0) ** 0.125 / np.sqrt(np.clip(after, 0.25, 1.0))
    return total, scatter


@dataclass(frozen=True, slots=True)
class _Projection:
    """What a log says of the time after its last reading."""

    last: int  # time of that reading
    credits: float  # left then
    per_day: float
    evidence: str
    total: Floats  # expected spending by each full hour after it; empty where unknown
    scatter: Floats  # spread of its logarithm
    fastest: float  # credits a day, beyond what the log has ever shown

    def bounds(self, coverage: float) -> tuple[Floats, Floats, Floats]:
        """Spending by each full hour: expected, most and least. None of them ever falls."""
        margin = NormalDist().inv_cdf(0.5 + coverage / 2.0) * self.scatter
        days = np.maximum(np.arange(len(self.total)) / 24.0, 0.5)
        # A log of rare bursts scatters so much that the bound would mean no more than "now".
        limit = np.maximum(self.total, self.fastest * days)
        most = np.maximum.accumulate(np.minimum(self.total * np.exp(margin), limit))
        least = np.maximum.accumulate(self.total * np.exp(-margin))
        return self.total, most, least


def _projection(series: Series, now: int) -> _Projection:
    series = series.until(now)
    seen = len(series.times) > 0
    last, left = (int(series.times[-1]), float(series.credits[-1])) if seen else (now, np.nan)

    def unknown(evidence: str, per_day: float = np.nan) -> _Projection:
        return _Projection(last, left, per_day, evidence, np.empty(0), np.empty(0), 0.0)

    if left <= 0.0:
        return unknown("the credits are used up")
    log = Log.of(series) if seen else None
    # Rounded down: 2.96 days are not yet 3.0.
    known = np.floor(np.diff(log.at)[~log.rises].sum() / 2.4) / 10.0 if log else 0.0
    if log is None or known < _DAYS_NEEDED:
        return unknown(f"too little to tell: {known:.1f} of {_DAYS_NEEDED} days")
    age = (now - last) / HOUR / 24.0
    evidence = log.looked_at() + (f", the last {age:.1f} days ago" if age >= 1.0 else "")
    hours = hours_of(log)
    if hours.per_day == 0.0 or not hours.spent.any():
        return unknown(f"nothing is being spent: {evidence}", hours.per_day)
    fastest = 2.0 * float(hours.spent.reshape(-1, 24).sum(1).max())
    return _Projection(last, left, hours.per_day, evidence, *_outlook(hours), fastest)


def _runs_out(total: Floats, credits: float) -> float:
    """Hours until the total reaches the credits; infinite where it does not."""
    # Rounding errors must not carry a balance that ends on a Friday over the weekend.
    after = int(np.searchsorted(total, credits * (1.0 - 1e-9)))
    if after == len(total):
        return np.inf
    before = total[after - 1]
    return after - 1 + float((credits - before) / (total[after] - before))


def estimate(series: Series, *, now: int, coverage: float) -> Estimate:
    """When the credits of one organization end.

    Args:
        series: Its readings.
        now: The moment to look from, in microseconds since 1970; later readings are ignored.
        coverage: The share of true run-outs that should lie between early and late.
    """
    ahead = _projection(series, now)
    if ahead.credits <= 0.0:
        return Estimate(np.nan, now, now, now, ahead.evidence)
    if len(ahead.total) == 0:
        return Estimate(ahead.per_day, None, None, None, ahead.evidence)
    middle, early, late = (_runs_out(sums, ahead.credits) for sums in ahead.bounds(coverage))

    def moment(hours: float) -> int | None:
        return None if hours == np.inf else max(ahead.last + int(hours * HOUR), now)

    evidence = f"more than a year: {ahead.evidence}" if middle == np.inf else ahead.evidence
    early, late = min(early, middle), max(late, middle)
    return Estimate(ahead.per_day, moment(middle), moment(early), moment(late), evidence)


def path(
    series: Series, *, now: int, coverage: float, days: float = _DAYS_AHEAD
) -> tuple[Ints, Floats, Floats, Floats]:
    """The balance ahead, hour by hour from the last reading: times, expected, low and high.

    It reaches as far as ``days`` after ``now``, within a year of the last reading, or to where
    even the high bound is zero. All four are empty where nothing can be said. Arguments are
    those of ``estimate``.
    """
    ahead = _projection(series, now)
    until = (now - ahead.last) / HOUR + 24.0 * days
    at = np.arange(len(ahead.total))
    lines = [np.maximum(ahead.credits - sums, 0.0) for sums in ahead.bounds(coverage)]
    alive = np.concatenate(([True], lines[2][:-1] > 0.0))[: len(at)]
    shown = alive & (at <= until)
    middle, low, high = (line[shown] for line in lines)
    return ahead.last + at[shown] * HOUR, middle, low, high
