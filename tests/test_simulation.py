"""The model of how simulated organizations spend."""

import itertools
import random
import threading
import time
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stability_magic._simulation import (
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
    return SimulatedOrganization(
        **{"id": "org-simulatedsteady", "name": "Steady (simulated)", "is_default": True} | changes
    )


@pytest.fixture(scope="module")
def studio():
    return Ledger(STUDIO)


@ORGANIZATIONS
def test_the_balance_does_not_depend_on_who_asks_and_in_which_order(organization):
    """Two ledgers asked for the same instants in different orders agree exactly."""
    instants = [EPOCH + timedelta(hours=37.3 * n) for n in range(-5, 300)]
    forwards = Ledger(organization)
    expected = {at: forwards.balance(at) for at in instants}
    random.Random(5).shuffle(instants)
    other = Ledger(organization)
    assert {at: other.balance(at) for at in instants} == expected


def test_threads_that_ask_at_once_get_the_same_history():
    """Eight threads that make one fresh ledger grow see what a single one sees."""
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
    """Another seed or another organization is another history."""
    chosen = [("org-simulatedone", 0), ("org-simulatedone", -1), ("org-simulatedother", 0)]
    spent = [
        Ledger(steady(id=each, images_per_workday=85, opening=1e6), seed).spent(EPOCH, NOON)
        for each, seed in chosen
    ]
    assert len(set(spent)) == 3


@given(instants)
@settings(max_examples=60, deadline=None)
def test_the_balance_is_the_opening_and_the_changes_since(studio, at):
    """The balance is the opening balance plus purchases less spending, and never negative."""
    changes = studio.topped_up(EPOCH, at) - studio.spent(EPOCH, at)
    assert studio.balance(at) == pytest.approx(STUDIO.opening + changes, abs=1e-8)
    assert studio.balance(at) >= 0


@given(st.lists(instants, min_size=3, max_size=6).map(sorted))
@settings(max_examples=60, deadline=None)
def test_the_truth_adds_up_over_any_split(studio, cuts):
    """What was spent and bought in a window is the sum over its parts, and of its events."""
    whole = (cuts[0], cuts[-1])
    parts = list(itertools.pairwise(cuts))
    for truth in (studio.spent, studio.topped_up):
        assert sum(truth(*part) for part in parts) == pytest.approx(truth(*whole), abs=1e-8)
    times, credits = studio.events(*whole)
    assert -credits[credits < 0].sum() == pytest.approx(studio.spent(*whole), abs=1e-6)
    assert credits[credits > 0].sum() == studio.topped_up(*whole)
    assert (np.diff(times) >= np.timedelta64(0)).all()


def test_a_window_is_half_open(studio):
    """An event belongs to the window that starts with it, not to the one that ends with it."""
    times, credits = studio.events(NOON - DAY, NOON)
    at = times[0].astype(datetime).replace(tzinfo=UTC)
    moment = timedelta(microseconds=1)
    assert studio.spent(at - moment, at) == 0
    assert studio.spent(at, at + moment) == -credits[0]
    assert studio.balance(at) - studio.balance(at + moment) == pytest.approx(-credits[0])
    assert studio.spent(at + moment, at) == 0


@ORGANIZATIONS
def test_top_ups_are_whole_dollars_within_the_limits_of_the_purchase_form(organization):
    """Every purchase is a whole number of dollars from 10 to 1000."""
    _, credits = Ledger(organization).events(EPOCH, NOON)
    bought = credits[credits > 0]
    assert (bought % 100 == 0).all()
    assert ((bought >= 1000) & (bought <= 100_000)).all()
    assert len(bought) == 0 if organization.refill_below is None else len(bought) > 10


def test_top_ups_follow_a_low_balance_in_waking_hours(studio):
    """Nobody buys while there is plenty, and nobody buys at night."""
    times, credits = studio.events(EPOCH, NOON)
    for at in times[credits > 0]:
        bought_at = at.astype(datetime).replace(tzinfo=UTC)
        assert studio.balance(bought_at) < STUDIO.refill_below
        assert 8 <= (bought_at + timedelta(hours=STUDIO.utc_offset)).hour < 20


def test_images_cost_what_models_cost(studio):
    """Each thing spent is one of the list prices."""
    _, credits = studio.events(NOON - 90 * DAY, NOON)
    assert set(-credits[credits < 0]) == {price for price, _ in IMAGE_PRICES}


def test_weekends_and_nights_are_quiet(studio):
    """A studio spends far less on weekend days and outside working hours."""
    times, credits = studio.events(EPOCH, EPOCH + 364 * DAY)
    spent = -credits.clip(max=0)
    weekend = (times.astype("datetime64[D]").astype(int) + 3) % 7 >= 5
    assert spent[weekend].sum() / 2 < 0.5 * spent[~weekend].sum() / 5
    hours = times.astype("datetime64[h]").astype(int) % 24
    assert spent[(hours >= 8) & (hours < 18)].sum() > 0.6 * spent.sum()


def test_people_have_idle_days_and_jobs_come_in_bursts():
    """Some working days pass without an image, some nights bring hundreds in an hour."""
    ledger = Ledger(PIPELINE)
    times, _ = ledger.events(EPOCH, EPOCH + 364 * DAY)
    a_day = np.bincount((times - times[0]).astype("timedelta64[D]").astype(int), minlength=364)
    an_hour = np.unique(times.astype("datetime64[h]"), return_counts=True)[1]
    assert (a_day == 0).sum() > 5
    assert an_hour.max() > 300


def test_an_organization_left_alone_keeps_its_fraction_of_a_credit():
    """The prototype spends nothing for long, and what is left buys no image."""
    ledger = Ledger(PROTOTYPE)
    assert ledger.spent(NOON - 365 * DAY, NOON) == ledger.topped_up(EPOCH, NOON) == 0
    assert ledger.balance(NOON) == pytest.approx(0.6336833840314097)
    assert ledger.balance(NOON) != round(ledger.balance(NOON), 6)


def test_a_steady_organization_spends_the_same_every_hour():
    """A constant rate is exact over every hour, also one that no minute divides."""
    ledger = Ledger(steady(opening=1e6, steady_per_hour=10 / 3))
    assert {ledger.spent(NOON + n * HOUR, NOON + (n + 1) * HOUR) for n in range(40)} == {
        round(10 / 3, 9)
    }
    assert ledger.spent(EPOCH, EPOCH + 100 * DAY) == pytest.approx(8000, abs=1e-5)
    assert len(ledger.events(NOON, NOON + HOUR)[0]) == 60


def test_nothing_is_spent_that_is_not_there():
    """Spending ends at zero when nobody buys, with the last credit spent."""
    ledger = Ledger(steady(opening=25.0, steady_per_hour=6.0))
    assert ledger.balance(EPOCH + 4 * HOUR) == pytest.approx(1.0)
    assert ledger.balance(EPOCH + 5 * HOUR) == ledger.balance(NOON) == 0
    assert ledger.spent(EPOCH, NOON) == 25


def test_a_cheaper_image_is_still_made_when_a_dear_one_is_not():
    """What is left over is always less than the cheapest image."""
    ledger = Ledger(steady(opening=100.5, images_per_workday=20, prices=((8, 1), (3, 1))))
    assert ledger.balance(NOON) < 3


def test_purchases_go_on_however_often_they_are_needed():
    """Several purchases in one day are made when one is not enough."""
    ledger = Ledger(steady(steady_per_hour=500, refill_below=900, refill_delay=0.5))
    assert ledger.topped_up(EPOCH, EPOCH + 10 * DAY) > 15_000


@pytest.mark.parametrize("offset", [-11.0, 5.75, 14.0])
def test_the_working_day_moves_with_the_offset(offset):
    """Night and day are those of the organization's own time, and the epoch is UTC's."""
    ledger = Ledger(steady(opening=1e8, images_per_workday=50, utc_offset=offset))
    times, _ = ledger.events(EPOCH, EPOCH + 60 * DAY)
    local = times + np.timedelta64(int(offset * 60), "m")
    hours = local.astype("datetime64[h]").astype(int) % 24
    assert hours.min() >= 6
    assert ledger.balance(EPOCH) == 1e8
    later = Ledger(steady(opening=1e8, steady_per_hour=1, utc_offset=offset))
    assert later.spent(EPOCH - DAY, EPOCH + 30 * DAY) == later.spent(EPOCH, EPOCH + 30 * DAY)


@pytest.mark.parametrize("offset", [-12.0, 14.0])
def test_the_last_moment_can_be_asked_for(offset):
    """The model holds up to its end, wherever the organization lives."""
    ledger = Ledger(steady(opening=5.5, utc_offset=offset))
    assert ledger.balance(END - timedelta(microseconds=1)) == 5.5


def test_an_end_is_an_end():
    """From its last day on an organization spends nothing."""
    ledger = Ledger(steady(opening=1e6, steady_per_hour=1, active_until=date(2025, 2, 1)))
    assert ledger.spent(EPOCH, NOON) == 31 * 24


def test_the_balance_before_the_epoch_is_the_opening():
    """History starts with 2025, in whatever zone one asks."""
    ledger = Ledger(STUDIO)
    assert ledger.balance(datetime(1999, 1, 1, tzinfo=UTC)) == STUDIO.opening
    assert len(ledger.events(EPOCH - 9 * DAY, EPOCH)[0]) == 0


def test_years_ahead_are_no_effort():
    """Five years of the liveliest organization take less than two seconds of computing."""
    started = time.process_time()
    Ledger(STUDIO).balance(datetime(2030, 1, 1, tzinfo=UTC))
    assert time.process_time() - started < 2


@pytest.mark.parametrize("at", [datetime(2026, 1, 1), END])
def test_times_without_zone_or_beyond_the_end_are_refused(at, studio):
    """A naive time, or one past the model's end, is an error and not a number."""
    with pytest.raises(ValueError, match=r"time zone|past the end"):
        studio.balance(at)


@pytest.mark.parametrize(
    "wrong",
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
        {"refill_delay": 0.0},
        {"utc_offset": 30.0},
    ],
    ids=str,
)
def test_impossible_profiles_are_refused(wrong):
    """A profile that no organization can have is refused when it is made."""
    with pytest.raises(ValueError, match="org-simulatedsteady"):
        steady(**wrong)


def test_the_demo_organizations_are_plainly_simulated():
    """Names and ids say that they are simulated, and the default is not the first."""
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
