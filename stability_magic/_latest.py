"""What there is to show of balances that were just read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

import pandas as pd

from ._balances import Balances, balances
from ._forecast import forecast_marks
from ._hours import looks_back_to
from ._readings import instant

if TYPE_CHECKING:
    from ._log import BalanceLog
    from ._log_entries import Entry
    from ._shared import SharedLog

__all__ = ["Latest", "latest_of_frame", "latest_of_log", "latest_of_shared"]


class Latest(NamedTuple):
    """What there is to show.

    Attributes:
        readings: The readings frame of the organizations that were read.
        balances: For each new reading the series of its organization up to it: it is the last
            row, and the row before it is the reading before.
    """

    readings: pd.DataFrame
    balances: list[Balances]


def latest_of_frame(readings: pd.DataFrame, taken: Sequence[Entry]) -> Latest:
    """The same from a frame.

    Args:
        readings: A readings frame that holds the new entries.
        taken: These.
    """
    return Latest(readings, [balances(_of_one(readings, each)) for each in taken])


def _of_one(readings: pd.DataFrame, last: Entry) -> pd.DataFrame:
    """One organization's readings up to an entry; a clock that was set back hides none."""
    at = pd.Timestamp(instant(last.read_at))
    until = readings.iloc[: readings.index.searchsorted(at, side="right")]
    return until[until["organization"] == last.organization]


def latest_of_log(
    log: BalanceLog,
    taken: Sequence[Entry],
    since: datetime | None,
    unlogged: Sequence[Entry],
    *,
    hosts: bool,
) -> Latest:
    """The same from the local log; the arguments are those of :func:`latest_of_shared`."""
    organizations = [each.organization for each in taken]
    readings = log.covering(organizations, since, unlogged=unlogged, hosts=hosts)
    back = _back(taken)
    if since is None or since <= back:
        return latest_of_frame(readings, taken)
    whole = log.balances(organizations, back, unlogged=unlogged)
    return Latest(readings, [_up_to(whole, each) for each in taken])


def _up_to(whole: Balances, last: Entry) -> Balances:
    at = whole.organizations.index(last.organization)
    series = whole.series[at].until(last.read_at)
    return Balances([series], [last.organization], [whole.names[at]], whole.zone)


def _back(taken: Sequence[Entry]) -> datetime:
    """From when on the balance line looks at readings, with the one before."""
    return instant(min(looks_back_to(each.read_at) for each in taken))


def latest_of_shared(
    shared: SharedLog,
    taken: Sequence[Entry],
    since: datetime | None,
    unlogged: Sequence[Entry],
    *,
    hosts: bool,
) -> Latest:
    """The same from the shared log: the frame as it is to be shown, the series added up there.

    Args:
        shared: Holds the new entries, but for those in ``unlogged``.
        taken: The new entries.
        since: From when on the frame shall be.
        unlogged: Entries that it does not hold.
        hosts: Also tell which machine took each.
    """
    organizations = [each.organization for each in taken]
    readings = shared.covering(organizations, since, None, unlogged=unlogged, hosts=hosts)
    parts = [
        shared.balances(
            [each.organization],
            _back([each]),
            instant(each.read_at + 1),
            forecast_marks,
            unlogged=unlogged,
            after=False,
        )
        for each in taken
    ]
    return Latest(readings, parts)
