"""When a forecast gives no date, or only a vague one, and what its evidence says then."""

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


def test_one_reading_is_too_little():
    """One reading says what is left and nothing about spending."""
    row = forecast_row(readings_from([]))
    assert row["evidence"] == "too little to tell: 0.0 of 3 days"
    assert row[TIMES].isna().all()
    assert np.isnan(row["spent_per_day"])


@pytest.mark.parametrize(("hours", "days"), [(10, "0.4"), (71, "2.9")])
def test_a_short_log_says_how_much_is_missing(hours, days):
    """A few hours of readings give no date."""
    row = forecast_row(readings_from(np.full(hours, 1.0)))
    assert row["evidence"] == f"too little to tell: {days} of 3 days"
    assert row[TIMES].isna().all()


def test_three_days_are_enough_for_a_wide_interval():
    """A short log gives a date, with more doubt than a long one."""
    short, long = (
        forecast_row(readings_from(np.full(72, 10.0))),
        forecast_row(readings_from(np.full(672, 10.0))),
    )
    assert short["empty_at"] == pytest.approx(long["empty_at"], rel=1e-3)
    assert short["empty_early"] < 0.8 * short["empty_at"]
    assert short["empty_late"] > 1.3 * short["empty_at"]


def test_two_readings_days_apart_give_a_wide_interval():
    """The total over a long gap is known, but not how it was spread."""
    row = forecast_row(readings_from([1000.0], freq="10D"))
    assert row["empty_at"] == pytest.approx(10.0, rel=1e-3)
    assert row["empty_early"] < 7.0
    assert row["empty_late"] > 14.0


def test_a_balance_that_only_rises_is_too_little():
    """A top-up in every step hides all spending."""
    row = forecast_row(readings_from(np.full(200, -5.0)))
    assert row["evidence"] == "too little to tell: 0.0 of 3 days"
    assert row[TIMES].isna().all()


@pytest.mark.parametrize("noise", [0.0, 5e-7])
def test_without_spending_there_is_no_date(noise):
    """Idle credits do not run out; changes under a millionth are ignored."""
    # Now up and now down, as rounding goes.
    row = forecast_row(readings_from(np.resize([noise, -noise], 200)))
    assert row["evidence"].startswith("nothing is being spent: 8.3 days, 201 readings")
    assert row[TIMES].isna().all()
    assert row["spent_per_day"] == 0.0


def test_spending_that_stopped_a_week_ago_may_come_back():
    """A batch may come every eight days; that nothing was spent lately has a column of its own."""
    row = forecast_row(readings_from(np.r_[np.full(400, 10.0), np.zeros(170)]))
    assert row["recent_per_day"] == 0.0
    assert 1000 / 240 < row["empty_at"] < row["empty_late"]


def test_after_four_idle_weeks_nothing_is_being_spent():
    """What was spent before them does not count any more."""
    row = forecast_row(readings_from(np.r_[np.full(400, 10.0), np.zeros(28 * 24)]))
    assert row["evidence"].startswith("nothing is being spent: 28.0 days, 673 readings")
    assert row[TIMES].isna().all()
    assert row["spent_per_day"] == 0.0


def test_spending_hidden_by_top_ups_all_week_is_not_nothing():
    """If every step of the last week is a top-up, the usual spending is assumed to go on."""
    row = forecast_row(readings_from(np.r_[np.full(500, 10.0), np.full(172, -1.0)]))
    assert row["empty_at"] == pytest.approx(1000 / 240, rel=0.01)
    assert row["spent_per_day"] == pytest.approx(240, rel=0.01)
    assert np.isnan(row["recent_per_day"])


def test_idle_and_then_only_top_ups_is_nothing():
    """Hidden spending cannot be guessed if none was ever seen."""
    row = forecast_row(readings_from(np.r_[np.zeros(300), np.full(172, -1.0)]))
    assert row["evidence"].startswith("nothing is being spent")


