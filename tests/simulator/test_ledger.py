"""The model of how simulated organizations spend credits."""

import dataclasses
import itertools
import random
import threading
import time
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stability_magic.simulator.ledger import (
    END,
    EPOCH,
    IMAGE_PRICES,
    Ledger,
    SimulatedOrganization,
    default_organizations,
)

PIPELINE, STUDIO, PROTOTYPE = default_organizations()
ORGANIZATIONS = pytest.mark.parametrize(
    "organization", default_organizations(), ids=lambda organization: organization.id
)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
NOON = datetime(2026, 6, 10, 12, tzinfo=UTC)
instants = st.datetimes(datetime(2024, 12, 1), datetime(2026, 12, 31), timezones=st.just(UTC))


def steady(**changes):
    """An organization that spends nothing but what the changes say."""
    return SimulatedOrganization(
        **{"id": "org-simulatedsteady", "name": "Steady (simulated)", "is_default": True} | changes
    )


@pytest.fixture(scope="module")
def studio():
    return Ledger(STUDIO)


@ORGANIZATIONS
def test_the_balance_does_not_depend_on_the_order_of_calls(organization):
    """Two ledgers that are read in different orders agree exactly."""
    instants = [EPOCH + timedelta(hours=37.3 * n) for n in range(-5, 300)]
    forwards = Ledger(organization)
    expected = {at: forwards.balance(at) for at in instants}
    random.Random(5).shuffle(instants)
    other = Ledger(organization)
    assert {at: other.balance(at) for at in instants} == expected


