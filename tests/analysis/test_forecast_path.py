"""The balance ahead, hour by hour."""

from __future__ import annotations

import numpy as np
import pytest

from stability_magic.analysis.outlook import estimate, path
from stability_magic.analysis.series import Series

from .forecast_readings import (
    noisy_spending,
    readings_from,
)

HOUR = 3_600_000_000


def arrays(readings):
    """The times in microseconds and the credits of readings."""
    return readings.index.as_unit("us").asi8, readings["credits"].to_numpy()


@pytest.mark.parametrize("coverage", [0.5, 0.8])
def test_the_path_ends_where_the_estimate_says(coverage):
    """The three lines reach zero within the hour that the estimate names."""
    times, credits = arrays(readings_from(noisy_spending()))
    now = int(times[-1])
    result = estimate(Series.of(times, credits), now=now, coverage=coverage)
    at, *lines = path(Series.of(times, credits), now=now, coverage=coverage)
    ends = (result.empty_at, result.empty_early, result.empty_late)
    for line, end in zip(lines, ends, strict=True):
        assert line[0] == 1000.0
        assert (np.diff(line) <= 0.0).all()
        assert 0 <= at[np.flatnonzero(line <= 1e-6)[0]] - end < HOUR + 1
    middle, low, high = lines
    assert (np.diff(at) == HOUR).all()
    assert at[0] == now
    assert ((low <= middle) & (middle <= high)).all()


def test_the_path_covers_as_many_days_as_requested():
    """A plot of a week does not need a year."""
    times, credits = arrays(readings_from(noisy_spending(), balance=1e6))
    at = path(Series.of(times, credits), now=int(times[-1]), coverage=0.8, days=7)[0]
    assert len(at) == 169
    year = path(Series.of(times, credits), now=int(times[-1]), coverage=0.8)[0]
    assert year[-1] - year[0] == 365 * 24 * HOUR
    # A picture has no room for more.
    assert len(year) <= 721


def test_the_level_of_empty_need_not_be_zero():
    """What lies below it cannot be spent: the same as with so much less."""
    series = Series.of(*arrays(readings_from(noisy_spending(), balance=1000.0)))
    poorer = Series.of(*arrays(readings_from(noisy_spending(), balance=900.0)))
    now = int(series.times[-1])
    above = estimate(series, now=now, coverage=0.8, empty_below=100.0)
    below = estimate(poorer, now=now, coverage=0.8)
    assert above.spent_per_day == pytest.approx(below.spent_per_day)
    for name in ("empty_at", "empty_early", "empty_late", "evidence"):
        assert getattr(above, name) == getattr(below, name)
    _, *lines = path(series, now=now, coverage=0.8, empty_below=100.0)
    _, *poorer_lines = path(poorer, now=now, coverage=0.8)
    for line, poorer_line in zip(lines, poorer_lines, strict=True):
        np.testing.assert_allclose(line, poorer_line + 100.0)
    at_level = estimate(series, now=now, coverage=0.8, empty_below=1000.0)
    assert at_level.empty_at == at_level.empty_late == now


@pytest.mark.parametrize("spent", [[], [1.0] * 10, [0.0] * 200])
def test_there_is_no_path_without_evidence(spent):
    """With too few readings or no spending there is nothing to draw."""
    times, credits = arrays(readings_from(spent))
    assert all(
        len(part) == 0 for part in path(Series.of(times, credits), now=int(times[-1]), coverage=0.8)
    )


def test_no_reading_before_now_is_too_little():
    """The evidence says so, and the path is empty."""
    times, credits = arrays(readings_from([1.0] * 100))
    result = estimate(Series.of(times, credits), now=0, coverage=0.8)
    assert result.evidence == "too little to tell: 0.0 of 3 days"
    assert result.empty_at is None
    assert len(path(Series.of(times, credits), now=0, coverage=0.8)[0]) == 0
