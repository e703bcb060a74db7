"""A simulated service, and clients of it."""

from __future__ import annotations

import contextlib

import pytest

from stability_magic import StabilityClient
from stability_magic.simulator.simulator import SimulatedClock, Simulator

from ..helpers.errors import KEY
from .service import NOON, ORGANIZATIONS


@pytest.fixture
def service():
    clock = SimulatedClock(NOON, speed=0)
    with Simulator(organizations=ORGANIZATIONS, clock=clock, api_key=KEY) as service:
        yield service


@pytest.fixture
def connect(service):
    """Makes clients of the simulator, or of another address, and closes them at the end."""
    with contextlib.ExitStack() as stack:

        def connect(key=KEY, **options):
            options = {"api_url": service.url, "timeout": 5.0} | options
            return stack.enter_context(StabilityClient(key, **options))

        yield connect
