"""Starting and stopping, and clients that leave early."""

import http.client
import os
import socket
import struct
import time
from datetime import UTC, datetime

import pytest
import requests

from stability_magic.simulator.server import LoopbackServer
from stability_magic.simulator.simulator import FAULTS, Fault, Simulator

from .threads import simulator_threads, wait_until

NOON = datetime(2026, 6, 10, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "fault", [None, Fault(delay=60), FAULTS["endless"], FAULTS["drip"]], ids=lambda fault: ""
)
def test_stop_is_prompt_and_leaves_no_thread(fault, capfd):
    """Stopping ends idle connections, delayed answers and unfinished ones."""
    threads = simulator_threads()
    simulator = Simulator(api_key="sk-simulated-x").start()
    client = http.client.HTTPConnection("127.0.0.1", int(simulator.url.rpartition(":")[2]))
    if fault is not None:
        simulator.fail(fault)
    client.request("GET", "/v1alpha/user/account", headers={"Authorization": "sk-simulated-x"})
    wait_until(lambda: simulator.requests)
    started = time.monotonic()
    simulator.stop()
    assert time.monotonic() - started < 0.5
    assert simulator_threads() == threads
    simulator.stop()
    client.close()
    assert capfd.readouterr() == ("", "")


def test_it_can_be_started_again_at_the_same_address(session):
    """The address stays the same after a stop; until then nothing answers there."""
    simulator = Simulator()
    with pytest.raises(RuntimeError, match="before start"):
        _ = simulator.url
    with simulator as entered:
        assert entered is simulator is simulator.start()
        url = simulator.url
    with pytest.raises(requests.ConnectionError):
        session.get(f"{url}/v1/user/account")
    with simulator:
        assert simulator.url == url
        assert session.get(f"{url}/v1/user/account").status_code == 401


def test_clients_that_leave_cause_no_output(simulator, capfd):
    """Clients that leave without a request or before their answer: nothing is printed."""
    address = ("127.0.0.1", int(simulator.url.rpartition(":")[2]))
    linger = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
    threads = simulator_threads()
    simulator.latency = 0.02
    for text in (b"", b"GET /v1", b"GET /v1/user/balance HTTP/1.1\r\nHost: x\r\n\r\n"):
        client = socket.create_connection(address)
        # Closing with a linger time of 0 resets the connection.
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        client.sendall(text)
        client.close()
    wait_until(lambda: simulator_threads() == threads)
    assert capfd.readouterr() == ("", "")


def test_it_listens_on_loopback_only():
    """An address that other machines could reach is refused; the simulator uses loopback."""
    with pytest.raises(ValueError, match="no loopback address"):
        LoopbackServer(lambda request: Fault(), lambda: NOON, lambda: NOON, address="0.0.0.0")
    with Simulator() as simulator:
        assert simulator.url.startswith("http://127.0.0.1:")
