"""The simulator's clock, and what runs on it."""

import math
import time
from datetime import UTC, datetime, timedelta

import pytest

from stability_magic.simulator.simulator import SimulatedClock, Simulator

NOON = datetime(2026, 6, 10, 12, tzinfo=UTC)


def test_balance_follows_the_clock(ask, simulator):
    """Setting the clock back or forward moves the balance to that time."""
    before = ask("/v1/user/balance").json()
    simulator.clock.set(NOON + timedelta(days=10))
    assert ask("/v1/user/balance").json() != before
    simulator.clock.set(NOON)
    assert ask("/v1/user/balance").json() == before


def test_the_rate_limit_counts_on_the_simulators_clock(ask, simulator):
    """150 requests in ten seconds are admitted, then none for sixty simulated seconds."""
    statuses = [ask("/v1/user/balance").status_code for _ in range(151)]
    assert statuses == [200] * 150 + [429]
    simulator.clock.set(NOON + timedelta(seconds=59))
    assert ask("/v1alpha/user/account").status_code == 429
    assert ask("/v1/user/account", key="wrong").status_code == 401
    simulator.clock.set(NOON + timedelta(seconds=60))
    assert ask("/v1/user/account").status_code == 200
    simulator.clock.set(NOON - timedelta(days=1))
    assert ask("/v1/user/account").status_code == 200


def test_requests_that_are_spread_out_are_all_admitted(session):
    """The window moves with the clock."""
    clock = SimulatedClock(NOON, speed=0)
    with Simulator(clock=clock, rate_limit=3, rate_window=10) as simulator:
        headers = {"Authorization": simulator.api_key}
        for step in range(12):
            clock.set(NOON + timedelta(seconds=4 * step))
            url = f"{simulator.url}/v1alpha/user/balance"
            assert session.get(url, headers=headers).status_code == 200


def test_a_clock_past_the_end_is_a_server_error(ask, simulator):
    """After the end of the model balances are 500; the simulator keeps running."""
    simulator.clock.set(datetime(2200, 1, 1, tzinfo=UTC))
    assert ask("/v1/user/balance").status_code == 500
    assert ask("/v1/user/account").status_code == 200


def test_the_clock_runs_at_its_speed():
    """It shows its start, runs at its speed, and stands still at speed 0."""
    fast = SimulatedClock(NOON, speed=3600)
    started = time.monotonic()
    time.sleep(0.05)
    elapsed = (fast.now() - NOON).total_seconds()
    assert 3600 * 0.05 * 0.5 < elapsed < 3600 * (time.monotonic() - started + 0.5)
    assert fast.speed == 3600
    stopped = SimulatedClock(NOON, speed=0)
    assert stopped.now() == stopped.now() == NOON
    assert abs(SimulatedClock().now() - datetime.now(UTC)) < timedelta(seconds=1)


@pytest.mark.parametrize(
    "arguments",
    [{"start": datetime(2026, 1, 1)}, {"speed": -1.0}, {"speed": math.inf}, {"speed": math.nan}],
    ids=str,
)
def test_impossible_clocks_are_refused(arguments):
    """A naive start and an impossible speed are refused."""
    with pytest.raises(ValueError, match=r"time zone|speed"):
        SimulatedClock(**arguments)
