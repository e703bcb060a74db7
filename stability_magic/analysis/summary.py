"""What there is to know of each organization at a glance: left, spent lately, when empty; pure."""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..jobs import Job, empty_level
from ..models import from_microseconds, to_microseconds
from .budgets import Budget, BudgetSpend, budget_spends
from .doubtful import doubt_of_newest
from .forecast import forecast_cut_points, forecast_of
from .spend import usage_cut_points, usage_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from .cut_points import CutPoints
    from .series import Histories

__all__ = [
    "DAYS_SHOWN",
    "Summary",
    "TopUp",
    "WindowSpend",
    "summaries",
    "summary_cut_points",
    "summary_window_start",
]

# Days of the outline and of the blocks: as many as fit into 80 columns beside their name.
DAYS_SHOWN = 31
# Credits that nobody can see.
_LEAST = 0.005


class WindowSpend(NamedTuple):
    """What was spent in one window, such as today.

    Attributes:
        spent: Credits, as the usage frame tells them.
        likely_spent: The same with what top-ups likely hid.
        is_at_least: Whether a top-up hides a part.
        is_about: Whether a part is an estimate.
    """

    spent: float
    likely_spent: float
    is_at_least: bool
    is_about: bool


class TopUp(NamedTuple):
    """A likely purchase: when a reading showed it, and its credits."""

    at: datetime
    credits: float


class Summary(NamedTuple):
    """One organization at a glance.

    Attributes:
        organization: Its id.
        name: Its name.
        credits: The balance that was last read.
        read_at: When that was.
        known_since: The first reading that was looked at.
        windows: What was spent ``today``, ``yesterday``, ``this week``, ``last week``, ``this
            month`` and ``last month``; None where the log has no readings of that time.
        days: Shape (31,), what was likely spent on each day up to today; NaN where unknown.
        day_credits: Shape (31,), the balance at the end of each; NaN where unknown.
        top_ups: Those of this month and the last, latest first.
        outline_times: Microseconds since 1970, the times of the readings of the last 30 days.
        outline_credits: Their balances.
        outlook: The forecast frame of the organization.
        place: As which the log saw the organization first, from 0; it gives the colour.
        doubt: Why the balance may be wrong; None for nearly all.
        next_job: What is done next, whose price is the level of empty; None where that is not set.
        budgets: What was spent of its budgets.
    """

    organization: str
    name: str
    credits: float
    read_at: datetime
    known_since: datetime
    windows: dict[str, WindowSpend | None]
    days: NDArray[np.float64]
    day_credits: NDArray[np.float64]
    top_ups: tuple[TopUp, ...]
    outline_times: NDArray[np.int64]
    outline_credits: NDArray[np.float64]
    outlook: pd.DataFrame
    place: int = 0
    doubt: str | None = None
    next_job: Job | None = None
    budgets: tuple[BudgetSpend, ...] = ()


def summary_window_start(now: datetime) -> datetime:
    """The earliest time that a summary tells of: the start of the last month."""
    first = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0, fold=0)
    return (first - timedelta(days=1)).replace(day=1)


def summary_cut_points(zone: tzinfo) -> CutPoints:
    """The instants that :func:`summaries` depends on."""
    usage_points = usage_cut_points("day", zone, None, None)

    def cut_points(first: int, last: int) -> NDArray[np.int64]:
        # The outline shows whole hours at best.
        return np.append(usage_points(first, last), forecast_cut_points(first, last))

    return cut_points


