"""Budgets of a session's organizations: set, and looked up with what was spent of them."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING

from ..analysis.budgets import (
    Budget,
    BudgetChange,
    BudgetSpend,
    BudgetStanding,
    budget_spends,
    budget_standings,
    budgets_in_force,
    last_change,
    period_of,
)
from ..analysis.spend import usage_cut_points
from ..display.budget_words import passed_text
from ..errors import BadArgument, BudgetError
from ..models import to_microseconds
from .guard import parse_amount
from .outlook import forecast_histories, latest_instant, present

if TYPE_CHECKING:
    from ..analysis.series import Histories
    from ..log.entries import Entry
    from .journal import Journal

__all__ = [
    "change_budget",
    "parse_budget",
    "passed_error",
    "spends_of_budgets",
    "standings_of_budgets",
]


def parse_budget(text: str, usd_per_credit: float) -> float:
    """The credits in ``500``, ``20usd`` or ``$20``.

    Raises:
        BadArgument: It is no such amount, or none above zero.
    """
    try:
        credits = parse_amount(text, usd_per_credit)
    except BadArgument as error:
        raise BadArgument(f"{error} To remove a budget: --remove.") from None
    if not credits > 0.0:
        raise BadArgument(
            f"{text!r} is no budget; use more than 0, such as 500, or dollars, such as 20usd (a"
            " shell takes $20 for a variable), or remove the budget with --remove."
        )
    return credits


def change_budget(
    journal: Journal, organization: str, every: str, credits: float | None, now: datetime
) -> BudgetChange | None:
    """Sets, changes or removes a budget, unless it is as it shall be.

    Args:
        journal: Where it is kept.
        organization: Whose.
        every: The period that it is for.
        credits: What may be spent in it; None removes it.
        now: The present.

    Returns:
        What held before; None where that was nothing.

    Raises:
        LogError: The log could not be read or written; the budget stays as it was.
    """
    last = last_change(journal.budgets(), organization, every)
    instant = to_microseconds(now)
    if last is None or last.credits != credits:
        # What is said last holds, also where the change before is from a clock that is ahead.
        set_at = instant if last is None else max(instant, last.set_at + 1)
        journal.change_budget(
            BudgetChange(organization, every, set_at, credits, secrets.token_bytes(16))
        )
    return None if last is None or last.credits is None else last


def spends_of_budgets(
    journal: Journal,
    organizations: Sequence[str],
    now: datetime,
    zone: tzinfo,
    *,
    extra: Sequence[Entry] = (),
) -> list[BudgetSpend]:
    """What was spent of the budgets of some organizations in the periods that are running.

    Args:
        journal: Where budgets and readings are.
        organizations: Their ids.
        now: The present, in the zone.
        zone: The zone whose days, weeks and months are meant.
        extra: Entries that no log holds.

    Raises:
        LogError: The log could not be read.
    """
    budgets = budgets_in_force(journal.budgets(), organizations)
    if not budgets:
        return []
    histories = _read(journal, budgets, now, _first_start(budgets, now, zone), zone, extra=extra)
    names = dict(zip(histories.organizations, histories.names, strict=True))
    return budget_spends(budgets, histories, present(now, histories), names)


def standings_of_budgets(
    journal: Journal,
    organizations: Sequence[str] | None,
    now: datetime,
    zone: tzinfo,
    *,
    local_only: bool = False,
) -> list[BudgetStanding]:
    """The same, with what will be spent by the end of the periods.

    Args:
        journal: Where budgets and readings are.
        organizations: Their ids; None is all of them.
        now: The present, in the zone.
        zone: The zone whose days, weeks and months are meant.
        local_only: Whether to ignore the shared log.

    Raises:
        LogError: The log could not be read.
    """
    budgets = budgets_in_force(journal.budgets(local_only=local_only), organizations)
    if not budgets:
        return []
    ids = sorted({each.organization for each in budgets})
    histories = _read(
        journal, budgets, now, _first_start(budgets, now, zone), zone, local_only=local_only
    )
    recent = forecast_histories(journal, ids, now, local_only=local_only)
    return budget_standings(
        budgets,
        histories,
        recent,
        present(now, histories),
        journal.organizations(local_only=local_only),
    )


def passed_error(spend: BudgetSpend, usd_per_credit: float) -> BudgetError:
    """The error to raise where a budget is passed."""
    message = passed_text(spend, usd_per_credit)
    return BudgetError(message, spent=spend.spent, budget=spend.budget)


def _first_start(budgets: Sequence[Budget], now: datetime, zone: tzinfo) -> datetime:
    return min(period_of(now, each.every, zone)[0] for each in budgets)


def _read(
    journal: Journal,
    budgets: Sequence[Budget],
    now: datetime,
    since: datetime,
    zone: tzinfo,
    *,
    extra: Sequence[Entry] = (),
    local_only: bool = False,
) -> Histories:
    return journal.compute(
        lambda histories: histories,
        sorted({each.organization for each in budgets}),
        since,
        latest_instant(now),
        cut_points=usage_cut_points("day", zone, None, None),
        after=False,
        local_only=local_only,
        extra=extra,
    )
