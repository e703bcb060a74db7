"""The client, against a real HTTP server on loopback."""

from __future__ import annotations

import _thread
import contextlib
import dataclasses
import gzip
import hashlib
import json
import sys
import threading
import time
import tracemalloc
from datetime import UTC, datetime, timedelta

import pytest

import stability_magic
from stability_magic import (
    ApiError,
    AuthenticationError,
    PermissionDeniedError,
    RateLimitError,
    ResponseError,
    SettingsError,
    StabilityClient,
    StatusError,
    TransportError,
)
from stability_magic._client import API_URL
from stability_magic._simulation import SimulatedOrganization
from stability_magic._simulator import FAULTS, Fault, SimulatedClock, Simulator

from ._support import KEY, assert_hides, assert_is_told_well
from ._wire import Wire, answering

NOON = datetime(2026, 6, 10, 12, tzinfo=UTC)
OTHER = "org-simulatedother0000000001"
DEFAULT = "org-simulateddefault00000001"
ORGANIZATIONS = (
    SimulatedOrganization(id=OTHER, name="Other", is_default=False, opening=12.25),
    SimulatedOrganization(id=DEFAULT, name="Default", is_default=True, opening=100),
)
BALANCE = b'{"credits": 1234.5}'
WELL = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"

# Every bad answer: the operation it belongs to, the error it is, and what the error says.
# The three accounts are strange, but no errors.
TOLD = {
    "401": ("balance", AuthenticationError, r"rejected the API key \(HTTP 401.*%stability_login"),
    "403": ("balance", PermissionDeniedError, r"HTTP 403: you do not have.*%stability_account"),
    "403-html": ("balance", StatusError, "HTTP 403. A proxy or CDN answered"),
    "404": ("balance", StatusError, r"\(HTTP 404.*[Cc]heck api_url and api_version"),
    "410": ("balance", StatusError, r"\(HTTP 410.*[Cc]heck api_url and api_version"),
    "429": ("balance", RateLimitError, "ask again in 60 s"),
    "429-retry-after": ("balance", RateLimitError, "ask again in 7 s"),
    "500": ("balance", StatusError, r"HTTP 500: an unexpected server error.*try again"),
    "502": ("balance", StatusError, "HTTP 502. A proxy or CDN answered"),
    "503": ("balance", StatusError, "HTTP 503. A proxy or CDN answered"),
    "504": ("balance", StatusError, "HTTP 504. A proxy or CDN answered"),
    "v2beta-error": ("balance", StatusError, r"HTTP 400: a; b\)"),
    "redirect": ("balance", StatusError, "redirects are not followed; check api_url"),
    "html": ("balance", ResponseError, "A proxy or CDN answered"),
    "empty": ("balance", ResponseError, "it is empty"),
    "broken-json": ("balance", ResponseError, "it is not JSON"),
    "not-utf-8": ("balance", ResponseError, "it is not JSON"),
    "list": ("balance", ResponseError, "it is not a JSON object"),
    "string": ("balance", ResponseError, "it is not a JSON object"),
    "number": ("balance", ResponseError, "it is not a JSON object"),
    "null": ("balance", ResponseError, "it is not a JSON object"),
    "credits-missing": ("balance", ResponseError, "no 'credits'; its fields are: balance, curr"),
    "credits-null": ("balance", ResponseError, "'credits' is not a number"),
    "credits-true": ("balance", ResponseError, "'credits' is not a number"),
    "credits-text": ("balance", ResponseError, "'credits' is not a number"),
    "credits-nan": ("balance", ResponseError, "'credits' is not a finite number"),
    "credits-1e400": ("balance", ResponseError, "'credits' is not a finite number"),
    "credits-infinity": ("balance", ResponseError, "'credits' is not a finite number"),
    "account-no-organizations": ("account", None, ""),
    "account-two-defaults": ("account", None, ""),
    "account-no-default": ("account", None, ""),
    "account-missing-fields": ("account", ResponseError, "it has no 'organizations'"),
    "account-organization-without-id": ("account", ResponseError, r"no 'organizations\[0\].id'"),
    "account-organization-without-name": ("account", ResponseError, r"no 'organizations\[0\].n"),
    "account-organization-not-an-object": ("account", ResponseError, "'organizations.0.' is not"),
    "too-large": ("balance", ResponseError, "more than 1 MiB"),
    "endless": ("balance", ResponseError, "more than 1 MiB"),
    "drip": ("balance", TransportError, "no answer within 0.3 s"),
    "hang-up": ("balance", TransportError, "the connection broke"),
    "hang-up-at-once": ("balance", TransportError, "the connection broke"),
}


