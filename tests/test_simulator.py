"""The simulated service, over real HTTP."""

import dataclasses
import http.client
import json
import math
import os
import socket
import struct
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
import requests

from stability_magic import StabilityClient
from stability_magic._loopback import LoopbackServer
from stability_magic._simulation import SimulatedOrganization
from stability_magic._simulator import FAULTS, Fault, SimulatedClock, Simulator

NOON = datetime(2026, 6, 10, 12, tzinfo=UTC)
STEADY = SimulatedOrganization(
    id="org-simulatedsteady000000001",
    name="Steady (simulated)",
    is_default=True,
    opening=1e6,
    steady_per_hour=60.0,
)
BOTH_VERSIONS = pytest.mark.parametrize("version", ["v1alpha", "v1"])


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
    def ask(path, *, key=None, method="GET", **headers):
        key = simulator.api_key if key is None else key
        bearer = "" if path.startswith("/v1alpha") else "Bearer "
        headers = {"Authorization": bearer + key} | headers
        return session.request(
            method, simulator.url + path, headers=headers, timeout=10, allow_redirects=False
        )

    return ask


def of_the_simulator():
    return {thread for thread in threading.enumerate() if thread.name.startswith("stability-")}


@BOTH_VERSIONS
def test_account_has_the_published_shape(ask, simulator, version):
    """Both versions tell the user and all organizations, the default one not first."""
    response = ask(f"/{version}/user/account")
    account = response.json()
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "application/json"
    assert set(account) == {"id", "email", "organizations", "profile_picture"}
    assert account["email"].endswith("@example.com")
    assert account["organizations"] == [
        {"id": one.id, "name": one.name, "role": one.role, "is_default": one.is_default}
        for one in simulator.organizations
    ]
    assert [one["is_default"] for one in account["organizations"]] == [False, True, False]


@BOTH_VERSIONS
def test_balance_is_the_truth_of_the_ledger(ask, simulator, version):
    """The balance is that of the default organization, or of the one in the header."""
    for organization in simulator.organizations:
        balance = ask(f"/{version}/user/balance", Organization=organization.id).json()
        assert balance == {"credits": simulator.ledgers[organization.id].balance(NOON)}
        if organization.is_default:
            assert ask(f"/{version}/user/balance").json() == balance


def test_balance_follows_the_clock(ask, simulator):
    """Setting the clock, back or forth, moves the balance to that time."""
    before = ask("/v1/user/balance").json()
    simulator.clock.set(NOON + timedelta(days=10))
    assert ask("/v1/user/balance").json() != before
    simulator.clock.set(NOON)
    assert ask("/v1/user/balance").json() == before


def test_a_whole_balance_is_sent_as_an_integer(session):
    """A reader must be ready for credits without a decimal point."""
    clock = SimulatedClock(datetime(2025, 1, 1, tzinfo=UTC), speed=0)
    with Simulator(organizations=[STEADY], clock=clock) as simulator:
        headers = {"Authorization": simulator.api_key}
        response = session.get(f"{simulator.url}/v1alpha/user/balance", headers=headers)
    assert response.text == '{"credits": 1000000}'


@pytest.mark.parametrize(
    ("version", "authorization", "status"),
    [
        ("v1alpha", "{key}", 200),
        ("v1alpha", "Bearer {key}", 401),
        ("v1alpha", None, 401),
        ("v1", "Bearer {key}", 200),
        ("v1", "{key}", 401),
        ("v1", "Bearer {key}x", 401),
        ("v1", "Bearer ", 401),
        ("v1", None, 401),
    ],
)
def test_each_version_wants_the_key_in_its_own_form(
    simulator, session, version, authorization, status
):
    """v1alpha wants the bare key and v1 the word Bearer; errors have the version's shape."""
    headers = {"Authorization": authorization and authorization.format(key=simulator.api_key)}
    response = session.get(f"{simulator.url}/{version}/user/balance", headers=headers)
    assert response.status_code == status
    if status == 401:
        extra = {"fault", "temporary", "timeout"} if version == "v1alpha" else set()
        assert set(response.json()) == {"id", "name", "message"} | extra
        assert response.json()["name"] == "unauthorized"


@BOTH_VERSIONS
def test_a_foreign_organization_is_refused(ask, version):
    """The balance of an organization that is not the account's is 403, in JSON."""
    response = ask(f"/{version}/user/balance", Organization="org-of-somebody-else")
    assert (response.status_code, response.json()["name"]) == (403, "permission_denied")


