"""The two operations of the client and the versions of the API, over real HTTP on loopback."""

from __future__ import annotations

import dataclasses
import hashlib
from datetime import UTC, datetime

import pytest

import stability_magic
from stability_magic import (
    ApiError,
    AuthenticationError,
    PermissionDeniedError,
    ResponseError,
    StatusError,
)
from stability_magic.simulator.simulator import FAULTS, Fault

from ..helpers.errors import KEY
from .service import DEFAULT, OTHER, record_connections, request_paths


@pytest.mark.parametrize("version", ["v1alpha", "v1"])
def test_the_key_travels_in_the_form_of_the_version(service, connect, version):
    """v1alpha gets the bare key, v1 gets it after the word Bearer; nothing else has the key."""
    connect(api_version=version).balance()
    (request,) = service.requests
    assert request.header("Authorization") == (KEY if version == "v1alpha" else f"Bearer {KEY}")
    assert request.path == f"/{version}/user/balance"
    others = {name: value for name, value in request.headers.items() if name != "Authorization"}
    assert KEY not in str(others)


@pytest.mark.parametrize("operation", ["account", "balance"])
def test_the_client_says_who_it_is(service, connect, operation):
    """Each request has the documented headers and the project's own user agent."""
    getattr(connect(), operation)()
    (request,) = service.requests
    assert request.method == "GET"
    assert request.header("Accept") == "application/json"
    assert request.header("Stability-Client-ID") == "stability-magic"
    assert request.header("Stability-Client-Version") == stability_magic.__version__
    assert request.header("User-Agent") == f"stability-magic/{stability_magic.__version__}"
    assert request.header("Organization") is None


@pytest.mark.parametrize("version", ["v1alpha", "v1"])
def test_a_balance_has_everything_that_the_log_needs(service, connect, version):
    """Credits, the requested organization, an aware time, the service, the fingerprint."""
    client = connect(api_version=version)
    before = datetime.now(UTC)
    balance, other = client.balance(), client.balance(OTHER)
    assert (balance.organization, balance.credits) == (None, 100.0)
    assert (other.organization, other.credits) == (OTHER, 12.25)
    assert [request.header("Organization") for request in service.requests] == [None, OTHER]
    assert before <= balance.read_at <= other.read_at <= datetime.now(UTC)
    assert balance.api_url == service.url
    digest = hashlib.sha256(KEY.encode()).hexdigest()
    assert balance.key_fingerprint == client.key_fingerprint == digest[:16]
    with pytest.raises(dataclasses.FrozenInstanceError):
        balance.credits = 0.0


@pytest.mark.parametrize("version", ["v1alpha", "v1"])
def test_an_account_keeps_the_order_of_the_service(connect, version):
    """The default organization need not be the first; the repr does not show the email."""
    account = connect(api_version=version).account()
    assert [(each.id, each.name, each.is_default) for each in account.organizations] == [
        (OTHER, "Other", False),
        (DEFAULT, "Default", True),
    ]
    assert account.default_organization == account.organizations[1]
    assert account.email == "demo.person@example.com"
    assert "demo.person" not in repr(account)
    assert account.profile_picture == "https://example.com/simulated.png"


@pytest.mark.parametrize("literal", ["0", "7", "-3", "-2.5", "0.6336833840314097", "1e15", "-0.0"])
def test_any_finite_number_of_credits_is_a_balance(service, connect, literal):
    """Integers, negative numbers, zero and long fractions become unrounded floats."""
    service.fail(Fault(body=b'{"credits": ' + literal.encode() + b', "unit": "c", "n": NaN}'))
    credits = connect().balance().credits
    assert type(credits) is float
    assert credits == float(literal)


@pytest.mark.parametrize("name", ["no-organizations", "two-defaults", "no-default"])
def test_an_account_without_one_clear_default_is_still_an_account(service, connect, name):
    """No organizations, two defaults or none: the account is returned without a default."""
    service.fail(FAULTS[f"account-{name}"])
    account = connect().account()
    assert account.default_organization is None
    assert len(account.organizations) == (0 if name == "no-organizations" else 2)


def test_one_connection_serves_many_requests(service, connect):
    """The connection is reused, so that a reading needs no new handshake."""
    client = connect()
    with record_connections() as addresses:
        for _ in range(3):
            client.balance()
    assert len(service.requests) == 3
    assert len(addresses) == 1


# Versions of the API


@pytest.mark.parametrize("name", ["401", "403", "403-html", "404", "410"])
def test_auto_switches_to_v1_and_remembers(service, connect, name):
    """If v1alpha refuses, v1 is asked, and from then on only v1, by both operations."""
    service.fail(FAULTS[name], path="/v1alpha/user/account")
    client = connect()
    client.account()
    client.balance()
    client.account()
    assert request_paths(service) == [
        "/v1alpha/user/account",
        "/v1/user/account",
        "/v1/user/balance",
        "/v1/user/account",
    ]


def test_auto_stays_with_v1alpha_where_it_works(service, connect):
    """A later refusal by the version that worked is raised; the other version is not asked."""
    client = connect()
    client.balance()
    with pytest.raises(PermissionDeniedError, match="/v1alpha/"):
        client.balance("org-foreign")
    assert {path.split("/")[1] for path in request_paths(service)} == {"v1alpha"}


@pytest.mark.parametrize("name", ["v2beta-error", "429", "500", "redirect", "html", "credits-text"])
def test_auto_does_not_switch_for_other_reasons(service, connect, name):
    """Any other error of v1alpha is raised; v1 is not asked."""
    service.fail(FAULTS[name])
    with pytest.raises(ApiError, match="/v1alpha/"):
        connect().balance()
    assert request_paths(service) == ["/v1alpha/user/balance"]


def test_when_both_versions_refuse_the_error_is_that_of_v1(service, connect):
    """The newer version counts; as neither worked, neither is remembered."""
    service.fail(FAULTS["404"], path="/v1alpha/user/balance")
    service.fail(FAULTS["401"], path="/v1/user/balance")
    client = connect()
    with pytest.raises(AuthenticationError, match="/v1/user/balance rejected"):
        client.balance()
    assert client.balance().credits == 100.0
    assert request_paths(service)[-1] == "/v1alpha/user/balance"


@pytest.mark.parametrize("version", ["v1alpha", "v1"])
@pytest.mark.parametrize("name", ["401", "403", "404", "410"])
def test_a_pinned_version_asks_no_other(service, connect, version, name):
    """With v1alpha or v1 set, one request is sent and its error raised."""
    service.fail(FAULTS[name])
    with pytest.raises(StatusError, match=f"/{version}/"):
        connect(api_version=version).balance()
    assert request_paths(service) == [f"/{version}/user/balance"]


def test_a_network_that_wants_a_login_does_not_decide_the_version(service, connect):
    """A page with status 200 is not v1alpha's answer: the right version is found afterwards."""
    service.versions = ("v1",)
    service.fail(FAULTS["html"])
    client = connect()
    with pytest.raises(ResponseError, match="proxy or CDN"):
        client.balance()
    assert client.balance().credits == 100.0
