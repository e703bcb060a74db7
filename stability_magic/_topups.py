"""What a top-up likely hid: how much was bought, and spent, while the balance rose; pure."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ._balances import Amounts, Series
from ._frames import SMALLEST_CHANGE

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Tell = Callable[[Floats, Floats], Amounts]

__all__ = ["known_step", "likely_top_ups"]

_DAY = 86_400_000_000.0  # microseconds

# The same hours of other days tell what is possible at that time. Usual is what the nearest
# of them and the same weekdays tell: weekends are unlike Mondays, and levels drift.
_DAYS = np.array([each for each in range(-28, 29) if each])
_ALIKE = (np.abs(_DAYS) <= 2) | (_DAYS % 7 == 0)
# In a log too young for that: as much time, at so many places of it.
_PLACES = np.linspace(0.0, 1.0, 32)
_ENOUGH = 3  # of which a median is not yet one burst's
# A busier time than any that is compared with is still believed, a far busier one is not.
_MARGIN = 2.0
# Nobody buys so often; comparing each rise with its days would take many seconds in the end.
_MANY = 2500


class _Quiet(NamedTuple):
    """The time in which no balance rose, as running totals at the readings.

    ``times`` are microseconds since the first reading, each once; ``length`` too is in
    microseconds.
    """

    times: Floats
    spent: Floats
    length: Floats


def known_step(step: float | None) -> float | None:
    """The step that purchases are multiples of, or None for no guess.

    Raises:
        ValueError: It is not a finite number above zero.
    """
    if step is not None and not (math.isfinite(step) and step > 0):
        raise ValueError(f"topup_step is {step}; use a number of credits above 0, or None")
    return step


def likely_top_ups(series: Series, step: float | None) -> tuple[Floats, Floats]:
    """Spent and topped up as they likely were in each interval between readings.

    Where the balance rose, the likely top-up is the multiple of ``step``, not below the rise,
    that is nearest to the rise plus what is usually spent in such a time: the median of what
    was spent in the same hours of the two days before and after, and of the same weekday in
    the four weeks before and after. Time in which the balance rose does not count, nor does
    time that lies in a gap. Where fewer than three of these are known, the median over as
    much time at places all over the log stands in, and else the mean rate; so does it where
    thousands of rises cannot be purchases.

    A multiple that hides more than twice what was spent in the same hours of any of the 28
    days before and after is not believed: such a rise is no purchase, and stays as it is.

    Args:
        series: Of one organization.
        step: Credits; None leaves every rise as it is.

    Returns:
        Likely spent and likely topped up: the same arrays where nothing is to be changed.
    """
    times, spent, topped_up = series.times, series.spent, series.topped_up
    rises = np.flatnonzero(topped_up > 0)
    if step is None or not len(rises):
        return spent, topped_up
    # Balances near the largest float, or a step near the smallest, have no likely top-up.
    with np.errstate(over="ignore", invalid="ignore"):
        quiet = _quiet(times, spent, topped_up)
        starts, ends = (times[at].astype(np.float64) - times[0] for at in (rises - 1, rises))
        tell = series.amounts or partial(_amounts, quiet)
        usual, at_most = _habits(quiet, tell, starts, ends - starts)
        # The other days can only allow for more, which few rises need.
        doubted = np.flatnonzero(~_allowed(topped_up[rises], usual, at_most, step))
        if len(doubted) and len(rises) <= _MANY:
            days = starts[doubted, np.newaxis] + _DAYS[~_ALIKE] * _DAY
            others = tell(days, (ends - starts)[doubted, np.newaxis])
            more = _MARGIN * np.fmax.reduce(others.at_most, axis=1)
            at_most[doubted] = np.fmax(at_most[doubted], more)
        hidden, bought = _fitted(topped_up[rises], usual, at_most, step)
    likely_spent, likely_topped_up = spent.copy(), topped_up.copy()
    likely_spent[rises], likely_topped_up[rises] = hidden, bought
    return likely_spent, likely_topped_up


def _quiet(times: NDArray[np.int64], spent: Floats, topped_up: Floats) -> _Quiet:
    counts = ~(topped_up > 0)
    counts[0] = False
    length = np.diff(times, prepend=times[:1]) * counts
    # Of readings at one instant the last one's totals hold all of them.
    last = np.append(times[1:] > times[:-1], True)
    return _Quiet(
        (times[last] - times[0]).astype(np.float64),
        np.cumsum(np.where(counts, spent, 0.0))[last],
        np.cumsum(length)[last].astype(np.float64),
    )


def _habits(quiet: _Quiet, tell: Tell, starts: Floats, lengths: Floats) -> tuple[Floats, Floats]:
    """What is usually spent in the time of each rise, and at most, as far as days like it tell."""
    if len(starts) > _MANY:
        usual = _mean_rate(quiet) * lengths
        return usual, _MARGIN * usual
    alike = tell(starts[:, np.newaxis] + _DAYS[_ALIKE] * _DAY, lengths[:, np.newaxis])
    usual, at_most = _median(alike.spent), np.fmax.reduce(alike.at_most, axis=1)
    few = np.flatnonzero(np.isfinite(alike.spent).sum(axis=1) < _ENOUGH)
    if len(few):
        length = lengths[few, np.newaxis]
        places = tell((quiet.times[-1] - length) * _PLACES, length)
        usual[few] = _median(places.spent)
        at_most[few] = np.fmax(at_most[few], np.fmax.reduce(places.at_most, axis=1))
    usual = np.where(np.isnan(usual), _mean_rate(quiet) * lengths, usual)
    return usual, _MARGIN * np.fmax(at_most, usual)


def _mean_rate(quiet: _Quiet) -> float:
    length = float(quiet.length[-1])
    return float(quiet.spent[-1]) / length if length > 0 else math.nan


def _amounts(quiet: _Quiet, starts: Floats, length: Floats) -> Amounts:
    """What was spent in windows of time; not known where a gap or rises hide much of it."""
    ends = starts + length
    first = np.searchsorted(quiet.times, starts, side="right") - 1
    last = np.searchsorted(quiet.times, ends)
    known = (first >= 0) & (last < len(quiet.times))
    first, last = np.where(known, first, 0), np.where(known, last, 0)
    # Readings that are much further apart than the window do not tell when it was.
    known &= quiet.times[last] - quiet.times[first] <= 2 * length + _DAY
    seen, spent = (
        np.interp(ends, quiet.times, each) - np.interp(starts, quiet.times, each)
        for each in (quiet.length, quiet.spent)
    )
    known &= seen >= length / 2
    spent *= length / np.where(known, seen, 1.0)
    around = quiet.spent[last] - quiet.spent[first]
    return Amounts(np.where(known, spent, np.nan), np.where(known, around, np.nan))


def _median(values: Floats) -> Floats:
    """The median of each row, without its NaN; NaN where it has nothing else."""
    # Unlike nanmedian, without a warning for such a row, and at a fifth of its time.
    ordered, count = np.sort(values, axis=1), np.isfinite(values).sum(axis=1)
    rows = np.arange(len(values))
    middle: Floats = ordered[rows, np.maximum(count - 1, 0) // 2] + ordered[rows, count // 2]
    return middle / 2


def _guessed(rise: Floats, usual: Floats, step: float) -> tuple[Floats, Floats, Floats]:
    """The least steps of a rise, what they hide, and how many more are nearest to the usual."""
    steps = np.maximum(np.ceil((rise - SMALLEST_CHANGE) / step), 1.0)
    least = steps * step - rise
    return steps, least, np.rint(np.maximum(usual - least, 0.0) / step)


def _allowed(rise: Floats, usual: Floats, at_most: Floats, step: float) -> NDArray[np.bool_]:
    """Whether all steps of the guess are within what may be at most."""
    _, least, more = _guessed(rise, usual, step)
    allowed: NDArray[np.bool_] = np.floor((at_most - least) / step) >= more
    return allowed


def _fitted(rise: Floats, usual: Floats, at_most: Floats, step: float) -> tuple[Floats, Floats]:
    """What each rise hid, and the top-up that it was; nothing and the rise where none fits."""
    steps, least, more = _guessed(rise, usual, step)
    steps += np.minimum(more, np.floor((at_most - least) / step))
    bought = steps * step
    fits = (at_most >= least) & (bought - rise > SMALLEST_CHANGE) & np.isfinite(bought)
    return np.where(fits, bought - rise, 0.0), np.where(fits, bought, rise)
