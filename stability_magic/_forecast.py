"""When the credits run out: an estimate and an interval, from readings of a balance alone."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np

from ._balances import Balances, balances
from ._frames import frame_of_rows
from ._hours import HOUR, looks_back_to
from ._outlook import estimate
from ._readings import microseconds

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

__all__ = ["forecast", "forecast_marks", "forecast_of"]


def forecast(
    readings: pd.DataFrame, *, now: datetime | None = None, coverage: float = 0.8
) -> pd.DataFrame:
    """When each organization's credits run out.

    Rhythm and level of the last four weeks are projected forward, corrected and given a
    spread by the forecasts that the log itself would have made from each of its past days
    (time series cross-validation; Hyndman & Athanasopoulos, Forecasting: Principles and
    Practice, 3rd edition, sections 5.5 and 5.10). The day and week rhythm are means shrunk by
    how much of the variance recurs, a single burst that is over is left out, what a top-up
    hides counts as the usual, and a trend is believed as far as it stands out of the scatter
    and carried no further than a week. The module ``_outlook`` tells the steps.

    Args:
        readings: A readings frame, in any order; of its columns ``organization`` and
            ``credits`` are needed.
        now: The moment to forecast from, with a time zone; later readings are left aside.
            The time of the last reading when None.
        coverage: The share of true run-outs that should lie between early and late.

    Returns:
        One row for each organization that was read until then: ``organization``, ``name``,
        ``credits`` (the last reading), ``spent_per_day`` (credits, over the known time of the
        last seven days), ``empty_at``, ``empty_early``, ``empty_late`` (in the zone of the
        readings, never before ``now``) and ``evidence``, a short text. The times are NaT where
        they lie past a year, where nothing was spent for seven days, and where less than
        three days are known; ``evidence`` then says which. They are ``now`` where nothing is
        left.

    Raises:
        ValueError: The frame lacks a column or a time zone, credits are no finite numbers,
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
    return forecast_of(balances(readings), now=now, coverage=coverage)


def forecast_of(
    whole: Balances, *, now: datetime | None = None, coverage: float = 0.8
) -> pd.DataFrame:
    """The same of readings that were taken apart, of which those may be left out that
    :func:`~stability_magic._thinning.reduced` leaves out at :func:`forecast_marks`, where
    there are a thousand readings or more and none is later than ``now``.
    """
    then = whole.last if now is None else microseconds(now)
    rows = []
    parts = zip(whole.organizations, whole.names, whole.series, strict=True)
    for organization, name, series in parts:
        seen = series.until(then)
        if len(seen.times):
            told = estimate(seen, now=then, coverage=coverage)
            rows.append((organization, name, float(seen.credits[-1]), *told))
    return frame_of_rows("forecast", rows, whole.zone)


def forecast_marks(_: int, last: int) -> NDArray[np.int64]:
    """Where :func:`forecast_of` looks at the readings of which ``last`` is the time of the last."""
    return np.arange(last, looks_back_to(last) - 1, -HOUR)
