"""Simulated futures: how spending may go on, drawn from the days of a log; pure.

1. The last 28 days are taken in hours (what top-ups hid is filled in with the usual) and summed to
   days that are counted back from the last reading.
2. What the weekdays have in common is measured as a share of variance, and the factors of the
   weekdays are shrunk by its square.
3. The level of spending is followed by exponential smoothing with three memories, each with and
   without a cap on surprises: six opinions, because one dear day may be a spike or a new level.
4. Each opinion is tested on the log's own past, a day and a week ahead; the better it did, the more
   of the 400 futures follow it.
5. Each future has its own idea of how wrong the present level is, as wide as those past errors.
6. Each future has its own idea of how usual each past day is (the Bayesian bootstrap).
7. For every day to come a past day is drawn, more often of the same weekday the more the week
   repeats itself, and scaled by how the level has changed since.
8. Half of the futures take an idle day for "nothing is spent", half for "the level has not
   changed": a log cannot tell which it is.
9. The level then follows what was spent, and slowly goes back to the usual.
10. The times at which 10, 50 and 90 % of the futures are empty are the forecast; the random numbers
    are evenly spread and always the same.

See Hyndman & Athanasopoulos, Forecasting: Principles and Practice, 3rd edition, sections 5.5
(bootstrapped prediction intervals), 5.10 (time series cross-validation) and 8.1 (exponential
smoothing); Rubin, The Bayesian Bootstrap, 1981. The constants were chosen on hourly series of web
traffic, jobs and power, none of them critical: half or twice each changes the scores by a few
percent.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .recent_days import DAYS_USED

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .recent_days import RecentDays

    Floats = NDArray[np.float64]
    Flags = NDArray[np.bool_]
    Ints = NDArray[np.integer]

__all__ = ["DAYS_AHEAD", "Futures", "simulate_futures"]

DAYS_AHEAD = 365

_FUTURES = 400
# The opinions on the level: by how much it follows a day, and up to how many times the usual.
_FOLLOWING = np.array([0.05, 0.05, 0.2, 0.2, 0.9, 0.9])
_CAPS = np.array([3.0, np.inf, 3.0, np.inf, 3.0, np.inf])
_RETURN = 0.07  # the share of the way that the level goes back to the usual in a day
_DOUBT = 0.75  # how far the present level may be wrong, in past errors
_FIRST_TEST = 3  # days that are known before the first of them is forecast


class _Draws(NamedTuple):
    """Random numbers, the same for every log; a column for each future."""

    opinion: Floats  # (futures,), uniform
    doubt: Floats  # (futures,), Student's t with 3 degrees of freedom
    usualness: Floats  # (days used, futures), exponential; by the age of the day
    day: Floats  # (days ahead, futures), uniform


class Habits(NamedTuple):
    """What a log's days say of how credits are spent.

    Attributes:
        totals: Shape (n,), credits spent on each day, oldest first.
        mean: Their mean.
        offset: Credits that keep a day without spending from an infinite ratio.
        week: The share of variance that weekdays have in common, from 0 to 1.
        factors: Shape (7,), how much more than on an average day is spent on a day of the age 0,
            1, … modulo 7.
        levels: Shape (6, n + 1), the level before each day and after the last, by opinion.
        usual: The level that spending goes back to.
        errors: Shape (6,), the mean error of each opinion, of the logarithm.
        belief: Shape (6,), the share of futures that follow each opinion.
    """

    totals: Floats
    mean: float
    offset: float
    week: float
    factors: Floats
    levels: Floats
    usual: float
    errors: Floats
    belief: Floats


class Futures(NamedTuple):
    """Days to come, in as many futures as there are columns.

    Attributes:
        spent: Shape (days, futures), credits.
        drawn_days: Shape (days, futures), the position of the past day that each was drawn from.
        profiles: Shape (n, 25), the share of each past day's spending by the start of each hour.
    """

    spent: Floats
    drawn_days: Ints
    profiles: Floats

    def hours_until_empty(self, credits: float) -> Floats:
        """Hours until so many credits are spent in each future; a year where it takes longer."""
        # Rounding errors must not carry a balance that ends on a Friday over the weekend.
        credits *= 1.0 - 1e-9
        sums = np.cumsum(self.spent, axis=0)
        hours = np.full(sums.shape[1], 24.0 * DAYS_AHEAD)
        at = np.flatnonzero(sums[-1] >= credits)
        day = (sums[:, at] < credits).sum(axis=0)
        spent = self.spent[day, at]
        share = (credits - (sums[day, at] - spent)) / spent
        profile = self.profiles[self.drawn_days[day, at]]
        hour = np.clip((profile < share[:, np.newaxis]).sum(axis=1), 1, 24)
        rows = np.arange(len(at))
        before, after = profile[rows, hour - 1], profile[rows, hour]
        fraction = (share - before) / np.maximum(after - before, 1e-300)
        hours[at] = 24.0 * day + hour - 1 + np.clip(fraction, 0.0, 1.0)
        return hours

    def spent_after(self, hours: Ints) -> Floats:
        """Shape (hours, futures), what is spent in the first so many hours of each future."""
        sums = np.concatenate([np.zeros((1, self.spent.shape[1])), np.cumsum(self.spent, axis=0)])
        day = np.minimum(hours // 24, len(self.spent) - 1)
        hour = np.minimum(hours - 24 * day, 24)
        shares = self.profiles[self.drawn_days[day], hour[:, np.newaxis]]
        return np.asarray(sums[day] + self.spent[day] * shares)


def simulate_futures(days: RecentDays, credits: float, *, least_days: int = 0) -> Futures:
    """Futures until all of them have spent the credits, or for a year.

    Args:
        days: What is known of the past; at least one day, and not all of them idle.
        credits: What is left.
        least_days: Go on for so many days in any case.
    """
    draws, habits = _draws(), _habits(days)
    n = len(habits.totals)
    ages = n - 1 - np.arange(n)
    opinion = np.searchsorted(np.cumsum(habits.belief)[:-1], draws.opinion, side="right")
    following, cap = _FOLLOWING[opinion], _CAPS[opinion]
    error = float(habits.belief @ habits.errors) + 0.01
    doubt = np.exp(np.clip(_DOUBT * error * draws.doubt, -3.0, 3.0))
    level, usual = habits.levels[opinion, n] * doubt, habits.usual * doubt
    # Even futures take an idle day for nothing, odd ones for a level that has not changed.
    idle_offset = habits.offset * (np.arange(_FUTURES) % 2)
    past_levels = habits.levels[opinion, :n].T * habits.factors[ages % 7, np.newaxis]
    ratios = (habits.totals[:, np.newaxis] + idle_offset) / (past_levels + habits.offset)
    weights = draws.usualness[ages] * np.maximum(days.trust, 0.01)[:, np.newaxis]
    chances = [_chances(weights, (ages + 1 + each) % 7 == 0, habits.week) for each in range(7)]
    columns, total = np.arange(_FUTURES), np.zeros(_FUTURES)
    # A day higher than any before may come, but not right away.
    highest, _ = days.highest_day
    spent_days, drawn_days = [], []
    for ahead in range(DAYS_AHEAD):
        # At most 28 days fit into a byte, which is added up fastest.
        drawn = (chances[ahead % 7] < draws.day[ahead]).sum(axis=0, dtype=np.int8)
        expected = level * habits.factors[(-1 - ahead) % 7]
        spent = (expected + habits.offset) * ratios[drawn, columns] - idle_offset
        spent = np.maximum(np.minimum(spent, 2.0 * highest if ahead else highest), 0.0)
        surprise = np.minimum(spent, cap * np.maximum(expected, habits.mean)) - expected
        level = level + following * surprise
        level = np.maximum(level + _RETURN * (usual - level), 0.0)
        spent_days.append(spent)
        drawn_days.append(drawn)
        total += spent
        if ahead + 1 >= least_days and total.min() >= credits:
            break
    return Futures(np.array(spent_days), np.array(drawn_days), _profiles(days.hours))


def _habits(days: RecentDays) -> Habits:
    totals, trust = days.totals, days.trust
    n, mean = len(totals), float(totals.mean())
    changes = np.abs(np.diff(totals))
    offset = 0.3 * (float(changes.mean()) if n > 1 else 0.0) + 0.001 * mean
    week, factors = _weekly_rhythm(totals)
    by_day = factors[(n - 1 - np.arange(n)) % 7]
    levels, usual = _follow_level(totals, by_day)
    errors = _past_errors(totals, by_day, levels, trust, offset)
    logarithm = -(n / 3.0) * np.log(errors + 0.005)
    belief = np.exp(logarithm - logarithm.max())
    return Habits(totals, mean, offset, week, factors, levels, usual, errors, belief / belief.sum())


def _weekly_rhythm(totals: Floats) -> tuple[float, Floats]:
    """What weekdays have in common, and their factors by the age of the day modulo 7."""
    weeks = len(totals) // 7
    if weeks < 2 or not totals.any():
        return 0.0, np.ones(7)
    table = totals[-7 * weeks :].reshape(weeks, 7)
    levels = table.mean(axis=1, keepdims=True)
    # A climb within the weeks is no rhythm of them.
    climb = (levels[-1, 0] - levels[0, 0]) / (7.0 * (weeks - 1))
    departures = table - levels - climb * (np.arange(7.0) - 3.0)
    sums, squares = departures.sum(axis=0), (departures**2).sum(axis=0)
    scale = float(squares.sum()) * (weeks - 1)
    common = float(np.clip((sums**2 - squares).sum() / scale, 0.0, 1.0)) if scale > 0.0 else 0.0
    factors = 1.0 + common**2 * departures.mean(axis=0) / totals.mean()
    return common, np.maximum(factors, 0.0)[::-1]


def _follow_level(totals: Floats, factors: Floats) -> tuple[Floats, float]:
    """The level before each day and after the last, by opinion; and the usual level."""
    mean = float(totals.mean())
    first = slice(0, min(7, len(totals)))
    start = float(totals[first].sum()) / max(float(factors[first].sum()), 1e-9)
    levels, usual = np.full((len(_FOLLOWING), len(totals) + 1), start), start
    for day, (total, factor) in enumerate(zip(totals, factors, strict=True)):
        expected = levels[:, day] * factor
        surprise = np.minimum(total, _CAPS * np.maximum(expected, mean)) - expected
        levels[:, day + 1] = np.maximum(levels[:, day] + _FOLLOWING * surprise, 0.0)
        usual = max(usual + _RETURN * (total - usual * factor), 0.0)
    return levels, usual


def _past_errors(
    totals: Floats, factors: Floats, levels: Floats, trust: Floats, offset: float
) -> Floats:
    """How wrong each opinion was on the log's own days, a day and a week ahead."""
    sums, factor_sums, trust_sums = (
        np.concatenate(([0.0], np.cumsum(each))) for each in (totals, factors, trust)
    )
    errors = []
    for ahead in (1, 7):
        origins = np.arange(_FIRST_TEST, len(totals) - ahead + 1)
        came, factor, weight = (
            (each[origins + ahead] - each[origins]) / ahead
            for each in (sums, factor_sums, trust_sums)
        )
        if weight.sum() > 0.0:
            wrong = np.abs(np.log((came + offset) / (levels[:, origins] * factor + offset)))
            errors.append((wrong * weight).sum(axis=1) / weight.sum())
    if not errors:
        return np.full(len(_FOLLOWING), 0.5)
    # A short log has tested little.
    tested = max(float(trust.sum()) - _FIRST_TEST, 0.0) ** 2
    return np.asarray((tested * np.mean(errors, axis=0) + 0.5) / (tested + 1.0))