def test_threads_that_ask_at_once_get_the_same_history():
    """Eight threads that share a new ledger get the same balance as a single one."""
    expected = Ledger(STUDIO).balance(NOON)
    ledger, answers = Ledger(STUDIO), []
    threads = [
        threading.Thread(target=lambda: answers.append(ledger.balance(NOON))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [expected] * 8


def test_seed_and_organization_choose_the_history():
    """A different seed or organization gives a different history."""
    choices = [("org-simulatedone", 0), ("org-simulatedone", -1), ("org-simulatedother", 0)]
    amounts = [
        Ledger(steady(id=each, images_per_workday=85, opening=1e6), seed).spent(EPOCH, NOON)
        for each, seed in choices
    ]
    assert len(set(amounts)) == 3


@given(instants)
@settings(max_examples=60, deadline=None)
def test_the_balance_is_the_opening_and_the_changes_since(studio, at):
    """The balance is the opening balance plus purchases minus spending, never negative."""
    changes = studio.topped_up(EPOCH, at) - studio.spent(EPOCH, at)
    assert studio.balance(at) == pytest.approx(STUDIO.opening + changes, abs=1e-8)
    assert studio.balance(at) >= 0


@given(st.lists(instants, min_size=3, max_size=6).map(sorted))
@settings(max_examples=60, deadline=None)
def test_the_truth_adds_up_over_any_split(studio, cuts):
    """Spending and purchases in a window are the sums over its parts and over its events."""
    window = (cuts[0], cuts[-1])
    parts = list(itertools.pairwise(cuts))
    for total in (studio.spent, studio.topped_up):
        assert sum(total(*part) for part in parts) == pytest.approx(total(*window), abs=1e-8)
    times, credits = studio.events(*window)
    assert -credits[credits < 0].sum() == pytest.approx(studio.spent(*window), abs=1e-6)
    assert credits[credits > 0].sum() == studio.topped_up(*window)
    assert (np.diff(times) >= np.timedelta64(0, "us")).all()


def test_a_window_is_half_open(studio):
    """An event belongs to the window that starts with it, not to the one before."""
    times, credits = studio.events(NOON - DAY, NOON)
    at = times[0].astype(datetime).replace(tzinfo=UTC)
    microsecond = timedelta(microseconds=1)
    assert studio.spent(at - microsecond, at) == 0
    assert studio.spent(at, at + microsecond) == -credits[0]
    assert studio.balance(at) - studio.balance(at + microsecond) == pytest.approx(-credits[0])
    assert studio.spent(at + microsecond, at) == 0


@ORGANIZATIONS
def test_top_ups_are_whole_dollars_within_the_limits_of_the_purchase_form(organization):
    """Every purchase is a whole number of dollars from 10 to 1000."""
    _, credits = Ledger(organization).events(EPOCH, NOON)
    purchases = credits[credits > 0]
    assert (purchases % 100 == 0).all()
    assert ((purchases >= 1000) & (purchases <= 100_000)).all()
    assert len(purchases) == 0 if organization.refill_below is None else len(purchases) > 10


def test_top_ups_follow_a_low_balance_in_waking_hours(studio):
    """Credits are bought neither while the balance is high nor at night."""
    times, credits = studio.events(EPOCH, NOON)
    for at in times[credits > 0]:
        bought_at = at.astype(datetime).replace(tzinfo=UTC)
        assert studio.balance(bought_at) < STUDIO.refill_below
        assert 8 <= (bought_at + timedelta(hours=STUDIO.utc_offset)).hour < 20


def test_images_cost_list_prices(studio):
    """Each amount spent is one of the list prices."""
    _, credits = studio.events(NOON - 90 * DAY, NOON)
    assert set(-credits[credits < 0]) == {price for price, _ in IMAGE_PRICES}


def test_weekends_and_nights_are_quiet(studio):
    """A studio spends far less on weekend days and outside working hours."""
    times, credits = studio.events(EPOCH, EPOCH + 364 * DAY)
    costs = -credits.clip(max=0)
    is_weekend = (times.astype("datetime64[D]").astype(int) + 3) % 7 >= 5
    assert costs[is_weekend].sum() / 2 < 0.5 * costs[~is_weekend].sum() / 5
    hours = times.astype("datetime64[h]").astype(int) % 24
    assert costs[(hours >= 8) & (hours < 18)].sum() > 0.6 * costs.sum()


def test_people_have_idle_days_and_jobs_come_in_bursts():
    """Some working days pass without an image, some nights bring hundreds in an hour."""
    ledger = Ledger(PIPELINE)
    times, _ = ledger.events(EPOCH, EPOCH + 364 * DAY)
    images_by_day = np.bincount(
        (times - times[0]).astype("timedelta64[D]").astype(int), minlength=364
    )
    images_by_hour = np.unique(times.astype("datetime64[h]"), return_counts=True)[1]
    assert (images_by_day == 0).sum() > 5
    assert images_by_hour.max() > 300


def test_an_abandoned_organization_keeps_its_fraction_of_a_credit():
    """The prototype stopped spending long ago; its balance is too low for an image."""
    ledger = Ledger(PROTOTYPE)
    assert ledger.spent(NOON - 365 * DAY, NOON) == ledger.topped_up(EPOCH, NOON) == 0
    assert ledger.balance(NOON) == pytest.approx(0.6336833840314097)
    assert ledger.balance(NOON) != round(ledger.balance(NOON), 6)


def test_a_steady_organization_spends_the_same_every_hour():
    """A constant rate is exact over every hour, even if it is not a multiple of 60."""
    ledger = Ledger(steady(opening=1e6, steady_per_hour=10 / 3))
    assert {ledger.spent(NOON + n * HOUR, NOON + (n + 1) * HOUR) for n in range(40)} == {
        round(10 / 3, 9)
    }
    assert ledger.spent(EPOCH, EPOCH + 100 * DAY) == pytest.approx(8000, abs=1e-5)
    assert len(ledger.events(NOON, NOON + HOUR)[0]) == 60


def test_spending_ends_at_zero():
    """Without purchases the last credit is spent, and nothing after it."""
    ledger = Ledger(steady(opening=25.0, steady_per_hour=6.0))
    assert ledger.balance(EPOCH + 4 * HOUR) == pytest.approx(1.0)
    assert ledger.balance(EPOCH + 5 * HOUR) == ledger.balance(NOON) == 0
    assert ledger.spent(EPOCH, NOON) == 25


def test_a_cheap_image_is_made_when_an_expensive_one_is_not():
    """The balance in the end is less than the price of the cheapest image."""
    ledger = Ledger(steady(opening=100.5, images_per_workday=20, prices=((8, 1), (3, 1))))
    assert ledger.balance(NOON) < 3


def purchases_of(organization, seed=0):
    """What an organization buys until NOON, in dollars."""
    _, credits = Ledger(organization, seed).events(EPOCH, NOON)
    return (credits[credits > 0] / 100).tolist()


def test_odd_purchases_are_whole_dollars_of_a_like_size_and_depend_on_the_seed():
    """From half the smallest to twice the largest usual one, and within the form's limits."""
    odd = dataclasses.replace(STUDIO, odd_refill_chance=1.0)
    bought = purchases_of(odd)
    assert all(each.is_integer() and 12 <= each <= 150 for each in bought)
    assert len(set(bought)) > 10
    assert bought == purchases_of(odd) != purchases_of(odd, seed=1)
    for usd, least, most in (((10,), 10, 20), ((1000,), 500, 1000)):
        limits = dataclasses.replace(odd, refill_usd=usd, batch_images=9000.0)
        assert all(least <= each <= most for each in purchases_of(limits))


def test_some_purchases_may_be_odd_and_the_demo_has_none():
    """A chance between never and always mixes both."""
    some = purchases_of(dataclasses.replace(STUDIO, odd_refill_chance=0.5))
    share = sum(each in STUDIO.refill_usd for each in some) / len(some)
    assert 0.2 < share < 0.8
    for organization in default_organizations():
        assert set(purchases_of(organization)) <= set(organization.refill_usd)


def test_purchases_are_as_frequent_as_needed():
    """If one purchase is not enough, there are several in a day."""
    ledger = Ledger(steady(steady_per_hour=500, refill_below=900, refill_delay=0.5))
    assert ledger.topped_up(EPOCH, EPOCH + 10 * DAY) > 15_000


@pytest.mark.parametrize("offset", [-11.0, 5.75, 14.0])
def test_the_working_day_moves_with_the_offset(offset):
    """Night and day follow the organization's own time; EPOCH is in UTC."""
    ledger = Ledger(steady(opening=1e8, images_per_workday=50, utc_offset=offset))
    times, _ = ledger.events(EPOCH, EPOCH + 60 * DAY)
    local = times + np.timedelta64(int(offset * 60), "m")
    hours = local.astype("datetime64[h]").astype(int) % 24
    assert hours.min() >= 6
    assert ledger.balance(EPOCH) == 1e8
    later = Ledger(steady(opening=1e8, steady_per_hour=1, utc_offset=offset))
    assert later.spent(EPOCH - DAY, EPOCH + 30 * DAY) == later.spent(EPOCH, EPOCH + 30 * DAY)


@pytest.mark.parametrize("offset", [-12.0, 14.0])
def test_the_last_moment_has_a_balance(offset):
    """The model reaches to its end, whatever the organization's time zone."""
    ledger = Ledger(steady(opening=5.5, utc_offset=offset))
    assert ledger.balance(END - timedelta(microseconds=1)) == 5.5


def test_active_until_ends_the_spending():
    """From that day on the organization spends nothing."""
    ledger = Ledger(steady(opening=1e6, steady_per_hour=1, active_until=date(2025, 2, 1)))
    assert ledger.spent(EPOCH, NOON) == 31 * 24


def test_the_balance_before_the_epoch_is_the_opening():
    """The history starts with 2025; before it there are no events."""
    ledger = Ledger(STUDIO)
    assert ledger.balance(datetime(1999, 1, 1, tzinfo=UTC)) == STUDIO.opening
    assert len(ledger.events(EPOCH - 9 * DAY, EPOCH)[0]) == 0


def test_years_ahead_are_computed_quickly():
    """Five years of the most active organization take less than two seconds."""
    started = time.process_time()
    Ledger(STUDIO).balance(datetime(2030, 1, 1, tzinfo=UTC))
    assert time.process_time() - started < 2


@pytest.mark.parametrize("at", [datetime(2026, 1, 1), END])
def test_times_without_zone_or_beyond_the_end_are_refused(at, studio):
    """A naive time, or one after the model's end, is an error."""
    with pytest.raises(ValueError, match=r"time zone|past the end"):
        studio.balance(at)


@pytest.mark.parametrize(
    "arguments",
    [
        {"opening": -1.0},
        {"opening": float("nan")},
        {"idle_chance": 1.5},
        {"prices": ()},
        {"prices": ((0.0, 1.0),)},
        {"refill_usd": (5,)},
        {"refill_usd": (1001,)},
        {"refill_usd": (10.5,)},
        {"refill_usd": ()},
        {"odd_refill_chance": 1.5},
        {"refill_delay": 0.0},
        {"utc_offset": 30.0},
    ],
    ids=str,
)
def test_impossible_profiles_are_refused(arguments):
    """A profile that no organization can have is refused by its constructor."""
    with pytest.raises(ValueError, match="org-simulatedsteady"):
        steady(**arguments)


def test_the_demo_organizations_are_plainly_simulated():
    """Their names and ids say so, and the default one is not the first."""
    organizations = default_organizations()
    assert [organization.is_default for organization in organizations].count(True) == 1
    assert not organizations[0].is_default
    assert {organization.role for organization in organizations} == {
        "OWNER",
        "MEMBER",
        "ACCOUNTANT",
    }
    for organization in organizations:
        assert organization.name.endswith(" (simulated)")
        assert organization.id.startswith("org-sim-")
