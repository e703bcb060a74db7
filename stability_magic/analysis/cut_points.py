"""Cut points: the instants a computation depends on; what lies between them may be added up.

Few figures depend on every reading. Usage by day needs each organization's balance at midnight,
and between two midnights only sums: what was spent, and each rise with the reading before it. The
instants that a computation does depend on are its *cut points*: the edges of the periods, the
columns of a picture, the hours of a forecast. Each computation comes with a function that returns
its cut points, given a series' first and last time (:data:`CutPoints`). The rows between two cut
points can then be merged into one without changing the result, by numpy (:func:`condense`) or by
the database of a shared log (``shared_log.reader``). So a million readings need not cross a network
to become thirty bars.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from .series import Series
from .topups import likely_rises

if TYPE_CHECKING:
    from numpy.typing import NDArray

    # Takes the times of a series' first row and of its last row not after the window; returns the
    # instants, in any order. All are microseconds since 1970 UTC.
    CutPoints = Callable[[int, int], NDArray[np.int64]]

__all__ = ["CutPoints", "condense"]


def condense(series: Series, cut_points: NDArray[np.int64]) -> Series:
    """The series with the fewest rows that give the same sums between the cut points.

    These rows stay: the first and the last one between two cut points, those exactly at a cut
    point, and, as a rise hides spending, the rows before and after each rise. What was spent in
    the rows that go is added to the next row that stays.

    Args:
        series: At least one row.
        cut_points: Microseconds since 1970 UTC, in any order.
    """
    count = len(series.times)
    edges = np.union1d(cut_points, cut_points + 1)
    stretch = np.searchsorted(edges, series.times, side="right")
    is_break = (stretch[1:] != stretch[:-1]) | (series.topped_up[1:] > 0)
    is_first, is_last = np.append(True, is_break), np.append(is_break, True)
    rows = np.flatnonzero(is_first | is_last)
    starts = np.append(0, rows[:-1] + 1)
    spent, counts = (np.add.reduceat(each, starts) for each in (series.spent, series.counts))
    if len(rows) == count:
        return series
    return Series(
        series.times[rows],
        series.credits[rows],
        spent,
        series.topped_up[rows],
        counts,
        find_gaps=series.gaps,
        find_likely=series.find_likely or partial(likely_rises, series),
    )
