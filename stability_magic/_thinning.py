"""What of a million readings is needed, and what a picture can show; arrays in, arrays out."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ._balances import Series

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Placed", "extremes", "largest", "merged", "placed", "reduced", "strongest"]


class Placed(NamedTuple):
    """Where labels go.

    Attributes:
        shown: bool, one each label.
        offsets: float64 of shape (n, 2), from the anchor to the middle of the lower edge.
    """

    shown: NDArray[np.bool_]
    offsets: NDArray[np.float64]


def extremes(
    times: NDArray[np.int64], values: NDArray[np.float64], columns: int
) -> NDArray[np.int64]:
    """The first, lowest, highest and last value in each of so many columns of equal width.

    Args:
        times: Ascending.
        values: One each time.
        columns: How many columns the picture has from the first time to the last.

    Returns:
        Ascending positions, at most four a column; all of them where that saves nothing.
    """
    count = len(times)
    if count <= 4 * columns:
        return np.arange(count)
    edges = np.linspace(times[0], times[-1], columns + 1)[1:-1]
    bounds = np.unique(np.concatenate([[0], np.searchsorted(times, edges), [count]]))
    starts, lasts = bounds[:-1], bounds[1:] - 1
    column = np.repeat(np.arange(len(starts)), np.diff(bounds))
    kept = [starts, lasts]
    for extreme in (np.minimum, np.maximum):
        at = np.flatnonzero(values == extreme.reduceat(values, starts)[column])
        kept.append(at[np.unique(column[at], return_index=True)[1]])
    return np.unique(np.concatenate(kept))


def reduced(series: Series, marks: NDArray[np.int64]) -> Series:
    """A series without the readings that nothing depends on which is looked at by the marks.

    What was spent between two marks adds up. What stays are the first and the last reading
    from each mark to the next, those at the very instant of a mark, and around each rise,
    which hides spending, the reading before it and the one that shows it.

    Args:
        series: At least one row.
        marks: Instants at which spending is divided, in any order.
    """
    count = len(series.times)
    edges = np.union1d(marks, marks + 1)
    stretch = np.searchsorted(edges, series.times, side="right")
    apart = (stretch[1:] != stretch[:-1]) | (series.topped_up[1:] > 0)
    last = np.append(apart, True)
    kept = np.flatnonzero(last | np.append(True, apart))
    starts = np.append(0, kept[:-1] + 1)
    spent, counts = (np.add.reduceat(each, starts) for each in (series.spent, series.counts))
    if len(kept) == count:
        return series
    return Series(series.times[kept], series.credits[kept], spent, series.topped_up[kept], counts)


def largest(
    places: NDArray[np.int64], sizes: NDArray[np.float64], nearest: int
) -> NDArray[np.int64]:
    """The largest of those that would lie on each other.

    Args:
        places: Where each is, in any order.
        sizes: How large each is.
        nearest: The width of the columns of which each shows one.

    Returns:
        Positions in ``places``, at most one for each column.
    """
    if not len(places):
        return places[:0]
    column = (places - places.min()) // max(1, nearest)
    order = np.lexsort((-sizes, column))
    return order[np.unique(column[order], return_index=True)[1]]


def merged(
    starts: NDArray[np.int64], ends: NDArray[np.int64], nearest: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Ascending stretches, of which those no further apart than ``nearest`` are made one."""
    far = starts[1:] - ends[:-1] > nearest
    first = np.concatenate([np.ones(len(starts[:1]), dtype=bool), far])
    last = np.concatenate([far, np.ones(len(ends[:1]), dtype=bool)])
    return starts[first], ends[last]


def strongest(
    totals: NDArray[np.float64], count: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Combines neighbours until there are at most ``count`` of them.

    Args:
        totals: One each bar.
        count: How many bars the picture has room for.

    Returns:
        Where each group of neighbours begins, and the position of its greatest total.
    """
    size = max(1, -(-len(totals) // count))
    starts = np.arange(0, len(totals), size)
    padded = np.full(len(starts) * size, -np.inf)
    padded[: len(totals)] = totals
    return starts, starts + padded.reshape(-1, size).argmax(axis=1)


def placed(
    anchors: NDArray[np.float64],
    sizes: NDArray[np.float64],
    frame: NDArray[np.float64],
    lift: float,
    gap: float = 2.0,
) -> Placed:
    """Puts labels above their anchors, inside a frame and clear of each other.

    Args:
        anchors: Shape (n, 2), the most important first.
        sizes: Shape (n, 2), width and height of each label.
        frame: The left, lower, right and upper edge of what may be written on.
        lift: How far above its anchor a label stands where there is room.
        gap: The least distance between two labels, and from the frame.
    """
    low, high = frame[:2], frame[2:]
    corners = anchors + np.column_stack([-sizes[:, 0] / 2, np.full(len(sizes), lift)])
    corners = np.maximum(np.minimum(corners, high - sizes - gap), low + gap)
    shown = ((anchors >= low - 1e-6) & (anchors <= high + 1e-6)).all(axis=1)
    shown &= (corners + sizes <= high + 1e-6).all(axis=1)
    for at in np.flatnonzero(shown):
        others = np.flatnonzero(shown[:at])
        clear = (corners[at] >= corners[others] + sizes[others] + gap) | (
            corners[others] >= corners[at] + sizes[at] + gap
        )
        shown[at] = clear.any(axis=1).all()
    offsets = corners - anchors
    offsets[:, 0] += sizes[:, 0] / 2
    return Placed(shown, offsets)