@pytest.fixture
def service():
    clock = SimulatedClock(NOON, speed=0)
    with Simulator(organizations=ORGANIZATIONS, clock=clock, api_key=KEY) as service:
        yield service


@pytest.fixture
def connect(service):
    """Makes clients of the simulator, or of another address."""
    with contextlib.ExitStack() as stack:

        def connect(key=KEY, **options):
            options = {"api_url": service.url, "timeout": 5.0} | options
            return stack.enter_context(StabilityClient(key, **options))

        yield connect


def paths(service):
    return [request.path for request in service.requests]


# The two operations


@pytest.mark.parametrize("version", ["v1alpha", "v1"])
def test_the_key_travels_in_the_form_of_the_version(service, connect, version):
    """v1alpha gets the bare key and v1 the word Bearer before it, in the header alone."""
    connect(api_version=version).balance()
    (request,) = service.requests
    assert request.header("Authorization") == (KEY if version == "v1alpha" else f"Bearer {KEY}")
    assert request.path == f"/{version}/user/balance"
    others = {name: value for name, value in request.headers.items() if name != "Authorization"}
    assert KEY not in str(others)


@pytest.mark.parametrize("operation", ["account", "balance"])
def test_the_client_says_who_it_is(service, connect, operation):
    """Each request bears the documented headers and a name of the project's own."""
    getattr(connect(), operation)()
    (request,) = service.requests
    assert request.method == "GET"
    assert request.header("Accept") == "application/json"
    assert request.header("Stability-Client-ID") == "stability-magic"
    assert request.header("Stability-Client-Version") == stability_magic.__version__
    assert request.header("User-Agent") == f"stability-magic/{stability_magic.__version__}"
    assert request.header("Organization") is None


@pytest.mark.parametrize("version", ["v1alpha", "v1"])
def test_a_balance_is_a_value_with_all_that_the_log_needs(service, connect, version):
    """Credits, the organization asked for, an aware time, the service, the fingerprint."""
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
def test_an_account_is_a_value_in_the_order_of_the_service(connect, version):
    """All organizations come as told, the default one not first; the email is not shown."""
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
def test_any_finite_number_of_credits_is_taken_as_it_is(service, connect, literal):
    """Integers, negative ones, zero and long fractions are balances, as unrounded floats."""
    service.fail(Fault(body=b'{"credits": ' + literal.encode() + b', "unit": "c", "n": NaN}'))
    credits = connect().balance().credits
    assert type(credits) is float
    assert credits == float(literal)


@pytest.mark.parametrize("name", ["no-organizations", "two-defaults", "no-default"])
def test_an_account_without_one_clear_default_is_still_an_account(service, connect, name):
    """No organizations, two defaults or none: the account is told, and no default made up."""
    service.fail(FAULTS[f"account-{name}"])
    account = connect().account()
    assert account.default_organization is None
    assert len(account.organizations) == (0 if name == "no-organizations" else 2)


def test_one_connection_serves_many_requests(service, connect):
    """The connection is kept, so that a reading costs no hand-shake."""
    client = connect()
    with connections() as made:
        for _ in range(3):
            client.balance()
    assert len(service.requests) == 3
    assert len(made) == 1


_connecting: list[list[object]] = []


def _listen_to_connections(event, arguments):
    if event == "socket.connect" and _connecting:
        _connecting[-1].append(arguments[1])


sys.addaudithook(_listen_to_connections)  # it cannot be removed, and does nothing by itself


@contextlib.contextmanager
def connections():
    """The addresses that this process connects to."""
    made: list[object] = []
    _connecting.append(made)
    try:
        yield made
    finally:
        _connecting.remove(made)


# Bad answers


def test_every_fault_of_the_simulator_is_told():
    """The table of this file speaks of each fault that the simulator can play."""
    assert set(TOLD) == set(FAULTS)


