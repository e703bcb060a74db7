"""What is said of a budget; pure."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from ..when import time_phrase
from .wording import bound_words, credits_text, name_text, usd_text

if TYPE_CHECKING:
    from ..analysis.budgets import BudgetChange, BudgetSpend, BudgetStanding

__all__ = [
    "budget_line",
    "budget_phrase",
    "change_line",
    "passed_text",
    "this_period",
]

_NOW = {"day": "today", "week": "this week", "month": "this month"}
# A balance that was read longer ago may say little of now.
_OLD = timedelta(hours=1)


def this_period(every: str) -> str:
    """What the running day, week or month is called."""
    return _NOW.get(every, every)


def budget_phrase(spend: BudgetSpend) -> str:
    """In few words: ``budget: 312 of 500 this week``, or ``OVER BUDGET: 512 of 500 this week``."""
    budget, period = _short(spend.budget), _NOW[spend.every]
    if not spend.is_known:
        return f"budget: {budget} {period}, no readings yet"
    head = "OVER BUDGET" if spend.is_passed else "budget"
    return f"{head}: {_bound(spend)}{_short(spend.spent)} of {budget} {period}"


def budget_line(standing: BudgetStanding, now: datetime, usd_per_credit: float) -> str:
    """What was spent of a budget, what is left of it, and what it will be in the end."""
    spend = standing.spend
    name, period = name_text(spend.name), _NOW[spend.every]
    budget = _priced(spend.budget, usd_per_credit)
    if not spend.is_known:
        read = "never read"
        if spend.read_at is not None:
            read = f"last read {time_phrase(spend.read_at, now)}"
        return f"{name}: budget of {budget} {period} · no readings in it yet, {read}"
    spent = f"{_bound(spend)}{credits_text(spend.spent)} of {budget} spent {period}"
    if spend.known_from is not None:
        spent += f", known from {time_phrase(spend.known_from, now)} on"
    parts = [f"{'OVER BUDGET: ' if spend.is_passed else ''}{spent}"]
    if not spend.is_passed:
        most = "at most " if spend.is_at_least else ""
        parts.append(f"{most}{credits_text(spend.left)} left")
    parts.append(_projection(standing))
    if spend.read_at is not None and now - spend.read_at > _OLD:
        parts.append(f"read {time_phrase(spend.read_at, now)}")
    return f"{name}: {' · '.join(parts)}"


def _projection(standing: BudgetStanding) -> str:
    """What will be spent by the end of the period, or why that cannot be told."""
    end = f"by the end of the {standing.spend.every}"
    if math.isnan(standing.projected):
        return f"cannot tell how much {end}: {standing.ahead.evidence}"
    low, high = (credits_text(each) for each in (standing.projected_low, standing.projected_high))
    interval = "" if low == high else f" ({low} to {high})"
    about = "at least " if standing.spend.is_at_least else ""
    over = ", over budget" if standing.will_pass else ""
    return f"{about}{credits_text(standing.projected)}{interval} expected {end}{over}"


def change_line(
    name: str,
    every: str,
    credits: float | None,
    before: BudgetChange | None,
    usd_per_credit: float,
) -> str:
    """What a budget is now, and what it was before.

    Args:
        name: The organization's name.
        every: The period that it is for.
        credits: What may be spent in it; None where the budget was removed.
        before: The budget before; None where there was none.
        usd_per_credit: The price of a credit.
    """
    old = None if before is None or before.credits is None else before.credits
    if credits is None:
        was = "" if old is None else f"; it was {_priced(old, usd_per_credit)}"
        return f"{name_text(name)}: the budget for each {every} is removed{was}"
    was = ""
    if old == credits:
        was = ", as before"
    elif old is not None:
        was = f"; before it was {credits_text(old)}"
    return (
        f"{name_text(name)}: a budget of {_priced(credits, usd_per_credit)} for each {every}{was}"
    )


def passed_text(spend: BudgetSpend, usd_per_credit: float) -> str:
    """That a budget is passed, by how much, and what to do."""
    until = spend.until
    return (
        f"{name_text(spend.name)} has spent {_bound(spend)}{_priced(spend.spent, usd_per_credit)}"
        f" {_NOW[spend.every]}, and the budget is {credits_text(spend.budget)}. It begins anew on"
        f" {until:%a} {until.day} {until:%b}; wait until then, or raise it: %stability_budget N"
        f" --every {spend.every}."
    )


def _bound(spend: BudgetSpend) -> str:
    return bound_words(spend.estimated > 0.0, spend.is_at_least)


def _priced(credits: float, usd_per_credit: float) -> str:
    return f"{credits_text(credits)} credits ({usd_text(credits * usd_per_credit)})"


def _short(credits: float) -> str:
    return credits_text(credits).removesuffix(".00")
