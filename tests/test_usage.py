"""What was spent, hour by hour, day by day: by examples that can be checked by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from stability_magic import BalanceLog, usage
from stability_magic._frames import COLUMNS
from stability_magic._spend import usage_between

BERLIN = ZoneInfo("Europe/Berlin")


def frame(*readings, zone=UTC, organization="org-a", **more):
    """A readings frame of (time, credits)."""
    times = pd.DatetimeIndex([at for at, _ in readings]).tz_localize(zone, ambiguous="NaT")
    credits = [float(credits) for _, credits in readings]
    return pd.DataFrame({"organization": organization, "credits": credits, **more}, index=times)


def test_spending_is_spread_evenly_over_the_time_between_readings():
    """A third of the interval lies in the first day, two thirds in the second."""
    found = usage(frame(("2026-01-05 16:00", 100), ("2026-01-06 16:00", 70)))
    assert dict(found.dtypes) == dict(COLUMNS["usage"])
    assert list(found.columns) == list(COLUMNS["usage"])
    assert found.index.name == "period"
    assert list(found.index) == [datetime(2026, 1, day, tzinfo=UTC) for day in (5, 6)]
    assert found["spent"].tolist() == pytest.approx([10, 20])
    assert found["usd"].tolist() == pytest.approx([0.1, 0.2])
    assert found["credits"].tolist() == [100, 70]
    assert found["readings"].tolist() == [1, 1]
    assert not found["at_least"].any()


def test_a_rise_is_no_spending_and_marks_every_period_it_reaches_into():
    """What was spent while the balance rose cannot be seen: it is a lower bound."""
    found = usage(
        frame(
            ("2026-01-05", 100),
            ("2026-01-06", 90),
            ("2026-01-07 12:00", 990),
            ("2026-01-09", 960),
        )
    )
    assert found["spent"].tolist() == pytest.approx([10, 0, 10, 20, 0])
    assert found["topped_up"].tolist() == [0, 0, 900, 0, 0]
    assert found["at_least"].tolist() == [False, True, True, False, False]


def test_a_top_up_seen_at_midnight_was_made_the_day_before():
    """A reading tells of the time before it, also on the edge of a period."""
    found = usage(frame(("2026-01-05", 100), ("2026-01-06", 1100), ("2026-01-06 12:00", 1090)))
    assert found["topped_up"].tolist() == [1000, 0]
    assert found["at_least"].tolist() == [True, False]
    assert found["spent"].tolist() == [0, 10]
    assert found["credits"].tolist() == [1100, 1090]
    assert found["readings"].tolist() == [1, 2]


def test_readings_at_one_instant_are_spending_and_no_top_up():
    """Nothing is divided by zero, and nothing is lost."""
    found = usage(frame(("2026-01-05 12:00", 100), ("2026-01-05 12:00", 90)))
    assert found[["spent", "topped_up", "readings"]].to_numpy().tolist() == [[10, 0, 2]]
    midnight = frame(("2026-01-05", 100), ("2026-01-06", 90), ("2026-01-06", 85), ("2026-01-07", 5))
    assert usage(midnight)["spent"].tolist() == [15, 80, 0]


def test_changes_under_a_millionth_of_a_credit_are_none():
    """A rise of that size is no top-up, and hides nothing."""
    found = usage(frame(("2026-01-05 01:00", 1), ("2026-01-05 02:00", 1.0000009)))
    assert found[["spent", "topped_up"]].to_numpy().tolist() == [[0, 0]]
    assert not found["at_least"].any()


def test_a_negative_balance_is_counted_like_any_other():
    """The service lets it happen."""
    found = usage(
        frame(("2026-01-05 01:00", 5), ("2026-01-05 02:00", -5), ("2026-01-05 03:00", -2))
    )
    assert found[["spent", "topped_up", "credits"]].to_numpy().tolist() == [[10, 3, -2]]


def test_one_reading_tells_no_spending():
    """It makes one period in which nothing was observed."""
    found = usage(frame(("2026-01-05 12:00", 100)))
    assert found.drop(columns=["organization", "name"]).to_numpy().tolist() == [
        [0, 0, 0, 0, False, 100, 1, 0, 0]
    ]


def test_organizations_are_never_mixed():
    """Each has its own rows, by period and then by organization, and its own first period."""
    readings = pd.concat(
        [
            frame(("2026-01-06", 7), ("2026-01-05", 9), organization="org-b", name="Beta"),
            frame(("2026-01-06", 500), ("2026-01-06 06:00", 400), name="Alpha"),
        ]
    )
    found = usage(readings)
    assert found["organization"].tolist() == ["org-b", "org-a", "org-b"]
    assert found["name"].tolist() == ["Beta", "Alpha", "Beta"]
    assert found["spent"].tolist() == [2, 100, 0]


@pytest.mark.parametrize("by", ["hour", "day", "week", "month"])
def test_nothing_read_is_nothing_used(tmp_path, by):
    """The frame of an empty log gives an empty frame with the same dtypes and zone."""
    found = usage(BalanceLog(tmp_path / "log.db", timezone=BERLIN).readings(), by)
    assert found.empty
    assert dict(found.dtypes) == dict(COLUMNS["usage"])
    assert found.index.name == "period"
    assert found.index.tz == BERLIN


def test_the_price_of_a_credit_can_be_set():
    """It is a cent unless told otherwise."""
    readings = frame(("2026-01-05", 100), ("2026-01-05 12:00", 50))
    assert usage(readings, usd_per_credit=0.02)["usd"].tolist() == [1.0]
    assert usage(readings)["usd"].tolist() == [0.5]


@pytest.mark.parametrize(("night", "hours"), [("2026-03-29", 23), ("2026-10-25", 25)])
def test_a_day_on_which_the_clock_changes_gets_its_share(night, hours):
    """A credit an hour for three days: as many as the day has hours."""
    first = pd.Timestamp(night, tz=BERLIN) - pd.Timedelta(days=1)
    last = pd.Timestamp(night, tz=BERLIN).normalize() + pd.Timedelta(hours=hours + 24)
    readings = pd.DataFrame(
        {"organization": "org-a", "credits": [100.0, 100.0 - 48 - hours]}, index=[first, last]
    )
    found = usage(readings)
    assert found["spent"].tolist() == pytest.approx([24, hours, 24, 0])
    assert [f"{each:%H:%M}" for each in found.index] == ["00:00"] * 4


def test_periods_are_cut_in_the_zone_of_the_index():
    """The same readings have other days elsewhere."""
    readings = frame(("2026-01-05 20:00", 100), ("2026-01-05 23:59", 50))
    assert len(usage(readings)) == 1
    found = usage(readings.tz_convert("Asia/Kathmandu"))
    assert [str(each) for each in found.index] == ["2026-01-06 00:00:00+05:45"]
    assert len(usage(readings.tz_convert(BERLIN))) == 2


def test_observed_is_the_share_of_time_between_readings_near_to_each_other():
    """A gap of more than one period is nobody's watch, though its spending counts."""
    found = usage(
        frame(("2026-01-05 06:00", 100), ("2026-01-05 18:00", 90), ("2026-01-08 12:00", 20))
    )
    assert found["observed"].tolist() == [0.5, 0, 0, 0]
    assert found["spent"].sum() == pytest.approx(80)
    assert usage(frame(("2026-01-05", 9), ("2026-01-05 12:00", 8)), "hour")["observed"].sum() == 0
    assert usage(frame(("2026-01-05", 9), ("2026-01-05 12:00", 8)))["observed"].tolist() == [1]


