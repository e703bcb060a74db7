"""Reduces a million points to those that a picture can show: arrays in, arrays out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "combine_bars",
    "extreme_positions",
    "largest_per_column",
]


def extreme_positions(
    times: NDArray[np.int64], values: NDArray[np.float64], column_count: int
) -> NDArray[np.int64]:
    """The first, lowest, highest and last value in each of some columns of equal width.

    Args:
        times: Ascending.
        values: One for each time.
        column_count: The number of columns from the first time to the last.

    Returns:
        Ascending positions, at most four for each column; all of them if that saves nothing.
    """
    count = len(times)
    if count <= 4 * column_count:
        return np.arange(count)
    edges = np.linspace(times[0], times[-1], column_count + 1)[1:-1]
    bounds = np.unique(np.concatenate([[0], np.searchsorted(times, edges), [count]]))
    firsts, lasts = bounds[:-1], bounds[1:] - 1
    columns = np.repeat(np.arange(len(firsts)), np.diff(bounds))
    positions = [firsts, lasts]
    for extreme in (np.minimum, np.maximum):
        matches = np.flatnonzero(values == extreme.reduceat(values, firsts)[columns])
        positions.append(matches[np.unique(columns[matches], return_index=True)[1]])
    return np.unique(np.concatenate(positions))


def largest_per_column(
    places: NDArray[np.int64], sizes: NDArray[np.float64], column_width: int
) -> NDArray[np.int64]:
    """The largest item in each column of the picture.

    Args:
        places: Where each item is, in any order.
        sizes: How large each item is.
        column_width: In the unit of ``places``.

    Returns:
        Positions in ``places``, at most one for each column.
    """
    if not len(places):
        return places[:0]
    columns = (places - places.min()) // max(1, column_width)
    order = np.lexsort((-sizes, columns))
    return order[np.unique(columns[order], return_index=True)[1]]


def combine_bars(
    totals: NDArray[np.float64], max_bars: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Combines neighbouring bars until there are at most ``max_bars`` of them.

    Args:
        totals: One for each bar.
        max_bars: How many bars the picture has room for.

    Returns:
        Where each group of neighbours begins, and the position of its greatest total.
    """
    group_size = max(1, -(-len(totals) // max_bars))
    starts = np.arange(0, len(totals), group_size)
    padded_totals = np.full(len(starts) * group_size, -np.inf)
    padded_totals[: len(totals)] = totals
    return starts, starts + padded_totals.reshape(-1, group_size).argmax(axis=1)
