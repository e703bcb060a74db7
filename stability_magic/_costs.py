"""What cells cost, and what was spent outside them; pure."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ._balances import Balances, Series
from ._frames import changes, frame_of_rows

if TYPE_CHECKING:
    from datetime import tzinfo

    import pandas as pd
    from numpy.typing import NDArray

    from ._balances import Marks

__all__ = [
    "ELSEWHERE",
    "NO_LABEL",
    "SHORTLY_BEFORE",
    "Change",
    "Cost",
    "cell_marks",
    "change_between",
    "change_of",
    "costs_frame",
    "others_before",
    "overlapped",
    "summary_frame",
]

ELSEWHERE = "(elsewhere)"
NO_LABEL = "(no label)"

# What was spent so shortly before a cell, outside all cells, probably went on during it.
SHORTLY_BEFORE = timedelta(minutes=10)


@dataclasses.dataclass(frozen=True, slots=True)
class Cost:
    """What one cell cost.

    Attributes:
        organization: The organization's id.
        started_at: When the reading before the cell was taken, in microseconds since 1970 UTC.
        ended_at: When the last reading after it was taken, or tried.
        seconds: How long the cell ran, without the readings.
        spent: Credits; None where no reading after the cell could be taken.
        exact: Whether a top-up, a balance that was still moving, or another spender is ruled
            out as far as the log can tell.
        label: What the user calls it.
        cell: The cell's id, where the front end tells it.
        id: 16 bytes, made once.
    """

    organization: str
    started_at: int
    ended_at: int
    seconds: float
    spent: float | None
    exact: bool
    label: str | None
    cell: str | None
    id: bytes


class Change(NamedTuple):
    """Credits that the readings of a stretch of time show spent, and whether a rise hides more."""

    spent: float
    risen: bool


def change_of(credits: Iterable[float]) -> Change:
    """What a row of balances of one organization, oldest first, shows."""
    values = np.array(list(credits), dtype=np.float64)
    spent, topped_up = changes(np.zeros(len(values), np.int64), values)
    return Change(float(np.nansum(spent)), bool(np.nansum(topped_up) > 0))


def change_between(readings: pd.DataFrame, first: int, last: int) -> Change:
    """What was spent after one reading of an organization, up to and with another.

    Args:
        readings: A readings frame of one organization, oldest first.
        first: The time of the one, in microseconds since 1970 UTC.
        last: The time of the other.
    """
    times = _times(readings)
    return change_of(readings["credits"][(times >= first) & (times <= last)])


def others_before(readings: pd.DataFrame, costs: Iterable[Cost], start: int) -> bool:
    """Whether credits were being spent outside all cells shortly before one began.

    Args:
        readings: A readings frame of the cell's organization, oldest first.
        costs: The costs of other cells of that organization.
        start: When the reading before the cell was taken.
    """
    times = _times(readings)
    since = start - SHORTLY_BEFORE // timedelta(microseconds=1)
    recent = (times >= since) & (times <= start)
    if recent.sum() < 2:
        return False
    times = times[recent]
    spent, _ = changes(
        np.zeros(len(times), np.int64), readings["credits"].to_numpy("float64")[recent]
    )
    inside = _overlap(times[:-1], times[1:], _united(costs)) > 0
    return bool(spent[1:][~inside].sum() > 0)


def overlapped(costs: Sequence[Cost]) -> NDArray[np.bool_]:
    """Whether another cell of the same organization spent while each cell ran."""
    found = np.zeros(len(costs), dtype=bool)
    organizations = np.array([each.organization for each in costs])
    starts = np.array([each.started_at for each in costs], dtype=np.int64)
    ends = np.array([each.ended_at for each in costs], dtype=np.int64)
    spends = np.array([each.spent is None or each.spent > 0 for each in costs], dtype=bool)
    for organization in np.unique(organizations):
        here = organizations == organization
        # Those that began before a cell's end, without those that had ended by its start.
        began = np.searchsorted(np.sort(starts[here & spends]), ends[here], side="left")
        ended = np.searchsorted(np.sort(ends[here & spends]), starts[here], side="right")
        found[here] = began - ended - spends[here] > 0
    return found


def costs_frame(
    costs: Sequence[Cost], inexact: NDArray[np.bool_], zone: tzinfo, usd_per_credit: float
) -> pd.DataFrame:
    """The costs frame: one row a cell, the earliest first.

    Args:
        costs: The costs, by their start.
        inexact: Where another spender is known by now; see :func:`overlapped`.
        zone: The time zone of ``started_at``.
        usd_per_credit: The price of a credit.
    """
    rows = []
    for each, shared in zip(costs, inexact, strict=True):
        spent = np.nan if each.spent is None else each.spent
        exact = each.exact and not shared
        usd = spent * usd_per_credit
        rows.append(
            (
                each.started_at,
                each.label,
                each.seconds,
                each.organization,
                spent,
                usd,
                exact,
                each.cell,
            )
        )
    return frame_of_rows("costs", rows, zone)


def summary_frame(
    costs: pd.DataFrame,
    elsewhere: Balances,
    every: Sequence[Cost],
    window: tuple[int, int],
    usd_per_credit: float,
) -> pd.DataFrame:
    """Costs by label, the dearest first, and below them what was spent outside all cells.

    Args:
        costs: The costs frame that is summed up.
        elsewhere: The readings of the organizations that have a row ``(elsewhere)``.
        every: All costs, also those that ``costs`` leaves out.
        window: The time that ``(elsewhere)`` is about, in microseconds since 1970 UTC.
        usd_per_credit: The price of a credit.
    """
    rows = []
    named = costs.assign(label=costs["label"].fillna(NO_LABEL))
    for (label, organization), group in named.groupby(["label", "organization"], sort=True):
        spent = group["spent"]
        total = float(spent.sum())
        known = bool(spent.notna().all())
        rows.append(
            (
                label,
                organization,
                len(group),
                total if spent.notna().any() else np.nan,
                spent.mean(),
                spent.max(),
                total * usd_per_credit if spent.notna().any() else np.nan,
                known and bool(group["exact"].all()),
            )
        )
    rows.sort(key=lambda row: -row[3] if row[3] == row[3] else np.inf)
    for organization, series in zip(elsewhere.organizations, elsewhere.series, strict=True):
        mine = [each for each in every if each.organization == organization]
        found = _outside(series, mine, window)
        usd = found.spent * usd_per_credit
        rows.append((ELSEWHERE, organization, 0, found.spent, np.nan, np.nan, usd, not found.risen))
    return frame_of_rows("summary", rows, elsewhere.zone)


def cell_marks(costs: Iterable[Cost], window: tuple[int, int]) -> Marks:
    """Where the row ``(elsewhere)`` looks at readings."""
    edges = np.array([*window, *itertools.chain(*_united(costs))], dtype=np.int64)
    return lambda first, last: edges[(edges >= first) & (edges <= last)]


def _outside(series: Series, costs: Sequence[Cost], window: tuple[int, int]) -> Change:
    """What one organization spent in a window outside its cells; a lower bound where it rose.

    Between two readings of which a cell's time covers a part only, nobody can tell: that
    counts to neither.
    """
    times, spent, topped_up = series.times, series.spent, series.topped_up
    begin, end = times[:-1], times[1:]
    length = np.maximum(end - begin, 1)
    shared = np.clip(np.minimum(end, window[1]) - np.maximum(begin, window[0]), 0, None) / length
    # Two readings at one instant have no time between them to share out.
    shared[(end == begin) & (end > window[0]) & (end <= window[1])] = 1.0
    covered = _overlap(begin, end, _united(costs))
    free = covered == 0
    partly = (covered > 0) & (covered < end - begin) & (spent[1:] > 0) & (shared > 0)
    hidden = free & (topped_up[1:] > 0) & (shared > 0)
    return Change(float((spent[1:] * shared)[free].sum()), bool(hidden.any() or partly.any()))


def _times(readings: pd.DataFrame) -> NDArray[np.int64]:
    index: Any = readings.index
    times: NDArray[np.int64] = index.as_unit("us").asi8
    return times


def _united(costs: Iterable[Cost]) -> list[tuple[int, int]]:
    """The time that cells cover, as stretches that do not touch, in order."""
    united: list[tuple[int, int]] = []
    for first, last in sorted((each.started_at, each.ended_at) for each in costs):
        if united and first <= united[-1][1]:
            united[-1] = (united[-1][0], max(last, united[-1][1]))
        else:
            united.append((first, last))
    return united


def _overlap(
    begin: NDArray[np.int64], end: NDArray[np.int64], stretches: Sequence[tuple[int, int]]
) -> NDArray[np.int64]:
    """How much of each interval lies within the stretches, in microseconds."""
    if not stretches:
        return np.zeros(len(begin), np.int64)
    starts, ends = (np.array(each, dtype=np.int64) for each in zip(*stretches, strict=True))
    sums = np.concatenate([[0], np.cumsum(ends - starts)])

    def before(instants: NDArray[np.int64]) -> NDArray[np.int64]:
        at = np.searchsorted(starts, instants, side="right")
        running = np.where(at > 0, np.minimum(instants, ends[at - 1]) - starts[at - 1], 0)
        total: NDArray[np.int64] = np.where(at > 0, sums[at - 1] + running, 0)
        return total

    return before(end) - before(begin)
