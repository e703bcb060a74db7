"""Readings with a known course, and their forecasts, for the tests of the forecast."""

from __future__ import annotations

import numpy as np
import pandas as pd

from stability_magic.analysis.forecast import forecast

TIMES = ["empty_at", "empty_early", "empty_late"]


def readings_from(
    spent, balance=1000.0, *, start="2026-03-02", freq="h", tz="UTC", organization="org-1"
):
    """Readings of a balance that falls by these amounts, one after another, to ``balance``."""
    spent = np.asarray(spent, dtype=float)
    credits = balance + np.concatenate((np.cumsum(spent[::-1])[::-1], [0.0]))
    index = pd.date_range(start, periods=len(credits), freq=freq, tz=tz, name="read_at")
    return pd.DataFrame({"organization": organization, "credits": credits}, index=index)


def with_top_up(readings, position, credits):
    """The same readings with credits bought just before the one at ``position``."""
    copy = readings.copy()
    copy.iloc[:position, copy.columns.get_loc("credits")] -= credits
    return copy


def forecast_row(readings, **options):
    """The only row of a forecast, with its times in days after the last reading."""
    frame = forecast(readings, **options)
    assert len(frame) == 1
    row = frame.iloc[0].copy()
    for column in TIMES:
        row[column] = (row[column] - readings.index.max()) / pd.Timedelta(days=1)
    return row


def office_hours(weeks=4, rate=10.0):
    """Hourly spending, from 9 to 18 on weekdays only; the first hour is on a Monday."""
    hours = np.arange(weeks * 168)
    return rate * ((hours % 24 >= 9) & (hours % 24 < 18) & (hours // 24 % 7 < 5))


def noisy_spending(weeks=4, mean=10.0, seed=0):
    """Hourly spending that is random around a mean."""
    return np.random.default_rng(seed).gamma(4.0, mean / 4.0, weeks * 168)