def summaries(
    histories: Histories,
    recent: Histories,
    now: datetime,
    *,
    usd_per_credit: float,
    topup_step: float | None = 100,
    order: Sequence[str] = (),
    next_job: Job | None = None,
    budgets: Sequence[Budget] = (),
) -> list[Summary]:
    """The summaries of all organizations of histories, in the order in which the log saw them.

    Args:
        histories: Their readings since :func:`summary_window_start` and some before, which may be
            condensed at :func:`summary_cut_points`.
        recent: The readings that their forecasts are made from.
        now: The present, in the zone of the periods.
        usd_per_credit: The price of a credit.
        topup_step: Purchases are multiples of this many credits; None takes every rise as it is.
        order: The ids of the log's organizations, in the order of the first reading of each.
        next_job: What is done next; a balance that does not pay for it counts as empty.
        budgets: The budgets of these and of other organizations.
    """
    histories, places = histories.seen_in(order)
    since = summary_window_start(now)
    # No row is asked how well it was observed, which would take a look at the whole log.
    histories = histories._replace(
        series=[each._replace(find_gaps=None) for each in histories.series]
    )
    by_day, by_week, by_month = (
        usage_of(histories, each, since=since, usd_per_credit=usd_per_credit, topup_step=topup_step)
        for each in ("day", "week", "month")
    )
    outlook = forecast_of(recent, now=now, empty_below=empty_level(next_job))
    names = dict(zip(histories.organizations, histories.names, strict=True))
    spends = budget_spends(
        [each for each in budgets if each.organization in names], histories, now, names
    )
    results = []
    parts = zip(histories.organizations, histories.names, histories.series, places, strict=True)
    for organization, name, series, place in parts:
        day, week, month = (
            each[each["organization"] == organization] for each in (by_day, by_week, by_month)
        )
        windows = _windows(day, week, month, now)
        days = _column_by_day(day, "likely_spent", now)
        outline = series.times >= to_microseconds(now - timedelta(days=30))
        # The balance that stood when the outline begins.
        outline[: len(outline) - 1] |= outline[1:]
        results.append(
            Summary(
                organization,
                name,
                float(series.credits[-1]),
                from_microseconds(int(series.times[-1])).astimezone(now.tzinfo),
                from_microseconds(int(series.times[0])).astimezone(now.tzinfo),
                windows,
                days,
                _column_by_day(day, "credits", now),
                _top_ups(day),
                series.times[outline],
                series.credits[outline],
                outlook[outlook["organization"] == organization],
                place,
                doubt_of_newest(series.times, series.credits),
                next_job,
                tuple(each for each in spends if each.organization == organization),
            )
        )
    return results


def _windows(
    day: pd.DataFrame, week: pd.DataFrame, month: pd.DataFrame, now: datetime
) -> dict[str, WindowSpend | None]:
    today = now.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    monday = today - timedelta(days=today.weekday())
    first = today.replace(day=1)
    return {
        "today": _window_spend(day, today),
        "yesterday": _window_spend(day, today - timedelta(days=1)),
        "this week": _window_spend(week, monday),
        "last week": _window_spend(week, monday - timedelta(days=7)),
        "this month": _window_spend(month, first),
        "last month": _window_spend(month, (first - timedelta(days=1)).replace(day=1)),
    }


def _window_spend(usage: pd.DataFrame, start: datetime) -> WindowSpend | None:
    rows = usage[usage.index == start]
    if rows.empty:
        return None
    row = rows.iloc[0]
    return WindowSpend(
        float(row["spent"]),
        float(row["likely_spent"]),
        bool(row["at_least"]),
        bool(row["estimated"] > 0.0),
    )


def _column_by_day(usage: pd.DataFrame, column: str, now: datetime) -> NDArray[np.float64]:
    values = {period.date(): float(value) for period, value in usage[column].items()}  # type: ignore[attr-defined]
    dates = [now.date() - timedelta(days=age) for age in reversed(range(DAYS_SHOWN))]
    return np.array([values.get(each, np.nan) for each in dates])


def _top_ups(usage: pd.DataFrame) -> tuple[TopUp, ...]:
    rows = usage[usage["likely_topped_up"] > _LEAST]["likely_topped_up"]
    return tuple(
        TopUp(at.to_pydatetime(), float(credits)) for at, credits in reversed(list(rows.items()))
    )
