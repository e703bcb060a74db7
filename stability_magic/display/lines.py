"""The line above each frame, which answers the question in words; pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pandas as pd

from ..analysis.cost_frames import ELSEWHERE
from ..analysis.frames import those_that_count
from ..analysis.outlook import TOO_LITTLE
from ..jobs import Job
from ..models import Account, from_microseconds
from ..text import clean_text, distinct_names
from ..when import time_phrase
from .budget_words import budget_phrase
from .price_lines import buys_phrase
from .wording import bound_words, count_text, credits_text, doubt_phrase, name_text, usd_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..analysis.budgets import BudgetSpend
    from ..analysis.costs import Cost
    from ..analysis.series import Histories
    from ..analysis.spend import SumDoubts
    from ..analysis.summary import Summary
    from .watch_state import WatchState

__all__ = [
    "account_line",
    "balance_line",
    "clock_line",
    "cost_line",
    "costs_line",
    "counts_line",
    "elsewhere_phrase",
    "forecast_line",
    "history_line",
    "is_empty",
    "low_balance_warning",
    "running_out_warning",
    "spent_phrase",
    "state_phrases",
    "usage_line",
    "watch_line",
]


def account_line(account: Account) -> str:
    """How many organizations there are, and which is the default."""
    default = account.default_organization
    names = distinct_names({each.id: each.name for each in account.organizations})
    default_text = (
        f"the default is {name_text(names[default.id])}" if default else "none is the default"
    )
    return f"{count_text(len(account.organizations), 'organization')}; {default_text}"


def balance_line(
    balances: Histories,
    *,
    now: datetime,
    usd_per_credit: float,
    low_balance: float | None,
    outlook: pd.DataFrame | None = None,
    doubt: str | None = None,
    next_job: Job | None = None,
    budgets: Sequence[BudgetSpend] = (),
) -> str:
    """How many credits are left, what was spent last, and how long the credits will last.

    Args:
        balances: The readings of one organization; the last one is the balance now.
        now: The present, which decides how days are named.
        usd_per_credit: The price of a credit.
        low_balance: Credits below which the line says that the balance is low.
        outlook: The forecast frame of the organization; None leaves the forecast out.
        doubt: Why the balance may be wrong; None for nearly all.
        next_job: What is done next; None leaves out how often the balance pays for it.
        budgets: What was spent of the organization's budgets.
    """
    (series,), (name,) = balances.series, balances.names
    credits, spent, topped_up = (
        float(each[-1]) for each in (series.credits, series.spent, series.topped_up)
    )
    usd = usd_text(credits * usd_per_credit)
    parts = [f"{name_text(name)}: {credits_text(credits)} credits ({usd})"]
    parts += buys_phrase(credits, next_job)
    if len(series.times) == 1:
        parts.append("first reading")
    else:
        since = time_phrase(from_microseconds(int(series.times[-2])), now)
        if topped_up > 0:
            # The rise hides what was spent meanwhile, so do not claim that it was nothing.
            parts.append(f"topped up, {credits_text(topped_up)} more than {since}")
        elif spent > 0:
            parts.append(f"{credits_text(spent)} spent since {since}")
        else:
            parts.append(f"nothing spent since {since}")
    if doubt is not None:
        parts.append(doubt_phrase(doubt))
    if low_balance is not None and credits < low_balance:
        parts.append(low_phrase(low_balance))
    parts += map(budget_phrase, budgets)
    if outlook is not None and len(outlook):
        parts += empty_phrase(outlook.iloc[0], now)
    return " · ".join(parts)


def low_phrase(low_balance: float) -> str:
    """The phrase for a balance below the level that the user set."""
    return f"LOW: under {credits_text(low_balance)}"


def state_phrases(summary: Summary, now: datetime) -> list[str]:
    """Whether an organization's balance may be wrong, and when it is empty."""
    doubts = [] if summary.doubt is None else [doubt_phrase(summary.doubt)]
    outlooks = (empty_phrase(row, now) for _, row in summary.outlook.iterrows())
    return [*doubts, *(phrase for each in outlooks for phrase in each)]


def forecast_line(row: pd.Series[Any], now: datetime) -> str:
    """When one organization is empty, at what rate, and on what evidence."""
    phrases = empty_phrase(row, now)
    evidence = row["evidence"].removeprefix(f"{_irregular_reason(row)}; ")
    return " · ".join([name_text(row["name"]), *phrases, *_rates(row), evidence])


