"""Likely top-ups are what people buy: round amounts, and what the log has shown."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from stability_magic import usage


def likely_top_ups(spent, purchases, *, every=1, refunds=()):
    """The likely top-ups of hourly spending, read every so many hours.

    Purchases and refunds are pairs of an hour and an amount.
    """
    hours = np.asarray(spent, float).copy()
    changes = -hours
    for hour, amount in (*purchases, *refunds):
        changes[hour] += amount
    credits = 5000.0 + np.concatenate(([0.0], np.cumsum(changes)))
    index = pd.date_range("2026-03-02", periods=len(credits), freq="h", tz="UTC")
    readings = pd.DataFrame({"organization": "a", "credits": credits}, index=index)[::every]
    likely = usage(readings, "hour")["likely_topped_up"]
    return likely[likely > 0].tolist()


def office_spending(seed=0, days=28):
    """Between 9 and 18 on workdays, about 470 a day."""
    random = np.random.default_rng(seed)
    hours = np.arange(24 * days)
    is_work = (hours % 24 >= 9) & (hours % 24 < 18) & (hours // 24 % 7 < 5)
    return is_work * random.gamma(2.0, 26.0, len(hours))


@pytest.mark.parametrize("dollars", [10, 25, 50, 75, 100, 150, 200, 500])
@pytest.mark.parametrize("every", [1, 24])
def test_a_usual_amount_is_found_by_daily_readings_too(dollars, every):
    """Though a day's spending is hidden in the rise."""
    for hour in (9 * 24 + 14, 16 * 24 + 11):
        found = likely_top_ups(office_spending(), [(hour, 100.0 * dollars)], every=every)
        assert found == [100.0 * dollars]


@pytest.mark.parametrize("dollars", [13, 37, 333])
def test_an_odd_amount_is_found_by_close_readings(dollars):
    """No usual one is near enough."""
    assert likely_top_ups(office_spending(), [(9 * 24 + 2, 100.0 * dollars)]) == [100.0 * dollars]


def test_what_was_bought_before_is_usual():
    """An odd amount that two nights have shown is believed where a busy hour hides more."""
    spent = office_spending()
    spent[9 * 24 + 14] = 130.0
    nights = [(5 * 24 + 2, 3700.0), (15 * 24 + 3, 3700.0)]
    found = likely_top_ups(spent, [*nights, (9 * 24 + 14, 3700.0)])
    assert found == pytest.approx([3700.0] * 3)


@pytest.mark.parametrize(("rise", "bought"), [(5000, 5000), (2450, 2500), (4990, 5000)])
def test_a_usual_amount_is_not_passed_over_for_one_that_hides_far_more_than_is_usual(rise, bought):
    """Though a day of much spending would make it possible, and a day of none is unlikely."""
    daily = np.full(40, -300.0)
    daily[28], daily[20] = -700.0, rise
    credits = 5000.0 + np.concatenate(([0.0], np.cumsum(daily)))
    index = pd.date_range("2026-03-02", periods=len(credits), freq="D", tz="UTC")
    readings = pd.DataFrame({"organization": "a", "credits": credits}, index=index)
    assert usage(readings)["likely_topped_up"].sum() == pytest.approx(bought)


def test_a_larger_purchase_than_the_smallest_is_found_where_days_hide_as_much():
    """Nobody who spends 2,000 a day has bought 5,000 where the balance rose by 4,900."""
    daily = np.full(40, -2000.0)
    daily[20] = 4900.0
    credits = 90_000.0 + np.concatenate(([0.0], np.cumsum(daily)))
    index = pd.date_range("2026-03-02", periods=len(credits), freq="D", tz="UTC")
    readings = pd.DataFrame({"organization": "a", "credits": credits}, index=index)
    assert usage(readings)["likely_topped_up"].sum() == pytest.approx(7500.0)


def test_a_refund_stays_as_it_is():
    """It hides nothing that was spent, and no purchase is near."""
    found = likely_top_ups(np.full(24 * 28, 0.5), [], refunds=[(300, 37.25)])
    assert found == [pytest.approx(36.75)]


def test_other_steps_know_nothing_of_dollars():
    """Then only multiples of the step are guessed, and with None nothing."""
    index = pd.date_range("2026-01-05", periods=4, freq="D", tz="UTC")
    readings = pd.DataFrame(
        {"organization": "a", "credits": [500.0, 460.0, 1390.0, 1350.0]}, index=index
    )
    for step, expected in ((10, 970.0), (100, 1000.0), (None, 930.0)):
        likely = usage(readings, topup_step=step)["likely_topped_up"]
        assert likely.sum() == expected
