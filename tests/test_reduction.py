"""Readings that nothing depends on can be left out: the figures stay the same."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stability_magic._balances import Balances, Series, balances
from stability_magic._forecast import forecast_marks, forecast_of
from stability_magic._panels import bars, line, picture_marks, rises, shown, unwatched
from stability_magic._readings import microseconds
from stability_magic._spend import usage_marks, usage_of
from stability_magic._thinning import reduced

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
    return balances(pd.concat(parts).tz_convert("Europe/Berlin"))


def few(whole: Balances, marks) -> Balances:
    """The same, without what can be left out at the marks."""
    left = [reduced(each, marks(int(each.times[0]), int(each.times[-1]))) for each in whole.series]
    return whole._replace(series=left)


@settings(deadline=None, max_examples=80)
@given(
    whole=readings(),
    by=st.sampled_from(["hour", "day", "week", "month"]),
    window=st.none() | st.tuples(st.integers(-3, 40), st.integers(1, 60)),
)
def test_usage_needs_the_readings_at_its_marks_alone(whole, by, window):
    """Every figure, at every edge, of every window."""
    since, until = None, None
    if window is not None:
        since = START + timedelta(days=window[0])
        until = since + timedelta(days=window[1])
    thinned = few(whole, usage_marks(by, whole.zone, since, until))
    # What is likely is told by all readings, as it is where they are in a database.
    found, expected = (
        usage_of(each, by, since=since, until=until, topup_step=None) for each in (thinned, whole)
    )
    pd.testing.assert_frame_equal(found, expected, rtol=1e-11, atol=1e-11)


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 2**32), later=st.integers(-3000, 3000))
def test_a_forecast_needs_the_readings_at_its_marks_alone(seed, later):
    """Of a log that is dense enough to leave readings out."""
    rng = np.random.default_rng(seed)
    minutes = rng.choice([1, 10, 10, 30, 400], 3000).cumsum()
    credits = 50_000 + rng.choice(CHANGES, 3000).cumsum()
    times = microseconds(START) + minutes * 60_000_000
    whole = Balances([Series.of(times, credits)], ["org-a"], ["A"], UTC)
    now = START + timedelta(minutes=int(minutes[-1]) + later)
    seen = whole._replace(series=[whole.series[0].until(microseconds(now))])
    thinned = few(seen, forecast_marks)
    assert len(thinned.series[0].times) < len(seen.series[0].times)
    found, expected = (forecast_of(each, now=now) for each in (thinned, whole))
    assert found["evidence"].tolist() == expected["evidence"].tolist()
    pd.testing.assert_frame_equal(found, expected, rtol=1e-9)


@settings(deadline=None, max_examples=60)
@given(whole=readings(), marks=st.lists(st.integers(-100, 10**6), max_size=20))
def test_what_is_left_out_is_counted(whole, marks):
    """Sums and numbers of readings stay, rises stay apart, and the lowest and highest balance."""
    marks = microseconds(START) + 60_000_000 * np.array(marks, dtype=np.int64)
    for series in whole.series:
        left = reduced(series, marks)
        assert left.counts.sum() == len(series.times)
        assert left.spent.sum() == pytest.approx(series.spent.sum(), abs=1e-9)
        rises = series.topped_up > 0
        assert left.topped_up[left.topped_up > 0].tolist() == series.topped_up[rises].tolist()
        # Changes under a millionth may go on in one direction.
        assert left.credits.min() == pytest.approx(series.credits.min(), abs=1e-4)
        assert left.credits.max() == pytest.approx(series.credits.max(), abs=1e-4)


@settings(deadline=None, max_examples=40)
@given(
    whole=readings(),
    by=st.sampled_from(["hour", "day", "month"]),
    window=st.none() | st.tuples(st.integers(-3, 40), st.integers(1, 60)),
)
def test_a_picture_needs_the_readings_at_its_marks_alone(whole, by, window):
    """Bars, top-ups and gaps are the same, and the lines where they are highest and lowest."""
    since, until = None, None
    if window is not None:
        since = START + timedelta(days=window[0])
        until = since + timedelta(days=window[1])
    thinned = few(whole, picture_marks(by, whole.zone, since, until, forecast=False))
    one, other = (shown(each, by, since, until) for each in (thinned, whole))
    for found, expected in zip(bars(one, 50) or (), bars(other, 50) or (), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-11)
    for found, expected in zip(rises(one, 1), rises(other, 1), strict=True):
        np.testing.assert_array_equal(found, expected)
    for found, expected in zip(unwatched(one, 1), unwatched(other, 1), strict=True):
        np.testing.assert_array_equal(found, expected)
    for code in range(2):
        found, expected = (line(each, code, 40) for each in (one, other))
        assert (found is None) == (expected is None)
        if found and expected:
            for extreme in (np.min, np.max):
                assert extreme(found.credits) == pytest.approx(extreme(expected.credits), abs=1e-4)
            for end in (0, -1):
                assert found.times[end] == expected.times[end]
                assert found.credits[end] == expected.credits[end]
