"""Budgets: what may be spent in a day, a week or a month, and how that stands; pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..models import from_microseconds, to_microseconds
from ..when import BUDGET_PERIODS
from .frames import frame_from_rows
from .outlook import SpendingAhead, spending_ahead
from .periods import period_edges
from .spend import usage_of

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from .series import Histories

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

__all__ = [
    "Budget",
    "BudgetChange",
    "BudgetSpend",
    "BudgetStanding",
    "budget_frame",
    "budget_spends",
    "budget_standings",
    "budgets_by_period",
    "budgets_in_force",
    "is_passed",
    "last_change",
    "period_of",
]

# In 80 of 100 cases, as in the forecast.
_COVERAGE = 0.8
# Credits that rounding errors may add up to.
_LEAST = 1e-6


@dataclasses.dataclass(frozen=True, slots=True)
class BudgetChange:
    """A budget as somebody set, changed or removed it.

    Attributes:
        organization: The organization's id.
        every: The period that it is for: ``day``, ``week`` or ``month``.
        set_at: When that was, in microseconds since 1970 UTC.
        credits: What may be spent in a period; None from when on there is no such budget.
        id: 16 bytes, generated once.
    """

    organization: str
    every: str
    set_at: int
    credits: float | None
    id: bytes


class Budget(NamedTuple):
    """What an organization may spend in each period, in credits."""

    organization: str
    every: str
    credits: float


class BudgetSpend(NamedTuple):
    """A budget, and what was spent of it in the period that is running.

    Attributes:
        organization: The organization's id.
        name: The organization's name.
        every: The kind of its period.
        budget: What may be spent, in credits.
        start: When the period began.
        until: When it ends.
        spent: Credits, as the usage frame tells them; NaN where the period has no readings.
        is_at_least: Whether a top-up hides a part of it.
        estimated: Credits of it that may belong to the period before; NaN likewise.
        read_at: The last reading; None where there is none.
        known_from: The first reading of all, where that is in the period; None where it is not.
    """

    organization: str
    name: str
    every: str
    budget: float
    start: datetime
    until: datetime
    spent: float
    is_at_least: bool
    estimated: float
    read_at: datetime | None
    known_from: datetime | None

    @property
    def is_known(self) -> bool:
        """Whether the period has readings."""
        return not np.isnan(self.spent)

    @property
    def left(self) -> float:
        """Credits that may still be spent; below zero once the budget is passed."""
        return self.budget - self.spent

    @property
    def is_passed(self) -> bool:
        """Whether more was spent for certain; exactly as much is no more."""
        return is_passed(self.spent, self.budget)


class BudgetStanding(NamedTuple):
    """A budget with what will be spent by the end of its period.

    Attributes:
        spend: What was spent so far.
        ahead: What is expected to be spent between the last reading and the period's end.
    """

    spend: BudgetSpend
    ahead: SpendingAhead

    @property
    def projected(self) -> float:
        """Credits spent by the end of the period: in half of the cases it will be less."""
        return self.spend.spent + self.ahead.expected

    @property
    def projected_low(self) -> float:
        """The same, for the low end of the interval."""
        return self.spend.spent + self.ahead.low

    @property
    def projected_high(self) -> float:
        """The same, for its high end."""
        return self.spend.spent + self.ahead.high

    @property
    def will_pass(self) -> bool:
        """Whether the budget is not passed yet, and is expected to be by the end of the period."""
        return not self.spend.is_passed and is_passed(self.projected, self.spend.budget)


def is_passed(spent: float, budget: float) -> bool:
    """Whether more was spent than might be; False where that is not known (NaN)."""
    return spent > budget + max(_LEAST, 1e-12 * budget)


def last_change(
    changes: Iterable[BudgetChange], organization: str, every: str
) -> BudgetChange | None:
    """The last change of one budget; None if there was none."""
    own = (each for each in changes if (each.organization, each.every) == (organization, every))
    return max(own, key=_order, default=None)


def budgets_in_force(
    changes: Iterable[BudgetChange], organizations: Iterable[str] | None = None
) -> list[Budget]:
    """The budgets of the periods that are running: of each, what was set last.

    Args:
        changes: All changes, in any order.
        organizations: Whose; None is everybody's.
    """
    wanted = None if organizations is None else set(organizations)
    last: dict[tuple[str, str], BudgetChange] = {}
    for each in sorted(changes, key=_order):
        if wanted is None or each.organization in wanted:
            last[each.organization, each.every] = each
    budgets = [
        Budget(each.organization, each.every, each.credits)
        for each in last.values()
        if each.credits is not None
    ]
    return sorted(budgets, key=lambda each: (each.organization, BUDGET_PERIODS.index(each.every)))


def budgets_by_period(
    changes: Iterable[BudgetChange], organization: str, every: str, edges: Ints
) -> Floats:
    """What might be spent in each of some periods: what was set last before the period's end.

    Args:
        changes: All changes, in any order.
        organization: Whose budget.
        every: The kind of the periods.
        edges: Shape (n + 1,), where the periods begin and end, in microseconds since 1970 UTC.

    Returns:
        Shape (n,), credits; NaN where there was no budget.
    """
    own = sorted(
        (each for each in changes if (each.organization, each.every) == (organization, every)),
        key=_order,
    )
    set_at = np.array([each.set_at for each in own], np.int64)
    credits = np.array([np.nan, *(np.nan if c.credits is None else c.credits for c in own)])
    return np.asarray(credits[np.searchsorted(set_at, edges[1:], side="left")])


def _order(change: BudgetChange) -> tuple[int, bytes]:
    # Of two at the same instant, every machine must find the same one to be the last.
    return change.set_at, change.id


def period_of(now: datetime, every: str, zone: tzinfo) -> tuple[datetime, datetime]:
    """Where the period begins in which an instant lies, and where it ends, by the zone's clock."""
    instant = to_microseconds(now)
    start, until = period_edges(instant, instant, every, zone)[:2]
    return (
        from_microseconds(int(start)).astimezone(zone),
        from_microseconds(int(until)).astimezone(zone),
    )


