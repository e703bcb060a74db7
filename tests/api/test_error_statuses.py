"""Parsing error statuses into exceptions, without a network."""

from __future__ import annotations

from datetime import timedelta
from email.utils import format_datetime

import pytest

from stability_magic import AuthenticationError, PermissionDeniedError, RateLimitError, StatusError
from stability_magic.api.answers import status_error

from ..helpers.errors import KEY, assert_is_clear_error
from .samples import NOW, REQUEST_LABEL, answer

REFUSAL = {"id": "5bc8", "name": "some_name", "message": "something happened."}


@pytest.mark.parametrize(
    ("status", "error_class", "advice"),
    [
        (301, StatusError, "redirects are not followed; check api_url"),
        (400, StatusError, "try again in a minute"),
        (401, AuthenticationError, "rejected the API key .*Check STABILITY_API_KEY"),
        (402, StatusError, "try again in a minute"),
        (403, PermissionDeniedError, "%stability_account lists"),
        (404, StatusError, "Check api_url and api_version"),
        (410, StatusError, "Check api_url and api_version"),
        (429, RateLimitError, "asked too often .*ask again in 60 s"),
        (500, StatusError, "try again in a minute"),
        (503, StatusError, "try again in a minute"),
        (599, StatusError, "try again in a minute"),
    ],
)
@pytest.mark.parametrize(
    "body",
    [
        REFUSAL,
        REFUSAL | {"fault": False, "temporary": True, "timeout": False},
        {"id": "5bc8", "name": "some_name", "errors": ["something happened."]},
    ],
    ids=["v1", "v1alpha", "v2beta"],
)
def test_each_status_is_its_error_with_the_message_of_the_service(
    status, error_class, advice, body
):
    """Every documented shape of an error body is understood, for every status."""
    error = status_error(answer(body, status), NOW)
    assert type(error) is error_class
    assert (error.status, error.detail, error.error_id) == (status, "something happened", "5bc8")
    with pytest.raises(
        error_class, match=rf"HTTP {status}: something happened\).*{advice}|{advice}"
    ):
        raise error
    assert f"HTTP {status}: something happened)" in str(error)
    assert_is_clear_error(error)


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({"message": "a", "errors": ["b", "", "  c  ", 4, None]}, "a; b; c"),
        ({"name": "only_a_name"}, "only_a_name"),
        ({"message": None, "errors": {}, "name": 7, "id": 5}, ""),
        ({"message": "x" * 10_000}, "x" * 300),
        ({"message": "two\nlines\x1b[2J"}, "two\ufffdlines\ufffd[2J"),
        ({"message": f"the key {KEY} is wrong"}, "the key *** is wrong"),
        ({"message": "", "errors": [KEY + KEY]}, "******"),
        ({"something": "else"}, ""),
        ([1, 2], ""),
        (b"", ""),
        (b"Unauthorized", ""),
        (b"[" * 100_000, ""),
    ],
    ids=range(12),
)
def test_an_error_body_of_any_shape_is_shown_briefly_and_safely(body, detail):
    """Unknown shapes are left out; the detail is short and printable, without the key."""
    error = status_error(answer(body, 500), NOW)
    assert error.detail == detail
    assert_is_clear_error(error)


def test_a_key_in_json_escapes_is_struck_out_too():
    """The service may write the key's letters as escapes."""
    escaped = "".join(f"\\u{ord(each):04x}" for each in KEY)
    error = status_error(answer(b'{"message": "no key %b"}' % escaped.encode(), 401), NOW)
    assert error.detail == "no key ***"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 500, 503, 530])
def test_a_page_with_an_error_status_blames_neither_key_nor_credits(status):
    """HTML is a StatusError that names a proxy or CDN, whatever the page says."""
    body = b"<html>insufficient credits, invalid API key, out of credits</html>"
    error = status_error(answer(body, status, content_type="text/html"), NOW)
    assert type(error) is StatusError
    assert error.detail == ""
    assert f"HTTP {status}. A proxy or CDN answered" in str(error)
    assert "insufficient" not in str(error)
    assert_is_clear_error(error)


@pytest.mark.parametrize("body", [b"error code: 1010", b"", b"{}", b"Forbidden"])
def test_403_without_the_apis_own_json_is_blamed_on_a_proxy(body):
    """A CDN that takes the client for a robot is not the API denying access."""
    error = status_error(answer(body, 403, content_type="text/plain"), NOW)
    assert type(error) is StatusError
    assert "A proxy or CDN answered" in str(error)


@pytest.mark.parametrize("body", [b"", b"Unauthorized", b"{}"])
def test_401_without_a_message_is_still_about_the_key(body):
    """A refusal with an empty body is an AuthenticationError."""
    error = status_error(answer(body, 401), NOW)
    assert type(error) is AuthenticationError
    assert "(HTTP 401)" in str(error)


@pytest.mark.parametrize(
    ("header", "wait"),
    [
        ("7", 7.0),
        (" 7 ", 7.0),
        ("0", 0.0),
        ("0.5", 0.5),
        ("-5", 0.0),
        ("100000000", 86_400.0),
        ("1e400", 86_400.0),
        ("-1e400", 0.0),
        ("nan", 60.0),
        ("", 60.0),
        ("soon", 60.0),
        ("7 seconds", 60.0),
        (format_datetime(NOW + timedelta(seconds=30), usegmt=True), 30.0),
        (format_datetime(NOW - timedelta(seconds=30)), 0.0),
        ("Wed, 10 Jun 2026 12:01:30 -0000", 90.0),
        ("Wed, 10 Jun 2026 14:01:30 +0200", 90.0),
        ("Mon, 1 Jan 2024 00:00:00 +9999999999999999999", 60.0),
        ("Mon, 1 Jan 99999 00:00:00 GMT", 60.0),
        ("Fri, 31 Dec 9999 23:59:59 -2359", 86_400.0),
        ("Sat, 1 Jan 0001 00:00:00 +2359", 0.0),
    ],
)
def test_retry_after_is_seconds_or_a_date_or_else_a_minute(header, wait):
    """Seconds and dates are understood, past dates mean no wait, and a day is the limit."""
    if "0001" in header:  # read as a two-digit year, as in old mail
        wait = status_error(answer(b"", 429, retry_after=header), NOW).retry_after
        assert 0 <= wait <= 86_400
        return
    error = status_error(answer(b"", 429, retry_after=header), NOW)
    assert error.retry_after == wait
    assert f"ask again in {wait:.0f} s" in str(error)


def test_429_without_a_retry_after_is_a_minute_even_from_a_cdn():
    """A page with status 429 is a rate limit too."""
    error = status_error(answer(b"<html></html>", 429), NOW)
    assert type(error) is RateLimitError
    assert error.retry_after == 60.0


def test_the_repr_of_an_answer_hides_its_content():
    """It shows neither the body nor the headers nor the key."""
    assert (
        repr(answer({"credits": KEY}, x_key=KEY))
        == f"Answer(request_label={REQUEST_LABEL!r}, status=200)"
    )
