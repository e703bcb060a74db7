"""Which cell spent what, as far as the readings show it by now; pure.

What the balance fell by while a cell ran is the cell's; of several that ran at once, it is that of
the one that began last, so that no credit counts twice. A balance may lag behind: where it had not
moved when a cell ended, the cell *waits*, and what the balance falls by soon afterwards, while no
other cell runs, is shared evenly by the cells that wait. Nothing of this is stored, so that every
later reading, whoever took it, may change the answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .series import Histories, Series
from .spend import share_in_window

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .costs import Cost
    from .cut_points import CutPoints

    Bools = NDArray[np.bool_]
    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

__all__ = [
    "LONGEST_WAIT",
    "CellSpending",
    "SeenSpending",
    "cell_cut_points",
    "cell_spending",
    "spending_by_organization",
]

_MINUTE = 60_000_000  # microseconds

# A reading so much later is taken to show all that a cell spent.
_LONGEST_LAG = 10 * _MINUTE
# Where there were no readings for longer, what was spent meanwhile may have been anybody's.
LONGEST_WAIT = 60 * _MINUTE

_NO_TIME = np.iinfo(np.int64).max


class _Intervals(NamedTuple):
    """The time between readings: when it begins and ends, what was spent, and if there is a rise.

    A rise hides what was spent meanwhile.
    """

    begin: Ints
    end: Ints
    spent: Floats
    rose: Bools

    @classmethod
    def of(cls, series: Series) -> _Intervals:
        times = series.times
        return cls(times[:-1], times[1:], series.spent[1:], series.topped_up[1:] > 0)


class _Cells(NamedTuple):
    """When cells ran, what was measured, if they are seen whole, and if the balance stood still."""

    starts: Ints
    ends: Ints
    measured: Floats
    is_seen: Bools
    is_still: Bools

    @classmethod
    def of(cls, costs: Sequence[Cost], times: Ints, intervals: _Intervals) -> _Cells:
        starts, ends = _edges(costs)
        measured = [np.nan if each.spent is None else each.spent for each in costs]
        # Between its first and its last reading a cell is seen whole.
        is_seen = _are_among(starts, times) & _are_among(ends, times) & (starts < ends)
        first = np.searchsorted(intervals.begin, starts)
        stop = np.searchsorted(intervals.end, ends, side="right")
        changes = _count((intervals.spent > 0) | intervals.rose, first, stop)
        amounts = np.array(measured, dtype=np.float64)
        is_still = np.where(is_seen, changes == 0, ~(amounts > 0))
        return cls(starts, ends, amounts, is_seen, is_still)


class _Claims(NamedTuple):
    """Which cell spent how many credits in which interval between readings."""

    cells: Ints
    intervals: Ints
    amounts: Floats

    @classmethod
    def joined(cls, parts: Sequence[_Claims]) -> _Claims:
        return cls(
            np.concatenate([each.cells for each in parts]),
            np.concatenate([each.intervals for each in parts]),
            np.concatenate([each.amounts for each in parts]),
        )


_NO_CLAIMS = _Claims(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float64))


class CellSpending(NamedTuple):
    """What the cells of one organization spent; each array has an item for each cell.

    Attributes:
        costs: The cells, as they were logged.
        series: The organization's readings.
        spent: Credits; NaN where that is not known.
        exact: Whether the log shows no top-up, no balance that was still moving and no other
            spender, and a reading some minutes after the cell agreed.
        is_estimate: Whether more than such a reading is missing.
        is_waiting: Whether no change of the balance was seen yet.
        revised_at: When the last reading that corrected the cost was taken, in microseconds since
            1970 UTC; None for a cost that is as it was measured.
        claims: What the cells spent, by intervals between readings.
        unseen: Credits that were measured at a time that no readings cover.
        is_unclear: By intervals, whether a rise hides spending there outside all cells, or a cell
            covers a part of it.
    """

    costs: Sequence[Cost]
    series: Series
    spent: Floats
    exact: Bools
    is_estimate: Bools
    is_waiting: Bools
    revised_at: list[int | None]
    claims: _Claims
    unseen: Floats
    is_unclear: Bools

    def within(self, begin: int | None, end: int | None) -> tuple[Floats, float, bool]:
        """What was spent in a window: by each cell, by nobody of them, and if the latter is exact.

        A cell that did not begin in the window is none of them, also where it spent in it.

        Args:
            begin: The window's start, in microseconds since 1970 UTC; None for no limit.
            end: Its end, which is not part of it, likewise.
        """
        seen = self.seen_within(begin, end)
        is_inside = self.began_within(begin, end)
        with np.errstate(over="ignore"):
            # A sum that no number has room for is infinite.
            parts = np.where(is_inside, seen.by_cells + self.unseen, 0.0)
            of_others = float(seen.by_cells[~is_inside].sum())
            elsewhere = seen.elsewhere + of_others
        is_exact = not (
            seen.is_elsewhere_unclear or of_others or (is_inside & self.may_lack_some).any()
        )
        return parts, elsewhere, is_exact

    def began_within(self, begin: int | None, end: int | None) -> Bools:
        """Whether each cell began in a window; its limits are those of :meth:`within`."""
        starts, _ = _edges(self.costs)
        begin, end = _limits(begin, end)
        is_inside: Bools = (starts >= begin) & (starts < end)
        return is_inside

    @property
    def may_lack_some(self) -> Bools:
        """Whether a part of what was spent elsewhere may be of each cell."""
        is_revised = np.array([each is not None for each in self.revised_at], bool)
        return self.is_waiting | (is_revised & ~self.exact)

    def seen_within(self, begin: int | None, end: int | None) -> SeenSpending:
        """What the readings of a window show; its limits are those of :meth:`within`.

        A cell counts with what it spent in the window, wherever it began.
        """
        spent, rose = self.series.spent[1:], self.series.topped_up[1:] > 0
        share = share_in_window(self.series.times, begin, end)
        cells, intervals, amounts = self.claims
        with np.errstate(over="ignore"):
            weights = amounts * share[intervals]
            by_cells = np.bincount(cells, weights, len(self.costs)).astype(np.float64)
            claimed = np.bincount(intervals, amounts, len(spent))
            # What several share may leave a rounding error.
            rest = np.where(claimed > spent * (1 - 1e-12), 0.0, spent - claimed) * share
            elsewhere = float(rest.sum())
        is_cut = (share > 0) & (share < 1)
        is_hidden = self.is_unclear & (rose | (rest > 0)) & (share > 0)
        is_spread = (rest > 0) & is_cut
        cut_cells = cells[is_cut[intervals] & (amounts > 0)]
        return SeenSpending(
            by_cells,
            elsewhere,
            np.isin(np.arange(len(self.costs)), cut_cells),
            bool((is_hidden | is_spread).any()),
        )


class SeenSpending(NamedTuple):
    """What readings show that was spent in a window; the amounts add up to all that was.

    Attributes:
        by_cells: Credits that each cell spent.
        elsewhere: Credits that no cell spent.
        is_cut: Whether a reading that tells of each cell lies on the other side of the window's
            edge, so that the cell's amount in the window is an estimate.
        is_elsewhere_unclear: Whether a rise or such a reading makes the last amount inexact.
    """

    by_cells: Floats
    elsewhere: float
    is_cut: Bools
    is_elsewhere_unclear: bool


def spending_by_organization(
    histories: Histories, costs: Iterable[Cost]
) -> dict[str, CellSpending]:
    """What cells spent, by organization id, also of those that have readings but no cells."""
    nothing = Series.of(np.empty(0, np.int64), np.empty(0, np.float64))
    by_organization: dict[str, list[Cost]] = {each: [] for each in histories.organizations}
    for each in costs:
        by_organization.setdefault(each.organization, []).append(each)
    series = dict(zip(histories.organizations, histories.series, strict=True))
    return {
        organization: cell_spending(series.get(organization, nothing), own)
        for organization, own in sorted(by_organization.items())
    }


def cell_spending(series: Series, costs: Sequence[Cost]) -> CellSpending:
    """What cells spent, and how sure that is.

    Args:
        series: The organization's readings; may be condensed at :func:`cell_cut_points`.
        costs: Its cells. Those that began or ended within an hour before another one should not be
            missing.
    """
    times, intervals = series.times, _Intervals.of(series)
    cells = _Cells.of(costs, times, intervals)
    owner = _owners(cells, intervals)
    touching = _count_touching(intervals.begin, intervals.end, cells.starts, cells.ends)
    owned = np.flatnonzero((owner >= 0) & (intervals.spent > 0))
    free = np.where(owner >= 0, 0.0, intervals.spent)
    measured, unseen = _claim_measured(cells, intervals, free)
    late = _claim_late(cells, intervals, touching, free)
    of_owners = _Claims(owner[owned], owned, intervals.spent[owned])
    claims = _Claims.joined([of_owners, measured, late])
    with np.errstate(over="ignore"):
        total = np.bincount(claims.cells, claims.amounts, len(costs)) + unseen
    is_revised = np.isin(np.arange(len(costs)), late.cells)
    is_known = cells.is_seen | ~np.isnan(cells.measured) | is_revised
    is_untouched = cells.is_still & ~is_revised & is_known
    agrees, is_disturbed = _agreement(times, cells, intervals, owner, late)
    is_unsure = (
        np.array([not each.exact for each in costs], bool)
        | ~cells.is_seen
        | _is_shared(times, cells, ~is_untouched | ~agrees)
    )
    exact = agrees & ~is_unsure
    return CellSpending(
        costs,
        series,
        np.where(is_known, total, np.nan),
        exact,
        is_known & ~is_untouched & ~exact & (is_unsure | is_revised | is_disturbed),
        is_untouched & ~agrees,
        _revision_times(times, costs, late),
        claims,
        unseen,
        (owner < 0) & (intervals.rose | (touching > 0)),
    )


def cell_cut_points(costs: Iterable[Cost], window: Iterable[int] = ()) -> CutPoints:
    """The instants that :func:`cell_spending` and a window of it depend on."""
    edges = np.union1d(_cell_edges(list(costs)), np.array([*window], dtype=np.int64))
    return lambda first, last: edges[(edges >= first) & (edges <= last)]


def _cell_edges(costs: Sequence[Cost]) -> Ints:
    """Where a cell begins and ends, and how long it is waited for; each minute of a wait."""
    starts, ends = _edges(costs)
    waits = [
        np.arange(-(-each.ended_at // _MINUTE) * _MINUTE, each.ended_at + LONGEST_WAIT, _MINUTE)
        for each in costs
        if not each.spent
    ]
    edges = (starts, ends, ends + _LONGEST_LAG, ends + LONGEST_WAIT, *waits)
    return np.unique(np.concatenate(edges))


def _revision_times(times: Ints, costs: Sequence[Cost], late: _Claims) -> list[int | None]:
    """When the last reading was taken that each cell claims something from.

    Where several readings were taken in one minute, it is the last of them: a condensed series does
    not hold the others.
    """
    edges = _cell_edges(costs)
    stretches = np.searchsorted(np.union1d(edges, edges + 1), times, side="right")
    result: list[int | None] = [None] * len(costs)
    for cell in np.unique(late.cells):
        stretch = stretches[late.intervals[late.cells == cell].max() + 1]
        result[cell] = int(times[np.searchsorted(stretches, stretch, side="right") - 1])
    return result


def _owners(cells: _Cells, intervals: _Intervals) -> Ints:
    """The cell that ran during each whole interval, of several the last to begin; -1 for none."""
    owner = np.full(len(intervals.spent), -1)
    for cell in np.argsort(cells.starts, kind="stable"):
        if cells.is_seen[cell]:
            first = np.searchsorted(intervals.begin, cells.starts[cell])
            owner[first : np.searchsorted(intervals.end, cells.ends[cell], side="right")] = cell
    return owner


def _claim_measured(cells: _Cells, intervals: _Intervals, free: Floats) -> tuple[_Claims, Floats]:
    """What was measured in cells whose own readings are missing, as far as others show it.

    What is claimed is no longer ``free``. What was measured at a time that no readings cover is
    returned by cell.
    """
    claims, unseen = [_NO_CLAIMS], np.zeros(len(cells.starts))
    for cell in np.flatnonzero(~cells.is_seen & (cells.measured > 0)):
        first = np.searchsorted(intervals.end, cells.starts[cell], side="right")
        at = np.arange(first, np.searchsorted(intervals.begin, cells.ends[cell]))
        with np.errstate(over="ignore"):
            reached = np.minimum(np.cumsum(free[at]), cells.measured[cell])
        amounts = np.diff(reached, prepend=0.0)
        free[at] -= amounts
        claims.append(_Claims(np.full(len(at), cell), at, amounts))
        if not len(at):
            unseen[cell] = cells.measured[cell]
    return _Claims.joined(claims), unseen


def _claim_late(cells: _Cells, intervals: _Intervals, touching: Ints, free: Floats) -> _Claims:
    """What the balance fell by after cells had ended, and nothing else explains.

    An interval counts that began before the balance must have shown everything, and during which no
    other cell ran. Those that may have spent it share it evenly.
    """
    begin, end = intervals.begin, intervals.end
    # The time of a cell of unknown cost is its own.
    since = np.where(np.isnan(cells.measured), cells.starts, cells.ends)
    claimants, claimed = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for cell in np.flatnonzero(cells.is_still):
        stop = min(
            np.searchsorted(begin, cells.ends[cell] + _LONGEST_LAG),
            np.searchsorted(end, cells.ends[cell] + LONGEST_WAIT, side="right"),
        )
        at = np.arange(np.searchsorted(begin, since[cell]), stop)
        at = at[(free[at] > 0) & (touching[at] == (begin[at] < cells.ends[cell]))]
        claimants.append(np.full(len(at), cell))
        claimed.append(at)
    at = np.concatenate(claimed)
    sharers = np.bincount(at, minlength=len(free))
    return _Claims(np.concatenate(claimants), at, free[at] / sharers[at])


def _agreement(
    times: Ints, cells: _Cells, intervals: _Intervals, owner: Ints, late: _Claims
) -> tuple[Bools, Bools]:
    """Whether a reading some minutes after each cell agreed, and whether one soon after did not.

    It agrees with a cell that moved the balance where only other cells moved it since; with one
    that did not, where nothing has; and with a revised one, where nothing has but what this cell
    alone claims, and the reading before was the same.
    """
    after = np.searchsorted(intervals.end, cells.ends, side="right")
    closing = np.searchsorted(times, cells.ends + _LONGEST_LAG)
    stop = np.maximum(after, np.minimum(closing, len(intervals.spent)))
    is_change = (intervals.spent > 0) | intervals.rose
    is_unexplained = is_change & (intervals.rose | (owner < 0))
    is_sole = np.bincount(late.intervals, minlength=len(is_change))[late.intervals] == 1
    sole_claims = np.bincount(late.cells[is_sole], minlength=len(after))
    changes = _count(is_change, after, stop)
    is_last_unchanged = _count(is_change, np.maximum(stop - 1, after), stop) == 0
    agrees = np.where(
        cells.is_still,
        (changes == sole_claims) & is_last_unchanged,
        _count(is_unexplained, after, stop) == 0,
    )
    soon = np.searchsorted(intervals.end, cells.ends + LONGEST_WAIT, side="right")
    is_disturbed = _count(is_unexplained, after, np.minimum(stop, soon)) > 0
    return agrees & (closing < len(times)), is_disturbed


def _is_shared(times: Ints, cells: _Cells, may_spend: Bools) -> Bools:
    """Whether another cell may have spent what was spent while each cell ran.

    A cell that did not move the balance may do so until a reading shows that it was free.
    """
    closed_at = np.append(times, _NO_TIME)[np.searchsorted(times, cells.ends + _LONGEST_LAG)]
    open_until = np.where(
        cells.is_still, np.minimum(closed_at, cells.ends + LONGEST_WAIT), cells.ends
    )
    spenders = _count_touching(
        cells.starts, cells.ends, cells.starts[may_spend], open_until[may_spend]
    )
    return spenders > may_spend


def _limits(begin: int | None, end: int | None) -> tuple[int, int]:
    return (-_NO_TIME if begin is None else begin), (_NO_TIME if end is None else end)


def _edges(costs: Sequence[Cost]) -> tuple[Ints, Ints]:
    return (
        np.array([each.started_at for each in costs], dtype=np.int64),
        np.array([each.ended_at for each in costs], dtype=np.int64),
    )


def _are_among(instants: Ints, times: Ints) -> Bools:
    # Much faster than numpy's isin, as the times are in order.
    first, stop = (np.searchsorted(times, instants, side) for side in ("left", "right"))
    return first < stop


def _count(flags: Bools, first: Ints, stop: Ints) -> Ints:
    """How many flags are set from each ``first`` up to ``stop``, or none."""
    running: Ints = np.concatenate([[0], np.cumsum(flags)])
    result: Ints = running[np.maximum(first, stop)] - running[first]
    return result


def _count_touching(begin: Ints, end: Ints, starts: Ints, ends: Ints) -> Ints:
    """With how many of the stretches from ``starts`` to ``ends`` each interval shares time."""
    begun = np.searchsorted(np.sort(starts), end, side="left")
    over = np.searchsorted(np.sort(ends), begin, side="right")
    return begun - over
