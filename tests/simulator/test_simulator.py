"""The correct answers of the simulated service, over real HTTP."""

import dataclasses
import socket
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import pytest

from stability_magic import StabilityClient
from stability_magic.simulator.ledger import SimulatedOrganization
from stability_magic.simulator.simulator import SimulatedClock, Simulator

NOON = datetime(2026, 6, 10, 12, tzinfo=UTC)
STEADY = SimulatedOrganization(
    id="org-simulatedsteady000000001",
    name="Steady (simulated)",
    is_default=True,
    opening=1e6,
    steady_per_hour=60.0,
)
BOTH_VERSIONS = pytest.mark.parametrize("version", ["v1alpha", "v1"])


@BOTH_VERSIONS
def test_account_has_the_published_shape(ask, simulator, version):
    """Both versions return the user and all organizations, the default one not first."""
    response = ask(f"/{version}/user/account")
    account = response.json()
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "application/json"
    assert set(account) == {"id", "email", "organizations", "profile_picture"}
    assert account["email"].endswith("@example.com")
    assert account["organizations"] == [
        {"id": each.id, "name": each.name, "role": each.role, "is_default": each.is_default}
        for each in simulator.organizations
    ]
    assert [each["is_default"] for each in account["organizations"]] == [False, True, False]


@BOTH_VERSIONS
def test_balance_is_the_balance_of_the_ledger(ask, simulator, version):
    """For the default organization, or for the one in the header."""
    for organization in simulator.organizations:
        balance = ask(f"/{version}/user/balance", Organization=organization.id).json()
        assert balance == {"credits": simulator.ledgers[organization.id].balance(NOON)}
        if organization.is_default:
            assert ask(f"/{version}/user/balance").json() == balance


def test_a_whole_balance_is_sent_as_an_integer(session):
    """Clients must be ready for credits without a decimal point."""
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
    """v1alpha wants the bare key, v1 wants Bearer; errors have the version's shape."""
    headers = {"Authorization": authorization and authorization.format(key=simulator.api_key)}
    response = session.get(f"{simulator.url}/{version}/user/balance", headers=headers)
    assert response.status_code == status
    if status == 401:
        extra = {"fault", "temporary", "timeout"} if version == "v1alpha" else set()
        assert set(response.json()) == {"id", "name", "message"} | extra
        assert response.json()["name"] == "unauthorized"


@BOTH_VERSIONS
def test_an_organization_of_another_account_is_refused(ask, version):
    """Its balance is 403, in JSON."""
    response = ask(f"/{version}/user/balance", Organization="org-of-somebody-else")
    assert (response.status_code, response.json()["name"]) == (403, "permission_denied")


@pytest.mark.parametrize("path", ["/", "/v1/user", "/v2beta/user/balance", "/v1/user/balance/x"])
def test_any_other_path_is_not_found(ask, path):
    """Other paths are 404."""
    response = ask(path)
    assert (response.status_code, response.json()["name"]) == (404, "not_found")


def test_a_version_can_be_switched_off(session):
    """The version that is not served is 404, the other works."""
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


def test_an_unexpected_body_does_no_harm(simulator, session):
    """A request with a body is refused like any other POST."""
    response = session.post(f"{simulator.url}/v1/user/balance", data=b"x" * 100_000)
    assert response.status_code == 405
    assert response.headers["Allow"] == "GET"


@pytest.mark.parametrize("path", ["/v1/user/balance", "/v1/user/account", "/nowhere"])
def test_every_answer_says_that_it_is_simulated(ask, path):
    """Correct answers and errors have the simulator's header, and the real date."""
    response = ask(path)
    assert response.headers["X-Simulated"] == "true"
    assert response.headers["Server"] == "stability-magic-simulator"
    date = parsedate_to_datetime(response.headers["Date"])
    assert abs(datetime.now(UTC) - date) < timedelta(minutes=1)


def test_garbage_is_refused_politely(simulator):
    """Bytes that are not HTTP are answered with 400 and a closed connection."""
    with socket.create_connection(("127.0.0.1", int(simulator.url.rpartition(":")[2]))) as client:
        client.sendall(b"this is no HTTP at all\r\n\r\n")
        answer = client.makefile("rb").read()
    assert b" 400 " in answer.partition(b"\r\n")[0]
    assert b"X-Simulated: true" in answer


def test_requests_are_recorded(ask, simulator):
    """Tests can inspect each request: method, path, headers and time."""
    ask("/v1/user/balance?a=b", Organization="org-x", **{"X-Case": "1"})
    (request,) = simulator.requests
    assert (request.method, request.path, request.at) == ("GET", "/v1/user/balance?a=b", NOON)
    assert request.headers["Organization"] == request.header("organization") == "org-x"
    assert request.header("x-case") == "1"
    assert request.header("Absent") is None


def test_the_key_is_made_up_from_the_seed():
    """Every run with the same seed accepts the same key; an explicit key wins."""
    assert Simulator().api_key == Simulator().api_key != Simulator(seed=1).api_key
    assert Simulator().api_key.startswith("sk-simulated-")
    assert Simulator(api_key="sk-simulated-mine").api_key == "sk-simulated-mine"


@pytest.mark.parametrize(
    "arguments",
    [
        {"organizations": []},
        {"organizations": [STEADY, STEADY]},
        {"organizations": [dataclasses.replace(STEADY, is_default=False)]},
        {"versions": ["v2beta"]},
    ],
    ids=str,
)
def test_impossible_accounts_are_refused(arguments):
    """Two defaults, none, the same id twice or an unknown version are errors."""
    with pytest.raises(ValueError, match=r"exactly one default|known are"):
        Simulator(**arguments)


def test_a_test_can_spend_credits():
    """They are missing from that balance and from no other."""
    with Simulator(clock=SimulatedClock(speed=0)) as simulator:
        client = StabilityClient(simulator.api_key, api_url=simulator.url)
        before = {each: client.balance(each).credits for each in simulator.ledgers}
        default = next(each.id for each in simulator.organizations if each.is_default)
        other = next(each for each in before if each != default)
        simulator.spend(2.5)
        simulator.spend(1.25, other)
        after = {each: client.balance(each).credits for each in simulator.ledgers}
        differences = {
            each: before[each] - after[each] for each in before if before[each] != after[each]
        }
        assert differences == pytest.approx({default: 2.5, other: 1.25})
        for credits in (0, -1, float("nan"), after[default] + 1):
            with pytest.raises(ValueError, match="use a number above 0"):
                simulator.spend(credits)
        client.close()


def test_the_balance_can_lag_behind(ask, simulator):
    """It is told as it was so many seconds before, also without what was spent by hand."""
    ledger = simulator.ledgers["org-sim-studio"]
    noon = simulator.clock.now()

    def told() -> float:
        return ask("/v1/user/balance").json()["credits"]

    simulator.lag = 600.0
    simulator.spend(2.5)
    assert told() == ledger.balance(noon - timedelta(minutes=10))
    simulator.clock.set(noon + timedelta(minutes=10))
    assert told() == pytest.approx(ledger.balance(noon) - 2.5)
    simulator.lag = 0.0
    assert told() == pytest.approx(ledger.balance(noon + timedelta(minutes=10)) - 2.5)
