"""The forecast: when the credits run out, how sure that is, and when nothing can be said."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stability_magic._balances import Series
from stability_magic._forecast import forecast
from stability_magic._outlook import estimate, path

COLUMNS = [
    "organization",
    "name",
    "credits",
    "spent_per_day",
    "empty_at",
    "empty_early",
    "empty_late",
    "evidence",
]
TIMES = ["empty_at", "empty_early", "empty_late"]


def log(spent, balance=1000.0, *, start="2026-03-02", freq="h", tz="UTC", organization="org-1"):
    """Readings of a balance that loses these credits one after the other and ends at balance."""
    spent = np.asarray(spent, dtype=float)
    credits = balance + np.concatenate((np.cumsum(spent[::-1])[::-1], [0.0]))
    index = pd.date_range(start, periods=len(credits), freq=freq, tz=tz, name="read_at")
    return pd.DataFrame({"organization": organization, "credits": credits}, index=index)


def top_up(readings, position, credits):
    """The same log with credits bought just before the reading at position."""
    topped = readings.copy()
    topped.iloc[:position, topped.columns.get_loc("credits")] -= credits
    return topped


def only(readings, **options):
    """The one row of a forecast, its times as days after the last reading."""
    frame = forecast(readings, **options)
    assert len(frame) == 1
    row = frame.iloc[0].copy()
    for column in TIMES:
        row[column] = (row[column] - readings.index.max()) / pd.Timedelta(days=1)
    return row


def office_hours(weeks=4, rate=10.0):
    """Credits an hour, spent from 9 to 18 on weekdays; the first hour is Monday's."""
    hours = np.arange(weeks * 168)
    return rate * ((hours % 24 >= 9) & (hours % 24 < 18) & (hours // 24 % 7 < 5))


def noisy(weeks=4, mean=10.0, seed=0):
    return np.random.default_rng(seed).gamma(4.0, mean / 4.0, weeks * 168)


# -- the frame ---------------------------------------------------------------------------


def test_steady_spending_ends_when_division_says():
    """240 credits a day use up 1000 in four days and four hours."""
    row = only(log(np.full(672, 10.0)))
    assert row["empty_at"] == pytest.approx(1000 / 240, rel=1e-6)
    assert row["empty_early"] < row["empty_at"] < row["empty_late"]
    assert row["spent_per_day"] == pytest.approx(240)
    assert row["credits"] == 1000
    assert row["evidence"] == "28.0 days, 673 readings"


def test_columns_and_types_are_the_same_with_and_without_rows():
    """An empty log gives the same typed columns as a full one."""
    full = log(np.full(100, 1.0), tz="Europe/Berlin")
    empty = forecast(full.iloc[:0])
    assert list(empty.columns) == COLUMNS
    assert len(empty) == 0
    assert (empty.dtypes == forecast(full).dtypes).all()
    assert (empty[TIMES].dtypes == "datetime64[us, Europe/Berlin]").all()


def test_an_empty_frame_without_types_will_do():
    """Columns of an empty frame are objects; that is no reason to refuse it."""
    index = pd.DatetimeIndex([], tz="UTC")
    frame = forecast(pd.DataFrame({"organization": [], "credits": []}, index=index, dtype=object))
    assert (frame.dtypes == forecast(log(np.full(100, 1.0))).dtypes).all()


def test_each_organization_has_its_own_row_in_order():
    """Logs of several organizations do not touch each other."""
    a = log(np.full(200, 10.0), organization="a")
    b = log(np.full(100, 1.0), organization="b", balance=50)
    both = forecast(pd.concat([b, a]).sort_index())
    assert both["organization"].tolist() == ["a", "b"]
    pd.testing.assert_frame_equal(both.iloc[[0]], forecast(a))
    alone = forecast(b, now=a.index.max())
    pd.testing.assert_frame_equal(both.iloc[[1]].reset_index(drop=True), alone)
    assert both["evidence"].iloc[1].endswith("101 readings, the last 4.2 days ago")


def test_the_name_is_the_latest_one_and_else_the_id():
    """Organizations can be renamed; logs from elsewhere have no names."""
    readings = log(np.full(100, 1.0))
    assert forecast(readings)["name"].tolist() == ["org-1"]
    readings["name"] = ["old"] * 100 + ["new"]
    assert forecast(readings)["name"].tolist() == ["new"]


def test_times_are_in_the_zone_of_the_readings():
    """The zone changes how the moment is written, never the moment."""
    readings = log(noisy())
    there = readings.tz_convert("America/New_York")
    here, away = forecast(readings)["empty_at"], forecast(there)["empty_at"]
    assert str(away.dt.tz) == "America/New_York"
    assert (away == here).all()


# -- bad input ---------------------------------------------------------------------------


@pytest.mark.parametrize("column", ["organization", "credits"])
def test_a_missing_column_is_named(column):
    """The error says which column is missing."""
    with pytest.raises(ValueError, match=column):
        forecast(log([1.0] * 100).drop(columns=column))


def test_naive_times_are_refused():
    """Times without a zone could mean any moment."""
    with pytest.raises(ValueError, match="tz_localize"):
        forecast(log([1.0] * 100).tz_localize(None))


def test_an_index_that_is_no_time_is_refused():
    """A frame whose times are in a column gets the same advice."""
    with pytest.raises(ValueError, match="time zone"):
        forecast(log([1.0] * 100).reset_index(drop=True))


def test_a_naive_now_is_refused():
    """The moment of the forecast needs a zone as well."""
    with pytest.raises(ValueError, match="now is"):
        forecast(log([1.0] * 100), now=pd.Timestamp("2026-03-05"))


@pytest.mark.parametrize("coverage", [0, 1, -0.1, 80, float("nan")])
def test_coverage_is_a_share(coverage):
    """80 for 80 % is the likely mistake."""
    with pytest.raises(ValueError, match="between 0 and 1"):
        forecast(log([1.0] * 100), coverage=coverage)


@pytest.mark.parametrize("wrong", [float("nan"), float("inf")])
def test_credits_that_are_no_finite_number_are_refused(wrong):
    """A hole in the log is for the caller to drop, not for the forecast to guess."""
    readings = log([1.0] * 100)
    readings.iloc[5, 1] = wrong
    with pytest.raises(ValueError, match="NaN or infinity"):
        forecast(readings)


@pytest.mark.parametrize("dtype", ["str", "bool", "object"])
def test_credits_that_are_no_numbers_are_refused(dtype):
    """Text and truth values are not credits."""
    readings = log([1.0] * 100)
    readings["credits"] = readings["credits"].astype(dtype)
    with pytest.raises(ValueError, match="does not hold numbers"):
        forecast(readings)


def test_a_missing_organization_or_time_is_refused():
    """Readings that belong to nobody would silently be lost."""
    readings = log([1.0] * 100)
    readings.iloc[5, 0] = None
    with pytest.raises(ValueError, match="organization"):
        forecast(readings)
    readings = log([1.0] * 100)
    readings.index = readings.index.where(np.arange(101) != 5)
    with pytest.raises(ValueError, match="time"):
        forecast(readings)


def test_whole_numbers_and_missing_capable_numbers_are_credits():
    """The dtype of the numbers does not matter."""
    readings = log([1.0] * 100)
    expected = forecast(readings)
    for dtype in ("int64", "float32", "Int64", "Float64"):
        frame = forecast(readings.astype({"credits": dtype}))
        pd.testing.assert_frame_equal(frame, expected)


# -- too little, nothing, used up --------------------------------------------------------


def test_one_reading_is_too_little():
    """One reading says what is left and nothing about spending."""
    row = only(log([]))
    assert row["evidence"] == "too little to tell: 0.0 of 3 days"
    assert row[TIMES].isna().all()
    assert np.isnan(row["spent_per_day"])


@pytest.mark.parametrize(("hours", "days"), [(10, "0.4"), (71, "2.9")])
def test_a_short_log_says_how_much_is_missing(hours, days):
    """No date is printed from a few hours of data."""
    row = only(log(np.full(hours, 1.0)))
    assert row["evidence"] == f"too little to tell: {days} of 3 days"
    assert row[TIMES].isna().all()


def test_three_days_are_enough_for_a_wide_interval():
    """A short log gives a date, with more doubt than a long one."""
    short, long = only(log(np.full(72, 10.0))), only(log(np.full(672, 10.0)))
    assert short["empty_at"] == pytest.approx(long["empty_at"])
    assert short["empty_early"] < 0.6 * short["empty_at"]
    assert short["empty_late"] > 1.5 * short["empty_at"]


def test_two_readings_days_apart_give_a_wide_interval():
    """The total of a long gap is real, its evenness is made up."""
    row = only(log([1000.0], freq="10D"))
    assert row["empty_at"] == pytest.approx(10.0)
    assert row["empty_early"] < 7.0
    assert row["empty_late"] > 14.0


def test_a_balance_that_only_rises_tells_nothing():
    """A top-up in every step hides all spending."""
    row = only(log(np.full(200, -5.0)))
    assert row["evidence"] == "too little to tell: 0.0 of 3 days"
    assert row[TIMES].isna().all()


@pytest.mark.parametrize("noise", [0.0, 5e-7])
def test_nothing_spent_is_said_and_gives_no_date(noise):
    """An idle log has no run-out; changes under a millionth are no change."""
    row = only(log(np.full(200, noise)))
    assert row["evidence"].startswith("nothing is being spent: 8.3 days, 201 readings")
    assert row[TIMES].isna().all()
    assert row["spent_per_day"] == 0.0


def test_spending_that_stopped_a_week_ago_is_nothing():
    """What was spent before an idle week does not count any more."""
    row = only(log(np.r_[np.full(400, 10.0), np.zeros(170)]))
    assert row["evidence"].startswith("nothing is being spent")


def test_spending_hidden_by_top_ups_all_week_is_not_nothing():
    """Where every step of the last week is a top-up, what was usual before goes on."""
    row = only(log(np.r_[np.full(500, 10.0), np.full(172, -1.0)]))
    assert row["empty_at"] == pytest.approx(1000 / 240, rel=0.01)
    assert np.isnan(row["spent_per_day"])


def test_idle_and_then_only_top_ups_is_nothing():
    """Hidden spending cannot be guessed where none was ever seen."""
    row = only(log(np.r_[np.zeros(300), np.full(172, -1.0)]))
    assert row["evidence"].startswith("nothing is being spent")


def test_spending_before_the_first_whole_day_is_not_lost_in_warnings():
    """Three idle days after a first busy hour: nothing is being spent."""
    row = only(log(np.r_[5.0, np.zeros(79)]))
    assert row["evidence"].startswith("nothing is being spent")


@pytest.mark.parametrize("balance", [0.0, -3.5])
def test_used_up_credits_are_empty_now(balance):
    """With nothing left the three times are now."""
    readings = log(np.full(200, 1.0), balance=balance)
    row = only(readings)
    assert row[TIMES].tolist() == [0.0, 0.0, 0.0]
    assert "used up" in row["evidence"]
    assert row["credits"] == balance


def test_more_than_a_year_is_said_instead_of_a_date():
    """A date years ahead would be a joke."""
    row = only(log(noisy(mean=1.0), balance=1e6))
    assert row["evidence"].startswith("more than a year: 28.0 days")
    assert row[TIMES].isna().all()


def test_only_the_late_end_may_lie_past_a_year():
    """A date within the year is given even where its upper end is not."""
    row = only(log(noisy(mean=1.0), balance=24 * 340))
    assert row["empty_early"] < row["empty_at"] < 365
    assert pd.isna(row["empty_late"])
    assert "year" not in row["evidence"]


# -- now ---------------------------------------------------------------------------------


def test_readings_after_now_are_ignored():
    """A forecast as of last week sees what was known last week."""
    readings = log(noisy())
    then = readings.index[500]
    pd.testing.assert_frame_equal(forecast(readings, now=then), forecast(readings.iloc[:501]))


def test_now_before_all_readings_gives_no_rows():
    """Nothing was known then; the frame is empty and typed."""
    readings = log(noisy())
    frame = forecast(readings, now=pd.Timestamp("2020-01-01", tz="UTC"))
    assert len(frame) == 0
    assert (frame.dtypes == forecast(readings).dtypes).all()


def test_now_after_the_last_reading_never_gives_a_past_date():
    """Credits that must have run out since are empty now."""
    readings = log(np.full(200, 10.0), balance=240)
    now = readings.index[-1] + pd.Timedelta(days=30)
    frame = forecast(readings, now=now.to_pydatetime())
    assert (frame[TIMES] == now).all(axis=None)
    later = forecast(readings, now=readings.index[-1] + pd.Timedelta(hours=5))
    pd.testing.assert_frame_equal(later, forecast(readings))


# -- what is hard in real logs -----------------------------------------------------------


def test_office_hours_do_not_end_on_a_weekend():
    """On a Friday evening the next day's worth of credits lasts until Monday."""
    friday = log(office_hours()[: 25 * 24 + 20], balance=45)
    row = only(friday)
    assert row["empty_at"] == pytest.approx(2 + 17.5 / 24, abs=0.15)
    assert row["empty_early"] > 2.5


def test_weekends_off_are_learned_from_two_weeks():
    """A week's worth of credits bought on a Monday lasts to its Friday."""
    row = only(log(office_hours(weeks=2), balance=440.0))
    assert 4.3 < row["empty_at"] < 5.1


def test_a_burst_that_is_over_does_not_recur():
    """One night of a hundredfold spending leaves the forecast as it was before it."""
    quiet = noisy(mean=4.0)
    burst = quiet.copy()
    burst[560:572] *= 100.0
    assert only(log(burst))["empty_at"] == pytest.approx(only(log(quiet))["empty_at"], rel=0.15)


def test_one_giant_spike_does_not_recur():
    """A single hour of a thousand days' spending is not the future."""
    spike = np.full(672, 4.0)
    spike[600] = 100_000.0
    assert only(log(spike))["empty_at"] == pytest.approx(1000 / 96, rel=0.1)


def test_a_burst_that_goes_on_counts():
    """Spending a hundred times as much right now ends the credits soon."""
    burst = noisy(mean=4.0)
    burst[-12:] *= 100.0
    assert only(log(burst))["empty_at"] < 0.3 * only(log(noisy(mean=4.0)))["empty_at"]


@pytest.mark.parametrize(("factor", "days_ago"), [(3.0, 7), (1 / 3, 7), (3.0, 14), (1 / 3, 14)])
def test_a_change_of_level_is_followed(factor, days_ago):
    """After a week the new level rules; after two little is left of the old one."""
    spent = noisy()
    spent[-24 * days_ago :] *= factor
    true = 10_000 / (240 * factor)
    row = only(log(spent, balance=10_000))
    assert row["empty_at"] == pytest.approx(true, rel=0.35 if days_ago == 7 else 0.25)
    assert row["empty_early"] < true
    assert pd.isna(row["empty_late"]) or true < row["empty_late"]


def test_a_gap_keeps_its_total():
    """Two days without readings change nothing for steady spending, and are told."""
    readings = log(np.full(672, 10.0))
    holes = readings.drop(readings.index[list(range(200, 248)) + list(range(400, 470))])
    row = only(holes)
    assert row["empty_at"] == pytest.approx(1000 / 240, rel=1e-6)
    assert row["evidence"] == "28.0 days, 555 readings, 2 gaps"


def test_minute_readings_and_then_nothing_for_two_days():
    """How often somebody looked does not weigh the spending."""
    spent = np.random.default_rng(1).poisson(0.2, 20 * 1440).astype(float)
    readings = log(spent, freq="min")
    row = only(readings.drop(readings.index[20_000:22_880]))
    assert row["empty_at"] == pytest.approx(only(readings)["empty_at"], rel=0.02)
    assert row["evidence"].endswith("1 gap")


def test_a_gap_does_not_blur_the_rhythm():
    """Spending spread over a gap says nothing about weekends."""
    readings = log(office_hours(), balance=440.0)
    holes = readings.drop(readings.index[24 * 8 + 1 : 24 * 11])
    assert only(holes)["empty_at"] == pytest.approx(only(readings)["empty_at"], abs=0.5)


@pytest.mark.parametrize("every", [6, 24, 100])
def test_top_ups_are_not_thrift(every):
    """The step in which credits are bought counts as unknown, not as no spending."""
    readings = log(np.full(672, 10.0))
    for position in range(every, 673, every):
        readings = top_up(readings, position, 500.0)
    row = only(readings)
    assert row["empty_at"] == pytest.approx(1000 / 240, rel=1e-6)
    assert row["spent_per_day"] == pytest.approx(240)


def test_two_readings_at_one_time_are_taken_from_high_to_low():
    """Two writers may log the same moment; the lower reading is the later one."""
    readings = log(np.full(200, 10.0))
    twice = readings.iloc[[100]].assign(credits=readings["credits"].iloc[100] + 4.0)
    expected = only(readings)["empty_at"]
    for order in ([readings, twice], [twice, readings]):
        assert only(pd.concat(order))["empty_at"] == pytest.approx(expected, rel=0.01)
    pd.testing.assert_frame_equal(
        forecast(pd.concat([readings, readings])).drop(columns="evidence"),
        forecast(readings).drop(columns="evidence"),
    )


def test_a_clock_change_moves_nothing():
    """Days are counted as elapsed time, so summer time shifts no run-out."""
    berlin = log(np.full(672, 10.0), start="2026-03-15", tz="Europe/Berlin")
    assert only(berlin)["empty_at"] == pytest.approx(1000 / 240, rel=1e-6)


# -- properties --------------------------------------------------------------------------

amounts = st.lists(
    st.floats(0.0, 50.0).map(lambda amount: round(amount, 2)), min_size=80, max_size=500
)


@settings(deadline=None, max_examples=40)
@given(spent=amounts, seed=st.integers(0, 2**16))
def test_the_order_of_rows_does_not_matter(spent, seed):
    """Any order of the same readings gives the same forecast, and leaves them alone."""
    readings = log(spent)
    shuffled = readings.sample(frac=1, random_state=seed)
    before = shuffled.copy(deep=True)
    pd.testing.assert_frame_equal(forecast(shuffled), forecast(readings))
    pd.testing.assert_frame_equal(shuffled, before)


@settings(deadline=None, max_examples=40)
@given(spent=amounts, power=st.integers(-6, 12))
def test_the_unit_of_credits_does_not_matter(spent, power):
    """Counting in other units changes no time."""
    readings = log(spent)
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
    """Buying credits hides one step of many."""
    readings = log(spent)
    plain, topped = only(readings), only(top_up(readings, position, credits))
    assert topped["empty_at"] == pytest.approx(plain["empty_at"], rel=0.05)


@settings(deadline=None, max_examples=40)
@given(spent=amounts, coverage=st.floats(0.05, 0.95), balance=st.floats(0.01, 1e5))
def test_the_interval_holds_the_estimate_and_grows_with_coverage(spent, coverage, balance):
    """Early, middle and late are in order, and more coverage is never narrower."""
    readings = log(spent, balance=balance)
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
    poor, rich = log(spent, balance=balance), log(spent, balance=balance + more)
    far = poor.index[-1] + pd.Timedelta(days=400)
    less = forecast(poor)[TIMES].fillna(far)
    greater = forecast(rich)[TIMES].fillna(far)
    # Adding to a float may move the differences of the log by a rounding error.
    assert (less <= greater + pd.Timedelta(minutes=1)).all(axis=None)


# -- how right it is ---------------------------------------------------------------------


def test_the_interval_covers_what_it_promises_on_made_up_series():
    """Of forecasts on rhythmic, drifting series most intervals hold the true run-out."""
    rng = np.random.default_rng(3)
    hours = np.arange(28 * 24 + 200)
    covered = []
    for _ in range(60):
        level = np.exp(np.cumsum(rng.normal(0.0, 0.01, len(hours))))
        rhythm = 1.0 + 0.7 * np.sin(2 * np.pi * (hours % 24) / 24.0)
        spent = level * rhythm * rng.gamma(2.0, 5.0, len(hours))
        past, future = spent[:672], spent[672:]
        horizon = int(rng.integers(12, 200))
        row = only(log(past, balance=future[:horizon].sum()))
        covered.append(row["empty_early"] * 24 <= horizon <= row["empty_late"] * 24)
    assert 0.65 <= np.mean(covered) <= 0.97


def test_a_steady_trend_within_the_weeks_is_no_rhythm():
    """Growth of 7 % a week with weekends off: the next week costs as much more."""
    rng = np.random.default_rng(5)
    hours = np.arange(28 * 24 + 168)
    spent = 1.07 ** (hours / 168) * (1.0 - 0.6 * (hours // 24 % 7 >= 5))
    spent *= rng.gamma(100.0, 0.1, len(hours))
    for days in (1, 3, 7):
        row = only(log(spent[:672], balance=spent[672 : 672 + 24 * days].sum()))
        assert row["empty_at"] == pytest.approx(days, rel=0.035)
        assert row["empty_early"] < days < row["empty_late"]


# -- the path ahead ----------------------------------------------------------------------

HOUR = 3_600_000_000


def arrays(readings):
    return readings.index.as_unit("us").asi8, readings["credits"].to_numpy()


@pytest.mark.parametrize("coverage", [0.5, 0.8])
def test_the_path_ends_where_the_estimate_says(coverage):
    """The three lines reach zero within the hour that the estimate names."""
    times, credits = arrays(log(noisy()))
    now = int(times[-1])
    found = estimate(Series.of(times, credits), now=now, coverage=coverage)
    at, *lines = path(Series.of(times, credits), now=now, coverage=coverage)
    ends = (found.empty_at, found.empty_early, found.empty_late)
    for line, end in zip(lines, ends, strict=True):
        assert line[0] == 1000.0
        assert (np.diff(line) <= 0.0).all()
        assert 0 <= at[np.flatnonzero(line <= 1e-6)[0]] - end < HOUR + 1
    middle, low, high = lines
    assert (np.diff(at) == HOUR).all()
    assert at[0] == now
    assert ((low <= middle) & (middle <= high)).all()


def test_the_path_stops_where_it_is_told():
    """A plot of a week does not need a year."""
    times, credits = arrays(log(noisy(), balance=1e6))
    at = path(Series.of(times, credits), now=int(times[-1]), coverage=0.8, days=7)[0]
    assert len(at) == 169
    assert len(path(Series.of(times, credits), now=int(times[-1]), coverage=0.8)[0]) == 365 * 24 + 1


@pytest.mark.parametrize("spent", [[], [1.0] * 10, [0.0] * 200])
def test_there_is_no_path_without_evidence(spent):
    """Too little or nothing spent: nothing to draw."""
    times, credits = arrays(log(spent))
    assert all(
        len(part) == 0 for part in path(Series.of(times, credits), now=int(times[-1]), coverage=0.8)
    )


def test_no_reading_before_now_is_too_little():
    """Nothing was known then."""
    times, credits = arrays(log([1.0] * 100))
    found = estimate(Series.of(times, credits), now=0, coverage=0.8)
    assert found.evidence == "too little to tell: 0.0 of 3 days"
    assert found.empty_at is None
    assert len(path(Series.of(times, credits), now=0, coverage=0.8)[0]) == 0