def test_observed_counts_the_running_period_up_to_the_last_reading():
    """The time to come is not time in which nobody looked."""
    found = usage(
        frame(
            ("2026-01-05", 9), ("2026-01-05 18:00", 8), ("2026-01-06", 7), ("2026-01-06 06:00", 6)
        )
    )
    assert found["observed"].tolist() == [1, 1]


def test_readings_at_the_same_hour_every_day_are_a_day_apart_also_when_the_clock_changes():
    """So are readings of a timer that comes a few minutes late."""
    days = pd.date_range("2026-10-20 12:00", "2026-10-30 12:00", freq="D", tz=BERLIN)
    late = days + pd.to_timedelta(np.arange(len(days)) % 2 * 10, unit="min")
    for index in (days, late):
        readings = pd.DataFrame({"organization": "org-a", "credits": 5.0}, index=index)
        assert usage(readings)["observed"].iloc[1:-1].tolist() == [1.0] * 9


def test_an_interval_that_begins_with_a_long_month_is_judged_by_that_month():
    """Not by the shorter one that ends where it begins."""
    readings = frame(("2026-02-20", 20), ("2026-03-01", 10), ("2026-04-01 06:00", 5))
    assert usage(readings, "month")["observed"].tolist() == pytest.approx([9 / 28, 1, 1])


def test_what_was_observed_in_a_window_is_what_was_observed_in_the_whole():
    """An interval that reaches into the window is judged by all of it."""
    readings = frame(("2026-01-03", 10), ("2026-02-02", 5), ("2026-02-20", 1))
    whole = usage(readings, "month")
    assert whole["observed"].tolist() == pytest.approx([29 / 31, 1])
    part = usage_between(readings, "month", since=datetime(2026, 2, 1, tzinfo=UTC))
    pd.testing.assert_frame_equal(part, whole.iloc[1:])


def test_a_window_cuts_the_spending_across_its_edges():
    """With the readings next to it, what lies inside is told exactly."""
    readings = frame(("2026-01-05", 100), ("2026-01-07", 4), ("2026-01-08", 0))
    since, until = datetime(2026, 1, 5, 12, tzinfo=UTC), datetime(2026, 1, 6, 6, tzinfo=UTC)
    found = usage_between(readings, "day", since=since, until=until)
    assert found["spent"].tolist() == pytest.approx([24, 12])
    assert found["credits"].tolist() == [100, 100]
    assert found["readings"].tolist() == [0, 0]
    assert usage_between(readings, "day", since=until, until=since).empty
    assert usage_between(readings, "day", until=datetime(2026, 1, 5, tzinfo=UTC)).empty


@pytest.mark.parametrize("by", ["year", "", "Day", None])
def test_a_period_that_is_none_is_refused(by):
    """Also where there is nothing to cut."""
    for readings in (frame(("2026-01-05", 1)), frame(("2026-01-05", 1)).iloc[:0]):
        with pytest.raises(ValueError, match="use one of hour, day, week, month") as caught:
            usage(readings, by)
        assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("readings", "said"),
    [
        (pd.DataFrame(), "no column"),
        (frame(("2026-01-05", 1)).drop(columns="credits"), "no column 'credits'"),
        (frame(("2026-01-05", 1)).tz_localize(None), "time zone"),
        (frame(("2026-01-05", "nan")), "NaN"),
    ],
    ids=["empty", "no credits", "naive", "NaN"],
)
def test_what_is_no_readings_frame_is_refused_in_one_line(readings, said):
    """Nothing is guessed."""
    with pytest.raises(ValueError, match=said) as caught:
        usage(readings)
    assert len(str(caught.value).splitlines()) == 1


def test_a_window_needs_a_time_zone():
    """Its edges are instants."""
    with pytest.raises(ValueError, match="no time zone"):
        usage_between(frame(("2026-01-05", 1)), "day", since=datetime(2026, 1, 5))
