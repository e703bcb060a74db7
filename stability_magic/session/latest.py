"""What to show after balances were read: the frame, and the series behind each line."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

import pandas as pd

from ..analysis.forecast import forecast_cut_points
from ..analysis.recent_days import lookback_start
from ..analysis.series import Histories, histories_from_frame
from ..models import from_microseconds

if TYPE_CHECKING:
    from ..log.balance_log import BalanceLog
    from ..log.entries import Entry
    from ..shared_log.shared_log import SharedLog

__all__ = ["LatestReadings", "latest_from_frame", "latest_from_log", "latest_from_shared_log"]


class LatestReadings(NamedTuple):
    """The frame to show, and the series that the lines above it are computed from.

    Attributes:
        readings: The readings frame of the organizations that were read.
        histories: For each new reading, its organization's series up to that reading, which is
            the last row.
    """

    readings: pd.DataFrame
    histories: list[Histories]


def latest_from_frame(readings: pd.DataFrame, new_entries: Sequence[Entry]) -> LatestReadings:
    """What to show, from a frame alone.

    Args:
        readings: A readings frame that holds the new entries.
        new_entries: The entries of the new readings.
    """
    return LatestReadings(
        readings, [histories_from_frame(_readings_up_to(each, readings)) for each in new_entries]
    )


def _readings_up_to(entry: Entry, readings: pd.DataFrame) -> pd.DataFrame:
    """One organization's readings up to an entry, even if the clock has been set back since."""
    at = pd.Timestamp(from_microseconds(entry.read_at))
    earlier = readings.iloc[: readings.index.searchsorted(at, side="right")]
    return earlier[earlier["organization"] == entry.organization]


def latest_from_log(
    log: BalanceLog,
    new_entries: Sequence[Entry],
    since: datetime | None,
    unlogged: Sequence[Entry],
    *,
    hosts: bool,
) -> LatestReadings:
    """What to show, from the local log; arguments as in :func:`latest_from_shared_log`."""
    organizations = [each.organization for each in new_entries]
    readings = log.readings_with_neighbours(organizations, since, unlogged=unlogged, hosts=hosts)
    line_since = _line_since(new_entries)
    if since is None or since <= line_since:
        return latest_from_frame(readings, new_entries)
    histories = log.histories(organizations, line_since, unlogged=unlogged)
    return LatestReadings(readings, [_history_up_to(each, histories) for each in new_entries])


def _history_up_to(entry: Entry, histories: Histories) -> Histories:
    at = histories.organizations.index(entry.organization)
    series = histories.series[at].until(entry.read_at)
    return Histories([series], [entry.organization], [histories.names[at]], histories.zone)


def _line_since(new_entries: Sequence[Entry]) -> datetime:
    """The start of the window that the balance line is computed from."""
    return from_microseconds(min(lookback_start(each.read_at) for each in new_entries))


def latest_from_shared_log(
    shared: SharedLog,
    new_entries: Sequence[Entry],
    since: datetime | None,
    unlogged: Sequence[Entry],
    *,
    hosts: bool,
) -> LatestReadings:
    """What to show, from the shared log; the database condenses the series.

    Args:
        shared: Holds the new entries, except for those in ``unlogged``.
        new_entries: The entries of the new readings.
        since: Where the frame starts; None is with the first reading.
        unlogged: Entries that the log does not hold.
        hosts: Whether the frame tells which machine took each reading.
    """
    organizations = [each.organization for each in new_entries]
    readings = shared.readings_with_neighbours(
        organizations, since, None, unlogged=unlogged, hosts=hosts
    )
    histories = [
        shared.histories(
            [each.organization],
            _line_since([each]),
            from_microseconds(each.read_at + 1),
            forecast_cut_points,
            unlogged=unlogged,
            after=False,
        )
        for each in new_entries
    ]
    return LatestReadings(readings, histories)
