"""Windows of time in readings; pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..models import to_microseconds

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

__all__ = [
    "ALL_TIME",
    "Window",
    "clip_to_neighbours",
    "clip_to_window",
    "forecast_window_start",
]


class Window(NamedTuple):
    """A window of one organization's readings, with the ones next to it.

    Attributes:
        since: The start of the window, in microseconds since 1970 UTC; the reading before it, which
            shows what was spent across the edge, belongs to the rows.
        until: The end of the window, which is not part of it.
        after: Whether the reading after the window belongs to the rows too.
    """

    since: int
    until: int
    after: bool = True

    @classmethod
    def between(
        cls, since: datetime | None, until: datetime | None, *, after: bool = True
    ) -> Window:
        """The window between two times; None is no limit."""
        return cls(
            ALL_TIME.since if since is None else to_microseconds(since),
            ALL_TIME.until if until is None else to_microseconds(until),
            after,
        )

    def rows(self, times: NDArray[np.int64]) -> slice:
        """The positions of the rows, among ascending times."""
        begin, end = np.searchsorted(times, [self.since, self.until]).tolist()
        # All readings of one instant are next to the window.
        if begin > 0:
            begin = int(np.searchsorted(times, times[begin - 1]))
        if self.after and end < len(times):
            end = int(np.searchsorted(times, times[end], side="right"))
        return slice(begin, end)


ALL_TIME = Window(np.iinfo(np.int64).min, np.iinfo(np.int64).max)


def forecast_window_start(now: datetime) -> datetime:
    """How far back a forecast fetches readings: four weeks, plus some without readings."""
    return now - timedelta(days=60)


def clip_to_window(
    readings: pd.DataFrame, since: datetime | None, until: datetime | None = None
) -> pd.DataFrame:
    """The part of a readings frame that lies in the window."""
    begin = 0 if since is None else int(readings.index.searchsorted(since))
    end = len(readings) if until is None else readings.index.searchsorted(until)
    return readings.iloc[begin:end]


def clip_to_neighbours(readings: pd.DataFrame, window: Window) -> pd.DataFrame:
    """The part of a readings frame that lies in a window, with the readings next to it that count.

    Those are the last reading before the window and the first one after it of each organization.
    """
    if window == ALL_TIME:
        return readings
    index: Any = readings.index
    times: NDArray[np.int64] = index.as_unit("us").asi8
    counts = readings["doubtful"].isna().to_numpy(dtype=bool)
    is_shown = np.zeros(len(times), dtype=bool)
    for positions in readings.groupby("organization").indices.values():
        counted = times[positions[counts[positions]]]
        shown = counted[window.rows(counted)]
        if len(shown):
            is_own_shown = (times[positions] >= shown[0]) & (times[positions] <= shown[-1])
            is_shown[positions[is_own_shown]] = True
    return readings[is_shown]
