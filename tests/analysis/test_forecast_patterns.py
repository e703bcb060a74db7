"""Forecasts of what real logs show: weekends, bursts, gaps, top-ups, trends."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from stability_magic.analysis.forecast import forecast

from .forecast_readings import (
    forecast_row,
    noisy_spending,
    office_hours,
    readings_from,
    with_top_up,
)


def test_office_hours_do_not_end_on_a_weekend():
    """On a Friday evening, credits for half a working day last until Monday."""
    friday = readings_from(office_hours()[: 25 * 24 + 20], balance=45)
    row = forecast_row(friday)
    assert row["empty_at"] == pytest.approx(2 + 17.5 / 24, abs=0.15)
    assert row["empty_early"] > 2.5


def test_weekends_off_are_learned_from_two_weeks():
    """A week's worth of credits bought on a Monday lasts until Friday."""
    row = forecast_row(readings_from(office_hours(weeks=2), balance=440.0))
    assert 4.3 < row["empty_at"] < 5.1


def test_a_burst_that_is_over_may_come_again():
    """One night of hundredfold spending: it may last as if there had been none, or end with it."""
    quiet = noisy_spending(mean=4.0)
    burst = quiet.copy()
    burst[560:572] *= 100.0
    without = forecast_row(readings_from(quiet))
    row = forecast_row(readings_from(burst))
    assert row["empty_early"] < 0.5 * without["empty_at"]
    assert 0.5 * without["empty_at"] < row["empty_at"] < without["empty_at"]
    assert row["empty_late"] > 0.9 * without["empty_at"]


def test_one_giant_spike_does_not_end_it_today():
    """A single hour with the spending of a thousand days may come again, but on one day of 28."""
    spike = np.full(672, 4.0)
    spike[600] = 100_000.0
    row = forecast_row(readings_from(spike))
    assert row["empty_at"] > 1.0


def test_a_burst_that_goes_on_counts():
    """Spending a hundred times as much right now ends the credits soon."""
    burst = noisy_spending(mean=4.0)
    burst[-12:] *= 100.0
    assert (
        forecast_row(readings_from(burst))["empty_at"]
        < 0.3 * forecast_row(readings_from(noisy_spending(mean=4.0)))["empty_at"]
    )


@pytest.mark.parametrize(("factor", "days_ago"), [(3.0, 7), (1 / 3, 7), (3.0, 14), (1 / 3, 14)])
def test_a_change_of_level_is_followed(factor, days_ago):
    """The new level dominates after a week, though the usual one may come back."""
    spent = noisy_spending()
    spent[-24 * days_ago :] *= factor
    true = 2400 / (240 * factor)
    row = forecast_row(readings_from(spent, balance=2400))
    assert row["empty_at"] == pytest.approx(true, rel=0.35 if days_ago == 7 else 0.25)
    assert row["empty_early"] < true
    assert pd.isna(row["empty_late"]) or 0.95 * true < row["empty_late"]


def test_a_gap_keeps_its_total():
    """Two days without readings do not change a steady forecast; the evidence counts them."""
    readings = readings_from(np.full(672, 10.0))
    with_gaps = readings.drop(readings.index[list(range(200, 248)) + list(range(400, 470))])
    row = forecast_row(with_gaps)
    assert row["empty_at"] == pytest.approx(1000 / 240, rel=1e-4)
    assert row["evidence"] == "28.0 days, 555 readings, 2 gaps"


def test_minute_readings_and_then_nothing_for_two_days():
    """How often the balance was read does not weight the spending."""
    spent = np.random.default_rng(1).poisson(0.2, 20 * 1440).astype(float)
    readings = readings_from(spent, freq="min")
    row = forecast_row(readings.drop(readings.index[20_000:22_880]))
    assert row["empty_at"] == pytest.approx(forecast_row(readings)["empty_at"], rel=0.02)
    assert row["evidence"].endswith("1 gap")


def test_a_gap_does_not_blur_the_rhythm():
    """Spending spread over a gap says nothing about weekends."""
    readings = readings_from(office_hours(), balance=440.0)
    with_gap = readings.drop(readings.index[24 * 8 + 1 : 24 * 11])
    assert forecast_row(with_gap)["empty_at"] == pytest.approx(
        forecast_row(readings)["empty_at"], abs=0.5
    )


@pytest.mark.parametrize("interval", [6, 24, 100])
def test_a_top_up_does_not_count_as_low_spending(interval):
    """The spending in an interval with a top-up is unknown, not zero."""
    readings = readings_from(np.full(672, 10.0))
    for position in range(interval, 673, interval):
        readings = with_top_up(readings, position, 500.0)
    row = forecast_row(readings)
    assert row["empty_at"] == pytest.approx(1000 / 240, rel=1e-4)
    assert row["spent_per_day"] == pytest.approx(240, rel=1e-4)
    assert np.isnan(row["recent_per_day"]) or row["recent_per_day"] == pytest.approx(240)


def test_of_two_readings_at_one_time_the_higher_comes_first():
    """Two writers may log the same instant; the lower reading counts as the later one."""
    readings = readings_from(np.full(200, 10.0))
    twice = readings.iloc[[100]].assign(credits=readings["credits"].iloc[100] + 4.0)
    expected = forecast_row(readings)["empty_at"]
    for order in ([readings, twice], [twice, readings]):
        assert forecast_row(pd.concat(order))["empty_at"] == pytest.approx(expected, rel=0.01)
    pd.testing.assert_frame_equal(
        forecast(pd.concat([readings, readings])).drop(columns="evidence"),
        forecast(readings).drop(columns="evidence"),
    )


def test_a_clock_change_moves_nothing():
    """Days are counted as elapsed time, so daylight saving shifts nothing."""
    berlin = readings_from(np.full(672, 10.0), start="2026-03-15", tz="Europe/Berlin")
    assert forecast_row(berlin)["empty_at"] == pytest.approx(1000 / 240, rel=1e-4)


def test_the_interval_covers_what_it_promises_on_random_series():
    """With rhythm and drift, most intervals contain the true run-out."""
    rng = np.random.default_rng(3)
    hours = np.arange(28 * 24 + 200)
    hits = []
    for _ in range(60):
        level = np.exp(np.cumsum(rng.normal(0.0, 0.01, len(hours))))
        rhythm = 1.0 + 0.7 * np.sin(2 * np.pi * (hours % 24) / 24.0)
        spent = level * rhythm * rng.gamma(2.0, 5.0, len(hours))
        past, future = spent[:672], spent[672:]
        horizon = int(rng.integers(12, 200))
        row = forecast_row(readings_from(past, balance=future[:horizon].sum()))
        hits.append(row["empty_early"] * 24 <= horizon <= row["empty_late"] * 24)
    assert 0.65 <= np.mean(hits) <= 0.97


def test_a_steady_trend_within_the_weeks_is_not_a_rhythm():
    """After growth of 7 % a week with weekends off, the next week costs 7 % more."""
    rng = np.random.default_rng(5)
    hours = np.arange(28 * 24 + 168)
    spent = 1.07 ** (hours / 168) * (1.0 - 0.6 * (hours // 24 % 7 >= 5))
    spent *= rng.gamma(100.0, 0.1, len(hours))
    for days in (1, 3, 7):
        row = forecast_row(readings_from(spent[:672], balance=spent[672 : 672 + 24 * days].sum()))
        assert row["empty_at"] == pytest.approx(days, rel=0.05)
        assert 0.95 * row["empty_early"] < days < row["empty_late"]
