"""The readings that a forecast is made from: the same ones whatever else a command shows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from ..analysis.forecast import forecast_cut_points
from ..analysis.recent_days import lookback_start
from ..analysis.windows import forecast_window_start
from ..api.service_clock import MOST_OFFSET
from ..models import from_microseconds, to_microseconds

if TYPE_CHECKING:
    from ..analysis.series import Histories
    from .journal import Journal

__all__ = ["forecast_histories", "latest_instant", "present"]


def latest_instant(now: datetime) -> datetime:
    """The latest time that a reading can have: readings have the service's time.

    The machine's clock may be behind that; readings of a much later time are somebody's mistake.
    """
    return now + MOST_OFFSET


def present(now: datetime, histories: Histories) -> datetime:
    """The present by the clock of some readings up to :func:`latest_instant`."""
    return max(now, from_microseconds(histories.last_time).astimezone(now.tzinfo))


def forecast_histories(
    journal: Journal,
    organizations: Sequence[str] | None,
    now: datetime,
    *,
    local_only: bool = False,
) -> Histories:
    """Each organization's last four weeks up to its last reading, however long ago that was.

    Args:
        journal: Where the readings are.
        organizations: Ids; None is all of them.
        now: The present; readings later than :func:`latest_instant` are left out.
        local_only: Whether to ignore the shared log.

    Raises:
        LogError: The log could not be read.
    """
    start = forecast_window_start(now)
    histories = _read(journal, organizations, start, latest_instant(now), local_only)
    series = list(histories.series)
    for position, each in enumerate(series):
        last = int(each.times[-1])
        if lookback_start(last) < to_microseconds(start):
            # It was last read so long ago that its four weeks begin before the others'.
            since, until = from_microseconds(lookback_start(last)), from_microseconds(last)
            organization = histories.organizations[position]
            (series[position],) = _read(journal, [organization], since, until, local_only).series
    return histories._replace(series=series)


def _read(
    journal: Journal,
    organizations: Sequence[str] | None,
    since: datetime,
    last: datetime,
    local_only: bool,
) -> Histories:
    return journal.compute(
        lambda histories: histories,
        organizations,
        since,
        last + timedelta(microseconds=1),
        cut_points=forecast_cut_points,
        after=False,
        local_only=local_only,
    )