@pytest.mark.parametrize("path", ["/", "/v1/user", "/v2beta/user/balance", "/v1/user/balance/x"])
def test_elsewhere_is_nothing(ask, path):
    """Any other path is 404."""
    response = ask(path)
    assert (response.status_code, response.json()["name"]) == (404, "not_found")


def test_a_version_can_be_switched_off(session):
    """A version that is not served is 404, the other one works."""
    with Simulator(versions=["v1"]) as simulator:
        key = simulator.api_key
        old = session.get(f"{simulator.url}/v1alpha/user/account", headers={"Authorization": key})
        new = session.get(
            f"{simulator.url}/v1/user/account", headers={"Authorization": f"Bearer {key}"}
        )
    assert (old.status_code, new.status_code) == (404, 200)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "HEAD", "BREW"])
def test_only_get_is_allowed(ask, method):
    """Any other method is 405, and the connection stays usable for the next request."""
    assert ask("/v1/user/balance", method=method).status_code == 405
    assert ask("/v1/user/balance").status_code == 200


def test_a_body_that_nobody_wants_does_no_harm(simulator, session):
    """A request with a body is refused in good order."""
    response = session.post(f"{simulator.url}/v1/user/balance", data=b"x" * 100_000)
    assert response.status_code == 405
    assert response.headers["Allow"] == "GET"


@pytest.mark.parametrize("path", ["/v1/user/balance", "/v1/user/account", "/nowhere"])
def test_every_answer_says_that_it_is_simulated(ask, path):
    """Right answers and errors bear the header of the simulator and its own date."""
    response = ask(path)
    assert response.headers["X-Simulated"] == "true"
    assert response.headers["Server"] == "stability-magic-simulator"
    assert response.headers["Date"] == "Wed, 10 Jun 2026 12:00:00 GMT"


def test_garbage_is_refused_politely(simulator):
    """What is no HTTP gets an answer of 400 and a closed connection."""
    with socket.create_connection(("127.0.0.1", int(simulator.url.rpartition(":")[2]))) as client:
        client.sendall(b"this is no HTTP at all\r\n\r\n")
        answer = client.makefile("rb").read()
    assert b" 400 " in answer.partition(b"\r\n")[0]
    assert b"X-Simulated: true" in answer


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


def test_requests_that_are_spread_out_are_never_too_many(session):
    """The window moves on with the clock."""
    clock = SimulatedClock(NOON, speed=0)
    with Simulator(clock=clock, rate_limit=3, rate_window=10) as simulator:
        headers = {"Authorization": simulator.api_key}
        for step in range(12):
            clock.set(NOON + timedelta(seconds=4 * step))
            url = f"{simulator.url}/v1alpha/user/balance"
            assert session.get(url, headers=headers).status_code == 200


def test_faults_wait_in_a_queue_for_the_requests_they_fit(ask, simulator):
    """Each request takes the first fault for its path; then all is well again."""
    simulator.fail(FAULTS["503"], path="/user/balance", times=2)
    simulator.fail(FAULTS["429-retry-after"])
    assert ask("/v1/user/account").headers["Retry-After"] == "7"
    assert [ask("/v1/user/balance?x=1").status_code for _ in range(3)] == [503, 503, 200]
    simulator.fail(FAULTS["401"], path="/v1/user/account")
    assert ask("/v1alpha/user/account").status_code == 200
    assert ask("/v1/user/account").status_code == 401


WHOLE = [
    name for name, fault in FAULTS.items() if not (fault.hang_up or fault.endless or fault.drip)
]


@pytest.mark.parametrize("name", WHOLE)
def test_faults_are_sent_as_they_are(ask, simulator, name):
    """Status, body, type and headers of a named fault arrive, marked as simulated."""
    fault = FAULTS[name]
    simulator.fail(fault)
    response = ask("/v1/user/balance")
    assert (response.status_code, response.content) == (fault.status, fault.body)
    assert response.headers["Content-Type"] == fault.content_type
    assert response.headers["X-Simulated"] == "true"
    assert dict(fault.headers).items() <= response.headers.items()
    assert ask("/v1/user/balance").status_code == 200


