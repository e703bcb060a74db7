"""The forecast frame: its columns, its rows, ``now``, and the readings it refuses."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from stability_magic.analysis.forecast import forecast

from .forecast_readings import (
    TIMES,
    forecast_row,
    noisy_spending,
    readings_from,
)

COLUMNS = [
    "organization",
    "name",
    "credits",
    "spent_per_day",
    "empty_at",
    "empty_early",
    "empty_late",
    "evidence",
    "recent_per_day",
]


def test_steady_spending_ends_when_division_says():
    """240 credits a day use up 1000 in four days and four hours."""
    row = forecast_row(readings_from(np.full(672, 10.0)))
    assert row["empty_at"] == pytest.approx(1000 / 240, rel=1e-4)
    assert row["empty_early"] < row["empty_at"] < row["empty_late"]
    assert row["spent_per_day"] == pytest.approx(240, rel=1e-4)
    assert row["recent_per_day"] == pytest.approx(240)
    assert row["credits"] == 1000
    assert row["evidence"] == "28.0 days, 673 readings"


def test_columns_and_types_are_the_same_with_and_without_rows():
    """An empty frame has the same columns and dtypes as a full one."""
    full = readings_from(np.full(100, 1.0), tz="Europe/Berlin")
    empty = forecast(full.iloc[:0])
    assert list(empty.columns) == COLUMNS
    assert len(empty) == 0
    assert (empty.dtypes == forecast(full).dtypes).all()
    assert (empty[TIMES].dtypes == "datetime64[us, Europe/Berlin]").all()


def test_an_empty_frame_needs_no_dtypes():
    """The columns of an empty frame are objects, which is not an error."""
    index = pd.DatetimeIndex([], tz="UTC")
    frame = forecast(pd.DataFrame({"organization": [], "credits": []}, index=index, dtype=object))
    assert (frame.dtypes == forecast(readings_from(np.full(100, 1.0))).dtypes).all()


def test_each_organization_has_its_own_row_in_order():
    """The readings of other organizations make no difference."""
    a = readings_from(np.full(200, 10.0), organization="a")
    b = readings_from(np.full(100, 1.0), organization="b", balance=50)
    both = forecast(pd.concat([b, a]).sort_index())
    assert both["organization"].tolist() == ["a", "b"]
    pd.testing.assert_frame_equal(both.iloc[[0]], forecast(a))
    alone = forecast(b, now=a.index.max())
    pd.testing.assert_frame_equal(both.iloc[[1]].reset_index(drop=True), alone)
    assert both["evidence"].iloc[1].endswith("101 readings, the last 4.2 days ago")


def test_the_name_is_the_latest_one_or_the_id():
    """Organizations can be renamed; logs from elsewhere have no names."""
    readings = readings_from(np.full(100, 1.0))
    assert forecast(readings)["name"].tolist() == ["org-1"]
    readings["name"] = ["old"] * 100 + ["new"]
    assert forecast(readings)["name"].tolist() == ["new"]


def test_times_are_in_the_zone_of_the_readings():
    """The zone changes how a time is written, not the instant."""
    readings = readings_from(noisy_spending())
    in_new_york = forecast(readings.tz_convert("America/New_York"))["empty_at"]
    assert str(in_new_york.dt.tz) == "America/New_York"
    assert (in_new_york == forecast(readings)["empty_at"]).all()


def test_readings_after_now_are_ignored():
    """A forecast as of last week uses what was known then."""
    readings = readings_from(noisy_spending())
    now = readings.index[500]
    pd.testing.assert_frame_equal(forecast(readings, now=now), forecast(readings.iloc[:501]))


def test_now_before_all_readings_gives_no_rows():
    """The frame is empty and has the usual dtypes."""
    readings = readings_from(noisy_spending())
    frame = forecast(readings, now=pd.Timestamp("2020-01-01", tz="UTC"))
    assert len(frame) == 0
    assert (frame.dtypes == forecast(readings).dtypes).all()


def test_now_after_the_last_reading_never_gives_a_past_date():
    """Credits that must have run out in the meantime are empty now."""
    readings = readings_from(np.full(200, 10.0), balance=240)
    now = readings.index[-1] + pd.Timedelta(days=30)
    frame = forecast(readings, now=now.to_pydatetime())
    assert (frame[TIMES] == now).all(axis=None)
    later = forecast(readings, now=readings.index[-1] + pd.Timedelta(hours=5))
    pd.testing.assert_frame_equal(later, forecast(readings))


# Bad input


@pytest.mark.parametrize("column", ["organization", "credits"])
def test_a_missing_column_is_named(column):
    """The error says which column is missing."""
    with pytest.raises(ValueError, match=column):
        forecast(readings_from([1.0] * 100).drop(columns=column))


def test_naive_times_are_refused():
    """Times without a zone could mean any moment."""
    with pytest.raises(ValueError, match="tz_localize"):
        forecast(readings_from([1.0] * 100).tz_localize(None))


def test_an_index_without_times_is_refused():
    """The advice is the same when the times are in a column."""
    with pytest.raises(ValueError, match="time zone"):
        forecast(readings_from([1.0] * 100).reset_index(drop=True))


def test_a_naive_now_is_refused():
    """The moment of the forecast needs a zone as well."""
    with pytest.raises(ValueError, match="now is"):
        forecast(readings_from([1.0] * 100), now=pd.Timestamp("2026-03-05"))


@pytest.mark.parametrize("coverage", [0, 1, -0.1, 80, float("nan")])
def test_coverage_is_a_share(coverage):
    """80 for 80 % is the likely mistake."""
    with pytest.raises(ValueError, match="between 0 and 1"):
        forecast(readings_from([1.0] * 100), coverage=coverage)


@pytest.mark.parametrize("wrong", [float("nan"), float("inf")])
def test_credits_that_are_not_finite_are_refused(wrong):
    """The caller must drop a missing value; the forecast does not guess it."""
    readings = readings_from([1.0] * 100)
    readings.iloc[5, 1] = wrong
    with pytest.raises(ValueError, match="NaN or infinity"):
        forecast(readings)


@pytest.mark.parametrize("dtype", ["str", "bool", "object"])
def test_credits_that_are_not_numbers_are_refused(dtype):
    """Text and truth values are not credits."""
    readings = readings_from([1.0] * 100)
    readings["credits"] = readings["credits"].astype(dtype)
    with pytest.raises(ValueError, match="does not hold numbers"):
        forecast(readings)


def test_a_missing_organization_or_time_is_refused():
    """Such readings would be lost silently."""
    readings = readings_from([1.0] * 100)
    readings.iloc[5, 0] = None
    with pytest.raises(ValueError, match="organization"):
        forecast(readings)
    readings = readings_from([1.0] * 100)
    readings.index = readings.index.where(np.arange(101) != 5)
    with pytest.raises(ValueError, match="time"):
        forecast(readings)


def test_credits_may_have_any_numeric_dtype():
    """Integers, single precision and nullable dtypes give the same forecast."""
    readings = readings_from([1.0] * 100)
    expected = forecast(readings)
    for dtype in ("int64", "float32", "Int64", "Float64"):
        frame = forecast(readings.astype({"credits": dtype}))
        pd.testing.assert_frame_equal(frame, expected)
