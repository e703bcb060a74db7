"""What holds for every forecast, whatever the readings."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stability_magic.analysis.forecast import forecast

from .forecast_readings import (
    TIMES,
    forecast_row,
    readings_from,
    with_top_up,
)

amounts = st.lists(
    st.floats(0.0, 50.0).map(lambda amount: round(amount, 2)), min_size=80, max_size=500
)


@settings(deadline=None, max_examples=40)
@given(spent=amounts, seed=st.integers(0, 2**16))
def test_the_order_of_rows_does_not_matter(spent, seed):
    """The same readings in any order give the same forecast and are not changed."""
    readings = readings_from(spent)
    shuffled = readings.sample(frac=1, random_state=seed)
    before = shuffled.copy(deep=True)
    pd.testing.assert_frame_equal(forecast(shuffled), forecast(readings))
    pd.testing.assert_frame_equal(shuffled, before)


@settings(deadline=None, max_examples=40)
@given(spent=amounts, power=st.integers(-6, 12))
def test_the_unit_of_credits_does_not_matter(spent, power):
    """Another unit changes none of the times."""
    readings = readings_from(spent)
    scaled = readings.assign(credits=readings["credits"] * 2.0**power)
    small = np.asarray(spent) * min(2.0**power, 1.0)
    if ((small > 0.0) & (small < 1e-5)).any():
        return
    pd.testing.assert_frame_equal(forecast(scaled)[TIMES], forecast(readings)[TIMES])


@settings(deadline=None, max_examples=40)
@given(
    spent=st.lists(st.floats(5.0, 15.0), min_size=200, max_size=500),
    position=st.integers(1, 190),
    credits=st.integers(10, 1000).map(lambda dollars: 100.0 * dollars),
)
def test_a_top_up_in_the_past_barely_moves_the_run_out(spent, position, credits):
    """Buying credits hides only one of many steps."""
    readings = readings_from(spent)
    before = forecast_row(readings)
    after = forecast_row(with_top_up(readings, position, credits))
    assert after["empty_at"] == pytest.approx(before["empty_at"], rel=0.05)


@settings(deadline=None, max_examples=40)
@given(spent=amounts, coverage=st.floats(0.05, 0.95), balance=st.floats(0.01, 1e5))
def test_the_interval_holds_the_estimate_and_grows_with_coverage(spent, coverage, balance):
    """Early, middle and late are in order, and more coverage never narrows the interval."""
    readings = readings_from(spent, balance=balance)
    years = pd.Timedelta(days=400)
    far = readings.index[-1] + years
    narrow = forecast(readings, coverage=coverage)[TIMES].fillna(far).iloc[0]
    wide = forecast(readings, coverage=(1.0 + coverage) / 2.0)[TIMES].fillna(far).iloc[0]
    if (narrow == far).all():
        return
    now = readings.index[-1]
    assert now <= wide["empty_early"] <= narrow["empty_early"] <= narrow["empty_at"]
    assert narrow["empty_at"] == wide["empty_at"]
    assert narrow["empty_at"] <= narrow["empty_late"] <= wide["empty_late"]


@settings(deadline=None, max_examples=40)
@given(spent=amounts, balance=st.floats(1.0, 1e4), more=st.floats(0.0, 1e4))
def test_more_credits_never_end_sooner(spent, balance, more):
    """The same spending from a higher balance lasts at least as long."""
    poor, rich = readings_from(spent, balance=balance), readings_from(spent, balance=balance + more)
    far = poor.index[-1] + pd.Timedelta(days=400)
    less = forecast(poor)[TIMES].fillna(far)
    greater = forecast(rich)[TIMES].fillna(far)
    # Adding to a float may change the differences by a rounding error.
    assert (less <= greater + pd.Timedelta(minutes=1)).all(axis=None)