def test_faults_say_what_their_names_promise():
    """The table holds the bad answers that a client has to survive."""
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
        name: [one["is_default"] for one in json.loads(FAULTS[name].body)["organizations"]]
        for name in ("account-no-organizations", "account-two-defaults", "account-no-default")
    }
    assert list(defaults.values()) == [[], [True, True], [False, False]]
    assert len(FAULTS["too-large"].body) > 1 << 20
    assert b"error code: 1010" in FAULTS["403-html"].body
    assert {fault.status for fault in FAULTS.values()} >= {401, 403, 404, 410, 429, 500, 502, 503}


@pytest.mark.parametrize("name", ["hang-up", "hang-up-at-once"])
def test_a_hang_up_breaks_off(ask, simulator, name):
    """The connection ends before the answer does, and the next request is served."""
    simulator.fail(FAULTS[name])
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        ask("/v1/user/balance")
    assert ask("/v1/user/balance").status_code == 200


def test_an_endless_body_goes_on_until_the_client_hangs_up(simulator, session, capfd):
    """Megabytes come without a length; leaving makes no noise and leaves no thread."""
    threads = of_the_simulator()
    simulator.fail(FAULTS["endless"])
    with session.get(f"{simulator.url}/v1/user/balance", stream=True) as response:
        assert "Content-Length" not in response.headers
        assert sum(len(response.raw.read(1 << 20)) for _ in range(3)) == 3 << 20
    session.close()
    wait_until(lambda: of_the_simulator() == threads)
    assert capfd.readouterr() == ("", "")


def test_an_endless_body_ends_all_the_same(ask, simulator):
    """A client that reads on is not filled up for ever."""
    simulator.fail(FAULTS["endless"])
    assert 16 << 20 < len(ask("/v1/user/balance").content) <= 32 << 20


def test_a_drip_takes_its_time(ask, simulator):
    """The body comes byte by byte and is complete in the end."""
    simulator.fail(dataclasses.replace(FAULTS["drip"], drip=0.005))
    started = time.monotonic()
    assert ask("/v1/user/balance").json() == {"credits": 1234.5}
    assert time.monotonic() - started > 0.08


def test_latency_can_be_set_while_it_runs(ask, simulator):
    """Every answer takes that long, faults too."""
    simulator.latency = 0.1
    simulator.fail(Fault(delay=0.1))
    for least in (0.2, 0.1):
        started = time.monotonic()
        ask("/v1/user/balance")
        assert least <= time.monotonic() - started < least + 1
    simulator.latency = 0


def wait_until(condition, seconds=5):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.mark.parametrize(
    "fault", [None, Fault(delay=60), FAULTS["endless"], FAULTS["drip"]], ids=lambda fault: ""
)
def test_stop_is_prompt_and_leaves_no_thread(fault, capfd):
    """Stopping ends connections that are idle, asleep or in the middle of an answer."""
    threads = of_the_simulator()
    simulator = Simulator(api_key="sk-simulated-x").start()
    client = http.client.HTTPConnection("127.0.0.1", int(simulator.url.rpartition(":")[2]))
    if fault is not None:
        simulator.fail(fault)
    client.request("GET", "/v1alpha/user/account", headers={"Authorization": "sk-simulated-x"})
    wait_until(lambda: simulator.requests)
    started = time.monotonic()
    simulator.stop()
    assert time.monotonic() - started < 0.5
    assert of_the_simulator() == threads
    simulator.stop()
    client.close()
    assert capfd.readouterr() == ("", "")


def test_it_can_be_started_again_at_the_same_address(session):
    """Its address outlives a stop; while it is stopped nobody answers there."""
    simulator = Simulator()
    with pytest.raises(RuntimeError, match="before start"):
        _ = simulator.url
    with simulator as same:
        assert same is simulator is simulator.start()
        url = simulator.url
    with pytest.raises(requests.ConnectionError):
        session.get(f"{url}/v1/user/account")
    with simulator:
        assert simulator.url == url
        assert session.get(f"{url}/v1/user/account").status_code == 401


def test_clients_that_leave_make_no_noise(simulator, capfd):
    """A client that connects and goes, or goes before its answer, is nothing to talk about."""
    address = ("127.0.0.1", int(simulator.url.rpartition(":")[2]))
    linger = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
    threads = of_the_simulator()
    simulator.latency = 0.02
    for text in (b"", b"GET /v1", b"GET /v1/user/balance HTTP/1.1\r\nHost: x\r\n\r\n"):
        client = socket.create_connection(address)
        # Closing with lingering off resets the connection, the rudest way to leave.
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        client.sendall(text)
        client.close()
    wait_until(lambda: of_the_simulator() == threads)
    assert capfd.readouterr() == ("", "")


