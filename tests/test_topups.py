"""What a top-up likely hid: by hand, by what always holds, and against the simulator's truth."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stability_magic import usage
from stability_magic._balances import Series
from stability_magic._simulation import default_organizations, shared_ledger
from stability_magic._spend import usage_between
from stability_magic._topups import likely_top_ups

PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=60)
START = datetime(2026, 1, 5, tzinfo=UTC)
CERTAIN, LIKELY = ["spent", "topped_up"], ["likely_spent", "likely_topped_up"]


def frame(changes, hours=24):
    """Readings of one organization with these changes, so many hours apart."""
    credits = 50_000 + np.cumsum([0.0, *changes])
    index = pd.date_range(START, periods=len(credits), freq=f"{hours}h")
    return pd.DataFrame({"organization": "org-a", "credits": credits}, index=index)


def one(found, column):
    """The only period of a column in which it is above zero."""
    above = found[column][found[column] > 0]
    assert len(above) == 1
    return above.iloc[0]


@pytest.mark.parametrize(
    ("usual", "rise", "bought"),
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
def test_a_rise_is_the_multiple_nearest_to_it_plus_what_is_usual(usual, rise, bought):
    """Never less than the rise, and one step at least."""
    found = usage(frame([-usual] * 10 + [rise] + [-usual] * 10))
    assert one(found, "likely_topped_up") == pytest.approx(bought, abs=1e-6)
    hidden = found["likely_spent"].sum() - found["spent"].sum()
    assert hidden == pytest.approx(bought - rise, abs=1e-6)
    assert found["topped_up"].sum() == pytest.approx(rise)
    assert found["at_least"].sum() == 1


def test_what_is_hidden_is_spread_over_the_interval_and_the_top_up_is_where_it_was_seen():
    """As any other spending, and any other top-up."""
    found = usage(frame([-60] * 12 + [930] + [-60] * 12, hours=48))
    assert found["likely_spent"].tolist() == pytest.approx([30] * 24 + [35] * 2 + [30] * 24 + [0])
    assert found["likely_topped_up"].tolist() == [0] * 25 + [1000] + [0] * 25
    assert found["usd"].sum() == pytest.approx(0.01 * found["spent"].sum())


def test_the_same_hours_of_other_days_tell_what_is_usual():
    """At night a rise of a thousand is a purchase of a thousand; at noon it hides the usual."""
    day = [0, 0, -160, 0]
    for hour, rise, bought in ((0, 1000, 1000), (2, 1000, 1200), (2, 940, 1100)):
        every = day * 30
        every[4 * 15 + hour] = rise
        found = usage(frame(every, hours=6))
        assert one(found, "likely_topped_up") == bought


def test_where_nothing_is_hidden_the_likely_is_the_certain():
    """To the last bit."""
    for readings in (frame([-7.3, 0, -2.1] * 20), frame([]), frame([-3] * 9 + [900] + [-3] * 9)):
        found = usage(readings)
        plain = found[~found["at_least"]]
        assert plain["likely_spent"].tolist() == plain["spent"].tolist()
        assert plain["likely_topped_up"].tolist() == plain["topped_up"].tolist()


@pytest.mark.parametrize("rise", [3.5, 25, 37.2, 512.5])
def test_a_refund_or_a_grant_is_left_as_it_is(rise):
    """The organization never spends what a purchase would have hidden."""
    found = usage(frame([-4] * 20 + [rise] + [-4] * 20))
    assert found["likely_spent"].tolist() == found["spent"].tolist()
    assert found["likely_topped_up"].tolist() == found["topped_up"].tolist()


def test_of_who_never_spends_nothing_is_guessed():
    """Neither of who was read too seldom to know."""
    for every in ([0, 0, 950, 0, 0], [950], [950, 940]):
        found = usage(frame(every))
        assert found[LIKELY].to_numpy().tolist() == found[CERTAIN].to_numpy().tolist()


def test_no_step_is_no_guess():
    """Another step is another guess."""
    readings = frame([-40] * 10 + [930] + [-40] * 10)
    found = usage(readings, topup_step=None)
    assert found[LIKELY].to_numpy().tolist() == found[CERTAIN].to_numpy().tolist()
    assert one(usage(readings, topup_step=10), "likely_topped_up") == 970
    assert one(usage(readings, topup_step=100), "likely_topped_up") == 1000
    assert usage(readings).equals(usage(readings, topup_step=100))
    assert one(usage(readings, topup_step=5e-324), "likely_topped_up") == 930
    assert one(usage(readings, topup_step=1e300), "likely_topped_up") == 930


@pytest.mark.parametrize("step", [0, -100, float("nan"), float("inf"), -float("inf")])
def test_a_step_that_is_none_is_refused_in_one_line(step):
    """Also where there is nothing to guess."""
    for readings in (frame([5]), frame([]).iloc[:0]):
        with pytest.raises(ValueError, match="topup_step") as caught:
            usage(readings, topup_step=step)
        assert len(str(caught.value).splitlines()) == 1


def test_a_few_huge_bursts_are_not_usual():
    """Three of them in five weeks leave the guess where it was."""
    every = [-40.0] * 35
    every[14], every[20], every[24] = -9000.0, -7000.0, -8000.0
    every[17] = 950
    assert one(usage(frame(every)), "likely_topped_up") == 1000


def test_a_gap_is_no_thrift():
    """Ten days in which nobody looked hide ten days of spending."""
    readings = frame([-50] * 60 + [0] * 10 + [-50] * 20)
    at = np.arange(len(readings))
    readings.loc[readings.index[at >= 70], "credits"] += 4500
    readings = readings[(at <= 60) | (at >= 70)]
    assert one(usage(readings), "topped_up") == 4500
    assert one(usage(readings), "likely_topped_up") == 5000


def test_a_window_does_not_change_what_is_likely():
    """What is usual is known from the whole frame."""
    readings = frame([-130] * 30 + [870] + [-130] * 30, hours=6)
    whole = usage(readings)
    since, until = START + timedelta(days=7), START + timedelta(days=9)
    part = usage_between(readings, "day", since=since, until=until)
    pd.testing.assert_frame_equal(part[LIKELY], whole.loc[part.index, LIKELY])
    assert one(part, "likely_topped_up") == 1000


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
    """It is quick, and it is still a multiple."""
    every = [-150.0, 950.0] * 3000
    found = usage(frame(every, hours=1))
    assert found["likely_topped_up"].sum() == 3000 * 1100
    assert found["topped_up"].sum() == 3000 * 950


@st.composite
def series(draw):
    """Times, mostly regular, and the credits at them, with rises among them."""
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
@given(readings=series(), step=STEPS)
def test_of_each_interval_the_net_change_stays_and_what_changed_is_a_multiple(readings, step):
    """Likely is never less than certain, and differs only where the balance rose."""
    ordered = readings.iloc[np.lexsort((-readings["credits"], readings.index))]
    times = ordered.index.as_unit("us").asi8
    given_series = Series.of(times, ordered["credits"].to_numpy())
    spent, topped_up = given_series.spent, given_series.topped_up
    before = spent.copy(), topped_up.copy()
    likely_spent, likely_topped_up = likely_top_ups(given_series, step)
    np.testing.assert_array_equal((spent, topped_up), before)
    hidden, bought = likely_spent[1:] - spent[1:], likely_topped_up[1:]
    assert (hidden >= 0).all()
    np.testing.assert_allclose(bought - topped_up[1:], hidden, rtol=1e-9, atol=1e-9)
    changed = hidden > 0
    assert not changed[topped_up[1:] == 0].any()
    steps = bought[changed] / step
    np.testing.assert_allclose(steps, np.rint(steps), rtol=1e-12)
    assert (bought[~changed] == topped_up[1:][~changed]).all()


@PATIENT
@given(readings=series(), by=st.sampled_from(["hour", "day", "week"]), chance=st.randoms())
def test_order_does_not_matter_and_periods_add_up(readings, by, chance):
    """The likely columns add up to the same in every cut, and the frame is not changed."""
    before = readings.copy(deep=True)
    found = usage(readings, by)
    pd.testing.assert_frame_equal(readings, before, check_exact=True)
    order = list(range(len(readings)))
    chance.shuffle(order)
    pd.testing.assert_frame_equal(usage(readings.iloc[order], by), found, check_exact=True)
    months = usage(readings, "month")
    for column in LIKELY:
        assert found[column].sum() == pytest.approx(months[column].sum(), rel=1e-9, abs=1e-6)
    assert (found["likely_spent"] >= found["spent"]).all()
    assert (found["likely_topped_up"] >= found["topped_up"]).all()
    net = [found[b].sum() - found[a].sum() for a, b in (CERTAIN, LIKELY)]
    assert net[0] == pytest.approx(net[1], rel=1e-9, abs=1e-6)


@pytest.mark.parametrize(
    "organization",
    [each for each in default_organizations() if each.refill_below is not None],
    ids=lambda organization: organization.name,
)
def test_read_every_ten_minutes_it_is_nearly_always_the_truth(organization):
    """A year of a simulated organization that buys what it needs."""
    ledger = shared_ledger(organization, 7)
    instants = pd.date_range(START, periods=6 * 24 * 365, freq="10min")
    credits = [ledger.balance(at.to_pydatetime()) for at in instants]
    found = usage(pd.DataFrame({"organization": "org-a", "credits": credits}, index=instants))
    edges = [*(at.to_pydatetime() for at in found.index), instants[-1].to_pydatetime()]
    bought = np.array([ledger.topped_up(*each) for each in pairwise(edges)])
    spent = np.array([ledger.spent(*each) for each in pairwise(edges)])
    days = bought > 0
    assert days.sum() >= 5
    right = np.abs(found["likely_topped_up"].to_numpy() - bought) < 1e-3
    assert right[~days].all()
    assert right[days].mean() >= 0.95
    likely, certain = (
        np.abs(found[name] - spent)[days].sum() for name in ("likely_spent", "spent")
    )
    assert likely <= certain * 0.3 + 1e-6
