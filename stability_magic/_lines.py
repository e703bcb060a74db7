"""The answer in one line that stands above a frame; pure."""

from __future__ import annotations

import unicodedata
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pandas as pd

from ._readings import Account, instant
from ._text import clean_text, shortened
from ._when import time_phrase

if TYPE_CHECKING:
    from ._balances import Balances
    from ._costs import Cost
    from ._watch import Watched

__all__ = [
    "account_line",
    "balance_line",
    "cost_line",
    "costs_line",
    "count",
    "counts_line",
    "credits_text",
    "forecast_line",
    "history_line",
    "low_warning",
    "name_text",
    "soon_warning",
    "usage_line",
    "usd_text",
    "watch_line",
]

_LONGEST_NAME = 60


def credits_text(credits: float) -> str:
    """Credits with two decimals; an amount too small for them is not shown as nothing."""
    credits = credits or 0.0  # of the two zeros the one without a sign
    if credits and abs(credits) < 0.01:
        return f"{credits:.1g}"
    return f"{credits:,.2f}" if abs(credits) < 1e15 else f"{credits:.6g}"


def usd_text(usd: float) -> str:
    """US dollars, with the sign before the dollar."""
    sign = "-" if usd < 0 else ""
    return f"{sign}${credits_text(abs(usd))}"


def name_text(name: str) -> str:
    """A name in a line of text: short, printable, and not reordering what stands around it."""
    name = shortened(clean_text(name), _LONGEST_NAME)
    if any(unicodedata.bidirectional(each) in ("R", "AL", "AN") for each in name):
        return f"\N{FIRST STRONG ISOLATE}{name}\N{POP DIRECTIONAL ISOLATE}"
    return name


def account_line(account: Account) -> str:
    """How many organizations there are, and which is the default."""
    default = account.default_organization
    whose = f"the default is {name_text(default.name)}" if default else "none is the default"
    return f"{count(len(account.organizations), 'organization')}; {whose}"


def balance_line(
    balances: Balances,
    *,
    now: datetime,
    usd_per_credit: float,
    low_balance: float | None,
    outlook: pd.DataFrame | None = None,
) -> str:
    """What is left, what was spent since the reading before, and how long it will last.

    Args:
        balances: The readings of one organization; the last one is the balance now.
        now: The present; days are named from here.
        usd_per_credit: The price of a credit.
        low_balance: Credits under which the line says so.
        outlook: The forecast frame of the organization; None leaves it out.
    """
    (series,), (name,) = balances.series, balances.names
    left, spent, topped_up = (
        float(each[-1]) for each in (series.credits, series.spent, series.topped_up)
    )
    parts = [f"{name_text(name)}: {credits_text(left)} credits ({usd_text(left * usd_per_credit)})"]
    if len(series.times) == 1:
        parts.append("first reading")
    else:
        since = time_phrase(instant(int(series.times[-2])), now)
        if topped_up > 0:
            # What was spent meanwhile cannot be seen, so it is not put at nothing.
            parts.append(f"topped up, {credits_text(topped_up)} more than {since}")
        elif spent > 0:
            parts.append(f"{credits_text(spent)} spent since {since}")
        else:
            parts.append(f"nothing spent since {since}")
    if low_balance is not None and left < low_balance:
        parts.append(low_phrase(low_balance))
    if outlook is not None and len(outlook):
        parts += lasts_phrase(outlook.iloc[0], now)
    return " · ".join(parts)


def low_phrase(low_balance: float) -> str:
    """What is said wherever a balance is under the level that was set."""
    return f"LOW: under {credits_text(low_balance)}"


def forecast_line(row: pd.Series[Any], now: datetime) -> str:
    """How long one organization's credits will last, and on what evidence."""
    parts = [name_text(row["name"]), *lasts_phrase(row, now)]
    if not pd.isna(row["spent_per_day"]):
        parts.append(f"{credits_text(row['spent_per_day'])} credits a day")
    return " · ".join([*parts, row["evidence"]])


def lasts_phrase(row: pd.Series[Any], now: datetime) -> list[str]:
    """``lasts until 3 Dec (1-9 Dec)`` where there is evidence, as a list of one; else none."""
    if pd.isna(row["empty_at"]):
        known = row["evidence"].startswith("more than a year")
        return ["lasts more than a year"] if known else []
    if row["credits"] <= 0:
        return []
    middle, early = (row[each].to_pydatetime() for each in ("empty_at", "empty_early"))
    late = None if pd.isna(row["empty_late"]) else row["empty_late"].to_pydatetime()
    # Within a day or two the hour matters, and further off it would only look exact.
    exact = (middle - now).total_seconds() < 2 * 86_400
    say = _moment_text if exact else _day_text
    first, at = say(early, now), say(middle, now)
    if exact and early.date() == now.date() < middle.date():
        # After another day's time a bare one would be taken for that day's.
        first = f"today {first}"
    if late is None:
        return [f"lasts until {at} (from {first} on)"]
    last = say(late, now)
    if first == last:
        return [f"lasts until {at}"]
    month = f" {late:%b}"
    if not exact and late.year == now.year and (early.year, early.month) == (late.year, late.month):
        first = first.removesuffix(month)
    return [f"lasts until {at} ({first}-{last})"]


def _day_text(at: datetime, now: datetime) -> str:
    day = f"{at.day} {at:%b}"
    return day if at.year == now.year else f"{day} {at.year}"


def _moment_text(at: datetime, now: datetime) -> str:
    clock = f"{at:%H:%M}"
    return clock if at.date() == now.date() else f"{_day_text(at, now)} {clock}"


