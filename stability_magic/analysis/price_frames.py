"""The frames of what operations cost, and of what a job would cost; pure."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..errors import BadArgument
from ..jobs import Job, parse_job
from ..models import from_microseconds, to_microseconds
from .doubtful import doubt_of_newest
from .frames import frame_from_rows
from .outlook import Estimate, estimate

if TYPE_CHECKING:
    from datetime import tzinfo

    import pandas as pd
    from numpy.typing import NDArray

    from ..prices import Price, PriceList
    from .series import Histories, Series

__all__ = ["Pay", "Run", "estimate_frame", "one_operation", "pays", "prices_frame"]

_DAY = 86_400_000_000
_COVERAGE = 0.8


class Run(NamedTuple):
    """What one use of an operation was measured to cost, and on which day."""

    day: date
    spent: float


class Pay(NamedTuple):
    """What doing a job means for one organization.

    Attributes:
        organization: Its id.
        name: Its name.
        balance: Its credits at the last reading.
        read_at: When that was.
        left: Shape (tasks,), the credits that are left after each task; less than 0 where it needs
            more, NaN where a price is not known.
        days_sooner: Shape (tasks,), by how many days sooner it is empty then; NaN where that cannot
            be told.
        evidence: Why it cannot be told.
        doubt: Why the balance may be wrong; None for nearly all.
    """

    organization: str
    name: str
    balance: float
    read_at: datetime
    left: NDArray[np.float64]
    days_sooner: NDArray[np.float64]
    evidence: str
    doubt: str | None


def one_operation(label: str | None, prices: PriceList, day: date) -> str | None:
    """The operation that a cell with a label uses once; None where the label says something else.

    Args:
        label: The cell's label.
        prices: The operations that are known.
        day: The day on which it ran.
    """
    with contextlib.suppress(BadArgument):
        if label is not None:
            (task, *others) = parse_job(label, prices, day).tasks
            return task.operation if task.count == 1 and not others else None
    return None


def prices_frame(
    prices: PriceList,
    operations: Sequence[str],
    window: tuple[date | None, date | None],
    runs: Mapping[str, Sequence[Run]],
    zone: tzinfo,
) -> pd.DataFrame:
    """The prices frame: a row for each operation and each price that it had in a window.

    Args:
        prices: What operations cost.
        operations: Those that get rows.
        window: Its first day, and the first day after it; None for no limit.
        runs: What was measured, by operation; a row takes those of its own days.
        zone: The time zone whose days are meant.
    """
    rows = [
        (
            price.operation,
            price.credits,
            _midnight(price.since, zone),
            _midnight(price.until, zone),
            price.source,
            _median(price, runs.get(operation, ())),
        )
        for operation in dict.fromkeys(operations)
        for price in _known_or_all(prices.between(operation, *window))
    ]
    return frame_from_rows("prices", rows, zone)


def _known_or_all(prices: Sequence[Price]) -> Sequence[Price]:
    """The prices that are known; where none is, that it is not."""
    return [each for each in prices if not np.isnan(each.credits)] or prices


def _median(price: Price, runs: Sequence[Run]) -> float:
    spent = [each.spent for each in runs if price.holds_on(each.day)]
    return float(np.median(spent)) if spent else np.nan


def _midnight(day: date | None, zone: tzinfo) -> int | None:
    if day is None:
        return None
    return to_microseconds(datetime(day.year, day.month, day.day, tzinfo=zone))


def pays(
    job: Job, histories: Histories, *, now: datetime, empty_below: float, order: Sequence[str] = ()
) -> list[Pay]:
    """What a job means for each organization that has readings.

    Args:
        job: The job.
        histories: The readings that forecasts are made from.
        now: The present.
        empty_below: The credits under which a balance counts as empty.
        order: The ids of the log's organizations, in the order of the first reading of each.
    """
    histories, _ = histories.seen_in(order)
    costs = np.cumsum([each.credits for each in job.tasks])
    results = []
    parts = zip(histories.organizations, histories.names, histories.series, strict=True)
    for organization, name, series in parts:
        balance = float(series.credits[-1])
        sooner, evidence = _days_sooner(series, costs, to_microseconds(now), empty_below)
        doubt = doubt_of_newest(series.times, series.credits)
        read_at = from_microseconds(int(series.times[-1])).astimezone(now.tzinfo)
        results.append(
            Pay(organization, name, balance, read_at, balance - costs, sooner, evidence, doubt)
        )
    return results


def _days_sooner(
    series: Series, costs: NDArray[np.float64], now: int, empty_below: float
) -> tuple[NDArray[np.float64], str]:
    """By how many days sooner a balance is empty after each cost, and why that is not known."""

    def outlook(cost: float) -> Estimate:
        level = empty_below + cost
        return estimate(series, now=now, coverage=_COVERAGE, empty_below=level)

    without = outlook(0.0)
    is_known = without.empty_at is not None and without.highest_day is None
    if not is_known or without.evidence.startswith("too old"):
        irregular = "irregular" if without.highest_day else ""
        return np.full(len(costs), np.nan), irregular or _reason(without.evidence)
    end = without.empty_at or now
    ends = [np.nan if np.isnan(each) else float(outlook(each).empty_at or now) for each in costs]
    return (end - np.array(ends)) / _DAY, ""


def _reason(evidence: str) -> str:
    """The part of the evidence that says why nothing can be told."""
    reason, _, rest = evidence.partition(": ")
    return evidence if reason == "too little to tell" and rest else reason


def estimate_frame(
    job: Job, pays: Sequence[Pay], usd_per_credit: float, zone: tzinfo
) -> pd.DataFrame:
    """The estimate frame: a row for each organization and each task of a job.

    Args:
        job: The job.
        pays: What it means for the organizations; without any, nothing is known of a balance.
        usd_per_credit: The price of a credit.
        zone: The time zone of the frame.
    """
    unknown = np.full(len(job.tasks), np.nan)
    organizations: list[Pay | None] = [*pays] if pays else [None]
    rows = [
        (
            pay and pay.organization,
            pay and pay.name,
            task.operation,
            task.count,
            task.price,
            task.credits,
            task.credits * usd_per_credit,
            left,
            sooner,
        )
        for pay in organizations
        for task, left, sooner in zip(
            job.tasks,
            pay.left if pay else unknown,
            pay.days_sooner if pay else unknown,
            strict=True,
        )
    ]
    return frame_from_rows("estimate", rows, zone)
