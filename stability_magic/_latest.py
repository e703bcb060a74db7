"""What there is to show of balances that were just read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

import pandas as pd

from ._balances import Balances, balances
from ._forecast import forecast_marks
from ._readings import instant
from ._windows import within

if TYPE_CHECKING:
    from ._log_entries import Entry
    from ._shared import SharedLog

__all__ = ["Latest", "latest_of_frame", "latest_of_shared"]


class Latest(NamedTuple):
    """What there is to show.

    Attributes:
        readings: The readings frame of the organizations that were read.
        balances: For each new reading the series of its organization up to it: it is the last
            row, and the row before it is the reading before.
    """

    readings: pd.DataFrame
    balances: list[Balances]


def latest_of_frame(readings: pd.DataFrame, taken: Sequence[Entry], back: datetime) -> Latest:
    """The same from a frame.

    Args:
        readings: A readings frame that holds the new entries.
        taken: These.
        back: From when on the series shall be, with the reading before.
    """
    return Latest(readings, [balances(_of_one(readings, each, back)) for each in taken])


def _of_one(readings: pd.DataFrame, last: Entry, back: datetime) -> pd.DataFrame:
    """One organization's readings up to an entry; a clock that was set back hides none."""
    at = pd.Timestamp(instant(last.read_at))
    until = readings.iloc[: readings.index.searchsorted(at, side="right")]
    until = until[until["organization"] == last.organization]
    return until.iloc[max(0, len(until) - len(within(until, back)) - 1) :]


def latest_of_shared(
    shared: SharedLog,
    taken: Sequence[Entry],
    since: datetime | None,
    back: datetime,
    unlogged: Sequence[Entry],
    *,
    hosts: bool,
) -> Latest:
    """The same from the shared log: the frame as it is to be shown, the series added up there.

    Args:
        shared: Holds the new entries, but for those in ``unlogged``.
        taken: The new entries.
        since: From when on the frame shall be.
        back: From when on the series shall be, with the reading before.
        unlogged: Entries that it does not hold.
        hosts: Also tell which machine took each.
    """
    organizations = [each.organization for each in taken]
    readings = shared.covering(organizations, since, None, unlogged=unlogged, hosts=hosts)
    parts = [
        shared.balances(
            [each.organization],
            back,
            instant(each.read_at + 1),
            forecast_marks,
            unlogged=unlogged,
            after=False,
        )
        for each in taken
    ]
    return Latest(readings, parts)
