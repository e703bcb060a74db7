"""What a top-up likely hid: examples, properties, and the truth of simulated organizations."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stability_magic import usage
from stability_magic.analysis.series import Series, histories_from_frame
from stability_magic.analysis.spend import usage_between, usage_of
from stability_magic.analysis.topups import likely_rises, likely_top_ups
from stability_magic.simulator.ledger import cached_ledger, default_organizations

PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=60)
START = datetime(2026, 1, 5, tzinfo=UTC)
CERTAIN, LIKELY = ["spent", "topped_up"], ["likely_spent", "likely_topped_up"]


def frame(changes, hours=24):
    """Readings of one organization whose balance changes by these amounts."""
    credits = 50_000 + np.cumsum([0.0, *changes])
    index = pd.date_range(START, periods=len(credits), freq=f"{hours}h")
    return pd.DataFrame({"organization": "org-a", "credits": credits}, index=index)


def only_value(usage_frame, column):
    """The only value of a column that is above zero."""
    positive = usage_frame[column][usage_frame[column] > 0]
    assert len(positive) == 1
    return positive.iloc[0]


@pytest.mark.parametrize(
    ("usual", "rise", "top_up"),
    [
        (40, 960, 1000),
        (40, 1000, 1000),
        (40, 940, 1000),
        (130, 870, 1000),
        (130, 1870, 2000),
        (330, 4690, 5000),
        (60, 1000, 1100),
        (20, 1000.0000004, 1000),
        (90, 10, 100),
    ],
)
def test_a_rise_is_the_multiple_nearest_to_it_plus_what_is_usual(usual, rise, top_up):
    """Never less than the rise, and at least one step."""
    result = usage(frame([-usual] * 10 + [rise] + [-usual] * 10))
    assert only_value(result, "likely_topped_up") == pytest.approx(top_up, abs=1e-6)
    hidden = result["likely_spent"].sum() - result["spent"].sum()
    assert hidden == pytest.approx(top_up - rise, abs=1e-6)
    assert result["topped_up"].sum() == pytest.approx(rise)
    assert result["at_least"].sum() == 1


def test_what_is_hidden_is_spread_over_the_interval_and_the_top_up_is_where_it_was_seen():
    """Like any other spending and any other top-up."""
    result = usage(frame([-60] * 12 + [930] + [-60] * 12, hours=48))
    assert result["likely_spent"].tolist() == pytest.approx([30] * 24 + [35] * 2 + [30] * 24 + [0])
    assert result["likely_topped_up"].tolist() == [0] * 25 + [1000] + [0] * 25
    assert result["usd"].sum() == pytest.approx(0.01 * result["spent"].sum())


def test_the_same_hours_of_other_days_tell_what_is_usual():
    """At night a rise of a thousand is a purchase of a thousand; at noon it hides spending."""
    day = [0, 0, -160, 0]
    for hour, rise, top_up in ((0, 1000, 1000), (2, 1000, 1200), (2, 940, 1100)):
        changes = day * 30
        changes[4 * 15 + hour] = rise
        result = usage(frame(changes, hours=6))
        assert only_value(result, "likely_topped_up") == top_up


def test_where_nothing_is_hidden_likely_equals_certain():
    """Exactly."""
    for readings in (frame([-7.3, 0, -2.1] * 20), frame([]), frame([-3] * 9 + [900] + [-3] * 9)):
        result = usage(readings)
        exact = result[~result["at_least"]]
        assert exact["likely_spent"].tolist() == exact["spent"].tolist()
        assert exact["likely_topped_up"].tolist() == exact["topped_up"].tolist()


@pytest.mark.parametrize("rise", [3.5, 25, 37.2, 512.5])
def test_a_refund_or_a_grant_is_left_as_it_is(rise):
    """The organization never spends as much as a purchase would have hidden."""
    result = usage(frame([-4] * 20 + [rise] + [-4] * 20))
    assert result["likely_spent"].tolist() == result["spent"].tolist()
    assert result["likely_topped_up"].tolist() == result["topped_up"].tolist()


def test_nothing_is_guessed_without_spending():
    """Nor with too few readings to know the usual spending."""
    for changes in ([0, 0, 950, 0, 0], [950], [950, 940]):
        result = usage(frame(changes))
        assert result[LIKELY].to_numpy().tolist() == result[CERTAIN].to_numpy().tolist()


def test_the_guess_depends_on_the_step():
    """Without a step there is no guess."""
    readings = frame([-40] * 10 + [930] + [-40] * 10)
    result = usage(readings, topup_step=None)
    assert result[LIKELY].to_numpy().tolist() == result[CERTAIN].to_numpy().tolist()
    assert only_value(usage(readings, topup_step=10), "likely_topped_up") == 970
    assert only_value(usage(readings, topup_step=100), "likely_topped_up") == 1000
    assert usage(readings).equals(usage(readings, topup_step=100))
    assert only_value(usage(readings, topup_step=5e-324), "likely_topped_up") == 930
    assert only_value(usage(readings, topup_step=1e300), "likely_topped_up") == 930


@pytest.mark.parametrize("step", [0, -100, float("nan"), float("inf"), -float("inf")])
def test_an_impossible_step_is_refused_in_one_line(step):
    """Even if there is nothing to guess."""
    for readings in (frame([5]), frame([]).iloc[:0]):
        with pytest.raises(ValueError, match="topup_step") as error:
            usage(readings, topup_step=step)
        assert len(str(error.value).splitlines()) == 1


def test_a_few_huge_bursts_are_not_usual():
    """Three of them in five weeks do not change the guess."""
    changes = [-40.0] * 35
    changes[14], changes[20], changes[24] = -9000.0, -7000.0, -8000.0
    changes[17] = 950
    assert only_value(usage(frame(changes)), "likely_topped_up") == 1000


def test_a_gap_does_not_count_as_low_spending():
    """Ten days without readings hide ten days of spending."""
    readings = frame([-50] * 60 + [0] * 10 + [-50] * 20)
    at = np.arange(len(readings))
    readings.loc[readings.index[at >= 70], "credits"] += 4500
    readings = readings[(at <= 60) | (at >= 70)]
    assert only_value(usage(readings), "topped_up") == 4500
    assert only_value(usage(readings), "likely_topped_up") == 5000


def test_a_window_does_not_change_what_is_likely():
    """The usual spending comes from the whole frame."""
    readings = frame([-130] * 30 + [870] + [-130] * 30, hours=6)
    full = usage(readings)
    since, until = START + timedelta(days=7), START + timedelta(days=9)
    part = usage_between(readings, "day", since=since, until=until)
    pd.testing.assert_frame_equal(part[LIKELY], full.loc[part.index, LIKELY])
    assert only_value(part, "likely_topped_up") == 1000


def test_organizations_have_their_own_habits():
    """One spends much and one little; neither is judged by the other."""
    much = frame([-330] * 10 + [1000] + [-330] * 10)
    little = frame([-3] * 10 + [1000] + [-3] * 10).assign(organization="org-b")
    both = usage(pd.concat([much, little]))
    for readings in (much, little):
        name = readings["organization"].iloc[0]
        alone = usage(readings)
        pd.testing.assert_frame_equal(both[both["organization"] == name][LIKELY], alone[LIKELY])
    assert both["likely_topped_up"].sum() == 2300


def test_thousands_of_rises_are_judged_by_the_mean_rate():
    """That is quick, and the top-ups are still multiples of the step."""
    changes = [-150.0, 950.0] * 3000
    result = usage(frame(changes, hours=1))
    assert result["likely_topped_up"].sum() == 3000 * 1100
    assert result["topped_up"].sum() == 3000 * 950


@st.composite
def frames(draw):
    """Readings at mostly regular times, with some rises."""
    count = draw(st.integers(1, 60))
    gaps = st.sampled_from([0, 1, 10, 60, 60, 60, 1440, 5000]) | st.integers(0, 3000)
    minutes = np.cumsum(draw(st.lists(gaps, min_size=count, max_size=count)))
    change = st.sampled_from([0.0, -3.5, -8.0, -120.0, 996.5, 1000.0, 4990.0]) | st.floats(
        -500, 3000
    )
    credits = np.cumsum(draw(st.lists(change, min_size=count, max_size=count)))
    times = START + pd.to_timedelta(minutes, unit="min")
    return pd.DataFrame({"organization": "org-a", "credits": credits}, index=times)


STEPS = st.sampled_from([1.0, 50.0, 100.0, 1000.0, 0.1]) | st.floats(1e-3, 1e5)


@PATIENT
@given(readings=frames(), step=STEPS)
def test_each_interval_keeps_its_net_change_and_top_ups_are_multiples(readings, step):
    """The likely amount is never less than the certain one, and differs only at a rise."""
    ordered = readings.iloc[np.lexsort((-readings["credits"], readings.index))]
    times = ordered.index.as_unit("us").asi8
    series = Series.of(times, ordered["credits"].to_numpy())
    spent, topped_up = series.spent, series.topped_up
    before = spent.copy(), topped_up.copy()
    likely_spent, likely_topped_up = likely_top_ups(series, step)
    np.testing.assert_array_equal((spent, topped_up), before)
    hidden, top_ups = likely_spent[1:] - spent[1:], likely_topped_up[1:]
    assert (hidden >= 0).all()
    np.testing.assert_allclose(top_ups - topped_up[1:], hidden, rtol=1e-9, atol=1e-9)
    is_guess = hidden > 0
    assert not is_guess[topped_up[1:] == 0].any()
    steps = top_ups[is_guess] / step
    np.testing.assert_allclose(steps, np.rint(steps), rtol=1e-12)
    assert (top_ups[~is_guess] == topped_up[1:][~is_guess]).all()


@PATIENT
@given(readings=frames(), by=st.sampled_from(["hour", "day", "week"]), random=st.randoms())
def test_order_does_not_matter_and_periods_add_up(readings, by, random):
    """The likely columns have the same totals by any period, and the frame is not changed."""
    before = readings.copy(deep=True)
    result = usage(readings, by)
    pd.testing.assert_frame_equal(readings, before, check_exact=True)
    order = list(range(len(readings)))
    random.shuffle(order)
    pd.testing.assert_frame_equal(usage(readings.iloc[order], by), result, check_exact=True)
    months = usage(readings, "month")
    for column in LIKELY:
        assert result[column].sum() == pytest.approx(months[column].sum(), rel=1e-9, abs=1e-6)
    assert (result["likely_spent"] >= result["spent"]).all()
    assert (result["likely_topped_up"] >= result["topped_up"]).all()
    net = [result[b].sum() - result[a].sum() for a, b in (CERTAIN, LIKELY)]
    assert net[0] == pytest.approx(net[1], rel=1e-9, abs=1e-6)


@pytest.mark.parametrize(
    "organization",
    [each for each in default_organizations() if each.refill_below is not None],
    ids=lambda organization: organization.name,
)
def test_readings_every_ten_minutes_nearly_always_give_the_truth(organization):
    """A year of a simulated organization that buys credits when it needs them."""
    ledger = cached_ledger(organization, 7)
    instants = pd.date_range(START, periods=6 * 24 * 365, freq="10min")
    credits = [ledger.balance(at.to_pydatetime()) for at in instants]
    result = usage(pd.DataFrame({"organization": "org-a", "credits": credits}, index=instants))
    edges = [*(at.to_pydatetime() for at in result.index), instants[-1].to_pydatetime()]
    true_top_ups = np.array([ledger.topped_up(*each) for each in pairwise(edges)])
    true_spent = np.array([ledger.spent(*each) for each in pairwise(edges)])
    days = true_top_ups > 0
    assert days.sum() >= 5
    right = np.abs(result["likely_topped_up"].to_numpy() - true_top_ups) < 1e-3
    assert right[~days].all()
    assert right[days].mean() >= 0.95
    likely, certain = (
        np.abs(result[name] - true_spent)[days].sum() for name in ("likely_spent", "spent")
    )
    assert likely <= certain * 0.3 + 1e-6


@PATIENT
@given(
    changes=st.lists(
        st.sampled_from([0.0, -5.0, -40.0, -130.25, 960.0, 1000.0, 1660.0, 37.25]),
        min_size=4,
        max_size=150,
    ),
    hours=st.sampled_from([1, 5, 24]),
    edges=st.tuples(st.floats(0, 1), st.floats(0, 1)),
)
def test_a_part_of_a_log_has_the_likely_amounts_of_the_whole(changes, hours, edges):
    """Else two windows would tell one day differently."""
    readings = frame(changes, hours)
    first, last = sorted(round(each * (len(readings) - 1)) for each in edges)
    since, until = readings.index[first], readings.index[last] + timedelta(minutes=20)
    (whole,) = histories_from_frame(readings).series
    # With the reading before the window, and the one after it.
    part = histories_from_frame(readings.iloc[max(first - 1, 0) : last + 2]).as_part_of(
        lambda _: whole.gaps(), lambda _, step: likely_rises(whole, step)
    )
    pd.testing.assert_frame_equal(
        usage_of(part, "hour", since=since, until=until)[CERTAIN + LIKELY],
        usage_between(readings, "hour", since=since, until=until)[CERTAIN + LIKELY],
    )