def test_spending_before_the_first_full_day_causes_no_warnings():
    """Three idle days after a first busy hour: nothing is being spent."""
    row = forecast_row(readings_from(np.r_[5.0, np.zeros(79)]))
    assert row["evidence"].startswith("nothing is being spent")


@pytest.mark.parametrize("balance", [0.0, -3.5])
def test_used_up_credits_are_empty_now(balance):
    """With no credits left, all three times are now."""
    readings = readings_from(np.full(200, 1.0), balance=balance)
    row = forecast_row(readings)
    assert row[TIMES].tolist() == [0.0, 0.0, 0.0]
    assert "empty" in row["evidence"]
    assert row["credits"] == balance


def test_a_date_more_than_a_year_away_is_not_given():
    """The evidence says so instead."""
    row = forecast_row(readings_from(noisy_spending(mean=1.0), balance=1e6))
    assert row["evidence"].startswith("more than a year: 28.0 days")
    assert row[TIMES].isna().all()


def test_only_the_late_end_may_lie_past_a_year():
    """A date within the year is given even if the end of its interval is not."""
    row = forecast_row(readings_from(noisy_spending(mean=1.0), balance=24 * 355))
    assert row["empty_early"] < row["empty_at"] < 365
    assert pd.isna(row["empty_late"])
    assert "year" not in row["evidence"]


def test_a_last_reading_of_long_ago_tells_nothing_of_today():
    """The numbers stay, no earlier than now; the evidence says what they are worth."""
    readings = readings_from(noisy_spending())
    for days, is_too_old in ((27, False), (29, True), (600, True)):
        now = readings.index[-1] + pd.Timedelta(days=days)
        (row,) = forecast(readings, now=now).to_dict("records")
        assert row["empty_late"] == now
        assert row["evidence"].startswith("too old to tell: ") == is_too_old
        assert row["evidence"].endswith(f"28.0 days, 673 readings, the last {days}.0 days ago")


def test_who_spends_by_the_job_is_told_which_job_would_empty_it():
    """One batch 22 days ago, and month-end batches: no date, but the day of the largest."""
    one, two = np.zeros(672), np.zeros(672)
    one[6 * 24] = 3000.0
    two[[5, 18 * 24]] = 900.0, 3000.0
    for spent, balance, words in (
        (one, 800.0, "one more day like 8 Mar"),
        (two, 800.0, "one more day like 20 Mar"),
        (one, 4000.0, "2 more days like 8 Mar"),
    ):
        row = forecast_row(readings_from(spent, balance=balance))
        assert row["evidence"] == (
            f"irregular: cannot tell, but {words} would empty it; 28.0 days, 673 readings"
        )
        assert row["empty_early"] <= row["empty_at"]


@pytest.mark.parametrize("days", [3, 4, 7, 28])
@pytest.mark.parametrize("spent", [np.full(24, 10.0), np.r_[np.zeros(20), np.full(4, 60.0)]])
def test_equal_days_end_when_the_hours_of_a_day_say(days, spent):
    """Whatever the day looks like, nine and a half days' credits last until its middle hour."""
    readings = readings_from(np.tile(spent, days), balance=9.5 * 240.0)
    row = forecast_row(readings)
    expected = 9 + np.interp(120.0, np.cumsum(spent), np.arange(1, 25) / 24.0)
    assert row["empty_at"] == pytest.approx(expected, rel=0.05)


def test_no_day_that_was_seen_would_empty_it_within_a_day():
    """Never today while no known job could use it all, however irregular the log."""
    spent = np.random.default_rng(3).gamma(0.05, 200.0, 672)
    highest = max(spent[first : first + 24].sum() for first in range(649))
    above, below = (
        forecast_row(readings_from(spent, balance=share * highest)) for share in (1.001, 0.2)
    )
    assert above["empty_early"] >= 1.0
    assert below["empty_early"] < 1.0
