"""Budgets: which one holds, what was spent of it, and what it will be in the end."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stability_magic import usage
from stability_magic.analysis.budgets import (
    Budget,
    BudgetChange,
    budget_frame,
    budget_standings,
    budgets_by_period,
    budgets_in_force,
    period_of,
)
from stability_magic.analysis.frames import COLUMNS
from stability_magic.analysis.periods import period_edges
from stability_magic.analysis.series import histories_from_frame
from stability_magic.models import to_microseconds
from stability_magic.when import BUDGET_PERIODS

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = [BERLIN, ZoneInfo("America/Havana"), ZoneInfo("Australia/Lord_Howe"), UTC]
# A Thursday at noon, in the middle of its week and month.
NOW = datetime(2026, 11, 12, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def change(at, credits, every="week", organization="org-a", number=0):
    """A change of a budget."""
    return BudgetChange(organization, every, to_microseconds(at), credits, bytes([number]) * 16)


def standings(times, credits, budget=500.0, every="week", now=NOW):
    """How a budget of one organization stands."""
    index = pd.DatetimeIndex(times)
    frame = pd.DataFrame({"organization": "org-a", "credits": credits}, index=index)
    histories = histories_from_frame(frame)
    found = budget_standings(
        [Budget("org-a", every, budget)], histories, histories, now, {"org-a": "Alpha"}
    )
    return found[0], frame


def hourly(days, per_hour=1.0, end=NOW):
    """Readings each hour up to an end, at a steady rate."""
    count = int(days * 24)
    times = [end - timedelta(hours=count - n) for n in range(count + 1)]
    return times, [10_000.0 - per_hour * n for n in range(count + 1)]


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 2**32),
    zone=st.sampled_from(ZONES),
    every=st.sampled_from(BUDGET_PERIODS),
    month=st.sampled_from([(2026, 3), (2026, 4), (2026, 10), (2026, 11), (2026, 7)]),
)
def test_what_was_spent_is_what_usage_tells(seed, zone, every, month):
    """To the last digit, also where clocks change, with gaps and top-ups."""
    rng = np.random.default_rng(seed)
    now = datetime(*month, int(rng.integers(1, 29)), int(rng.integers(24)), 20, tzinfo=zone)
    back = np.sort(rng.random(int(rng.integers(2, 80))) * rng.choice([1.0, 10.0, 60.0]))[::-1]
    times = pd.DatetimeIndex([now - timedelta(days=float(each)) for each in back]).tz_convert(zone)
    credits = 5000 + rng.choice([0.0, -1.5, -30.25, -7.125, 1000.0], len(back)).cumsum()
    standing, frame = standings(times, credits, every=every, now=now)
    table = usage(frame, every)
    spend = standing.spend
    rows = table[table.index == spend.start]
    if rows.empty:
        assert math.isnan(spend.spent)
        assert not spend.is_known
        assert not spend.is_passed
        assert math.isnan(standing.projected)
        return
    assert spend.spent == pytest.approx(rows["spent"].iloc[0], abs=1e-9)
    assert spend.estimated == pytest.approx(rows["estimated"].iloc[0], abs=1e-9)
    assert spend.is_at_least == rows["at_least"].iloc[0]
    assert not standing.projected < spend.spent


@pytest.mark.parametrize("every", BUDGET_PERIODS)
@pytest.mark.parametrize(
    "now",
    [
        datetime(2026, 3, 29, 12, tzinfo=BERLIN),
        datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=BERLIN),
        datetime(2026, 12, 31, 23, 59, tzinfo=BERLIN),
        # The clocks of this day skipped its midnight.
        datetime(2026, 3, 8, 0, 30, tzinfo=ZoneInfo("America/Havana")),
    ],
)
def test_a_period_is_one_of_the_calendar(now, every):
    """Its length is that of the days in it, whatever their clocks do."""
    start, until = period_of(now, every, now.tzinfo)
    instant = to_microseconds(now)
    assert to_microseconds(start) <= instant < to_microseconds(until)
    edges = period_edges(instant, instant, every, now.tzinfo)
    assert [to_microseconds(start), to_microseconds(until)] == edges.tolist()


def test_steady_spending_goes_on():
    """What is expected is what was spent, and as much as is spent in the rest of the period."""
    standing, _ = standings(*hourly(20))
    # Three and a half days of the week are over, and as many are to come.
    assert standing.spend.spent == pytest.approx(84.0)
    assert standing.projected == pytest.approx(168.0, rel=0.02)
    assert standing.projected_low <= standing.projected <= standing.projected_high
    assert standing.projected_high == pytest.approx(168.0, rel=0.2)


def test_the_projection_does_not_end_where_the_credits_do():
    """Whoever has a budget buys more; the balance alone would hold the sum down."""
    times, credits = hourly(20)
    few = [each - credits[-1] + 5.0 for each in credits]
    standing, _ = standings(times, few)
    assert standing.projected == pytest.approx(168.0, rel=0.02)


@pytest.mark.parametrize(
    ("days", "reason"), [(2, "too little to tell"), (0.5, "too little to tell")]
)
def test_without_evidence_nothing_is_projected(days, reason):
    """What was spent is known all the same."""
    standing, _ = standings(*hourly(days))
    assert standing.spend.spent == pytest.approx(24.0 * days)
    assert math.isnan(standing.projected)
    assert math.isnan(standing.projected_low)
    assert math.isnan(standing.projected_high)
    assert standing.ahead.evidence.startswith(reason)


def test_where_nothing_is_spent_nothing_is_expected():
    """That is known, and no lack of evidence."""
    standing, _ = standings(*hourly(20, per_hour=0.0))
    assert (standing.spend.spent, standing.projected, standing.projected_high) == (0.0, 0.0, 0.0)
    assert standing.ahead.evidence.startswith("nothing is being spent")


def test_a_period_without_readings_is_not_a_period_without_spending():
    """What was spent in it is not known."""
    standing, _ = standings(*hourly(20, end=NOW - 7 * DAY))
    assert math.isnan(standing.spend.spent)
    assert math.isnan(standing.spend.left)
    assert math.isnan(standing.projected)
    assert not standing.spend.is_passed
    assert standing.spend.read_at == NOW - 7 * DAY


def test_a_gap_over_the_beginning_makes_an_estimate():
    """What was spent in it is spread, as in usage."""
    monday = datetime(2026, 11, 9, tzinfo=UTC)
    standing, frame = standings([monday - DAY, monday + DAY, NOW], [1000.0, 800.0, 790.0])
    assert standing.spend.spent == pytest.approx(110.0)
    assert standing.spend.estimated == pytest.approx(100.0)
    assert standing.spend.spent == pytest.approx(usage(frame, "week")["spent"].iloc[-1], abs=1e-9)


def test_a_top_up_makes_a_lower_bound():
    """It hides what was spent meanwhile; what is certain can still pass the budget."""
    times, credits = hourly(20, per_hour=10.0)
    credits = [each + (5000.0 if n > 440 else 0.0) for n, each in enumerate(credits)]
    standing, frame = standings(times, credits)
    assert standing.spend.is_at_least
    assert standing.spend.is_passed
    assert standing.spend.spent == pytest.approx(usage(frame, "week")["spent"].iloc[-1], abs=1e-9)


@pytest.mark.parametrize(
    ("budget", "is_passed"),
    [(84.0, False), (84.0 + 1e-9, False), (84.0 - 1e-9, False), (83.999, True), (1e9, False)],
)
def test_exactly_as_much_is_not_too_much(budget, is_passed):
    """Nor is what rounding adds."""
    standing, _ = standings(*hourly(20), budget=budget)
    assert standing.spend.is_passed is is_passed
    assert standing.spend.left == pytest.approx(budget - 84.0)


def test_what_was_set_last_holds():
    """In the middle of a period, too; the order of the rows does not matter."""
    changes = [
        change(NOW - 20 * DAY, 100.0),
        change(NOW - 10 * DAY, 200.0),
        change(NOW - DAY, 300.0),
        change(NOW - DAY, 50.0, every="day"),
        change(NOW - DAY, 70.0, organization="org-b"),
    ]
    for each in (changes, changes[::-1]):
        budgets = budgets_in_force(each)
        assert [(b.organization, b.every, b.credits) for b in budgets] == [
            ("org-a", "day", 50.0),
            ("org-a", "week", 300.0),
            ("org-b", "week", 70.0),
        ]
    assert [each.credits for each in budgets_in_force(changes, ["org-b"])] == [70.0]


def test_each_period_has_the_budget_that_was_set_last_in_it_or_before():
    """Before the first, and after the budget was removed, there is none."""
    monday = datetime(2026, 11, 2, tzinfo=UTC)
    edges = period_edges(to_microseconds(monday), to_microseconds(monday + 34 * DAY), "week", UTC)
    changes = [
        change(monday + 9 * DAY, 150.0),
        change(monday + 8 * DAY, 100.0),
        change(monday + 28 * DAY, None),
        # The end of a week is the beginning of the next one.
        change(monday + 21 * DAY, 200.0),
    ]
    levels = budgets_by_period(changes, "org-a", "week", edges)
    np.testing.assert_equal(levels, [np.nan, 150.0, 150.0, 200.0, np.nan])
    assert budgets_in_force(changes) == []


def test_two_changes_of_one_instant_have_an_order():
    """So that all machines find the same one."""
    changes = [change(NOW, 100.0, number=1), change(NOW, 200.0, number=2)]
    for each in (changes, changes[::-1]):
        assert [budget.credits for budget in budgets_in_force(each)] == [200.0]


def test_the_frame_is_as_documented():
    """Also without rows."""
    standing, _ = standings(*hourly(20), budget=168.0)
    frame = budget_frame([standing], BERLIN, 0.02)
    row = frame.iloc[0]
    assert list(frame.columns) == list(COLUMNS["budget"]) == list(budget_frame([], UTC, 1).columns)
    assert row["left"] == row["budget"] - row["spent"]
    assert row["share"] == pytest.approx(0.5)
    assert row["usd"] == pytest.approx(1.68)
    assert str(row["period"].tz) == "Europe/Berlin"
    assert row["until"] - row["period"] == pd.Timedelta(days=7)