@pytest.mark.parametrize("version", ["auto", "v1"])
@pytest.mark.parametrize("name", [name for name, (_, kind, _) in TOLD.items() if kind])
def test_a_bad_answer_is_the_right_error_in_one_line_without_the_key(
    service, connect, name, version
):
    """Each fault becomes the documented class, says what to do, and hides the key."""
    operation, kind, words = TOLD[name]
    service.fail(FAULTS[name], times=4)
    client = connect(api_version=version, timeout=0.3 if name == "drip" else 5.0)
    with pytest.raises(ApiError, match=words) as caught:
        getattr(client, operation)()
    assert type(caught.value) is kind
    assert_is_told_well(caught.value)
    asked = "v1" if version == "v1" or name[:3] in ("401", "403", "404", "410") else "v1alpha"
    assert f"/{asked}/user/{operation}" in str(caught.value)


@pytest.mark.parametrize(
    "name", [name for name, fault in FAULTS.items() if "html" in fault.content_type]
)
def test_a_page_never_blames_the_key_or_the_credits(service, connect, name):
    """HTML says that something else answered, and that key and credits are not in doubt."""
    service.fail(FAULTS[name], times=4)
    with pytest.raises(ApiError) as caught:
        connect().balance()
    words = str(caught.value).replace("This says nothing about your key or your credits", "")
    assert "proxy or CDN" in words
    assert not isinstance(caught.value, (AuthenticationError, PermissionDeniedError))
    for blamed in ("key", "credit", "permission", "login"):
        assert blamed not in words.lower()


def test_a_status_error_carries_what_the_service_said(service, connect):
    """Status, detail and the id of the error are attributes, for who calls the library."""
    service.fail(FAULTS["500"])
    with pytest.raises(StatusError) as caught:
        connect().balance()
    assert caught.value.status == 500
    assert caught.value.detail == "an unexpected server error has occurred"
    assert caught.value.error_id == "5bc8b2a1-51f3-4f0c-9d0b-0d3a1e8c5a11"


def test_a_foreign_organization_is_named(connect):
    """403 in the API's own JSON says which organization this key may not see."""
    with pytest.raises(PermissionDeniedError, match="for org-foreign is not shown") as caught:
        connect().balance("org-foreign")
    assert_is_told_well(caught.value)


@pytest.mark.parametrize("where", ["message", "errors", "id", "name"])
def test_a_service_that_repeats_the_key_is_not_repeated(service, connect, where):
    """An error body that holds the key is shown with the key struck out."""
    said = f"no such key: {KEY}!"
    body = {"id": "1", "name": "n"} | {where: [said] if where == "errors" else said}
    service.fail(Fault(401, json.dumps(body).encode()), times=2)
    with pytest.raises(AuthenticationError) as caught:
        connect().balance()
    assert_is_told_well(caught.value)
    assert "no such key: ***!" in (caught.value.detail + caught.value.error_id)


def test_an_error_that_was_never_seen_shows_no_key_in_any_frame(connect):
    """A traceback with variables of a key that the service does not know shows no key."""
    wrong = connect(KEY + "x")
    with pytest.raises(AuthenticationError) as caught:
        wrong.account()
    assert_is_told_well(caught.value)
    assert KEY not in repr(wrong) + repr(vars(wrong)) + str(wrong)


def test_an_interruption_shows_no_key_in_any_frame(connect):
    """Not even Ctrl-C while waiting for an answer has the key among its variables."""

    def reply(connection):
        time.sleep(0.1)  # until the client waits
        _thread.interrupt_main()
        connection.sendall(WELL + b"Content-Length: 19\r\n\r\n" + BALANCE)

    with Wire(reply) as server, pytest.raises(KeyboardInterrupt) as caught:
        connect(api_url=server.url).balance()
    assert_hides(caught.value)


@pytest.mark.parametrize("where", ["credits", "unknown", "header"])
def test_a_broken_answer_that_repeats_the_key_shows_it_in_no_frame(service, connect, where):
    """What was read so far is among a traceback's variables, but without the key."""
    body = {"credits": "12", where: KEY}
    service.fail(Fault(body=json.dumps(body).encode(), headers=(("X-Key", KEY),)))
    with pytest.raises(ResponseError, match="'credits' is not a number") as caught:
        connect().balance()
    assert_is_told_well(caught.value)


# Versions