def _chances(weights: Floats, is_same_weekday: Flags, week: float) -> Floats:
    """The chance that one of the days up to each is drawn, by future.

    Args:
        weights: Shape (n, futures), how usual each day is.
        is_same_weekday: Shape (n,), which days are of the weekday that is drawn for.
        week: The chance that such a day is drawn in any case.
    """
    chances = weights / weights.sum(axis=0)
    if week > 0.0:
        same = weights * is_same_weekday[:, np.newaxis]
        chances = (1.0 - week) * chances + week * same / same.sum(axis=0)
    sums = np.cumsum(chances, axis=0)
    sums[-1] = 1.0  # rounding must not leave a rest beyond the last day
    return np.asarray(sums)


def _profiles(hours: Floats) -> Floats:
    totals = hours.sum(axis=1, keepdims=True)
    shares = np.where(totals > 0.0, hours / np.where(totals > 0.0, totals, 1.0), 1.0 / 24.0)
    return np.concatenate([np.zeros((len(hours), 1)), np.cumsum(shares, axis=1)], axis=1)


@lru_cache(maxsize=1)
def _draws() -> _Draws:
    generator = np.random.default_rng(0)

    def spread_evenly(count: int) -> Floats:
        # A Latin hypercube: each row has one number in each of equal parts.
        parts = generator.permuted(np.tile(np.arange(_FUTURES), (count, 1)), axis=1)
        return np.asarray((parts + generator.random((count, _FUTURES))) / _FUTURES)

    opinion, doubt = spread_evenly(2)
    return _Draws(
        opinion,
        _student_t(doubt),
        -np.log1p(-spread_evenly(DAYS_USED)),
        spread_evenly(DAYS_AHEAD),
    )


def _student_t(uniform: Floats) -> Floats:
    """Quantiles of Student's t with 3 degrees of freedom, read off its distribution."""
    x = np.sinh(np.linspace(-9.0, 9.0, 10_001))
    scaled = x / math.sqrt(3.0)
    distribution = 0.5 + (scaled / (1.0 + scaled**2) + np.arctan(scaled)) / math.pi
    return np.asarray(np.interp(uniform, distribution, x))
