"""A running simulator, and requests to it."""

from datetime import UTC, datetime

import pytest
import requests

from stability_magic.simulator.simulator import SimulatedClock, Simulator

NOON = datetime(2026, 6, 10, 12, tzinfo=UTC)


@pytest.fixture
def simulator():
    with Simulator(clock=SimulatedClock(NOON, speed=0)) as simulator:
        yield simulator


@pytest.fixture
def session():
    with requests.Session() as session:
        session.trust_env = False
        yield session


@pytest.fixture
def ask(simulator, session):
    """Sends a request with the simulator's key, in the form of the version in the path."""

    def ask(path, *, key=None, method="GET", **headers):
        key = simulator.api_key if key is None else key
        bearer = "" if path.startswith("/v1alpha") else "Bearer "
        headers = {"Authorization": bearer + key} | headers
        return session.request(
            method, simulator.url + path, headers=headers, timeout=10, allow_redirects=False
        )

    return ask
