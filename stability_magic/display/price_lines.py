"""Prices, jobs and what a balance pays for, in words; pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from ..jobs import Job
from ..when import time_phrase
from .wording import bound_words, count_text, credits_text, doubt_phrase, name_text, usd_text

if TYPE_CHECKING:
    import pandas as pd

    from ..analysis.price_frames import Pay

__all__ = ["buys_phrase", "estimate_line", "prices_line", "sooner_text"]

_MOST_NAMED = 8


def buys_phrase(credits: float, next_job: Job | None) -> list[str]:
    """How often a balance pays for what is done next, as a list of one; else an empty list.

    Args:
        credits: The balance.
        next_job: What is done next; None where that is not set.
    """
    if next_job is None:
        return []
    if next_job.unpriced:
        return [f"no price is known for {', '.join(next_job.unpriced)}"]
    times = next_job.times(credits)
    if math.isinf(times):
        return []
    if not times:
        return [f"too little for {next_job}"]
    count = f"{times:,.0f}" if times < 1e15 else f"{times:.3g}"
    (task, *others) = next_job.tasks
    if not others and task.count == 1:
        return [f"buys {count} {task.operation}"]
    return [f"buys {next_job} {'once' if times == 1 else f'{count} times'}"]


def prices_line(prices: pd.DataFrame, window: str) -> str:
    """How many operations there are, which prices are not known, and which were measured otherwise.

    Args:
        prices: A prices frame.
        window: What the days are called whose prices these are.
    """
    operations = prices["operation"].unique().tolist()
    parts = [f"{count_text(len(operations), 'operation')} {window}"]
    unknown = prices[prices["credits"].isna()]["operation"].unique().tolist()
    if unknown:
        parts.append(f"no price is known for {_listed(unknown)}")
    measured = prices.dropna(subset="measured")
    other = measured[(measured["measured"] - measured["credits"]).abs() > _VISIBLE]
    parts += [
        f"{row['operation']} was measured as {credits_text(row['measured'])}"
        for _, row in other.head(_MOST_NAMED).iterrows()
    ]
    return " · ".join(parts)


# Credits; less would not be seen in the figures.
_VISIBLE = 0.005


def estimate_line(job: Job, pay: Pay | None, now: datetime, usd_per_credit: float) -> str:
    """What a job costs, what is left after it, and how much sooner it is empty.

    Args:
        job: The job.
        pay: What it means for one organization; None where no balance is known.
        now: The present, which decides how days are named.
        usd_per_credit: The price of a credit.
    """
    known = math.fsum(each.credits for each in job.tasks if not math.isnan(each.price))
    parts = []
    if len(job.unpriced) < len(job.tasks):
        bound = bound_words(is_estimate=False, is_lower_bound=bool(job.unpriced))
        usd = usd_text(known * usd_per_credit)
        cost = "cost" if len(job.tasks) > 1 or job.tasks[0].count > 1 else "costs"
        parts.append(f"{job} {cost} {bound}{credits_text(known)} credits ({usd})")
    if job.unpriced:
        parts.append(f"no price is known for {_listed(job.unpriced)}")
    if pay is None:
        return " · ".join([*parts, "what is left after it is not known"])
    balance = f"{credits_text(pay.balance)} read {time_phrase(pay.read_at, now)}"
    if known > pay.balance:
        missing = credits_text(known - pay.balance)
        parts.append(f"NOT ENOUGH: {missing} more than the {balance}")
    elif not job.unpriced:
        parts.append(f"leaves {credits_text(pay.balance - known)} of the {balance}")
        sooner = sooner_text(pay.days_sooner[-1]) or f"sooner by how much: {pay.evidence}"
        parts.append(f"empty {sooner}")
    if pay.doubt is not None:
        parts.append(doubt_phrase(pay.doubt))
    return f"{name_text(pay.name)}: {' · '.join(parts)}"


def sooner_text(days: float) -> str:
    """``2.3 days sooner``, ``5 hours sooner``; empty where it is not known."""
    hours = 24.0 * days
    if math.isnan(days):
        return ""
    if hours < 0.05:
        return "no sooner"
    if hours < 1.0:
        return "less than an hour sooner"
    if hours < 47.5:
        return f"{count_text(round(hours), 'hour')} sooner"
    return f"{days:.1f} days sooner"


def _listed(operations: Sequence[str]) -> str:
    shown = list(operations[:_MOST_NAMED])
    if len(operations) > _MOST_NAMED:
        shown.append(f"{len(operations) - _MOST_NAMED} more")
    return ", ".join(shown)
