"""Windows of time in readings; pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["around", "lookback", "within"]


def lookback(now: datetime) -> datetime:
    """How far back readings are fetched for a forecast: four weeks, and some without readings."""
    return now - timedelta(days=60)


def around(
    since: datetime | None, until: datetime | None
) -> tuple[datetime | None, datetime | None]:
    """A window with four weeks more on either side."""
    weeks = timedelta(weeks=4)
    try:
        return since and since - weeks, until and until + weeks
    except OverflowError:
        return None, None


def within(
    readings: pd.DataFrame, since: datetime | None, until: datetime | None = None
) -> pd.DataFrame:
    """A readings frame without the readings next to the window."""
    begin = 0 if since is None else int(readings.index.searchsorted(since))
    end = len(readings) if until is None else readings.index.searchsorted(until)
    return readings.iloc[begin:end]