def history_line(readings: pd.DataFrame, now: datetime) -> str:
    """How many readings there are, of how many organizations, from when to when."""
    if readings.empty:
        return "no readings in this time"
    first, last = (time_phrase(readings.index[at].to_pydatetime(), now) for at in (0, -1))
    return (
        f"{count(len(readings), 'reading')} of"
        f" {count(readings['organization'].nunique(), 'organization')}, {first} to {last}"
    )


def usage_line(usage: pd.DataFrame, now: datetime) -> str:
    """What was spent and topped up in all; a lower bound says so."""
    if usage.empty:
        return "no readings in this time"
    bound = "at least " if usage["at_least"].any() else ""
    since = time_phrase(usage.index[0].to_pydatetime(), now).removesuffix(" 00:00")
    spent, usd = (sum(usage[each]) for each in ("spent", "usd"))
    line = f"{bound}{credits_text(spent)} credits ({usd_text(usd)}) spent since {since}"
    topped_up = sum(usage["topped_up"])
    return f"{line} · {credits_text(topped_up)} or more topped up" if topped_up else line


def cost_line(cost: Cost, *, topped_up: bool, usd_per_credit: float) -> str:
    """What a cell cost; ``at least`` and ``about`` say that it is not exact.

    Args:
        cost: The cost.
        topped_up: Whether a top-up hides a part of it.
        usd_per_credit: The price of a credit.
    """
    what = name_text(cost.label) if cost.label else "this cell"
    if cost.spent is None:
        return f"{what}: cost unknown, in {_seconds_text(cost.seconds)}"
    bound = "" if cost.exact else "at least " if topped_up else "about "
    usd = usd_text(cost.spent * usd_per_credit)
    spent = f"{credits_text(cost.spent)} credits ({usd})"
    return f"{what}: {bound}{spent} in {_seconds_text(cost.seconds)}"


def costs_line(costs: pd.DataFrame, now: datetime) -> str:
    """How many cells there were, and what they cost together."""
    if costs.empty:
        return "no cells in this time"
    since = time_phrase(costs["started_at"].iloc[0].to_pydatetime(), now)
    unknown = int(costs["spent"].isna().sum())
    bound = "" if costs["exact"].all() else "about "
    spent, usd = (float(costs[each].sum()) for each in ("spent", "usd"))
    line = (
        f"{count(len(costs), 'cell')} since {since}:"
        f" {bound}{credits_text(spent)} credits ({usd_text(usd)})"
    )
    return f"{line} · {unknown} of unknown cost" if unknown else line


def counts_line(counts: pd.DataFrame, what: str) -> str:
    """How many readings and costs were new where they came to."""
    new, known, costs = (int(counts[each].sum()) for each in ("readings", "known", "costs"))
    line = f"{what}: {count(new, 'new reading')}, {known:,} already there"
    return f"{line}, {count(costs, 'new cost')}" if costs else line


def watch_line(
    watched: Watched,
    *,
    now: datetime,
    every: timedelta,
    next_reading: datetime | None,
    usd_per_credit: float,
    low_balance: float | None,
) -> str:
    """How an organization stands that is being watched, and when it is read next.

    Args:
        watched: What the watch knows of it.
        now: The present; days are named from here.
        every: The time between readings.
        next_reading: When the next one is due; None when the watch has ended.
        usd_per_credit: The price of a credit.
        low_balance: Credits under which the line says so.
    """

    def clock(at: datetime) -> str:
        # A minute is too coarse for readings that follow each other faster.
        seconds = f":{at.astimezone(now.tzinfo):%S}" if every < timedelta(minutes=2) else ""
        return time_phrase(at, now) + seconds

    name = name_text(watched.name or watched.asked or "the default organization")
    parts = []
    if watched.last is not None:
        bound = "at least " if watched.at_least else ""
        spent = f"{bound}{credits_text(watched.spent)} spent" if watched.spent else "nothing spent"
        if watched.at_least and not watched.spent:
            # What was spent meanwhile cannot be seen, so it is not put at nothing.
            spent = "topped up"
        parts += [
            f"{credits_text(watched.credits)} credits"
            f" ({usd_text(watched.credits * usd_per_credit)})",
            f"{spent} since {clock(watched.since)}",
        ]
        if low_balance is not None and watched.credits < low_balance:
            parts.append(low_phrase(low_balance))
        parts.append(f"read {clock(watched.last)}")
    if watched.trouble:
        times = f" ({watched.in_a_row} times)" if watched.in_a_row > 1 else ""
        parts.append(clean_text(watched.trouble) + times)
    parts.append(f"next {clock(next_reading)}" if next_reading else "stopped")
    return f"{name}: {' · '.join(parts)}"


def low_warning(watched: Watched, low_balance: float, now: datetime) -> str:
    """That a balance has come under the level that was set."""
    at = "" if watched.last is None else f"{time_phrase(watched.last, now)}, "
    return (
        f"WARNING, {at}{name_text(watched.name)}: {credits_text(watched.credits)} credits are"
        f" left, under {credits_text(low_balance)}"
    )


def soon_warning(watched: Watched, early: datetime, now: datetime) -> str:
    """That the credits may run out soon."""
    return (
        f"WARNING, {time_phrase(now, now)}, {name_text(watched.name)}: the credits may run out"
        f" as early as {_moment_text(early, now)}"
    )


def _seconds_text(seconds: float) -> str:
    if seconds < 99.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def count(number: int, noun: str) -> str:
    """A number with its noun: ``1 reading``, ``2 readings``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
