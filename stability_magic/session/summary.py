"""What there is to know at a glance, from the log; the service is not asked."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING

from ..analysis.budgets import budgets_in_force
from ..analysis.recent_days import lookback_start
from ..analysis.summary import (
    Summary,
    summaries,
    summary_cut_points,
    summary_window_start,
)
from ..analysis.windows import forecast_window_start
from ..models import to_microseconds
from .outlook import forecast_histories, latest_instant, present

if TYPE_CHECKING:
    from ..jobs import Job
    from ..log.entries import Entry
    from .journal import Journal

__all__ = ["summarize"]


def summarize(
    journal: Journal,
    organizations: Sequence[str] | None,
    now: datetime,
    zone: tzinfo,
    *,
    usd_per_credit: float,
    topup_step: float | None = 100,
    extra: Sequence[Entry] = (),
    local_only: bool = False,
    next_job: Job | None = None,
) -> list[Summary]:
    """The summaries of organizations that have readings.

    Args:
        journal: Where the readings are.
        organizations: Ids; None is all of them.
        now: The present, in the zone.
        zone: The zone whose days, weeks and months are told.
        usd_per_credit: The price of a credit.
        topup_step: Purchases are multiples of this many credits; None takes every rise as it is,
            and spares a look at the whole log.
        extra: Entries that no log holds.
        local_only: Whether to ignore the shared log.
        next_job: What is done next; a balance that does not pay for it counts as empty.

    Raises:
        LogError: The log could not be read.
    """
    since = min(summary_window_start(now), forecast_window_start(now))
    histories = journal.compute(
        lambda each: each,
        organizations,
        since,
        latest_instant(now),
        cut_points=summary_cut_points(zone),
        after=False,
        local_only=local_only,
        extra=extra,
    )
    start = to_microseconds(since)
    recent = histories
    if any(lookback_start(int(each.times[-1])) < start for each in histories.series):
        # Who was read last so long ago has a forecast from the weeks before that.
        recent = forecast_histories(journal, organizations, now, local_only=local_only)
    return summaries(
        histories,
        recent,
        present(now, histories),
        usd_per_credit=usd_per_credit,
        topup_step=topup_step,
        order=journal.organization_order(local_only=local_only),
        next_job=next_job,
        budgets=budgets_in_force(journal.budgets(local_only=local_only)),
    )
