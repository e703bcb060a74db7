"""When a request is sent a second time, and when nothing is sent for a while."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest

from stability_magic import ApiError, RateLimitError, StatusError, TransportError
from stability_magic.simulator.simulator import FAULTS, Fault

from ..helpers.errors import assert_hides_key, assert_is_clear_error
from .service import record_connections


@pytest.mark.parametrize("name", ["502", "503", "504", "hang-up-at-once"])
def test_a_passing_failure_goes_unnoticed(service, connect, capfd, name):
    """502, 503, 504 or a dropped connection, then an answer: a second request, no output."""
    service.fail(FAULTS[name])
    assert connect(api_version="v1").balance().credits == 100.0
    assert len(service.requests) == 2
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", ["502", "503", "504", "hang-up-at-once"])
def test_a_lasting_failure_is_raised_after_two_requests(service, connect, name):
    """There is exactly one second request."""
    service.fail(FAULTS[name], times=9)
    with pytest.raises(ApiError):
        connect(api_version="v1").balance()
    assert len(service.requests) == 2


def test_different_failures_share_the_one_second_request(service, connect):
    """A 503 after a dropped connection is raised."""
    service.fail(FAULTS["hang-up-at-once"])
    service.fail(FAULTS["503"])
    with pytest.raises(StatusError, match="503"):
        connect(api_version="v1").balance()
    assert len(service.requests) == 2


def test_a_timeout_is_raised_after_two_requests(service, connect):
    """A service that stays silent beyond the timeout is asked once more, then it is an error."""
    service.fail(Fault(delay=5), times=9)
    client = connect(timeout=0.2)
    started = time.monotonic()
    with pytest.raises(TransportError, match=r"no answer within 0\.2 s") as caught:
        client.balance()
    assert 0.35 < time.monotonic() - started < 2
    assert len(service.requests) == 2
    assert_is_clear_error(caught.value)


def test_a_timeout_and_then_an_answer_goes_unnoticed(service, connect):
    """The second request's answer counts; the timeout can be set later."""
    service.fail(Fault(delay=5))
    client = connect()
    client.timeout = 0.3
    assert client.balance().credits == 100.0


def test_a_refused_connection_is_raised_after_two_attempts(service, connect):
    """Nothing listens: two attempts, then an error that says so; later it works."""
    client = connect()
    service.stop()
    with (
        record_connections() as addresses,
        pytest.raises(TransportError, match="was refused") as caught,
    ):
        client.balance()
    assert len(addresses) == 2
    assert_is_clear_error(caught.value)
    with service:
        assert client.balance().credits == 100.0


def test_a_host_that_does_not_exist_is_a_transport_error(connect):
    """The error says to check api_url; this name is too long for any resolver."""
    client = connect(api_url=f"https://{'.'.join(['x' * 60] * 5)}.invalid")
    with pytest.raises(TransportError, match="name was not found; check api_url") as caught:
        client.account()
    assert_hides_key(caught.value)


def test_a_service_without_tls_is_a_transport_error(service, connect):
    """https to a port that speaks plain http is an error about the TLS connection."""
    client = connect(api_url=service.url.replace("http:", "https:"))
    with pytest.raises(TransportError, match="TLS") as caught:
        client.balance()
    assert_is_clear_error(caught.value)
    assert service.requests == ()


@pytest.mark.parametrize("name", ["500", "429", "401", "v2beta-error", "html"])
def test_other_failures_are_not_retried(service, connect, name):
    """One request, one error."""
    service.fail(FAULTS[name])
    with pytest.raises(ApiError):
        connect(api_version="v1").balance()
    assert len(service.requests) == 1


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_retry_after_does_not_make_the_second_request_sleep(service, connect, status):
    """A notebook does not wait for as long as the service asks."""
    service.fail(Fault(status, headers=(("Retry-After", "30"),)))
    started = time.monotonic()
    connect().balance()
    assert time.monotonic() - started < 3


def test_after_429_nothing_is_sent_until_the_wait_is_over(service, connect):
    """Both operations refuse to send, say until when, and work again after the wait."""
    service.fail(Fault(429, headers=(("Retry-After", "0.6"),)))
    client = connect()
    with pytest.raises(RateLimitError) as first:
        client.balance()
    wait_ends = time.monotonic() + 0.6
    assert first.value.retry_after == 0.6
    for operation in (client.balance, client.account):
        with pytest.raises(RateLimitError, match="nothing was sent") as caught:
            operation()
        assert_is_clear_error(caught.value)
        assert 0 < caught.value.retry_after <= 0.6
        assert caught.value.status == 429
    assert len(service.requests) == 1
    time.sleep(max(0.0, wait_ends - time.monotonic()))
    assert client.balance().credits == 100.0


@pytest.mark.parametrize(("name", "wait"), [("429", 60), ("429-retry-after", 7)])
def test_the_refusal_to_send_says_until_when(service, connect, name, wait):
    """The service's wait, or a minute if it names none, as a time of day in UTC."""
    service.fail(FAULTS[name])
    client = connect()
    with pytest.raises(RateLimitError, match=f"in {wait} s"):
        client.balance()
    now = datetime.now(UTC)
    with pytest.raises(RateLimitError) as caught:
        client.balance()
    expected = {f"{now + timedelta(seconds=wait + delay):%H:%M:%S} UTC" for delay in (-1, 0, 1)}
    assert any(f"wait until {each}" in str(caught.value) for each in expected)
