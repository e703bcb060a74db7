"""Readings that are doubtful: the balance was wrong for a while, and then right again; pure.

The service was seen to tell 1,072.5 credits, then 2,026.0 for a whole run of paid operations, then
866.5, with no purchase: 206.0 were spent, and not 1,159.5. (aself101/stability-ai-api,
docs/LIVE-BATTERY-2026-09-22.md) A sudden 0 that is followed by the old balance is of the same kind.

A *stretch* of readings is doubtful if all of this is true:

- It begins with a rise and ends with a fall to the level before the rise or below, or it begins
  with a fall and ends with a rise back to the level before the fall or below; all within two days.
- What was spent from the reading before it to the reading after it is at most as much as the rise.
- The rise is no purchase. Purchases are whole dollars, so a rise that lacks some credits to the
  next multiple of 100 is one only if so many credits were spent meanwhile. That is not believed if
  at most one in twenty times as long, in the week before and after, saw so much spending. Where
  there are fewer than twenty such times, up to 200 credits an hour are believed. Whole dollars are
  none only where the balance was exactly 0 and then the very same again.
- The fall is no spending: it is more than 300 credits, and more than twice what this organization
  spent in as much time in that week before and after. Where there are fewer than twenty such times,
  it is more than anybody is believed to spend: 100 credits and 2,000 an hour. The fall need not be
  so large where the very balance of before is told again, or the balance was exactly 0.

So a purchase, a refund that stays and real spending count, also where they follow each other. What
is doubtful depends on the readings up to :data:`MARGIN` before and after alone, and the first and
the last reading of a log never are: later readings may show that a reading was wrong.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .changes import SMALLEST_CHANGE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

__all__ = [
    "LEAST_RISE",
    "LONGEST",
    "MARGIN",
    "Stretch",
    "doubt_of_newest",
    "doubtful_stretches",
    "is_doubtful",
]

_HOUR = 3_600_000_000  # microseconds
_DAY = 24 * _HOUR
# Of a stretch, with the readings before and after it.
LONGEST = 2 * _DAY
_CONTEXT = 7 * _DAY
# A stretch may overlap the edge of a window, and others may overlap the ends of its context.
MARGIN = _CONTEXT + 3 * LONGEST

_PURCHASE_STEP = 100.0  # credits: one dollar
# With fewer times to compare with, an organization's habits are not known.
_FEW = 20
# Credits that are believed to be spent by anybody in no time, and in each further hour; in no more
# than so many hours where an organization's habits are known.
_ALWAYS_BELIEVED = 100.0
_ALWAYS_BELIEVED_PER_HOUR = 2000.0
_BELIEVED_HOURS = 0.1
# Twice as much as in any other time is still believable, more is not.
_MARGIN_OF_SPENDING = 2.0
_RARE = 0.05
# Credits an hour that anybody may have spent before a purchase, where its habits are not known.
_HIDDEN_PER_HOUR = 200.0
# Credits. A smaller rise could not be told from spending, but from a balance of exactly 0.
LEAST_RISE = _ALWAYS_BELIEVED / 2


class Stretch(NamedTuple):
    """Readings that follow each other.

    Attributes:
        first: The position of the first one.
        last: The position of the last one.
        reason: Why they are doubtful.
    """

    first: int
    last: int
    reason: str


class _Candidate(NamedTuple):
    """A stretch that begins and ends as a doubtful one does.

    Attributes:
        rise: The position of the reading that shows the rise.
        fall: The position of the reading that shows the fall.
    """

    rise: int
    fall: int

    @property
    def before(self) -> int:
        """The last reading before the stretch."""
        return min(self.rise, self.fall) - 1

    @property
    def after(self) -> int:
        """The first reading after it."""
        return max(self.rise, self.fall)


def is_doubtful(times: Ints, credits: Floats) -> NDArray[np.bool_]:
    """Which readings of one organization are doubtful.

    Args:
        times: Ascending, in microseconds since 1970 UTC.
        credits: Balances; of two at the same time, the higher one comes first.
    """
    mask = np.zeros(len(times), dtype=bool)
    for each in doubtful_stretches(times, credits):
        mask[each.first : each.last + 1] = True
    return mask


# Balances near the largest number are further apart than any number.
@np.errstate(over="ignore", invalid="ignore")
def doubtful_stretches(times: Ints, credits: Floats) -> list[Stretch]:
    """The doubtful stretches of one organization's readings, in order.

    The arguments are those of :func:`is_doubtful`.
    """
    candidates = _candidates(times, credits)
    if not candidates:
        return []
    falls = _falls_without(candidates, credits)
    judged = [each for each in candidates if _is_wrong(each, times, credits, falls)]

    def order(candidate: _Candidate) -> tuple[int, int]:
        length = int(times[candidate.after] - times[candidate.before])
        return (length if _is_zero(candidate, credits) else 2 * length, candidate.before)

    # What lies between two wrong stretches begins and ends as a wrong one does, too. The shorter
    # ones are wrong, and rather those that are 0.
    stretches, edges = [], set[int]()
    for each in sorted(judged, key=order):
        if not edges & set(each):
            edges |= set(each)
            stretches.append(_stretch(each, credits))
    return sorted(stretches)


@np.errstate(over="ignore", invalid="ignore")
def doubt_of_newest(times: Ints, credits: Floats) -> str | None:
    """Why the newest reading may turn out to be doubtful, in words; None for nearly all.

    A rise that is no purchase may be a refund, and a sudden 0 may be true: such a reading counts
    until later readings show that it was wrong. The arguments are those of :func:`is_doubtful`.
    """
    last = len(times) - 1
    if last < 1:
        return None
    falls = _falls_without([], credits)
    fall = credits[last - 1] - credits[last]
    if credits[last] == 0.0 and fall > 0.0:
        context = _context(times, last - 1, last)
        without = _without(falls, [last])
        limit = _believed_spending(times, without, context, times[last] - times[last - 1])
        return "a sudden 0, which may be wrong" if fall > limit else None
    for rise in np.flatnonzero(np.diff(credits) > _ALWAYS_BELIEVED)[::-1] + 1:
        if times[last] - times[rise - 1] > LONGEST:
            return None
        has_fallen_back = credits[rise:].min() <= credits[rise - 1]
        if not has_fallen_back and not _may_be_purchase(rise, last, times, credits, falls):
            more = credits[rise] - credits[rise - 1]
            return f"a rise by {more:,.2f}, which is no purchase of whole dollars"
    return None


def _candidates(times: Ints, credits: Floats) -> list[_Candidate]:
    if len(times) < 3:
        return []
    changes = np.diff(credits)
    is_large = (changes > LEAST_RISE) | ((credits[:-1] == 0.0) & (changes > 0.0))
    is_large &= changes < np.inf
    is_large &= (times[1:] > times[:-1]) & (times[1:] - times[:-1] < LONGEST)
    found = []
    for rise in (np.flatnonzero(is_large) + 1).tolist():
        level, end = credits[rise - 1], times[rise - 1] + LONGEST
        later = credits[rise + 1 : np.searchsorted(times, end, side="right")]
        after = _first(later <= level + SMALLEST_CHANGE)
        if after is not None:
            found.append(_Candidate(rise, rise + 1 + after))
        begin = int(np.searchsorted(times, times[rise] - LONGEST))
        earlier = credits[begin : rise - 1][::-1]
        before = _first(earlier >= credits[rise] - SMALLEST_CHANGE)
        if before is not None:
            found.append(_Candidate(rise, rise - 1 - before))
    return [each for each in found if _comes_back(each, times, credits)]


def _first(is_met: NDArray[np.bool_]) -> int | None:
    """The first position at which a condition is met."""
    at = int(np.argmax(is_met)) if len(is_met) else 0
    return at if len(is_met) and is_met[at] else None


def _comes_back(candidate: _Candidate, times: Ints, credits: Floats) -> bool:
    """Whether the fall undoes the rise, and could be as wrong as it."""
    rise, fall = _rise(candidate, credits), _fall(candidate, credits)
    spent = credits[candidate.before] - credits[candidate.after]
    length = times[candidate.fall] - times[candidate.fall - 1]
    most = rise / 4 if _is_dip(candidate) else rise
    if length <= 0 or spent > most or fall < rise / 2:
        return False
    is_the_same_again = _is_the_same_again(candidate, credits)
    if _lacking(rise) <= SMALLEST_CHANGE:
        # Nobody spends all there is in no time, and then buys as much again.
        return is_the_same_again and _is_zero(candidate, credits)
    return is_the_same_again or fall > _ALWAYS_BELIEVED


def _is_the_same_again(candidate: _Candidate, credits: Floats) -> bool:
    """Whether the fall is as large as the rise, to the last digit."""
    rise, fall = _rise(candidate, credits), _fall(candidate, credits)
    is_large = rise > _ALWAYS_BELIEVED or _is_zero(candidate, credits)
    return is_large and abs(rise - fall) < SMALLEST_CHANGE


def _is_zero(candidate: _Candidate, credits: Floats) -> bool:
    """Whether the balance was exactly 0 meanwhile."""
    return _is_dip(candidate) and not credits[candidate.fall : candidate.rise].any()


def _is_wrong(candidate: _Candidate, times: Ints, credits: Floats, falls: Floats) -> bool:
    is_the_same_again = _is_the_same_again(candidate, credits)
    is_purchase = _may_be_purchase(
        candidate.rise,
        candidate.after,
        times,
        credits,
        falls,
        hidden_per_hour=0.0 if is_the_same_again else _HIDDEN_PER_HOUR,
    )
    # Nobody spends all there is to the last digit, and then buys as much again.
    if is_purchase and not _is_zero(candidate, credits):
        return False
    if not is_purchase and is_the_same_again:
        return True
    context = _context(times, candidate.before, candidate.after)
    length = times[candidate.fall] - times[candidate.fall - 1]
    return _fall(candidate, credits) > _believed_spending(times, falls, context, length)


def _may_be_purchase(
    rise: int,
    last: int,
    times: Ints,
    credits: Floats,
    falls: Floats,
    *,
    hidden_per_hour: float = _HIDDEN_PER_HOUR,
) -> bool:
    """Whether what a rise lacks to whole dollars may have been spent before it was read.

    Args:
        rise: The position of the reading that shows the rise.
        last: The position of the last reading that the rise is judged with.
        times: In microseconds since 1970 UTC.
        credits: Balances.
        falls: By how much the balance fell to each reading, where that is believed.
        hidden_per_hour: Credits an hour that are believed where habits are not known.
    """
    lacking = _lacking(credits[rise] - credits[rise - 1])
    if lacking <= SMALLEST_CHANGE:
        return True
    context = _context(times, rise - 1, last)
    spent = _spent_in_windows(times, falls, context, times[rise] - times[rise - 1])
    hours = (times[rise] - times[rise - 1]) / _HOUR
    if len(spent) < _FEW and lacking <= hidden_per_hour * hours:
        return True
    # The window of the rise itself, in which nothing is seen, is among them.
    return bool((spent >= lacking).sum() > _RARE * max(len(spent) - 1, 0))


def _lacking(rise: float) -> float:
    """What a rise lacks to the next multiple of whole dollars."""
    steps = np.ceil((rise - SMALLEST_CHANGE) / _PURCHASE_STEP)
    return max(float(steps * _PURCHASE_STEP - rise), 0.0)


def _believed_spending(times: Ints, falls: Floats, context: slice, length: int) -> float:
    spent = _spent_in_windows(times, falls, context, length)
    hours = length / _HOUR if len(spent) < _FEW else min(length / _HOUR, _BELIEVED_HOURS)
    always = _ALWAYS_BELIEVED + _ALWAYS_BELIEVED_PER_HOUR * hours
    return max(always, _MARGIN_OF_SPENDING * float(spent.max(initial=0.0)))


def _context(times: Ints, first: int, last: int) -> slice:
    begin, end = times[first] - _CONTEXT, times[last] + _CONTEXT
    return slice(int(np.searchsorted(times, begin)), int(np.searchsorted(times, end, side="right")))


def _spent_in_windows(times: Ints, falls: Floats, context: slice, length: int) -> Floats:
    """At most what was spent in the time of a length before each instant of a context."""
    times, falls = times[context], falls[context].copy()
    falls[:1] = 0.0
    totals = np.cumsum(falls)
    starts = np.searchsorted(times, times - length, side="right") - 1
    spent: Floats = totals - totals[np.maximum(starts, 0)]
    # The same reading may be there twice, from two logs.
    is_last = np.append(times[1:] > times[:-1], True)
    return np.compress(is_last, spent)


def _falls_without(candidates: list[_Candidate], credits: Floats) -> Floats:
    """By how much the balance fell to each reading, without the falls of candidates."""
    falls = np.maximum(-np.diff(credits, prepend=credits[:1]), 0.0)
    return _without(falls, [each.fall for each in candidates])


def _without(falls: Floats, positions: list[int]) -> Floats:
    falls = falls.copy()
    falls[positions] = 0.0
    return falls


def _rise(candidate: _Candidate, credits: Floats) -> float:
    return float(credits[candidate.rise] - credits[candidate.rise - 1])


def _fall(candidate: _Candidate, credits: Floats) -> float:
    return float(credits[candidate.fall - 1] - credits[candidate.fall])


def _is_dip(candidate: _Candidate) -> bool:
    return candidate.fall < candidate.rise


def _stretch(candidate: _Candidate, credits: Floats) -> Stretch:
    first, last = candidate.before + 1, candidate.after - 1
    if _is_dip(candidate):
        return Stretch(first, last, f"fell by {_fall(candidate, credits):,.2f} and came back")
    rise = _rise(candidate, credits)
    return Stretch(first, last, f"rose by {rise:,.2f}, which is no purchase, and fell back")
