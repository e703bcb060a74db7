"""What a cell cost when it ended, by the readings taken until then; pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .changes import spent_and_topped_up
from .doubtful import doubt_of_newest, is_doubtful
from .frames import those_that_count

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

__all__ = [
    "SHORTLY_BEFORE",
    "Change",
    "Cost",
    "change_between",
    "change_of",
    "has_overlap",
    "spent_shortly_before",
    "spent_so_far",
]

# Spending this shortly before a cell, outside all cells, probably went on during the cell.
SHORTLY_BEFORE = timedelta(minutes=10)


@dataclasses.dataclass(frozen=True, slots=True)
class Cost:
    """What one cell cost.

    Attributes:
        organization: The organization's id.
        started_at: When the reading before the cell was taken, in microseconds since 1970 UTC.
        ended_at: When the last reading after the cell was taken or tried, likewise.
        seconds: How long the cell ran, without the readings.
        spent: Credits; None where no reading after the cell could be taken.
        exact: Whether the log shows no top-up, no balance that was still moving and no other
            spender.
        label: What the user calls the cell.
        cell: The cell's id, where the front end gives one.
        id: 16 bytes, generated once.
        host: The machine that ran the cell; None where that is not known.
        member: Who ran it, as that person's settings say; None where they say nothing.
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
    host: str | None = None
    member: str | None = None


class Change(NamedTuple):
    """The credits spent according to some readings, and whether more may be hidden."""

    spent: float
    is_lower_bound: bool


def change_of(credits: Iterable[float]) -> Change:
    """The spending that balances of one organization show, oldest first."""
    values = np.array(list(credits), dtype=np.float64)
    spent, topped_up = spent_and_topped_up(np.zeros(len(values), np.int64), values)
    return Change(float(np.nansum(spent)), bool(np.nansum(topped_up) > 0))


def spent_so_far(times: Iterable[int], credits: Iterable[float]) -> float:
    """What one organization is seen to have spent, in credits, by readings that are still taken.

    A sudden 0 that may be wrong does not count before a second reading tells it, too.

    Args:
        times: In microseconds since 1970 UTC.
        credits: The balance at each of these times.
    """
    instants = np.array([*times], dtype=np.int64)
    balances = np.array([*credits], dtype=np.float64)
    order = np.lexsort((-balances, instants))
    instants, balances = instants[order], balances[order]
    counts = ~is_doubtful(instants, balances)
    if len(balances) and balances[-1] == 0.0 and doubt_of_newest(instants, balances):
        counts[-1] = False
    return change_of(balances[counts]).spent


def change_between(readings: pd.DataFrame, first: int, last: int) -> Change:
    """What one organization spent from one of its readings to another.

    Args:
        readings: A readings frame of one organization, oldest first.
        first: The time of the first reading, in microseconds since 1970 UTC.
        last: The time of the last reading, likewise.
    """
    readings = those_that_count(readings)
    times = _times(readings)
    return change_of(readings["credits"][(times >= first) & (times <= last)])


def spent_shortly_before(readings: pd.DataFrame, costs: Iterable[Cost], start: int) -> bool:
    """Whether credits were spent outside all cells shortly before a cell began.

    Args:
        readings: A readings frame of the cell's organization, oldest first.
        costs: The costs of the other cells of that organization.
        start: When the reading before the cell was taken, in microseconds since 1970 UTC.
    """
    readings = those_that_count(readings)
    times = _times(readings)
    since = start - SHORTLY_BEFORE // timedelta(microseconds=1)
    recent = (times >= since) & (times <= start)
    if recent.sum() < 2:
        return False
    times = times[recent]
    spent, _ = spent_and_topped_up(
        np.zeros(len(times), np.int64), readings["credits"].to_numpy("float64")[recent]
    )
    touches_cell = _overlap(times[:-1], times[1:], _union(costs)) > 0
    return bool(spent[1:][~touches_cell].sum() > 0)


def has_overlap(costs: Sequence[Cost]) -> NDArray[np.bool_]:
    """Whether another cell of the same organization may have spent while each cell ran."""
    result = np.zeros(len(costs), dtype=bool)
    organizations = np.array([each.organization for each in costs])
    starts = np.array([each.started_at for each in costs], dtype=np.int64)
    ends = np.array([each.ended_at for each in costs], dtype=np.int64)
    may_spend = np.array([each.spent is None or each.spent > 0 for each in costs], dtype=bool)
    for organization in np.unique(organizations):
        own = organizations == organization
        # The cells that began before a cell's end, minus those that ended before its start and
        # the cell itself.
        start_count = np.searchsorted(np.sort(starts[own & may_spend]), ends[own], side="left")
        end_count = np.searchsorted(np.sort(ends[own & may_spend]), starts[own], side="right")
        result[own] = start_count - end_count - may_spend[own] > 0
    return result


def _times(readings: pd.DataFrame) -> NDArray[np.int64]:
    index: Any = readings.index
    times: NDArray[np.int64] = index.as_unit("us").asi8
    return times


def _union(costs: Iterable[Cost]) -> list[tuple[int, int]]:
    """The time that cells cover, as stretches in order that do not touch each other."""
    stretches: list[tuple[int, int]] = []
    for first, last in sorted((each.started_at, each.ended_at) for each in costs):
        if stretches and first <= stretches[-1][1]:
            stretches[-1] = (stretches[-1][0], max(last, stretches[-1][1]))
        else:
            stretches.append((first, last))
    return stretches


def _overlap(
    begin: NDArray[np.int64], end: NDArray[np.int64], stretches: Sequence[tuple[int, int]]
) -> NDArray[np.int64]:
    """How much of each interval lies within the stretches, in microseconds."""
    if not stretches:
        return np.zeros(len(begin), np.int64)
    starts, ends = (np.array(each, dtype=np.int64) for each in zip(*stretches, strict=True))
    sums = np.concatenate([[0], np.cumsum(ends - starts)])

    def overlap_until(instants: NDArray[np.int64]) -> NDArray[np.int64]:
        at = np.searchsorted(starts, instants, side="right")
        running = np.where(at > 0, np.minimum(instants, ends[at - 1]) - starts[at - 1], 0)
        total: NDArray[np.int64] = np.where(at > 0, sums[at - 1] + running, 0)
        return total

    return overlap_until(end) - overlap_until(begin)
