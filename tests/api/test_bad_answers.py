"""Bad answers, over real HTTP on loopback: the right error, and no key anywhere."""

from __future__ import annotations

import _thread
import json
import time

import pytest

from stability_magic import (
    ApiError,
    AuthenticationError,
    PermissionDeniedError,
    RateLimitError,
    ResponseError,
    StatusError,
    TransportError,
)
from stability_magic.simulator.simulator import FAULTS, Fault

from ..helpers.errors import KEY, assert_hides_key, assert_is_clear_error
from ..helpers.wire import RawServer
from .service import BALANCE_BODY, OK_HEAD

# For each bad answer: its operation, the error class, and a pattern of the error's message.
# Three of the accounts are unusual but not errors.
EXPECTED_ERRORS = {
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


def test_the_table_has_every_fault_of_the_simulator():
    """Each fault that the simulator can send has an expected error."""
    assert set(EXPECTED_ERRORS) == set(FAULTS)


@pytest.mark.parametrize("version", ["auto", "v1"])
@pytest.mark.parametrize(
    "name", [name for name, (_, error_class, _) in EXPECTED_ERRORS.items() if error_class]
)
def test_a_bad_answer_is_the_right_error_in_one_line_without_the_key(
    service, connect, name, version
):
    """Each fault raises the documented class, which says what to do and hides the key."""
    operation, error_class, pattern = EXPECTED_ERRORS[name]
    service.fail(FAULTS[name], times=4)
    client = connect(api_version=version, timeout=0.3 if name == "drip" else 5.0)
    with pytest.raises(ApiError, match=pattern) as caught:
        getattr(client, operation)()
    assert type(caught.value) is error_class
    assert_is_clear_error(caught.value)
    answering_version = (
        "v1" if version == "v1" or name[:3] in ("401", "403", "404", "410") else "v1alpha"
    )
    assert f"/{answering_version}/user/{operation}" in str(caught.value)


@pytest.mark.parametrize(
    "name", [name for name, fault in FAULTS.items() if "html" in fault.content_type]
)
def test_a_page_never_blames_the_key_or_the_credits(service, connect, name):
    """HTML means that something else answered; neither key nor credits are in doubt."""
    service.fail(FAULTS[name], times=4)
    with pytest.raises(ApiError) as caught:
        connect().balance()
    message = str(caught.value).replace("This says nothing about your key or your credits", "")
    assert "proxy or CDN" in message
    assert not isinstance(caught.value, (AuthenticationError, PermissionDeniedError))
    for word in ("key", "credit", "permission", "login"):
        assert word not in message.lower()


def test_a_status_error_has_the_details_from_the_service(service, connect):
    """Status, detail and the id of the error are attributes, for callers of the library."""
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
    assert_is_clear_error(caught.value)


@pytest.mark.parametrize("field", ["message", "errors", "id", "name"])
def test_a_key_that_the_service_repeats_is_struck_out(service, connect, field):
    """An error message shows the service's words with the key struck out."""
    message = f"no such key: {KEY}!"
    body = {"id": "1", "name": "n"} | {field: [message] if field == "errors" else message}
    service.fail(Fault(401, json.dumps(body).encode()), times=2)
    with pytest.raises(AuthenticationError) as caught:
        connect().balance()
    assert_is_clear_error(caught.value)
    assert "no such key: ***!" in (caught.value.detail + caught.value.error_id)


def test_a_refused_key_is_in_no_frame(connect):
    """A traceback with variables shows no key, and neither does the client."""
    wrong = connect(KEY + "x")
    with pytest.raises(AuthenticationError) as caught:
        wrong.account()
    assert_is_clear_error(caught.value)
    assert KEY not in repr(wrong) + repr(vars(wrong)) + str(wrong)


def test_after_an_interruption_the_key_is_in_no_frame(connect):
    """A Ctrl-C while waiting for an answer has no key among its traceback's variables."""

    def reply(connection):
        time.sleep(0.1)  # until the client waits
        _thread.interrupt_main()
        connection.sendall(OK_HEAD + b"Content-Length: 19\r\n\r\n" + BALANCE_BODY)

    with RawServer(reply) as server, pytest.raises(KeyboardInterrupt) as caught:
        connect(api_url=server.url).balance()
    assert_hides_key(caught.value)


@pytest.mark.parametrize("field", ["credits", "unknown", "header"])
def test_a_broken_answer_that_repeats_the_key_shows_it_in_no_frame(service, connect, field):
    """The answer may be among a traceback's variables, but without the key."""
    body = {"credits": "12", field: KEY}
    service.fail(Fault(body=json.dumps(body).encode(), headers=(("X-Key", KEY),)))
    with pytest.raises(ResponseError, match="'credits' is not a number") as caught:
        connect().balance()
    assert_is_clear_error(caught.value)