def _rates(row: pd.Series[Any]) -> list[str]:
    """What is and was spent in a day, as a list of one; an empty list if neither is known."""
    if row["evidence"].startswith((_TOO_OLD, "nothing is being spent")):
        return []
    rates = []
    if not pd.isna(row["spent_per_day"]) and not _irregular_reason(row):
        rates.append(f"{credits_text(row['spent_per_day'])} credits a day expected")
    if not pd.isna(row["recent_per_day"]):
        rates.append(f"{credits_text(row['recent_per_day'])} a day in the last 7 days")
    return [", ".join(rates)] if rates else []


def empty_phrase(row: pd.Series[Any], now: datetime) -> list[str]:
    """When it is empty, as exactly as is known, as a list of one.

    Hours within two days, a day with its interval where that is short, a range where it is wide,
    and no date where spending is irregular; an empty list where nothing is known.
    """
    if row["evidence"].startswith(_TOO_OLD) or is_empty(row):
        return []
    if reason := _irregular_reason(row):
        return [reason]
    if pd.isna(row["empty_at"]):
        is_long = row["evidence"].startswith("more than a year")
        return ["lasts more than a year"] if is_long else []
    middle, early = (row[each].to_pydatetime() for each in ("empty_at", "empty_early"))
    late = None if pd.isna(row["empty_late"]) else row["empty_late"].to_pydatetime()
    if middle <= now:
        return ["empty by now, if spending went on"]
    if late is not None and late - now > _MOST_MIDDLES * (middle - now):
        # An end that far off says no more than that there is none.
        late = None
    is_soon = early - now < _HOURS_MATTER
    if late is not None and late - now < _HOURS_MATTER:
        return [_in_hours(early - now, late - now)]
    if late is not None and late - early <= _WIDE:
        return [f"empty about {middle:%a} {_day_text(middle, now)}{_days_around(early, late, now)}"]
    if late is None or late - now > _LONG:
        first = _day_text(early, now)
        return ["irregular: cannot tell"] if is_soon else [f"empty {first} or later"]
    if is_soon:
        first_day = max(1, (early - now) // timedelta(days=1))
        return [f"empty in {first_day} to {-((now - late) // timedelta(days=1))} days"]
    return [f"empty {_day_text(early, now)} to {_day_text(late, now)}"]


def is_empty(row: pd.Series[Any]) -> bool:
    """Whether a row of a forecast tells of a balance that is empty, or counts as empty."""
    return bool(row["credits"] <= 0.0 or row["evidence"] == TOO_LITTLE)


_TOO_OLD = "too old to tell"
# Further off a time of day would only look exact.
_HOURS_MATTER = timedelta(days=2)
# A longer interval is told as a range of days.
_WIDE = timedelta(days=10)
_LONG = timedelta(days=100)
_MOST_MIDDLES = 10


def _irregular_reason(row: pd.Series[Any]) -> str:
    """What the evidence of an irregular log says of it; nothing for other logs."""
    evidence: str = row["evidence"]
    return evidence.partition(";")[0] if evidence.startswith("irregular") else ""


def _in_hours(early: timedelta, late: timedelta) -> str:
    hour = timedelta(hours=1)
    first, last = early // hour, -(-late // hour)
    if last <= 1:
        return "empty within an hour"
    return f"empty within {last} hours" if first < 1 else f"empty in {first} to {last} hours"


def _days_around(early: datetime, late: datetime, now: datetime) -> str:
    """The days of an interval in brackets; nothing where it is one day."""
    if early.date() == late.date():
        return ""
    first, last = _day_text(early, now), _day_text(late, now)
    if (early.year, early.month) == (late.year, late.month):
        first = str(early.day)
    return f" ({first}-{last})"


def _day_text(at: datetime, now: datetime) -> str:
    day = f"{at.day} {at:%b}"
    return day if at.year == now.year else f"{day} {at.year}"


def _moment_text(at: datetime, now: datetime) -> str:
    clock = f"{at:%H:%M}"
    return clock if at.date() == now.date() else f"{_day_text(at, now)} {clock}"


def history_line(readings: pd.DataFrame, window: str, now: datetime) -> str:
    """How many readings there are, of how many organizations, and their first and last time.

    Args:
        readings: A readings frame.
        window: What the window is called in which they were looked for.
        now: The present, which decides how days are named.
    """
    if readings.empty:
        return f"no readings {window}"
    first, last = (time_phrase(readings.index[at].to_pydatetime(), now) for at in (0, -1))
    doubtful = len(readings) - len(those_that_count(readings))
    line = (
        f"{count_text(len(readings), 'reading')} of"
        f" {count_text(readings['organization'].nunique(), 'organization')}, {first} to {last}"
    )
    return f"{line} · {count_text(doubtful, 'doubtful reading')}, in no sum" if doubtful else line


def spent_phrase(usage: pd.DataFrame, window: str, doubts: SumDoubts) -> str:
    """What was spent in total; the phrase says if that is not exact.

    Args:
        usage: A usage frame.
        window: What its window is called.
        doubts: What makes its sum inexact.
    """
    bound = bound_words(*doubts)
    spent, usd = (sum(usage[each]) for each in ("spent", "usd"))
    return f"{bound}{credits_text(spent)} credits ({usd_text(usd)}) spent {window}"


def usage_line(usage: pd.DataFrame, window: str, doubts: SumDoubts, doubtful: int = 0) -> str:
    """What was spent and topped up in total; the line says if that is not exact, and of how many.

    Where a top-up hides spending, it also says how much was likely spent, as pictures do.

    Args:
        usage: A usage frame.
        window: What its window is called.
        doubts: What makes its sum inexact.
        doubtful: How many readings are not counted.
    """
    if usage.empty:
        return f"no readings {window}"
    parts = [spent_phrase(usage, window, doubts)]
    spent, topped_up = (sum(usage[each]) for each in ("spent", "topped_up"))
    likely = sum(usage.get("likely_spent", usage["spent"]))
    if likely - spent >= _VISIBLE:
        parts.append(f"likely about {credits_text(likely)}")
    parts += [f"at least {credits_text(topped_up)} topped up"] if topped_up else []
    parts += [f"{count_text(doubtful, 'doubtful reading')} left out"] if doubtful else []
    organizations = len(set(usage["organization"]))
    parts += [f"{organizations:,} organizations together"] if organizations > 1 else []
    return " · ".join(parts)


# Credits; less would not be seen in the figures.
_VISIBLE = 0.005


def cost_line(cost: Cost, *, is_waiting: bool, topped_up: bool, usd_per_credit: float) -> str:
    """What a cell cost; ``at least`` or ``about`` if that is not exact.

    Args:
        cost: The cost.
        is_waiting: Whether the balance has not moved yet, which is no proof that it will not.
        topped_up: Whether a top-up hides part of it.
        usd_per_credit: The price of a credit.
    """
    name = name_text(cost.label) if cost.label else "this cell"
    if cost.spent is None:
        return f"{name}: cost unknown, in {_seconds_text(cost.seconds)}"
    if is_waiting:
        return f"{name}: {_NO_CHANGE}, in {_seconds_text(cost.seconds)}"
    # Where a top-up hides more, it does not matter that others may have spent as well.
    bound = bound_words(
        is_estimate=not cost.exact and not topped_up, is_lower_bound=not cost.exact and topped_up
    )
    usd = usd_text(cost.spent * usd_per_credit)
    spent = f"{credits_text(cost.spent)} credits ({usd})"
    return f"{name}: {bound}{spent} in {_seconds_text(cost.seconds)}"


_NO_CHANGE = "no change seen yet"


def costs_line(costs: pd.DataFrame, window: str, *, is_estimate: bool, waiting: int) -> str:
    """How many cells there were, and what they cost together.

    Args:
        costs: The costs frame.
        window: What its window is called.
        is_estimate: Whether a cell's cost is more than unconfirmed.
        waiting: How many cells did not move the balance so far.
    """
    if costs.empty:
        return f"no cells {window}"
    unknown = int(costs["spent"].isna().sum())
    bound = bound_words(is_estimate=is_estimate or unknown > 0, is_lower_bound=False)
    spent, usd = (float(costs[each].sum()) for each in ("spent", "usd"))
    parts = [
        f"{count_text(len(costs), 'cell')} {window}:"
        f" {bound}{credits_text(spent)} credits ({usd_text(usd)})"
    ]
    parts += [f"{_NO_CHANGE} for {waiting:,}"] if waiting else []
    parts += [f"{unknown} of unknown cost"] if unknown else []
    return " · ".join(parts)


def elsewhere_phrase(summary: pd.DataFrame, window: str, doubts: SumDoubts | None) -> str:
    """What was spent outside all cells, and in all, in which time.

    Args:
        summary: The summary frame, with at least one row of what was spent elsewhere.
        window: What the time of these rows is called.
        doubts: What makes the sum of all rows inexact; None where the frame lacks some of the cells
            in that time, so that the phrase leaves that sum out.
    """
    # A label may say the same, in a log of somebody else.
    rows = summary[summary["count"] == 0]
    bound = bound_words(is_estimate=not rows["exact"].all(), is_lower_bound=False)
    spent, usd = (float(rows[each].sum()) for each in ("total", "usd"))
    phrase = f"{ELSEWHERE} {window}: {bound}{credits_text(spent)} credits ({usd_text(usd)})"
    if doubts is None:
        return phrase
    return f"{phrase} · {bound_words(*doubts)}{credits_text(summary['total'].sum())} in all"


def clock_line(host: str | None, offset: timedelta) -> str:
    """That the clock of a machine is wrong.

    Args:
        host: The machine; None if its name is not known.
        offset: The service's time less the machine's.
    """
    machine = "a machine" if host is None else name_text(host)
    difference = _seconds_text(abs(offset).total_seconds())
    direction = "behind" if offset > timedelta(0) else "ahead of"
    return (
        f"The clock of {machine} is {difference} {direction} the service's. Its readings have the"
        " service's time; set the clock, so that cells and windows have it too."
    )


def counts_line(counts: pd.DataFrame, action: str) -> str:
    """How many readings and costs were new to the log that an action added them to."""
    readings, known_readings, costs = (
        int(counts[each].sum()) for each in ("readings", "known", "costs")
    )
    line = f"{action}: {count_text(readings, 'new reading')}, {known_readings:,} already there"
    return f"{line}, {count_text(costs, 'new cost')}" if costs else line


def watch_line(
    state: WatchState,
    *,
    now: datetime,
    every: timedelta,
    next_reading: datetime | None,
    usd_per_credit: float,
    low_balance: float | None,
) -> str:
    """The state of a watched organization, and when it is read next.

    Args:
        state: What the watch knows about the organization.
        now: The present, which decides how days are named.
        every: The time between readings.
        next_reading: When the next one is due; None once the watch has ended.
        usd_per_credit: The price of a credit.
        low_balance: Credits below which the line says that the balance is low.
    """

    def clock(at: datetime) -> str:
        # Readings that follow each other quickly need the seconds.
        seconds = f":{at.astimezone(now.tzinfo):%S}" if every < timedelta(minutes=2) else ""
        return time_phrase(at, now) + seconds

    name = name_text(state.name or state.requested or "the default organization")
    parts = []
    if state.last_read_at is not None:
        bound = bound_words(is_estimate=False, is_lower_bound=state.at_least)
        spent = f"{bound}{credits_text(state.spent)} spent" if state.spent else "nothing spent"
        if state.at_least and not state.spent:
            # The rise hides what was spent meanwhile, so do not claim that it was nothing.
            spent = "topped up"
        parts += [
            f"{credits_text(state.credits)} credits ({usd_text(state.credits * usd_per_credit)})",
            f"{spent} since {clock(state.since)}",
        ]
        if low_balance is not None and state.credits < low_balance:
            parts.append(low_phrase(low_balance))
        parts += map(budget_phrase, state.budgets)
        parts.append(f"read {clock(state.last_read_at)}")
    if state.problem:
        times = f" ({state.failures_in_a_row} times)" if state.failures_in_a_row > 1 else ""
        parts.append(clean_text(state.problem) + times)
    parts.append(f"next {clock(next_reading)}" if next_reading else "stopped")
    return f"{name}: {' · '.join(parts)}"


def low_balance_warning(state: WatchState, low_balance: float, now: datetime) -> str:
    """The warning that a balance is below the level that the user set."""
    at = "" if state.last_read_at is None else f"{time_phrase(state.last_read_at, now)}, "
    return (
        f"WARNING, {at}{name_text(state.name)}: {credits_text(state.credits)} credits are"
        f" left, under {credits_text(low_balance)}"
    )


def running_out_warning(state: WatchState, early: datetime, now: datetime) -> str:
    """The warning that a balance may soon be empty."""
    text_of = _moment_text if early - now < _HOURS_MATTER else _day_text
    early_text = text_of(early, now)
    return (
        f"WARNING, {time_phrase(now, now)}, {name_text(state.name)}: the balance may be empty"
        f" as early as {early_text}"
    )


def _seconds_text(seconds: float) -> str:
    if seconds < 99.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
