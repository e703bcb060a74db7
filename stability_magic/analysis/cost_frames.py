"""The frames of what cells cost: cell by cell, and by label with what was spent elsewhere; pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from .frames import frame_from_rows

if TYPE_CHECKING:
    from datetime import tzinfo

    import pandas as pd

    from .cell_spending import CellSpending
    from .costs import Cost

__all__ = ["ELSEWHERE", "NO_LABEL", "costs_frame", "count_doubts", "summary_frame"]

ELSEWHERE = "(elsewhere)"
NO_LABEL = "(no label)"


def costs_frame(
    spendings: Iterable[CellSpending],
    is_shown: Callable[[Cost], bool],
    zone: tzinfo,
    usd_per_credit: float,
) -> pd.DataFrame:
    """The costs frame: one row for each cell, the earliest first.

    Args:
        spendings: What the cells of each organization spent.
        is_shown: Whether a cell gets a row.
        zone: The time zone of its times.
        usd_per_credit: The price of a credit.
    """
    rows = [
        (
            cost.started_at,
            cost.label,
            cost.seconds,
            cost.organization,
            spent,
            spent * usd_per_credit,
            exact,
            cost.cell,
            revised_at,
            cost.host,
            cost.member,
        )
        for spending in spendings
        for cost, spent, exact, revised_at in zip(
            spending.costs, spending.spent, spending.exact, spending.revised_at, strict=True
        )
        if is_shown(cost)
    ]
    return frame_from_rows("costs", sorted(rows, key=lambda row: row[0]), zone)


def count_doubts(
    spendings: Iterable[CellSpending], is_shown: Callable[[Cost], bool]
) -> tuple[int, int]:
    """How many costs are estimates, and how many cells did not move the balance so far.

    Args:
        spendings: What the cells of each organization spent.
        is_shown: Whether a cell counts.
    """
    flags = [
        (estimate, waiting)
        for spending in spendings
        for cost, estimate, waiting in zip(
            spending.costs, spending.is_estimate, spending.is_waiting, strict=True
        )
        if is_shown(cost)
    ]
    return sum(bool(each) for each, _ in flags), sum(bool(each) for _, each in flags)


def summary_frame(
    spendings: Mapping[str, CellSpending],
    is_shown: Callable[[Cost], bool],
    window: tuple[int | None, int | None],
    zone: tzinfo,
    usd_per_credit: float,
) -> pd.DataFrame:
    """Costs by label, the most expensive first, followed by what was spent outside all cells.

    With all cells of the window shown, an organization's rows add up to what it spent in it, and
    all shares to 1. An organization without cells that spent nothing has no row, unless there is no
    other row either.

    Args:
        spendings: What the cells of each organization spent, by organization id.
        is_shown: Whether a cell is counted in a row.
        window: Its start and its end, which is not part of it, in microseconds since 1970 UTC;
            None for no limit.
        zone: The time zone of the frame.
        usd_per_credit: The price of a credit.
    """
    rows, elsewhere_rows, total = [], [], 0.0
    idle = set()
    for organization, spending in spendings.items():
        parts, elsewhere, is_exact = spending.within(*window)
        total += float(parts.sum()) + elsewhere
        by_label: dict[str, list[int]] = {}
        for at, cost in enumerate(spending.costs):
            if is_shown(cost):
                by_label.setdefault(cost.label or NO_LABEL, []).append(at)
        for label, cells in by_label.items():
            is_known = ~np.isnan(spending.spent[cells])
            known = parts[cells][is_known]
            amounts = (known.sum(), known.mean(), known.max()) if len(known) else [np.nan] * 3
            exact = bool(spending.exact[cells].all())
            rows.append((label, organization, len(cells), *amounts, exact))
        if len(spending.series.times):
            elsewhere_rows.append((ELSEWHERE, organization, 0, elsewhere, np.nan, np.nan, is_exact))
            if not by_label and elsewhere == 0.0 and is_exact:
                idle.add(organization)
    rows.sort(key=lambda row: (np.isnan(row[3]), -row[3], row[0], row[1]))
    rows += elsewhere_rows
    return frame_from_rows(
        "summary",
        [
            (label, organization, count, spent, mean, most, spent * usd_per_credit, exact, share)
            for label, organization, count, spent, mean, most, exact in (
                [each for each in rows if each[1] not in idle] or rows
            )
            for share in (spent / total if total else np.nan,)
        ],
        zone,
    )