@pytest.mark.parametrize("name", ["401", "403", "403-html", "404", "410"])
def test_auto_goes_over_to_v1_and_remembers(service, connect, name):
    """Where v1alpha refuses, v1 is asked, and from then on v1 alone, by both operations."""
    service.fail(FAULTS[name], path="/v1alpha/user/account")
    client = connect()
    client.account()
    client.balance()
    client.account()
    assert paths(service) == [
        "/v1alpha/user/account",
        "/v1/user/account",
        "/v1/user/balance",
        "/v1/user/account",
    ]


def test_auto_stays_with_v1alpha_where_it_works(service, connect):
    """A later refusal by the version that has worked is told, not carried to the other."""
    client = connect()
    client.balance()
    with pytest.raises(PermissionDeniedError, match="/v1alpha/"):
        client.balance("org-foreign")
    assert {path.split("/")[1] for path in paths(service)} == {"v1alpha"}


@pytest.mark.parametrize("name", ["v2beta-error", "429", "500", "redirect", "html", "credits-text"])
def test_auto_does_not_go_over_for_other_reasons(service, connect, name):
    """Another error of v1alpha is told as it is; v1 is not asked."""
    service.fail(FAULTS[name])
    with pytest.raises(ApiError, match="/v1alpha/"):
        connect().balance()
    assert paths(service) == ["/v1alpha/user/balance"]


def test_when_both_versions_refuse_the_error_is_that_of_v1(service, connect):
    """The successor's word counts; and as nothing has worked, nothing is remembered."""
    service.fail(FAULTS["404"], path="/v1alpha/user/balance")
    service.fail(FAULTS["401"], path="/v1/user/balance")
    client = connect()
    with pytest.raises(AuthenticationError, match="/v1/user/balance rejected"):
        client.balance()
    assert client.balance().credits == 100.0
    assert paths(service)[-1] == "/v1alpha/user/balance"


@pytest.mark.parametrize("version", ["v1alpha", "v1"])
@pytest.mark.parametrize("name", ["401", "403", "404", "410"])
def test_a_pinned_version_asks_no_other(service, connect, version, name):
    """With v1alpha or v1 set, one request is sent and its error told."""
    service.fail(FAULTS[name])
    with pytest.raises(StatusError, match=f"/{version}/"):
        connect(api_version=version).balance()
    assert paths(service) == [f"/{version}/user/balance"]


def test_a_network_that_wants_a_login_does_not_decide_the_version(service, connect):
    """A page with status 200 is not v1alpha: afterwards the right version is still found."""
    service.versions = ("v1",)
    service.fail(FAULTS["html"])
    client = connect()
    with pytest.raises(ResponseError, match="proxy or CDN"):
        client.balance()
    assert client.balance().credits == 100.0


# Sending once more, and waiting


@pytest.mark.parametrize("name", ["502", "503", "504", "hang-up-at-once"])
def test_a_passing_failure_is_not_even_noticed(service, connect, capfd, name):
    """502, 503, 504 or a dropped connection, and then an answer: one quiet second request."""
    service.fail(FAULTS[name])
    assert connect(api_version="v1").balance().credits == 100.0
    assert len(service.requests) == 2
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", ["502", "503", "504", "hang-up-at-once"])
def test_a_lasting_failure_is_told_after_two_requests(service, connect, name):
    """There is exactly one second request."""
    service.fail(FAULTS[name], times=9)
    with pytest.raises(ApiError):
        connect(api_version="v1").balance()
    assert len(service.requests) == 2


def test_different_failures_share_the_one_second_request(service, connect):
    """A 503 after a dropped connection is told."""
    service.fail(FAULTS["hang-up-at-once"])
    service.fail(FAULTS["503"])
    with pytest.raises(StatusError, match="503"):
        connect(api_version="v1").balance()
    assert len(service.requests) == 2


def test_a_time_out_is_told_after_two_requests(service, connect):
    """A service that is silent for longer than the time-out is asked once more, then told."""
    service.fail(Fault(delay=5), times=9)
    client = connect(timeout=0.2)
    started = time.monotonic()
    with pytest.raises(TransportError, match=r"no answer within 0\.2 s") as caught:
        client.balance()
    assert 0.35 < time.monotonic() - started < 2
    assert len(service.requests) == 2
    assert_is_told_well(caught.value)


def test_a_time_out_and_then_an_answer_is_not_noticed(service, connect):
    """The second request of a slow service counts; the time-out can be set later."""
    service.fail(Fault(delay=5))
    client = connect()
    client.timeout = 0.3
    assert client.balance().credits == 100.0


