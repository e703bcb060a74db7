"""What a top-up likely hid: how much was bought, and spent, while the balance rose; pure."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .changes import SMALLEST_CHANGE
from .series import LikelyRises, Series, WindowAmounts

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    AmountsIn = Callable[[Floats, Floats], WindowAmounts]

__all__ = ["check_step", "likely_rises", "likely_top_ups"]

_DAY = 86_400_000_000.0  # microseconds

# What can have been spent is judged by the same hours of other days; what is usual, only by the
# nearest of them and by the same weekdays: weekends are unlike Mondays, and levels drift.
_DAY_OFFSETS = np.array([each for each in range(-28, 29) if each])
_IS_SIMILAR_DAY = (np.abs(_DAY_OFFSETS) <= 2) | (_DAY_OFFSETS % 7 == 0)
# In a log that is too young for that: by as much time at this many places in the log.
_SAMPLE_PLACES = np.linspace(0.0, 1.0, 32)
_FEWEST_DAYS = 3  # the median of this many is not the amount of a single burst
# Twice as much as in any of the other times is still believable, more is not.
_MARGIN = 2.0
_LONG_STEP = _DAY / 2
# Spending is steady where half the least, so many times, is more than the usual.
_STEADY = 4.0
# What people buy, in credits of a cent: an assumption, see likely_top_ups.
_DOLLAR = 100.0
_USUAL_PURCHASES = _DOLLAR * np.array([10, 25, 50, 75, 100, 150, 200, 250, 300, 500, 750, 1000])
_SMALLEST_PURCHASE = 1000.0
# Nobody buys so often, and comparing each rise with its days would take many seconds.
_MOST_RISES = 2500


class _QuietTime(NamedTuple):
    """The time in which the balance did not rise, as running totals at the readings.

    Attributes:
        times: Microseconds since the first reading, each time once.
        spent: Credits.
        length: Microseconds.
    """

    times: Floats
    spent: Floats
    length: Floats


def check_step(step: float | None) -> float | None:
    """The step that purchases are multiples of, or None for no guess.

    Raises:
        ValueError: It is not a finite number above zero.
    """
    if step is not None and not (math.isfinite(step) and step > 0):
        raise ValueError(f"topup_step is {step}; use a number of credits above 0, or None")
    return step


def likely_top_ups(series: Series, step: float | None) -> tuple[Floats, Floats]:
    """What was likely spent and topped up in each interval between readings.

    Where the balance rose, the likely top-up is the smallest usual purchase that hides as much as
    is believed: 10, 25, 50, 75, 100, 150, 200 … dollars, or an amount that this log has shown in a
    step so short that no other multiple of ``step`` fits. Believed is from half the least to twice
    the most that was spent in the same hours of the days around, in steps of half a day or more to
    four times the most, and a ``step`` in any case. A larger one than the smallest must also be
    nearer to the rise plus what is usually spent in as much time. Where no usual purchase fits, the
    likely top-up is the multiple of ``step``, not below the rise, that is nearest to the rise plus
    what is usually spent in as much time. Where that hides more than twice the most, the rise is no
    purchase but a refund or a grant, and stays as it is.

    Usual is the median of what was spent in the same hours of the two days before and after, and
    of the same weekday in the four weeks before and after; for the most all of the 28 days before
    and after count. Time in which the balance rose does not count, nor does time in a gap. Where
    fewer than three of these amounts are known, as much time at places all over the log serves,
    and failing that the mean rate. The mean rate also serves where there are thousands of rises,
    which cannot all be purchases.

    The vendor's purchase page takes whole dollars from 10 to 1000 (Stability-AI/platform,
    Account/Credits.tsx, 2023). It suggests none: which amounts are usual is an assumption.

    All of this is judged by all readings of the organization, also where the series is a part.

    Args:
        series: Of one organization.
        step: Credits; None leaves every rise as it is.

    Returns:
        Likely spent and likely topped up; the series' own arrays where nothing changes.
    """
    times, spent, topped_up = series.times, series.spent, series.topped_up
    rises = np.flatnonzero(topped_up > 0)
    if step is None or not len(rises):
        return spent, topped_up
    if series.find_likely is not None:
        return _likely_in_part(series, series.find_likely(step))
    # Balances near the largest float, or a step near the smallest, have no likely top-up.
    with np.errstate(over="ignore", invalid="ignore"):
        quiet = _quiet_time(times, spent, topped_up)
        starts, ends = (times[at].astype(np.float64) - times[0] for at in (rises - 1, rises))
        amounts_in = series.amounts or partial(_amounts, quiet)
        usual, at_least, at_most = _believable(quiet, amounts_in, starts, ends - starts)
        # The remaining days can only raise the limit, which few rises need.
        is_plausible = _is_plausible(topped_up[rises], usual, at_most, step)
        # Where nothing was ever spent, nothing can be hidden.
        in_any_case = step if quiet.spent[-1] > 0 else 0.0
        is_steady = at_least * _STEADY > usual
        usual_purchase = _fitting_purchase(
            topped_up[rises], at_least, is_steady, _usual_purchases(step)
        )
        is_too_much = usual_purchase - topped_up[rises] > np.maximum(at_most, in_any_case)
        doubtful = np.flatnonzero(~is_plausible | is_too_much)
        if len(doubtful) and len(rises) <= _MOST_RISES:
            days = starts[doubtful, np.newaxis] + _DAY_OFFSETS[~_IS_SIMILAR_DAY] * _DAY
            other_days = amounts_in(days, (ends - starts)[doubtful, np.newaxis])
            limit = _MARGIN * np.fmax.reduce(other_days.at_most, axis=1)
            at_most[doubtful] = np.fmax(at_most[doubtful], limit)
        hidden_spending, top_ups = _fit(topped_up[rises], usual, at_most, step)
        purchases = _usual_purchases(step)
        if len(purchases):
            purchases = np.union1d(purchases, _shown(topped_up[rises], at_most, step))
        # Long steps differ more; there an odd amount is less likely than a day of much spending.
        is_long = ends - starts >= _LONG_STEP
        limit = np.maximum(np.where(is_long, _MARGIN * at_most, at_most), in_any_case)
        usual_purchase = _fitting_purchase(topped_up[rises], at_least, is_steady, purchases)
        smallest = _smallest_not_below(topped_up[rises], purchases)
        # A larger purchase than the smallest is believed where it is nearer to what is usual.
        is_nearer = usual_purchase + smallest <= 2 * (topped_up[rises] + usual + SMALLEST_CHANGE)
        is_too_large = (usual_purchase - topped_up[rises] <= limit) & ~is_nearer
        usual_purchase = np.where(is_too_large, smallest, usual_purchase)
        hidden = usual_purchase - topped_up[rises]
        is_usual = hidden <= limit
        top_ups = np.where(is_usual, np.maximum(usual_purchase, topped_up[rises]), top_ups)
        # A purchase whose binary fraction is not quite the rise's hides nothing.
        hidden = np.where(hidden > SMALLEST_CHANGE, hidden, 0.0)
        hidden_spending = np.where(is_usual, hidden, hidden_spending)
    likely_spent, likely_topped_up = spent.copy(), topped_up.copy()
    likely_spent[rises], likely_topped_up[rises] = hidden_spending, top_ups
    return likely_spent, likely_topped_up


def likely_rises(series: Series, step: float) -> LikelyRises:
    """The same at the rises alone."""
    spent, topped_up = likely_top_ups(series, step)
    rises = np.flatnonzero(series.topped_up > 0)
    return LikelyRises(series.times[rises], spent[rises], topped_up[rises])


def _likely_in_part(part: Series, likely: LikelyRises) -> tuple[Floats, Floats]:
    """The same for a part of a log, of which all likely rises are known."""
    rises = np.flatnonzero(part.topped_up > 0)
    at = np.searchsorted(likely.times, part.times[rises])
    # At one instant a balance rises once at most, as the higher one comes first; and somebody may
    # have written to the log since the part was read.
    is_found = at < len(likely.times)
    is_found[is_found] = likely.times[at[is_found]] == part.times[rises[is_found]]
    rises, at = rises[is_found], at[is_found]
    spent, topped_up = part.spent.copy(), part.topped_up.copy()
    spent[rises], topped_up[rises] = likely.spent[at], likely.topped_up[at]
    return spent, topped_up


def _quiet_time(times: NDArray[np.int64], spent: Floats, topped_up: Floats) -> _QuietTime:
    is_quiet = ~(topped_up > 0)
    is_quiet[0] = False
    length = np.diff(times, prepend=times[:1]) * is_quiet
    # Of several readings at one instant, the totals at the last one include the others.
    is_last = np.append(times[1:] > times[:-1], True)
    return _QuietTime(
        (times[is_last] - times[0]).astype(np.float64),
        np.cumsum(np.where(is_quiet, spent, 0.0))[is_last],
        np.cumsum(length)[is_last].astype(np.float64),
    )


def _believable(
    quiet: _QuietTime, amounts_in: AmountsIn, starts: Floats, lengths: Floats
) -> tuple[Floats, Floats, Floats]:
    """What is usually spent in as much time as each rise took, and what is believed of it at all.

    Returns:
        The usual, the least and the most.
    """
    if len(starts) > _MOST_RISES:
        usual = _mean_rate(quiet) * lengths
        return usual, usual / _MARGIN, _MARGIN * usual
    similar_days = amounts_in(
        starts[:, np.newaxis] + _DAY_OFFSETS[_IS_SIMILAR_DAY] * _DAY, lengths[:, np.newaxis]
    )
    usual, at_most = _median(similar_days.spent), np.fmax.reduce(similar_days.at_most, axis=1)
    at_least = np.fmin.reduce(similar_days.spent, axis=1)
    too_few = np.flatnonzero(np.isfinite(similar_days.spent).sum(axis=1) < _FEWEST_DAYS)
    if len(too_few):
        length = lengths[too_few, np.newaxis]
        samples = amounts_in((quiet.times[-1] - length) * _SAMPLE_PLACES, length)
        usual[too_few] = _median(samples.spent)
        at_least[too_few] = np.fmin.reduce(samples.spent, axis=1)
        at_most[too_few] = np.fmax(at_most[too_few], np.fmax.reduce(samples.at_most, axis=1))
    usual = np.where(np.isnan(usual), _mean_rate(quiet) * lengths, usual)
    at_least = np.maximum(np.nan_to_num(at_least), 0.0)
    return usual, at_least / _MARGIN, _MARGIN * np.fmax(at_most, usual)


def _mean_rate(quiet: _QuietTime) -> float:
    length = float(quiet.length[-1])
    return float(quiet.spent[-1]) / length if length > 0 else math.nan


def _amounts(quiet: _QuietTime, starts: Floats, length: Floats) -> WindowAmounts:
    """What was spent in windows of time; unknown where a gap or rises cover much of one."""
    ends = starts + length
    first = np.searchsorted(quiet.times, starts, side="right") - 1
    last = np.searchsorted(quiet.times, ends)
    is_known = (first >= 0) & (last < len(quiet.times))
    first, last = np.where(is_known, first, 0), np.where(is_known, last, 0)
    # Readings much further apart than the window is long do not say when the credits were spent.
    is_known &= quiet.times[last] - quiet.times[first] <= 2 * length + _DAY
    quiet_length, spent = (
        np.interp(ends, quiet.times, each) - np.interp(starts, quiet.times, each)
        for each in (quiet.length, quiet.spent)
    )
    is_known &= quiet_length >= length / 2
    spent *= length / np.where(is_known, quiet_length, 1.0)
    upper_bound = quiet.spent[last] - quiet.spent[first]
    return WindowAmounts(np.where(is_known, spent, np.nan), np.where(is_known, upper_bound, np.nan))


def _median(values: Floats) -> Floats:
    """The median of each row, ignoring NaN; NaN for a row of NaN alone."""
    # Unlike nanmedian, it does not warn of such a row, and takes a fifth of the time.
    ordered, count = np.sort(values, axis=1), np.isfinite(values).sum(axis=1)
    rows = np.arange(len(values))
    middle: Floats = ordered[rows, np.maximum(count - 1, 0) // 2] + ordered[rows, count // 2]
    return middle / 2


def _usual_purchases(step: float) -> Floats:
    """The usual purchases in credits; none where a step is no dollar, for these are dollars."""
    return _USUAL_PURCHASES if step == _DOLLAR else np.empty(0)


def _shown(rise: Floats, at_most: Floats, step: float) -> Floats:
    """The purchases that rises show beyond doubt, because one multiple alone is plausible."""
    steps, least_hidden, _ = _guess(rise, rise * 0.0, step)
    is_shown = (least_hidden <= at_most) & (at_most < least_hidden + step)
    purchases = steps[is_shown] * step
    is_possible = (purchases >= _SMALLEST_PURCHASE) & np.isfinite(purchases)
    return np.asarray(purchases[is_possible])


def _fitting_purchase(
    rise: Floats, at_least: Floats, is_steady: NDArray[np.bool_], purchases: Floats
) -> Floats:
    """For each rise the smallest of ascending purchases that hides enough; infinity without one.

    A rise that is just what somebody buys hid nothing, unless spending never rests.
    """
    smallest = _smallest_not_below(rise, purchases)
    fitting = _smallest_not_below(rise + at_least, purchases)
    return np.where((smallest - rise <= SMALLEST_CHANGE) & ~is_steady, smallest, fitting)


def _smallest_not_below(amounts: Floats, purchases: Floats) -> Floats:
    """For each amount the smallest of ascending purchases not below it; infinity without one."""
    found: Floats = np.append(purchases, np.inf)[
        np.searchsorted(purchases, amounts - SMALLEST_CHANGE)
    ]
    return found


def _guess(rise: Floats, usual: Floats, step: float) -> tuple[Floats, Floats, Floats]:
    """The fewest steps of each rise, what they hide, and how many further steps fit best."""
    steps = np.maximum(np.ceil((rise - SMALLEST_CHANGE) / step), 1.0)
    least_hidden = steps * step - rise
    return steps, least_hidden, np.rint(np.maximum(usual - least_hidden, 0.0) / step)


def _is_plausible(rise: Floats, usual: Floats, at_most: Floats, step: float) -> NDArray[np.bool_]:
    """Whether all further steps of the guess stay within the limit."""
    _, least_hidden, further_steps = _guess(rise, usual, step)
    is_plausible: NDArray[np.bool_] = np.floor((at_most - least_hidden) / step) >= further_steps
    return is_plausible


def _fit(rise: Floats, usual: Floats, at_most: Floats, step: float) -> tuple[Floats, Floats]:
    """What each rise hid, and its top-up; nothing and the rise where none is plausible."""
    steps, least_hidden, further_steps = _guess(rise, usual, step)
    steps += np.minimum(further_steps, np.floor((at_most - least_hidden) / step))
    top_ups = steps * step
    fits = (at_most >= least_hidden) & (top_ups - rise > SMALLEST_CHANGE) & np.isfinite(top_ups)
    return np.where(fits, top_ups - rise, 0.0), np.where(fits, top_ups, rise)
