"""When the balance is empty: an estimate and an interval, from readings of the balance alone."""

from __future__ import annotations

from datetime import datetime, tzinfo
from typing import TYPE_CHECKING

import numpy as np

from ..models import from_microseconds, to_microseconds
from .frames import frame_from_rows
from .outlook import HighestDay, estimate
from .recent_days import HOUR, lookback_start
from .series import Histories, histories_from_frame

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

__all__ = ["forecast", "forecast_cut_points", "forecast_of"]


def forecast(
    readings: pd.DataFrame, *, now: datetime | None = None, coverage: float = 0.8
) -> pd.DataFrame:
    """When each organization's balance is empty.

    Four hundred futures are simulated from the days of the last four weeks, with their rhythm of
    the day and of the week, their bursts and their idle times. They differ by how wrong forecasts
    of the level were on the log's own past, so a log that was hard to forecast gets a wide
    interval. The times by which 10, 50 and 90 % of the futures are empty are the forecast. The
    module ``futures`` describes the steps in ten sentences, with sources.

    Args:
        readings: A readings frame, in any order; only its columns ``organization`` and
            ``credits`` are needed.
        now: The moment to forecast from, with a time zone; later readings are ignored. None
            is the time of the last reading.
        coverage: The share of true run-outs that should lie between early and late.

    Returns:
        One row for each organization with a reading by ``now``: ``organization``, ``name``,
        ``credits`` (the last reading), ``spent_per_day`` (credits, the expected mean until they
        are spent: ``credits`` divided by it is the time to ``empty_at``), ``empty_at``,
        ``empty_early``, ``empty_late`` (in the zone of the readings, never before ``now``),
        ``evidence``, a short text, and ``recent_per_day`` (credits, really spent in the known
        time of the last seven days). The times are NaT if they are more than a year away, if
        nothing was spent for four weeks, or if fewer than three days are known; ``evidence``
        then says which. They are ``now`` if no credits are left.

    Raises:
        ValueError: The frame lacks a column or a time zone, credits are not finite numbers,
            ``now`` has no time zone, or ``coverage`` is not between 0 and 1.

    Example:
        >>> import pandas as pd
        >>> at = pd.date_range("2026-01-01", periods=15, freq="D", tz="UTC")
        >>> log = pd.DataFrame({"organization": "org-1", "credits": range(200, 50, -10)}, index=at)
        >>> forecast(log)["empty_at"].dt.round("D").tolist()
        [Timestamp('2026-01-21 00:00:00+0000', tz='UTC')]
    """
    if not 0.0 < coverage < 1.0:
        raise ValueError(f"coverage is {coverage}; use a share between 0 and 1, such as 0.8")
    if now is not None and now.tzinfo is None:
        raise ValueError(f"now is {now} without a time zone; use datetime.now(timezone.utc)")
    return forecast_of(histories_from_frame(readings), now=now, coverage=coverage)


def forecast_of(
    histories: Histories,
    *,
    now: datetime | None = None,
    coverage: float = 0.8,
    empty_below: float = 0.0,
) -> pd.DataFrame:
    """The forecast frame of histories, which may be condensed at :func:`forecast_cut_points` if
    there are a thousand readings or more and none is later than ``now`` (see ``cut_points``).

    A balance counts as empty under ``empty_below`` credits; with 0, when none are left.
    """
    instant = histories.last_time if now is None else to_microseconds(now)
    rows = []
    parts = zip(histories.organizations, histories.names, histories.series, strict=True)
    for organization, name, series in parts:
        past = series.until(instant)
        if len(past.times):
            *times, evidence, recent, highest = estimate(
                past, now=instant, coverage=coverage, empty_below=empty_below
            )
            if highest is not None:
                evidence = f"{_irregular_text(highest, histories.zone)}; {evidence}"
            rows.append((organization, name, float(past.credits[-1]), *times, evidence, recent))
    return frame_from_rows("forecast", rows, histories.zone)


def forecast_cut_points(_: int, last: int) -> NDArray[np.int64]:
    """The instants that :func:`forecast_of` depends on; ``last`` is the last reading's time."""
    return np.arange(last, lookback_start(last) - 1, -HOUR)


def _irregular_text(highest: HighestDay, zone: tzinfo) -> str:
    """What would use up the credits of somebody who spends by the job."""
    day = from_microseconds(highest.peak_at).astimezone(zone)
    days = "one more day" if highest.days_left == 1 else f"{highest.days_left} more days"
    return f"irregular: cannot tell, but {days} like {day.day} {day:%b} would empty it"