def test_a_refused_connection_is_told_after_two_attempts(service, connect):
    """Nobody listens: two attempts, then an error that says so; later it works."""
    client = connect()
    service.stop()
    with connections() as made, pytest.raises(TransportError, match="was refused") as caught:
        client.balance()
    assert len(made) == 2
    assert_is_told_well(caught.value)
    with service:
        assert client.balance().credits == 100.0


def test_a_name_that_does_not_exist_is_told(connect):
    """The error asks for a look at api_url; this name is too long for any resolver."""
    client = connect(api_url=f"https://{'.'.join(['x' * 60] * 5)}.invalid")
    with pytest.raises(TransportError, match="name was not found; check api_url") as caught:
        client.account()
    assert_hides(caught.value)


def test_a_service_without_tls_is_told(service, connect):
    """https to a port that speaks plain http says that the certificate or connection is bad."""
    client = connect(api_url=service.url.replace("http:", "https:"))
    with pytest.raises(TransportError, match="TLS") as caught:
        client.balance()
    assert_is_told_well(caught.value)
    assert service.requests == ()


@pytest.mark.parametrize("name", ["500", "429", "401", "v2beta-error", "html"])
def test_other_failures_are_not_sent_again(service, connect, name):
    """One request, one error."""
    service.fail(FAULTS[name])
    with pytest.raises(ApiError):
        connect(api_version="v1").balance()
    assert len(service.requests) == 1


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_retry_after_does_not_make_the_second_request_sleep(service, connect, status):
    """What the service likes to be waited for is not waited for in a notebook."""
    service.fail(Fault(status, headers=(("Retry-After", "30"),)))
    started = time.monotonic()
    connect().balance()
    assert time.monotonic() - started < 3


def test_after_429_nothing_is_sent_until_the_wait_is_over(service, connect):
    """Both operations refuse to send, say until when, and work again when it is over."""
    service.fail(Fault(429, headers=(("Retry-After", "0.6"),)))
    client = connect()
    with pytest.raises(RateLimitError) as first:
        client.balance()
    over = time.monotonic() + 0.6
    assert first.value.retry_after == 0.6
    for operation in (client.balance, client.account):
        with pytest.raises(RateLimitError, match="nothing was sent") as caught:
            operation()
        assert_is_told_well(caught.value)
        assert 0 < caught.value.retry_after <= 0.6
        assert caught.value.status == 429
    assert len(service.requests) == 1
    time.sleep(max(0.0, over - time.monotonic()))
    assert client.balance().credits == 100.0


@pytest.mark.parametrize(("name", "wait"), [("429", 60), ("429-retry-after", 7)])
def test_the_refusal_to_send_says_until_when(service, connect, name, wait):
    """A minute where the service says nothing, else what it says, as a time of day in UTC."""
    service.fail(FAULTS[name])
    client = connect()
    with pytest.raises(RateLimitError, match=f"in {wait} s"):
        client.balance()
    now = datetime.now(UTC)
    with pytest.raises(RateLimitError) as caught:
        client.balance()
    expected = {f"{now + timedelta(seconds=wait + late):%H:%M:%S} UTC" for late in (-1, 0, 1)}
    assert any(f"wait until {each}" in str(caught.value) for each in expected)


# Where the key may go


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(service, connect, status):
    """The other server gets nothing, neither the key nor a request; it is asked only once."""
    with Simulator(organizations=ORGANIZATIONS, api_key=KEY) as elsewhere:
        location = (("Location", f"{elsewhere.url}/v1alpha/user/balance"),)
        service.fail(Fault(status, headers=location))
        with pytest.raises(StatusError, match="redirects are not followed") as caught:
            connect().balance()
        assert elsewhere.requests == ()
    assert caught.value.status == status
    assert len(service.requests) == 1


