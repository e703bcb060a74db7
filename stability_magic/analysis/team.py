"""Who spent what: cells by member, machine and label, and what was spent outside them; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .cost_frames import ELSEWHERE, NO_LABEL
from .frames import frame_from_rows

if TYPE_CHECKING:
    from datetime import tzinfo

    import pandas as pd

    from .cell_spending import CellSpending
    from .costs import Cost
    from .series import Series

__all__ = ["NO_MEMBER", "Team", "team_spending"]

# Who ran a cell that bears no member; the setting takes no name with a bracket in front.
NO_MEMBER = "(no member)"


class Team(NamedTuple):
    """What the members of a team spent in a window.

    Attributes:
        frame: The team frame.
        is_estimate: Whether what cells spent is not certain.
        unknown: How many cells are in no sum, as nothing tells what they cost.
        unseen: Credits that cells measured at times of which the log has no readings; they are in
            no row, as they are in no usage.
    """

    frame: pd.DataFrame
    is_estimate: bool
    unknown: int
    unseen: float


class _Row(NamedTuple):
    """A row of the frame, but for what follows from the others."""

    member: str
    host: str | None
    label: str | None
    spent: float
    organization: str
    cells: int
    exact: bool


def team_spending(
    spendings: Mapping[str, CellSpending],
    names: Mapping[str, str],
    window: tuple[int | None, int | None],
    zone: tzinfo,
    usd_per_credit: float,
) -> Team:
    """What each member spent on each machine under each label, and what was spent elsewhere.

    The member who spent most comes first, and cells without a member come last. An organization's
    rows add up to what was spent of its credits in the window, and all shares to 1: a cell counts
    with what it spent in the window, wherever it began, and what several cells could have spent
    counts once. An organization without cells that spent nothing has no row, unless there is no
    other row either; nor has one without cells of which there are no readings.

    Args:
        spendings: What the cells of each organization spent, by organization id.
        names: The names of organizations, by id.
        window: Its start and its end, which is not part of it, in microseconds since 1970 UTC;
            None for no limit.
        zone: The time zone of the frame.
        usd_per_credit: The price of a credit.
    """
    rows: list[_Row] = []
    elsewhere_rows: list[_Row] = []
    idle_rows: list[_Row] = []
    total, unseen, unknown, is_estimate = 0.0, 0.0, 0, False
    for organization, spending in spendings.items():
        seen = spending.seen_within(*window)
        is_shown = spending.began_within(*window) | (seen.by_cells > 0)
        is_known = ~np.isnan(spending.spent) & ((spending.unseen == 0) | (seen.by_cells > 0))
        total += float(seen.by_cells.sum()) + seen.elsewhere
        unseen += float(spending.unseen[is_shown].sum())
        unknown += int((is_shown & np.isnan(spending.spent)).sum())
        is_estimate |= bool((is_shown & (spending.is_estimate | seen.is_cut)).any())
        for key, cells in _groups(spending.costs, np.flatnonzero(is_shown).tolist()).items():
            known = seen.by_cells[cells][is_known[cells]]
            spent = float(known.sum()) if len(known) else np.nan
            exact = bool((spending.exact & is_known & ~seen.is_cut)[cells].all())
            rows.append(_Row(*key, spent, organization, len(cells), exact))
        if _is_observed(spending.series, *window):
            exact = not (seen.is_elsewhere_unclear or (is_shown & spending.may_lack_some).any())
            row = _Row(ELSEWHERE, None, None, seen.elsewhere, organization, 0, exact)
            is_idle = not is_shown.any() and row.spent == 0.0 and exact
            (idle_rows if is_idle else elsewhere_rows).append(row)
    if not rows and not elsewhere_rows:
        elsewhere_rows = idle_rows
    shown = [
        (
            *(row.member, row.host, row.label, row.spent, row.spent * usd_per_credit),
            row.spent / total if total else np.nan,
            *(row.organization, names.get(row.organization, row.organization)),
            *(row.cells, row.exact),
        )
        for row in (*_in_order(rows), *elsewhere_rows)
    ]
    return Team(frame_from_rows("team", shown, zone), is_estimate, unknown, unseen)


def _is_observed(series: Series, begin: int | None, end: int | None) -> bool:
    """Whether readings tell anything of a window: it does not lie before or after all of them."""
    times = series.times
    return bool(
        len(times) and (end is None or times[0] < end) and (begin is None or times[-1] >= begin)
    )


def _groups(
    costs: Sequence[Cost], cells: Iterable[int]
) -> dict[tuple[str, str | None, str], list[int]]:
    """The cells of each member on each machine under each label."""
    groups: dict[tuple[str, str | None, str], list[int]] = {}
    for at in cells:
        cost = costs[at]
        key = (cost.member or NO_MEMBER, cost.host, cost.label or NO_LABEL)
        groups.setdefault(key, []).append(at)
    return groups


def _in_order(rows: list[_Row]) -> list[_Row]:
    totals: dict[str, float] = {}
    for row in rows:
        totals[row.member] = totals.get(row.member, 0.0) + float(np.nan_to_num(row.spent))

    def place(row: _Row) -> tuple[object, ...]:
        is_unknown = bool(np.isnan(row.spent))
        return (
            *(row.member == NO_MEMBER, -totals[row.member], row.member),
            *(is_unknown, 0.0 if is_unknown else -row.spent),
            *(row.host or "", row.label, row.organization),
        )

    return sorted(rows, key=place)
