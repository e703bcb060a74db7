"""Gaps: times without readings that are long for a log; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Ints = NDArray[np.int64]

__all__ = ["FACTORS", "SHARES", "Gaps", "gaps_between", "unobserved_time"]

# A gap is longer than 4 x the median and 3 x the 95th percentile of all steps. The percentile alone
# would make gaps of the nights of a log that is read all day long; the median alone, of each pause
# of a log that is read in bursts.
SHARES = (0.5, 0.95)
FACTORS = (4.0, 3.0)


class Gaps(NamedTuple):
    """The gaps between one organization's readings.

    Attributes:
        starts: The readings at which they begin, ascending, in microseconds since 1970 UTC.
        ends: The readings at which they end.
        limit: The longest step between two readings that is no gap, in microseconds; 0 where there
            are no two readings.
    """

    starts: Ints
    ends: Ints
    limit: float

    def time_until(self, instants: Ints) -> Ints:
        """How much of the time before each instant lies in gaps, in microseconds."""
        if not len(self.starts):
            return np.zeros(len(instants), np.int64)
        at = np.searchsorted(self.starts, instants, side="right")
        lengths = self.ends - self.starts
        earlier = np.append(0, np.cumsum(lengths))[np.maximum(at - 1, 0)]
        last = np.minimum(instants - self.starts[at - 1], lengths[at - 1])
        total: Ints = np.where(at > 0, earlier + last, 0)
        return total

    def covers(self, starts: Ints, ends: Ints) -> NDArray[np.bool_]:
        """Whether each stretch of time lies within one gap."""
        if not len(self.starts):
            return np.zeros(len(starts), dtype=bool)
        at = np.searchsorted(self.starts, starts, side="right") - 1
        is_covered: NDArray[np.bool_] = (at >= 0) & (ends <= self.ends[at])
        return is_covered


def gaps_between(times: Ints) -> Gaps:
    """The steps between readings that are long for their log.

    A gap is longer than three times the 95th percentile, and than four times the median, of all
    steps between the readings, each with linear interpolation. So it does not depend on what is
    shown, and a log of few readings, or one whose readings are all far apart, has none.

    Args:
        times: All readings of one organization in order, in microseconds since 1970 UTC.
    """
    steps = np.diff(times)
    limit = max(factor * each for factor, each in zip(FACTORS, _quantiles(steps), strict=True))
    at = np.flatnonzero(steps > limit)
    return Gaps(times[at], times[at + 1], limit)


def _quantiles(steps: Ints) -> list[float]:
    """The quantiles at ``SHARES``, to the last bit as PostgreSQL's ``percentile_cont`` has them."""
    if not len(steps):
        return [0.0] * len(SHARES)
    at = np.array(SHARES) * (len(steps) - 1)
    low, high = np.floor(at).astype(np.int64), np.ceil(at).astype(np.int64)
    ordered = np.partition(steps, np.unique([low, high]))
    quantiles: list[float] = (ordered[low] + (at - low) * (ordered[high] - ordered[low])).tolist()
    return quantiles


def unobserved_time(
    times: Sequence[Ints], gaps: Sequence[Gaps], window: tuple[int, int]
) -> tuple[Ints, Ints]:
    """The stretches of a window without readings of any of some organizations.

    Each is a step between two readings, whichever organizations they are of, that lies in a gap of
    an organization and is longer than what is usual for that one. Time before all readings, or
    after them, counts where it is longer than the shortest of the limits.

    Args:
        times: Each organization's readings in order, in microseconds since 1970 UTC.
        gaps: Each organization's gaps.
        window: Where the window begins and ends, likewise.

    Returns:
        Where the stretches begin and where they end, ascending, likewise. Both are readings or
        edges of the window, and no reading lies within a stretch.
    """
    instants = np.sort(np.concatenate(times), kind="stable")
    first, last = instants[0], instants[-1]
    instants = np.concatenate(([min(window[0], first)], instants, [max(window[1], last)]))
    limit = min(each.limit for each in gaps)
    long_steps = np.flatnonzero(np.diff(instants) > limit)
    starts, ends = instants[long_steps], instants[long_steps + 1]
    is_unobserved = (ends <= first) | (starts >= last)
    for each in gaps:
        is_unobserved |= each.covers(starts, ends) & (ends - starts > each.limit)
    starts, ends = (np.clip(each[is_unobserved], *window) for each in (starts, ends))
    is_inside = ends > starts
    return starts[is_inside], ends[is_inside]
