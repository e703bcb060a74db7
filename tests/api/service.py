"""The simulated service of these tests, and what they look at in it."""

from __future__ import annotations

import contextlib
import sys
from datetime import UTC, datetime

from stability_magic.simulator.ledger import SimulatedOrganization

NOON = datetime(2026, 6, 10, 12, tzinfo=UTC)
OTHER = "org-simulatedother0000000001"
DEFAULT = "org-simulateddefault00000001"
ORGANIZATIONS = (
    SimulatedOrganization(id=OTHER, name="Other", is_default=False, opening=12.25),
    SimulatedOrganization(id=DEFAULT, name="Default", is_default=True, opening=100),
)
BALANCE_BODY = b'{"credits": 1234.5}'
OK_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def request_paths(service):
    """The paths of the requests that a simulator has received."""
    return [request.path for request in service.requests]


_recordings: list[list[object]] = []


def _record_connection(event, arguments):
    if event == "socket.connect" and _recordings:
        _recordings[-1].append(arguments[1])


# An audit hook cannot be removed; this one does nothing unless something is recording.
sys.addaudithook(_record_connection)


@contextlib.contextmanager
def record_connections():
    """Collects the addresses that this process connects to."""
    addresses: list[object] = []
    _recordings.append(addresses)
    try:
        yield addresses
    finally:
        _recordings.remove(addresses)
