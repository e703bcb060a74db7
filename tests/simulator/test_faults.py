"""Bad, slow and endless answers, over real HTTP."""

import dataclasses
import json
import math
import time

import pytest
import requests

from stability_magic.simulator.simulator import FAULTS, Fault

from .threads import simulator_threads, wait_until


def test_faults_wait_in_a_queue_for_matching_requests(ask, simulator):
    """Each request takes the first fault for its path; later answers are correct again."""
    simulator.fail(FAULTS["503"], path="/user/balance", times=2)
    simulator.fail(FAULTS["429-retry-after"])
    assert ask("/v1/user/account").headers["Retry-After"] == "7"
    assert [ask("/v1/user/balance?x=1").status_code for _ in range(3)] == [503, 503, 200]
    simulator.fail(FAULTS["401"], path="/v1/user/account")
    assert ask("/v1alpha/user/account").status_code == 200
    assert ask("/v1/user/account").status_code == 401


COMPLETE_FAULTS = [
    name for name, fault in FAULTS.items() if not (fault.hang_up or fault.endless or fault.drip)
]


@pytest.mark.parametrize("name", COMPLETE_FAULTS)
def test_faults_are_sent_as_they_are(ask, simulator, name):
    """Status, body, type and headers of a fault arrive, marked as simulated."""
    fault = FAULTS[name]
    simulator.fail(fault)
    response = ask("/v1/user/balance")
    assert (response.status_code, response.content) == (fault.status, fault.body)
    assert response.headers["Content-Type"] == fault.content_type
    assert response.headers["X-Simulated"] == "true"
    assert dict(fault.headers).items() <= response.headers.items()
    assert ask("/v1/user/balance").status_code == 200


def test_faults_say_what_their_names_promise():
    """The table has the bad answers that a client has to survive."""
    credits = {
        name: json.loads(fault.body)["credits"]
        for name, fault in FAULTS.items()
        if name.startswith("credits-") and name != "credits-missing"
    }
    assert math.isnan(credits.pop("credits-nan"))
    assert credits == {
        "credits-null": None,
        "credits-true": True,
        "credits-text": "12",
        "credits-1e400": math.inf,
        "credits-infinity": math.inf,
    }
    defaults = {
        name: [each["is_default"] for each in json.loads(FAULTS[name].body)["organizations"]]
        for name in ("account-no-organizations", "account-two-defaults", "account-no-default")
    }
    assert list(defaults.values()) == [[], [True, True], [False, False]]
    assert len(FAULTS["too-large"].body) > 1 << 20
    assert b"error code: 1010" in FAULTS["403-html"].body
    assert {fault.status for fault in FAULTS.values()} >= {401, 403, 404, 410, 429, 500, 502, 503}


@pytest.mark.parametrize("name", ["hang-up", "hang-up-at-once"])
def test_a_hang_up_cuts_the_answer_off(ask, simulator, name):
    """The connection ends before the answer does; the next request is served."""
    simulator.fail(FAULTS[name])
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        ask("/v1/user/balance")
    assert ask("/v1/user/balance").status_code == 200


def test_an_endless_body_goes_on_until_the_client_hangs_up(simulator, session, capfd):
    """Megabytes arrive without a length; hanging up prints nothing and leaves no thread."""
    threads = simulator_threads()
    simulator.fail(FAULTS["endless"])
    with session.get(f"{simulator.url}/v1/user/balance", stream=True) as response:
        assert "Content-Length" not in response.headers
        assert sum(len(response.raw.read(1 << 20)) for _ in range(3)) == 3 << 20
    session.close()
    wait_until(lambda: simulator_threads() == threads)
    assert capfd.readouterr() == ("", "")


def test_an_endless_body_has_a_limit(ask, simulator):
    """A client that keeps reading does not receive data for ever."""
    simulator.fail(FAULTS["endless"])
    assert 16 << 20 < len(ask("/v1/user/balance").content) <= 32 << 20


def test_a_drip_is_slow(ask, simulator):
    """The body arrives byte by byte and is complete in the end."""
    simulator.fail(dataclasses.replace(FAULTS["drip"], drip=0.005))
    started = time.monotonic()
    assert ask("/v1/user/balance").json() == {"credits": 1234.5}
    assert time.monotonic() - started > 0.08


def test_latency_can_be_set_while_it_runs(ask, simulator):
    """Every answer takes at least that long, faults too."""
    simulator.latency = 0.1
    simulator.fail(Fault(delay=0.1))
    for latency in (0.2, 0.1):
        started = time.monotonic()
        ask("/v1/user/balance")
        assert latency <= time.monotonic() - started < latency + 1
    simulator.latency = 0
