"""The readings that a forecast is made from: the same ones whatever else a command shows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from ..analysis.forecast import forecast_cut_points
from ..analysis.recent_days import lookback_start
from ..analysis.windows import forecast_window_start
from ..api.service_clock import MOST_OFFSET
from ..errors import SettingsError
from ..models import from_microseconds, to_microseconds

if TYPE_CHECKING:
    from ..analysis.series import Histories
    from ..settings import StabilityMagic
    from .journal import Journal

__all__ = [
    "Levels",
    "earliest_end",
    "forecast_histories",
    "latest_instant",
    "present",
    "usable_levels",
]


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


def earliest_end(histories: Histories, now: datetime, *, empty_below: float) -> datetime | None:
    """The early end of one organization's forecast: in 9 of 10 cases the credits last longer.

    Args:
        histories: The readings of :func:`forecast_histories`.
        now: The present.
        empty_below: The credits under which a balance counts as empty.
    """
    import pandas as pd

    from ..analysis.forecast import forecast_of

    outlook = forecast_of(histories, now=now, empty_below=empty_below)
    if outlook.empty or pd.isna(outlook["empty_early"].iloc[0]):
        return None
    early: datetime = outlook["empty_early"].iloc[0].to_pydatetime()
    return early


class Levels(NamedTuple):
    """The credits under which a balance is low, if that is set, and under which it is empty."""

    low: float | None
    empty: float


def usable_levels(settings: StabilityMagic) -> Levels:
    """The levels of the settings, without what is done next where that cannot be used.

    For what goes on by itself: commands say what is wrong, but readings must not end for it.
    """
    try:
        return Levels(settings.low_level(), settings.empty_level())
    except SettingsError:
        return Levels(settings.low_balance, 0.0)


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
