"""Readings between cut points can be merged: the figures stay the same."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stability_magic.analysis.cut_points import condense
from stability_magic.analysis.forecast import forecast_cut_points, forecast_of
from stability_magic.analysis.series import Histories, Series, histories_from_frame
from stability_magic.analysis.spend import usage_cut_points, usage_of
from stability_magic.charts.picture_data import (
    balance_line,
    picture_cut_points,
    prepare_picture,
    spending_bars,
    top_ups_of,
)
from stability_magic.models import to_microseconds

START = datetime(2026, 3, 20, tzinfo=UTC)
CHANGES = [0.0, -1.5, -0.25, -4e-7, 4e-7, -30.0, 996.5]


@st.composite
def readings(draw, most=120):
    """Readings of two organizations, some at one instant, some at the edges of days."""
    parts = []
    for organization in ("org-a", "org-b"):
        count = draw(st.integers(1, most))
        rng = np.random.default_rng(draw(st.integers(0, 2**32)))
        minutes = rng.choice([0, 1, 10, 60, 60, 24 * 60, 72 * 60], count).cumsum()
        credits = 5000 + rng.choice(CHANGES, count).cumsum()
        index = pd.DatetimeIndex(START + pd.to_timedelta(minutes, unit="min"))
        parts.append(pd.DataFrame({"organization": organization, "credits": credits}, index=index))
    return histories_from_frame(pd.concat(parts).tz_convert("Europe/Berlin"))


def condensed(histories: Histories, cut_points_of) -> Histories:
    """The same histories, condensed at their cut points."""
    series = [
        condense(each, cut_points_of(int(each.times[0]), int(each.times[-1])))
        for each in histories.series
    ]
    return histories._replace(series=series)


@settings(deadline=None, max_examples=80)
@given(
    histories=readings(),
    by=st.sampled_from(["hour", "day", "week", "month"]),
    window=st.none() | st.tuples(st.integers(-3, 40), st.integers(1, 60)),
)
def test_usage_needs_only_the_readings_at_its_cut_points(histories, by, window):
    """For every period and window."""
    since, until = None, None
    if window is not None:
        since = START + timedelta(days=window[0])
        until = since + timedelta(days=window[1])
    thin_histories = condensed(histories, usage_cut_points(by, histories.zone, since, until))
    # The likely columns need every reading; the database of a shared log has them all.
    actual, expected = (
        usage_of(each, by, since=since, until=until, topup_step=None)
        for each in (thin_histories, histories)
    )
    pd.testing.assert_frame_equal(actual, expected, rtol=1e-11, atol=1e-11)


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 2**32), later=st.integers(-3000, 3000))
def test_a_forecast_needs_only_the_readings_at_its_cut_points(seed, later):
    """For a log that is dense enough to be condensed."""
    rng = np.random.default_rng(seed)
    minutes = rng.choice([1, 10, 10, 30, 400], 3000).cumsum()
    credits = 50_000 + rng.choice(CHANGES, 3000).cumsum()
    times = to_microseconds(START) + minutes * 60_000_000
    histories = Histories([Series.of(times, credits)], ["org-a"], ["A"], UTC)
    now = START + timedelta(minutes=int(minutes[-1]) + later)
    past = histories._replace(series=[histories.series[0].until(to_microseconds(now))])
    thin_histories = condensed(past, forecast_cut_points)
    assert len(thin_histories.series[0].times) < len(past.series[0].times)
    actual, expected = (forecast_of(each, now=now) for each in (thin_histories, histories))
    assert actual["evidence"].tolist() == expected["evidence"].tolist()
    pd.testing.assert_frame_equal(actual, expected, rtol=1e-9)


@settings(deadline=None, max_examples=60)
@given(histories=readings(), cut_points=st.lists(st.integers(-100, 10**6), max_size=20))
def test_condensing_keeps_sums_counts_rises_and_extremes(histories, cut_points):
    """Each rise stays a row of its own, and the lowest and highest balance stay."""
    cut_points = to_microseconds(START) + 60_000_000 * np.array(cut_points, dtype=np.int64)
    for series in histories.series:
        condensed_series = condense(series, cut_points)
        assert condensed_series.counts.sum() == len(series.times)
        assert condensed_series.spent.sum() == pytest.approx(series.spent.sum(), abs=1e-9)
        largest_top_ups = series.topped_up > 0
        assert (
            condensed_series.topped_up[condensed_series.topped_up > 0].tolist()
            == series.topped_up[largest_top_ups].tolist()
        )
        # Changes of less than a millionth may add up.
        assert condensed_series.credits.min() == pytest.approx(series.credits.min(), abs=1e-4)
        assert condensed_series.credits.max() == pytest.approx(series.credits.max(), abs=1e-4)


@settings(deadline=None, max_examples=40)
@given(
    histories=readings(),
    by=st.sampled_from(["hour", "day", "month"]),
    window=st.none() | st.tuples(st.integers(-3, 40), st.integers(1, 60)),
)
def test_a_picture_needs_only_the_readings_at_its_cut_points(histories, by, window):
    """Bars, top-ups and gaps are the same, and so are the extremes and ends of the lines."""
    since, until = None, None
    if window is not None:
        since = START + timedelta(days=window[0])
        until = since + timedelta(days=window[1])
    thin_histories = condensed(histories, picture_cut_points(by, histories.zone, since, until))
    thin, full = (
        prepare_picture(each, by, since, until, exact=True) for each in (thin_histories, histories)
    )
    # What a top-up hid is judged by all readings, which the database of a shared log has.
    actual_bars, expected_bars = (spending_bars(each, 50) for each in (thin, full))
    assert (actual_bars is None) == (expected_bars is None)
    if actual_bars and expected_bars:
        for name in ("edges", "seen", "is_open"):
            actual, expected = (getattr(each, name) for each in (actual_bars, expected_bars))
            np.testing.assert_allclose(actual, expected, rtol=1e-9, atol=1e-9)
    for actual, expected in zip(thin.gaps, full.gaps, strict=True):
        np.testing.assert_array_equal(actual, expected)
    for code in range(2):
        for actual, expected in zip(
            top_ups_of(thin, code)[:3], top_ups_of(full, code), strict=False
        ):
            np.testing.assert_array_equal(actual, expected)
        actual, expected = (balance_line(each, code, 40) for each in (thin, full))
        assert (actual is None) == (expected is None)
        if actual and expected:
            for extreme in (np.min, np.max):
                assert extreme(actual.credits) == pytest.approx(extreme(expected.credits), abs=1e-4)
            for end in (0, -1):
                assert actual.times[end] == expected.times[end]
                assert actual.credits[end] == expected.credits[end]
