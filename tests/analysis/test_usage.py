"""What was spent, hour by hour and day by day: examples that can be checked by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from stability_magic import BalanceLog, usage
from stability_magic.analysis.frames import COLUMNS
from stability_magic.analysis.series import histories_from_frame
from stability_magic.analysis.spend import sum_doubts, usage_between

BERLIN = ZoneInfo("Europe/Berlin")


def frame(*readings, zone=UTC, organization="org-a", **more):
    """A readings frame of (time, credits)."""
    times = pd.DatetimeIndex([at for at, _ in readings]).tz_localize(zone, ambiguous="NaT")
    credits = [float(credits) for _, credits in readings]
    return pd.DataFrame({"organization": organization, "credits": credits, **more}, index=times)


def test_spending_is_spread_evenly_over_the_time_between_readings():
    """A third of the interval lies in the first day, two thirds in the second."""
    result = usage(frame(("2026-01-05 16:00", 100), ("2026-01-06 16:00", 70)))
    assert dict(result.dtypes) == dict(COLUMNS["usage"])
    assert list(result.columns) == list(COLUMNS["usage"])
    assert result.index.name == "period"
    assert list(result.index) == [datetime(2026, 1, day, tzinfo=UTC) for day in (5, 6)]
    assert result["spent"].tolist() == pytest.approx([10, 20])
    assert result["usd"].tolist() == pytest.approx([0.1, 0.2])
    assert result["credits"].tolist() == [100, 70]
    assert result["readings"].tolist() == [1, 1]
    assert not result["at_least"].any()


def test_a_rise_is_a_top_up_and_makes_lower_bounds():
    """It hides spending in every period that it reaches into."""
    result = usage(
        frame(
            ("2026-01-05", 100),
            ("2026-01-06", 90),
            ("2026-01-07 12:00", 990),
            ("2026-01-09", 960),
        )
    )
    assert result["spent"].tolist() == pytest.approx([10, 0, 10, 20, 0])
    assert result["topped_up"].tolist() == [0, 0, 900, 0, 0]
    assert result["at_least"].tolist() == [False, True, True, False, False]


def test_a_top_up_seen_at_midnight_counts_on_the_day_before():
    """A reading shows what happened before it, even at the edge of a period."""
    result = usage(frame(("2026-01-05", 100), ("2026-01-06", 1100), ("2026-01-06 12:00", 1090)))
    assert result["topped_up"].tolist() == [1000, 0]
    assert result["at_least"].tolist() == [True, False]
    assert result["spent"].tolist() == [0, 10]
    assert result["credits"].tolist() == [1100, 1090]
    assert result["readings"].tolist() == [1, 2]


def test_readings_at_one_instant_are_spending_and_not_a_top_up():
    """Nothing is divided by zero, and nothing is lost."""
    result = usage(frame(("2026-01-05 12:00", 100), ("2026-01-05 12:00", 90)))
    assert result[["spent", "topped_up", "readings"]].to_numpy().tolist() == [[10, 0, 2]]
    midnight = frame(("2026-01-05", 100), ("2026-01-06", 90), ("2026-01-06", 85), ("2026-01-07", 5))
    assert usage(midnight)["spent"].tolist() == [15, 80, 0]


def test_changes_under_a_millionth_of_a_credit_are_ignored():
    """A rise of that size is not a top-up and hides nothing."""
    result = usage(frame(("2026-01-05 01:00", 1), ("2026-01-05 02:00", 1.0000009)))
    assert result[["spent", "topped_up"]].to_numpy().tolist() == [[0, 0]]
    assert not result["at_least"].any()


def test_a_negative_balance_is_counted_like_any_other():
    """The service allows it."""
    result = usage(
        frame(("2026-01-05 01:00", 5), ("2026-01-05 02:00", -5), ("2026-01-05 03:00", -2))
    )
    assert result[["spent", "topped_up", "credits"]].to_numpy().tolist() == [[10, 3, -2]]


def test_one_reading_shows_no_spending():
    """It makes one period in which nothing was observed."""
    result = usage(frame(("2026-01-05 12:00", 100)))
    assert result.drop(columns=["organization", "name"]).to_numpy().tolist() == [
        [0, 0, 0, 0, False, 100, 1, 0, 0, 0]
    ]


def test_organizations_are_never_mixed():
    """Each has its own rows and its own first period; rows are by period, then organization."""
    readings = pd.concat(
        [
            frame(("2026-01-06", 7), ("2026-01-05", 9), organization="org-b", name="Beta"),
            frame(("2026-01-06", 500), ("2026-01-06 06:00", 400), name="Alpha"),
        ]
    )
    result = usage(readings)
    assert result["organization"].tolist() == ["org-b", "org-a", "org-b"]
    assert result["name"].tolist() == ["Beta", "Alpha", "Beta"]
    assert result["spent"].tolist() == [2, 100, 0]


@pytest.mark.parametrize("by", ["hour", "day", "week", "month"])
def test_without_readings_there_is_no_usage(tmp_path, by):
    """The frame of an empty log gives an empty frame with the same dtypes and zone."""
    result = usage(BalanceLog(tmp_path / "log.db", timezone=BERLIN).readings(), by)
    assert result.empty
    assert dict(result.dtypes) == dict(COLUMNS["usage"])
    assert result.index.name == "period"
    assert result.index.tz == BERLIN


def test_the_price_of_a_credit_can_be_set():
    """The default is a cent."""
    readings = frame(("2026-01-05", 100), ("2026-01-05 12:00", 50))
    assert usage(readings, usd_per_credit=0.02)["usd"].tolist() == [1.0]
    assert usage(readings)["usd"].tolist() == [0.5]


@pytest.mark.parametrize(("night", "hours"), [("2026-03-29", 23), ("2026-10-25", 25)])
def test_a_day_on_which_the_clock_changes_gets_its_share(night, hours):
    """At a credit an hour, a day has as many credits as hours."""
    first = pd.Timestamp(night, tz=BERLIN) - pd.Timedelta(days=1)
    last = pd.Timestamp(night, tz=BERLIN).normalize() + pd.Timedelta(hours=hours + 24)
    readings = pd.DataFrame(
        {"organization": "org-a", "credits": [100.0, 100.0 - 48 - hours]}, index=[first, last]
    )
    result = usage(readings)
    assert result["spent"].tolist() == pytest.approx([24, hours, 24, 0])
    assert [f"{each:%H:%M}" for each in result.index] == ["00:00"] * 4


def test_periods_are_cut_in_the_zone_of_the_index():
    """In another zone the same readings are on other days."""
    readings = frame(("2026-01-05 20:00", 100), ("2026-01-05 23:59", 50))
    assert len(usage(readings)) == 1
    result = usage(readings.tz_convert("Asia/Kathmandu"))
    assert [str(each) for each in result.index] == ["2026-01-06 00:00:00+05:45"]
    assert len(usage(readings.tz_convert(BERLIN))) == 2


def test_what_reaches_over_an_edge_is_estimated_on_both_sides():
    """The whole is certain; a step that ends at an edge, or changes nothing, is no estimate."""
    result = usage(
        frame(
            ("2026-01-05", 100),
            ("2026-01-05 18:00", 90),
            ("2026-01-06 06:00", 60),
            ("2026-01-07", 50),
            ("2026-01-08 12:00", 50),
        )
    )
    assert result["spent"].tolist() == pytest.approx([25, 25, 0, 0])
    assert result["estimated"].tolist() == pytest.approx([15, 15, 0, 0])


def test_a_rise_over_an_edge_is_no_estimate():
    """It hides an unknown amount, which ``at_least`` says; readings at one instant do not reach."""
    risen = usage(frame(("2026-01-05 12:00", 100), ("2026-01-06 12:00", 1090)))
    assert risen["estimated"].tolist() == [0, 0]
    at_once = usage(frame(("2026-01-05", 100), ("2026-01-06", 90), ("2026-01-06", 80)))
    assert at_once["estimated"].tolist() == [0, 0]


def test_what_a_window_cuts_is_estimated_in_it():
    """A row of a period that the window cuts tells a part of what was spent between readings."""
    readings = frame(("2026-01-05 06:00", 100), ("2026-01-05 18:00", 40))
    since = datetime(2026, 1, 5, 10, tzinfo=UTC)
    assert usage(readings)["estimated"].tolist() == [0]
    assert usage_between(readings, "day", since=since)["estimated"].tolist() == pytest.approx([40])


@pytest.mark.parametrize(
    ("since", "until", "is_spread"),
    [
        (None, None, False),
        ("2026-01-05", None, False),
        ("2026-01-06", None, True),
        ("2026-01-07", None, False),
        ("2026-01-05", "2026-01-07", False),
        ("2026-01-05", "2026-01-06", True),
        ("2026-01-06 18:00", "2026-01-07", False),
        (None, "2026-01-08", False),
        ("2026-01-04", "2026-01-10", False),
    ],
)
def test_a_sum_is_an_estimate_where_a_step_reaches_over_the_border(since, until, is_spread):
    """Of the window itself; what was spread over periods inside it is all in the sum."""
    readings = frame(
        ("2026-01-05", 100),
        ("2026-01-05 18:00", 90),
        ("2026-01-06 18:00", 60),
        ("2026-01-07 12:00", 60),
        ("2026-01-08 12:00", 990),
    )
    window = (each and pd.Timestamp(each, tz=UTC).to_pydatetime() for each in (since, until))
    window = [*window]
    doubts = sum_doubts(histories_from_frame(readings).series, *window)
    assert doubts.is_estimate is is_spread
    frame_in_window = usage_between(readings, "day", since=window[0], until=window[1])
    assert doubts.is_lower_bound is bool(frame_in_window["at_least"].any())


def hourly(*spans, organization="org-a"):
    """Readings at each hour of some spans of hours, of a balance that falls."""
    hours = np.concatenate([np.arange(*each) for each in spans])
    index = pd.Timestamp("2026-01-05", tz=UTC) + pd.to_timedelta(hours, unit="h")
    credits = 1000.0 - np.arange(len(hours))
    return pd.DataFrame({"organization": organization, "credits": credits}, index=index)


def test_observed_is_the_share_of_time_outside_of_gaps():
    """A step that is long for the log is a gap, though its spending counts."""
    result = usage(hourly((6, 40), (76, 97)))
    assert result["observed"].tolist() == pytest.approx([18 / 24, 15 / 24, 0, 20 / 24, 0])
    assert result["spent"].sum() == pytest.approx(54)


@pytest.mark.parametrize(("hours", "is_gap"), [(4, False), (4.01, True)])
def test_a_gap_is_longer_than_four_times_the_median(hours, is_gap):
    """And than three times the 95th percentile, which is the median here."""
    readings = hourly((0, 50), (49 + hours, 80 + hours))
    first, last = readings.index[[0, -1]]
    since_month_start = last - pd.Timestamp("2026-01-01", tz=UTC)
    (observed,) = usage(readings, "month")["observed"]
    assert (observed < (last - first) / since_month_start - 0.01) is is_gap


def test_the_nights_of_a_log_that_is_read_by_day_are_no_gaps():
    """A step in twenty or more is as long: only the weekend is longer for this log."""
    days = [hourly((24 * day + 9, 24 * day + 19)) for day in (0, 1, 2, 3, 4, 7, 8, 9, 10, 11)]
    observed = usage(pd.concat(days))["observed"]
    assert observed.iloc[1:4].tolist() == [1, 1, 1]
    assert observed.iloc[5:7].tolist() == [0, 0]


def test_a_log_of_few_readings_has_no_gaps():
    """They do not say what is usual."""
    assert usage(frame(("2026-01-05", 9), ("2026-01-25", 8)))["observed"].iloc[:20].min() == 1
    few = frame(("2026-01-05 06:00", 9), ("2026-01-05 18:00", 8), ("2026-01-08 12:00", 2))
    assert usage(few)["observed"].tolist() == [0.75, 1, 1, 1]


@pytest.mark.parametrize("by", ["hour", "day", "week", "month"])
def test_observed_does_not_depend_on_the_period(by):
    """Nor on what is long for another organization."""
    readings = pd.concat(
        [hourly((0, 50), (100, 150)), hourly((0, 150, 10), organization="org-slow")]
    )
    result = usage(readings, by).reset_index()
    edges = [*sorted(set(result["period"])), readings.index.max()]
    lengths = dict(zip(edges, np.diff(edges), strict=False))
    seen = result["period"].map(lengths) / pd.Timedelta(hours=1) * result["observed"]
    by_organization = seen.groupby(result["organization"]).sum()
    assert by_organization.tolist() == pytest.approx([98, 140], abs=1e-6)


def test_observed_counts_the_running_period_up_to_the_last_reading():
    """The rest of the period does not count as unobserved."""
    result = usage(
        frame(
            ("2026-01-05", 9), ("2026-01-05 18:00", 8), ("2026-01-06", 7), ("2026-01-06 06:00", 6)
        )
    )
    assert result["observed"].tolist() == [1, 1]


def test_observed_is_the_same_in_a_window():
    """A gap that reaches into the window is judged by its full length, and by the whole frame."""
    readings = hourly((0, 40), (100, 110))
    full = usage(readings)
    assert full["observed"].tolist() == pytest.approx([1, 15 / 24, 0, 0, 9 / 13])
    for day in (6, 7, 8, 9):
        part = usage_between(readings, "day", since=datetime(2026, 1, day, tzinfo=UTC))
        pd.testing.assert_series_equal(part["observed"], full["observed"].iloc[day - 5 :])


def test_a_window_cuts_the_spending_across_its_edges():
    """The readings on either side of the window make its figures exact."""
    readings = frame(("2026-01-05", 100), ("2026-01-07", 4), ("2026-01-08", 0))
    since, until = datetime(2026, 1, 5, 12, tzinfo=UTC), datetime(2026, 1, 6, 6, tzinfo=UTC)
    result = usage_between(readings, "day", since=since, until=until)
    assert result["spent"].tolist() == pytest.approx([24, 12])
    assert result["credits"].tolist() == [100, 100]
    assert result["readings"].tolist() == [0, 0]
    assert usage_between(readings, "day", since=until, until=since).empty
    assert usage_between(readings, "day", until=datetime(2026, 1, 5, tzinfo=UTC)).empty


@pytest.mark.parametrize("by", ["year", "", "Day", None])
def test_an_unknown_period_is_refused(by):
    """Even without readings."""
    for readings in (frame(("2026-01-05", 1)), frame(("2026-01-05", 1)).iloc[:0]):
        with pytest.raises(ValueError, match="use one of hour, day, week, month") as error:
            usage(readings, by)
        assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("readings", "message"),
    [
        (pd.DataFrame(), "no column"),
        (frame(("2026-01-05", 1)).drop(columns="credits"), "no column 'credits'"),
        (frame(("2026-01-05", 1)).tz_localize(None), "time zone"),
        (frame(("2026-01-05", "nan")), "NaN"),
    ],
    ids=["empty", "no credits", "naive", "NaN"],
)
def test_any_other_frame_is_refused_in_one_line(readings, message):
    """Nothing is guessed."""
    with pytest.raises(ValueError, match=message) as error:
        usage(readings)
    assert len(str(error.value).splitlines()) == 1


def test_a_window_needs_a_time_zone():
    """Its edges are instants."""
    with pytest.raises(ValueError, match="no time zone"):
        usage_between(frame(("2026-01-05", 1)), "day", since=datetime(2026, 1, 5))