def test_requests_are_recorded(ask, simulator):
    """Tests can see what a client sent: method, path, headers and time."""
    ask("/v1/user/balance?a=b", Organization="org-x", **{"X-Case": "1"})
    (request,) = simulator.requests
    assert (request.method, request.path, request.at) == ("GET", "/v1/user/balance?a=b", NOON)
    assert request.headers["Organization"] == request.header("organization") == "org-x"
    assert request.header("x-case") == "1"
    assert request.header("Absent") is None


def test_it_listens_on_loopback_only():
    """An address that others could reach is refused, and the simulator uses none."""
    with pytest.raises(ValueError, match="no loopback address"):
        LoopbackServer(lambda request: Fault(), lambda: NOON, address="0.0.0.0")
    with Simulator() as simulator:
        assert simulator.url.startswith("http://127.0.0.1:")


def test_the_key_is_made_up_from_the_seed():
    """Another run of the same seed accepts the same key; a given key wins."""
    assert Simulator().api_key == Simulator().api_key != Simulator(seed=1).api_key
    assert Simulator().api_key.startswith("sk-simulated-")
    assert Simulator(api_key="sk-simulated-mine").api_key == "sk-simulated-mine"


@pytest.mark.parametrize(
    "wrong",
    [
        {"organizations": []},
        {"organizations": [STEADY, STEADY]},
        {"organizations": [dataclasses.replace(STEADY, is_default=False)]},
        {"versions": ["v2beta"]},
    ],
    ids=str,
)
def test_impossible_accounts_are_refused(wrong):
    """Two defaults, none, the same id twice or an unknown version are mistakes."""
    with pytest.raises(ValueError, match=r"exactly one default|known are"):
        Simulator(**wrong)


def test_a_clock_past_the_end_is_a_server_error(ask, simulator):
    """Where the model ends the service answers 500 and goes on."""
    simulator.clock.set(datetime(2200, 1, 1, tzinfo=UTC))
    assert ask("/v1/user/balance").status_code == 500
    assert ask("/v1/user/account").status_code == 200


def test_the_clock_runs_at_its_speed():
    """It starts where it is told, runs as fast as it is told, and stands still at 0."""
    fast = SimulatedClock(NOON, speed=3600)
    started = time.monotonic()
    time.sleep(0.05)
    elapsed = (fast.now() - NOON).total_seconds()
    assert 3600 * 0.05 * 0.5 < elapsed < 3600 * (time.monotonic() - started + 0.5)
    assert fast.speed == 3600
    still = SimulatedClock(NOON, speed=0)
    assert still.now() == still.now() == NOON
    assert abs(SimulatedClock().now() - datetime.now(UTC)) < timedelta(seconds=1)


@pytest.mark.parametrize(
    "wrong",
    [{"start": datetime(2026, 1, 1)}, {"speed": -1.0}, {"speed": math.inf}, {"speed": math.nan}],
    ids=str,
)
def test_impossible_clocks_are_refused(wrong):
    """A naive start and a speed that is no speed are refused."""
    with pytest.raises(ValueError, match=r"time zone|speed"):
        SimulatedClock(**wrong)


def test_credits_can_be_spent_by_hand():
    """They are gone from the balance, and from that one alone."""
    with Simulator(clock=SimulatedClock(speed=0)) as simulator:
        client = StabilityClient(simulator.api_key, api_url=simulator.url)
        before = {each: client.balance(each).credits for each in simulator.ledgers}
        default = next(each.id for each in simulator.organizations if each.is_default)
        other = next(each for each in before if each != default)
        simulator.spend(2.5)
        simulator.spend(1.25, other)
        after = {each: client.balance(each).credits for each in simulator.ledgers}
        gone = {each: before[each] - after[each] for each in before if before[each] != after[each]}
        assert gone == pytest.approx({default: 2.5, other: 1.25})
        for credits in (0, -1, float("nan"), after[default] + 1):
            with pytest.raises(ValueError, match="use a number above 0"):
                simulator.spend(credits)
        client.close()