def budget_spends(
    budgets: Sequence[Budget], histories: Histories, now: datetime, names: Mapping[str, str]
) -> list[BudgetSpend]:
    """What was spent of some budgets in the periods in which an instant lies.

    Args:
        budgets: The budgets.
        histories: Readings from the beginning of the longest of the periods on, with the one
            before; they may be condensed at ``usage_cut_points`` of days.
        now: The present, in the zone of the periods.
        names: The names of organizations by id.
    """
    zone = histories.zone
    # No row is asked how well it was observed, which would take a look at the whole log.
    histories = histories._replace(
        series=[each._replace(find_gaps=None) for each in histories.series]
    )
    periods = {every: period_of(now, every, zone) for every in {each.every for each in budgets}}
    usage_by_period = {
        every: usage_of(histories, every, since=start, topup_step=None)
        for every, (start, _) in periods.items()
    }
    series_by_id = dict(zip(histories.organizations, histories.series, strict=True))
    spends = []
    for each in budgets:
        start, until = periods[each.every]
        usage = usage_by_period[each.every]
        rows = usage[(usage.index == start) & (usage["organization"] == each.organization)]
        series = series_by_id.get(each.organization)
        read_at = known_from = None
        if series is not None:
            first, last = (from_microseconds(int(series.times[at])) for at in (0, -1))
            read_at = last.astimezone(zone)
            known_from = first.astimezone(zone) if first > start else None
        row = None if rows.empty else rows.iloc[0]
        spends.append(
            BudgetSpend(
                each.organization,
                names.get(each.organization, each.organization),
                each.every,
                each.credits,
                start,
                until,
                np.nan if row is None else float(row["spent"]),
                row is not None and bool(row["at_least"]),
                np.nan if row is None else float(row["estimated"]),
                read_at,
                None if row is None else known_from,
            )
        )
    return spends


def budget_standings(
    budgets: Sequence[Budget],
    histories: Histories,
    recent: Histories,
    now: datetime,
    names: Mapping[str, str],
) -> list[BudgetStanding]:
    """The same, with what will be spent by the end of each period.

    Args:
        budgets: The budgets.
        histories: As for :func:`budget_spends`.
        recent: The readings that forecasts are made from.
        now: The present, in the zone of the periods.
        names: The names of organizations by id.
    """
    series_by_id = dict(zip(recent.organizations, recent.series, strict=True))
    standings = []
    for each in budget_spends(budgets, histories, now, names):
        series = series_by_id.get(each.organization)
        if series is None or not each.is_known:
            ahead = SpendingAhead(np.nan, np.nan, np.nan, "no readings in the period")
        else:
            ahead = spending_ahead(
                series,
                now=to_microseconds(now),
                until=to_microseconds(each.until),
                coverage=_COVERAGE,
            )
        standings.append(BudgetStanding(each, ahead))
    return standings


def budget_frame(
    standings: Sequence[BudgetStanding], zone: tzinfo, usd_per_credit: float
) -> pd.DataFrame:
    """The budget frame: one row for each budget.

    Args:
        standings: How the budgets stand.
        zone: The time zone of the frame's times.
        usd_per_credit: The price of a credit.
    """
    rows = []
    for each in standings:
        spend = each.spend
        rows.append(
            (
                spend.organization,
                spend.name,
                spend.every,
                spend.budget,
                to_microseconds(spend.start),
                to_microseconds(spend.until),
                spend.spent,
                spend.left,
                spend.spent / spend.budget,
                each.projected,
                each.projected_low,
                each.projected_high,
                spend.is_at_least,
                spend.estimated,
                spend.spent * usd_per_credit,
                each.ahead.evidence,
            )
        )
    return frame_from_rows("budget", rows, zone)