@pytest.mark.parametrize("location", ["http://[/", "", "//", "\x80\xff", "mailto:x", "/" * 3000])
def test_a_redirect_to_nonsense_is_just_a_redirect(service, connect, location):
    """Where it leads to is not looked at."""
    service.fail(Fault(302, headers=(("Location", location),)))
    with pytest.raises(StatusError, match="redirects are not followed"):
        connect().balance()


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
def test_the_proxy_of_the_environment_is_used_for_https(connect, monkeypatch, variable):
    """The proxy sees the host and not the key; what it refuses is told as its refusal."""
    with Wire(answering(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")) as proxy:
        monkeypatch.setenv(variable, proxy.url)
        client = connect(api_url="https://api.example.invalid")
        with pytest.raises(TransportError, match="proxy did not let") as caught:
            client.balance()
    assert proxy.requests[0].startswith(b"CONNECT api.example.invalid:443 ")
    assert KEY.encode() not in b"".join(proxy.requests)
    assert_is_told_well(caught.value)


def test_the_proxy_is_left_out_where_the_environment_says_so(connect, monkeypatch):
    """NO_PROXY counts."""
    with Wire(answering(b"")) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        monkeypatch.setenv("NO_PROXY", "127.0.0.0/8")
        with pytest.raises(TransportError):
            connect(api_url="https://127.0.0.1:1").balance()
    assert proxy.requests == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_loopback_never_goes_through_a_proxy(service, connect, monkeypatch, host):
    """The key of a service on this machine does not leave it, whatever the environment says."""
    with Wire(answering(b"")) as proxy:
        for variable in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(variable, proxy.url)
        client = connect(api_url=service.url.replace("127.0.0.1", host))
        assert client.balance().credits == 100.0
    assert proxy.requests == []


@pytest.mark.parametrize("proxy", ["http://127.0.0.1:1", "socks5://127.0.0.1:1", "//", "http://:x"])
def test_a_proxy_that_cannot_be_used_is_told(connect, monkeypatch, proxy):
    """A dead proxy, one of another kind, or nonsense is a TransportError."""
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    with pytest.raises(TransportError, match=r"check .*HTTPS_PROXY") as caught:
        connect(api_url="https://api.example.invalid", timeout=0.5).balance()
    assert_is_told_well(caught.value)


@pytest.mark.parametrize("variable", ["HOME", "NETRC"])
def test_netrc_does_not_replace_the_key(service, connect, monkeypatch, tmp_path, variable):
    """A .netrc entry for the host changes nothing about the Authorization header."""
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\ndefault login a password b\n")
    netrc.chmod(0o600)
    monkeypatch.setenv(variable, str(netrc if variable == "NETRC" else tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    connect(api_version="v1").balance()
    assert service.requests[0].header("Authorization") == f"Bearer {KEY}"


# Large and slow answers


def packed(body):
    return Fault(body=gzip.compress(body), headers=(("Content-Encoding", "gzip"),))


def test_a_packed_answer_is_unpacked(service, connect):
    """gzip is understood, which is what the client says it accepts."""
    service.fail(packed(BALANCE))
    assert connect().balance().credits == 1234.5
    assert service.requests[0].header("Accept-Encoding") == "gzip"


@pytest.mark.parametrize(
    "body",
    [b"no gzip at all", b"", gzip.compress(BALANCE, mtime=0)[:14]],
    ids=["garbage", "empty", "cut off"],
)
def test_an_answer_that_is_packed_badly_is_not_understood(service, connect, body):
    """What cannot be unpacked is a ResponseError."""
    service.fail(Fault(body=body, headers=(("Content-Encoding", "gzip"),)))
    with pytest.raises(ResponseError, match="cannot be understood"):
        connect().balance()


def test_a_small_answer_that_unpacks_to_a_lot_takes_no_memory(service, connect):
    """64 MiB in a packet of 64 KiB are refused at the first byte past 1 MiB."""
    client = connect()
    client.balance()
    service.fail(packed(b" " * (64 << 20)))
    tracemalloc.start()
    try:
        with pytest.raises(ResponseError, match="more than 1 MiB"):
            client.balance()
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("size", [0, 1])
def test_the_limit_is_one_mebibyte(service, connect, size):
    """A body of exactly 1 MiB is read, one byte more is refused."""
    body = BALANCE.ljust((1 << 20) + size)
    for fault in (Fault(body=body), packed(body)):
        service.fail(fault)
        if size:
            with pytest.raises(ResponseError, match="more than 1 MiB"):
                connect().balance()
        else:
            assert connect().balance().credits == 1234.5


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        (WELL + b"Content-Length: 1000000000000\r\n\r\n", b"x" * 65536),
        (WELL + b"Transfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + b"x" * 65536 + b"\r\n"),
        (WELL + b"\r\n", b"x" * 65536),
        (b"HTTP/1.1 500 Oh\r\n\r\n", b"x" * 65536),
        (b"HTTP/1.1 503 Oh\r\n\r\n", b"x" * 65536),
        (b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n", b"x" * 65536),
    ],
    ids=["declared", "chunked", "endless", "error", "passing", "redirect"],
)
def test_a_large_answer_is_refused_while_it_is_read(connect, head, piece):
    """Whatever its length claims to be, little more than 1 MiB of it is taken."""
    sent = []

    def reply(connection):
        connection.sendall(head)
        while sum(sent) < 256 << 20:
            connection.sendall(piece)
            sent.append(len(piece))

    with Wire(reply) as server, pytest.raises(ResponseError, match="more than 1 MiB") as caught:
        connect(api_url=server.url).balance()
    assert sum(sent) < 32 << 20  # what fits into the buffers of two sockets
    assert_is_told_well(caught.value)


def test_a_chunked_answer_is_understood(connect):
    """A body in chunks is put together."""
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(each), each) for each in (BALANCE[:5], BALANCE[5:]))
    answer = WELL + b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n" + chunks
    with Wire(answering(answer + b"0\r\n\r\n")) as server:
        assert connect(api_url=server.url).balance().credits == 1234.5


GZIP_NAME = b"\x1f\x8b\x08\x08\0\0\0\0\0\xff"  # a head that is followed by a file's name


@pytest.mark.parametrize(
    ("head", "body"),
    [
        (WELL + b"Content-Length: 2000\r\n\r\n", b" " * 2000),
        (WELL + b"\r\n", b" " * 2000),
        (WELL + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n" * 300),
        (WELL + b"Content-Encoding: gzip\r\n\r\n", GZIP_NAME + b"n" * 2000),
        (b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n", b" " * 2000),
        (b"HTTP/1.1 401 No\r\n\r\n", b" " * 2000),
        (b"HTTP/1.1 200 OK\r\n", b"X-Odd: 1\r\n" * 200),
        (b"HTTP/1.1 200 ", b"O" * 2000),
    ],
    ids=["declared", "endless", "chunked", "gzip", "redirect", "error", "headers", "status"],
)
def test_an_answer_that_trickles_in_is_given_up_in_time(connect, head, body):
    """A byte now and then keeps no notebook waiting."""

    def reply(connection):
        connection.sendall(head)
        for position in range(len(body)):
            connection.sendall(body[position : position + 1])
            time.sleep(0.02)

    with Wire(reply) as server:
        started = time.monotonic()
        with pytest.raises(TransportError, match=r"no answer within 0\.3 s") as caught:
            connect(api_url=server.url, timeout=0.3).balance()
        assert time.monotonic() - started < 1.5
    assert_is_told_well(caught.value)


@pytest.mark.parametrize("status", [502, 503, 504])
@pytest.mark.parametrize(
    "options",
    [{"endless": True, "body": b"x" * 65536}, {"drip": 0.05, "body": b"x" * 200}],
    ids=["endless", "slow"],
)
def test_the_answer_that_makes_for_a_second_request_is_not_read(service, connect, status, options):
    """The page that comes with 502, 503 or 504 may be endless or slow; it is left alone."""
    service.fail(Fault(status, content_type="text/html", **options))
    started = time.monotonic()
    assert connect().balance().credits == 100.0
    assert time.monotonic() - started < 5


def test_an_answer_that_stops_in_the_middle_is_given_up_in_time(connect):
    """A body of which the rest never comes is a time-out."""
    silent = threading.Event()

    def reply(connection):
        connection.sendall(WELL + b"Content-Length: 20\r\n\r\n" + BALANCE[:7])
        silent.wait(5)

    with Wire(reply) as server:
        with pytest.raises(TransportError, match=r"no answer within 0\.2 s"):
            connect(api_url=server.url, timeout=0.2).balance()
        silent.set()


# What is refused before anything is sent


@pytest.mark.parametrize(
    "pasted",
    [
        f" {KEY}\n",
        f"\t{KEY}\r\n",
        f"Bearer {KEY}",
        f"bearer   {KEY} \n",
        f"BEARER\t{KEY}",
        f"\N{NO-BREAK SPACE}{KEY}",
    ],
)
def test_what_pasting_adds_to_a_key_is_dropped(service, connect, pasted):
    """White space and a word Bearer around the key do no harm."""
    client = connect(pasted)
    client.balance()
    assert service.requests[0].header("Authorization") == KEY
    assert client.key_fingerprint == connect().key_fingerprint


@pytest.mark.parametrize("pasted", ["", " ", "\n", "Bearer", "Bearer \n"])
def test_an_empty_key_is_refused(pasted):
    """No key is told as such, with where to put one."""
    with pytest.raises(SettingsError, match="empty; set STABILITY_API_KEY") as caught:
        StabilityClient(pasted)
    assert_is_told_well(caught.value)


@pytest.mark.parametrize("inside", [" ", "\n", "\r\nX-Injected: 1\r\n", "\0", "\t", "ä", "\u200b"])
def test_a_key_with_what_no_key_has_is_refused(inside):
    """Spaces, line breaks and foreign characters inside are told without showing the key."""
    with pytest.raises(SettingsError, match=r"copy it again from https://platform") as caught:
        StabilityClient(f"Bearer {KEY}{inside}{KEY}")
    assert_is_told_well(caught.value)


@pytest.mark.parametrize(
    ("given", "used"),
    [
        (API_URL, API_URL),
        ("https://api.example.invalid/", "https://api.example.invalid"),
        (" api.example.invalid ", "https://api.example.invalid"),
        ("api.example.invalid:8443/prefix//", "https://api.example.invalid:8443/prefix"),
        ("http://localhost:80", "http://localhost:80"),
        ("http://127.8.9.1", "http://127.8.9.1"),
        ("http://[::1]:5000", "http://[::1]:5000"),
    ],
)
def test_https_or_loopback_is_taken(given, used):
    """https anywhere, plain http on this machine; https is understood where none is said."""
    with StabilityClient(KEY, api_url=given) as client:
        assert client.api_url == used
    assert repr(client) == f"StabilityClient(api_url={used!r})"


@pytest.mark.parametrize(
    "url",
    [
        "http://api.stability.ai",
        "http://192.168.1.5",
        "http://127.0.0.1.evil.example",
        "http://localhost.evil.example",
        "http://127.0.0.1@evil.example",
        "http://evil.example\\@127.0.0.1",
        "http://0.0.0.0",
        "ftp://127.0.0.1",
        "file:///etc/passwd",
        "https://user:password@api.stability.ai",
        "https://api.stability.ai?x=1",
        "https://api.stability.ai?",
        "https://api.stability.ai#",
        "https://api.stability.ai/#x",
        "https://api.stability.ai:99999",
        "https://api.stability.ai:x",
        "https://[::1",
        "https://api stability.ai",
        "https://api.stability.ai\r\nX: 1",
        "https://äpi.example",
        "https://",
        "https:///v1",
        "",
        "   ",
    ],
)
def test_any_other_address_is_refused(url):
    """Plain http to others, users, queries and nonsense are refused before a key is sent."""
    with connections() as made, pytest.raises(SettingsError, match="api_url") as caught:
        StabilityClient(KEY, api_url=url)
    assert made == []
    assert "password" not in str(caught.value)
    assert_is_told_well(caught.value)


@pytest.mark.parametrize("version", ["", "v2beta", "V1", "1"])
def test_an_unknown_version_is_refused(version):
    """The message lists the known ones."""
    with pytest.raises(SettingsError, match="use one of auto, v1alpha, v1") as caught:
        StabilityClient(KEY, api_version=version)
    assert_is_told_well(caught.value)


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf"), 1e300])
def test_a_time_out_that_is_none_is_refused(connect, seconds):
    """Zero, negative, endless and absurd time-outs are refused, at first and later."""
    with pytest.raises(SettingsError, match="timeout is") as caught:
        connect(timeout=seconds)
    assert_is_told_well(caught.value)
    client = connect()
    with pytest.raises(SettingsError, match="timeout is"):
        client.timeout = seconds
    assert client.timeout == 5.0


@pytest.mark.parametrize("organization", ["", "a b", "org-1\r\nX: y", "örg", "\0", "org\n"])
def test_what_is_no_organization_is_refused(service, connect, organization):
    """An id that no header can carry is told before anything is sent."""
    with pytest.raises(SettingsError, match="no organization id; nothing was sent") as caught:
        connect().balance(organization)
    assert_is_told_well(caught.value)
    assert service.requests == ()
