"""What the API answers, taken apart, without a network."""

from __future__ import annotations

import json
import math
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from stability_magic import (
    Account,
    AuthenticationError,
    PermissionDeniedError,
    RateLimitError,
    ResponseError,
    StatusError,
)
from stability_magic._answers import Answer, account_of, credits_of, error_of

from ._support import KEY, assert_hides, assert_is_told_well

NOW = datetime(2026, 6, 10, 12, tzinfo=UTC)
ASKED = "https://api.example.invalid/v1/user/balance"
ORGANIZATION = {"id": "org-1", "name": "One", "role": "MEMBER", "is_default": True}
ACCOUNT = {"id": "user-1", "email": "a@example.com", "organizations": [ORGANIZATION]}


def answer(body=b"", status=200, **headers):
    if not isinstance(body, bytes):
        body = json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(ASKED, status, named, body, secret=KEY)


# Credits


@pytest.mark.parametrize(
    ("literal", "credits"),
    [
        ("0", 0.0),
        ("12", 12.0),
        ("-12", -12.0),
        ("-0.5", -0.5),
        ("0.6336833840314097", 0.6336833840314097),
        ("9007199254740993", 9007199254740992.0),
        ("1e308", 1e308),
        ("1" * 300, float("1" * 300)),
        ("5e-324", 5e-324),
        ("1e-400", 0.0),
    ],
)
def test_a_finite_number_of_any_size_is_credits(literal, credits):
    """The nearest double is taken, from an integer too, and never rounded."""
    read = credits_of(answer(b'{"credits": %b}' % literal.encode()))
    assert type(read) is float
    assert read == credits


@pytest.mark.parametrize(
    "literal",
    ["NaN", "Infinity", "-Infinity", "1e400", "-1e400", "9" * 400, "-" + "9" * 5000, "9" * 100_000],
    ids=lambda literal: literal[:12] + str(len(literal)),
)
def test_a_number_that_is_not_finite_is_refused_by_name(literal):
    """NaN, infinities and integers past every double are no balance."""
    with pytest.raises(ResponseError, match="'credits' is not a finite number") as caught:
        credits_of(answer(b'{"credits": %b}' % literal.encode()))
    assert_is_told_well(caught.value)


@pytest.mark.parametrize(
    "value", [None, True, False, "12", "", "NaN", [], [1.0], {}, {"credits": 1}], ids=repr
)
def test_what_is_not_a_number_is_refused_by_name(value):
    """Null, booleans, text, lists and objects are no balance, and never zero."""
    with pytest.raises(ResponseError, match="'credits' is not a number") as caught:
        credits_of(answer({"credits": value}))
    assert_is_told_well(caught.value)


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, "none"),
        ({"balance": 1, "Credits": 2}, "balance, Credits"),
        ({"a\nb": 1, "\N{RIGHT-TO-LEFT OVERRIDE}c": 2}, "a\ufffdb, \ufffdc"),
        ({KEY: 1}, r"\*\*\*"),
        ({"x" * 5000: 1}, "x{40}\\."),
        ({str(each): 1 for each in range(1000)}, "0, 1, 2, 3, 4, 5, 6, 7\\."),
    ],
    ids=["none", "others", "control", "key", "long", "many"],
)
def test_missing_credits_say_which_fields_there_are(body, fields):
    """The message names the field that is missing, and shortly those that are there."""
    with pytest.raises(ResponseError, match=f"no 'credits'; its fields are: {fields}") as caught:
        credits_of(answer(body))
    assert_is_told_well(caught.value)


def test_unknown_fields_are_ignored():
    """More than was documented does no harm, even where it is no strict JSON."""
    assert credits_of(answer(b'{"credits": 2, "x": {"y": [NaN]}, "credits_usd": "?"}')) == 2.0
    body = ACCOUNT | {"x": 1, "organizations": [ORGANIZATION | {"plan": None}]}
    assert account_of(answer(body)) == account_of(answer(ACCOUNT))


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_every_encoding_of_json_is_read(encoding):
    """A byte-order mark, or wide characters, are JSON too."""
    assert credits_of(answer('{"credits": 2.5}'.encode(encoding))) == 2.5


@pytest.mark.parametrize("read", [credits_of, account_of])
@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "it is empty"),
        (b" \r\n\t", "it is empty"),
        (b'{"credits": 12', "it is not JSON"),
        (b'{"credits": 12} x', "it is not JSON"),
        (b"{'credits': 12}", "it is not JSON"),
        (b'{"credits": "\xff\xfe"}', "it is not JSON"),
        (b"error code: 1010", "it is not JSON"),
        (b"[" * 1_000_000, "it is not JSON"),
        (b'{"credits":' * 100_000, "it is not JSON"),
        (b"[]", "it is not a JSON object"),
        (b"12.5", "it is not a JSON object"),
        (b"null", "it is not a JSON object"),
        (b'"credits"', "it is not a JSON object"),
    ],
    ids=range(13),
)
def test_a_body_that_is_no_object_is_told(read, body, words):
    """Empty, broken, deep or of another type: one ResponseError that says which."""
    with pytest.raises(ResponseError, match=words) as caught:
        read(answer(body))
    assert_is_told_well(caught.value)


@pytest.mark.parametrize(
    "page",
    [
        answer(b"<!DOCTYPE html><p>credits</p>"),
        answer(b"\n  <html></html>", Content_Type="application/json"),
        answer(b"Please sign in", Content_Type="Text/HTML; charset=utf-8"),
        answer(b"", content_type="text/html"),
    ],
)
@pytest.mark.parametrize("read", [credits_of, account_of])
def test_a_page_is_told_as_that_of_a_proxy(read, page):
    """HTML with status 200 is somebody else's answer."""
    with pytest.raises(ResponseError, match="A proxy or CDN answered in place") as caught:
        read(page)
    assert_is_told_well(caught.value)


# Accounts


def test_an_account_is_read_field_by_field():
    """The picture is optional; roles are free text; the order is that of the service."""
    second = {"id": "org-2", "name": "Zwei", "role": "anything", "is_default": False}
    body = ACCOUNT | {"organizations": [second, ORGANIZATION], "profile_picture": "https://x"}
    account = account_of(answer(body))
    assert (account.id, account.email) == ("user-1", "a@example.com")
    assert account.profile_picture == "https://x"
    assert [each.role for each in account.organizations] == ["anything", "MEMBER"]
    assert account.default_organization.id == "org-1"
    assert account_of(answer(ACCOUNT | {"profile_picture": None})).profile_picture is None


@pytest.mark.parametrize("field", ["id", "email", "organizations"])
def test_a_missing_field_of_an_account_is_named(field):
    """Each of the required ones."""
    body = {name: value for name, value in ACCOUNT.items() if name != field}
    with pytest.raises(ResponseError, match=f"it has no '{field}'") as caught:
        account_of(answer(body))
    assert_is_told_well(caught.value)


@pytest.mark.parametrize("field", ["id", "name", "role", "is_default"])
def test_a_missing_field_of_an_organization_is_named_with_its_place(field):
    """All four are required, in every organization."""
    broken = {name: value for name, value in ORGANIZATION.items() if name != field}
    body = ACCOUNT | {"organizations": [ORGANIZATION, broken]}
    with pytest.raises(ResponseError, match=rf"it has no 'organizations\[1\]\.{field}'") as caught:
        account_of(answer(body))
    assert_is_told_well(caught.value)


@pytest.mark.parametrize("value", [None, 1, 1.5, [], {}], ids=repr)
@pytest.mark.parametrize(
    ("field", "kind"),
    [("id", "text"), ("email", "text"), ("organizations", "a list"), ("profile_picture", "text")],
)
def test_an_ill_typed_field_of_an_account_is_named(field, kind, value):
    """A field of another type is told with the type it should have."""
    if (field, value) in (("profile_picture", None), ("organizations", [])):
        assert account_of(answer(ACCOUNT | {field: value}))
        return
    with pytest.raises(ResponseError, match=f"'{field}' is not {kind}"):
        account_of(answer(ACCOUNT | {field: value}))


@pytest.mark.parametrize("value", [None, 0, 1, "true", []], ids=repr)
@pytest.mark.parametrize("field", ["id", "is_default"])
def test_an_ill_typed_field_of_an_organization_is_named(field, value):
    """Truth is true or false, nothing that merely resembles it."""
    body = ACCOUNT | {"organizations": [ORGANIZATION | {field: value}]}
    if isinstance(value, str) and field == "id":
        assert account_of(answer(body)).organizations[0].id == value
        return
    with pytest.raises(ResponseError, match=rf"'organizations\[0\]\.{field}' is not"):
        account_of(answer(body))


@pytest.mark.parametrize(
    "value", [None, "org-1", 1, [ORGANIZATION]], ids=["null", "text", "1", "[]"]
)
def test_an_organization_that_is_no_object_is_named_with_its_place(value):
    """The message says which one."""
    body = ACCOUNT | {"organizations": [ORGANIZATION, value]}
    with pytest.raises(ResponseError, match=r"'organizations\[1\]' is not an object"):
        account_of(answer(body))


def test_names_are_made_safe_to_show():
    """Control characters, line ends, reordering marks and lone surrogates become U+FFFD."""
    name = "a\x1b[31m\n\u2028\u202e\ud800b <b> $x$ \N{PILE OF POO} \N{HEBREW LETTER ALEF}"
    body = ACCOUNT | {"organizations": [ORGANIZATION | {"name": name}]}
    (organization,) = account_of(answer(body)).organizations
    told = "a\ufffd[31m" + "\ufffd" * 4 + "b <b> $x$ \N{PILE OF POO} \N{HEBREW LETTER ALEF}"
    assert organization.name == told


# Error statuses

REFUSAL = {"id": "5bc8", "name": "some_name", "message": "something happened."}


@pytest.mark.parametrize(
    ("status", "kind", "words"),
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
def test_each_status_is_its_error_with_the_words_of_the_service(status, kind, words, body):
    """Every documented shape of an error body is understood, for every status."""
    error = error_of(answer(body, status), NOW)
    assert type(error) is kind
    assert (error.status, error.detail, error.error_id) == (status, "something happened", "5bc8")
    with pytest.raises(kind, match=rf"HTTP {status}: something happened\).*{words}|{words}"):
        raise error
    assert f"HTTP {status}: something happened)" in str(error)
    assert_is_told_well(error)


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
def test_an_error_body_of_any_shape_is_told_shortly_and_safely(body, detail):
    """What cannot be understood is left out; what is shown is short, printable, keyless."""
    error = error_of(answer(body, 500), NOW)
    assert error.detail == detail
    assert_is_told_well(error)


def test_a_key_that_json_hides_is_struck_out_all_the_same():
    """The service may write the key's letters as escapes."""
    escaped = "".join(f"\\u{ord(each):04x}" for each in KEY)
    error = error_of(answer(b'{"message": "no key %b"}' % escaped.encode(), 401), NOW)
    assert error.detail == "no key ***"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 500, 503, 530])
def test_a_page_with_an_error_status_blames_neither_key_nor_credits(status):
    """HTML is a StatusError that speaks of a proxy or CDN, whatever it says itself."""
    body = b"<html>insufficient credits, invalid API key, out of credits</html>"
    error = error_of(answer(body, status, content_type="text/html"), NOW)
    assert type(error) is StatusError
    assert error.detail == ""
    assert f"HTTP {status}. A proxy or CDN answered" in str(error)
    assert "insufficient" not in str(error)
    assert_is_told_well(error)


@pytest.mark.parametrize("body", [b"error code: 1010", b"", b"{}", b"Forbidden"])
def test_403_in_anything_but_the_apis_own_json_is_a_proxys(body):
    """A CDN that takes the client for a robot does not mean that access was denied."""
    error = error_of(answer(body, 403, content_type="text/plain"), NOW)
    assert type(error) is StatusError
    assert "A proxy or CDN answered" in str(error)


@pytest.mark.parametrize("body", [b"", b"Unauthorized", b"{}"])
def test_401_without_words_is_still_about_the_key(body):
    """An empty refusal is one."""
    error = error_of(answer(body, 401), NOW)
    assert type(error) is AuthenticationError
    assert "(HTTP 401)" in str(error)


@pytest.mark.parametrize(
    ("said", "wait"),
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
def test_retry_after_is_seconds_or_a_date_or_else_a_minute(said, wait):
    """Seconds and dates are understood, the past is no wait, and a day is the longest."""
    if "0001" in said:  # the two-digit years of old mail
        wait = error_of(answer(b"", 429, retry_after=said), NOW).retry_after
        assert 0 <= wait <= 86_400
        return
    error = error_of(answer(b"", 429, retry_after=said), NOW)
    assert error.retry_after == wait
    assert f"ask again in {wait:.0f} s" in str(error)


def test_429_without_a_retry_after_is_a_minute_also_from_a_cdn():
    """A page that says 429 is a rate limit too."""
    error = error_of(answer(b"<html></html>", 429), NOW)
    assert type(error) is RateLimitError
    assert error.retry_after == 60.0


def test_an_answer_does_not_show_what_was_said():
    """The representation has neither the body nor the headers nor the key."""
    shown = repr(answer({"credits": KEY}, x_key=KEY))
    assert shown == f"Answer(asked={ASKED!r}, status=200)"


# Anything at all

WORDS = st.one_of(
    st.text(max_size=20),
    st.text(max_size=5).map(lambda text: text + KEY + text),
    st.sampled_from(["\n", "\r", "\x1b", "\u2028", "\x85", "\ud800", "<html>", "credits"]),
)
FIELDS = st.one_of(
    st.sampled_from(["credits", "message", "errors", *ACCOUNT, *ORGANIZATION, "profile_picture"]),
    WORDS,
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(FIELDS, inner, max_size=6),
    max_leaves=12,
)
ORGANIZATIONS = st.fixed_dictionaries({}, optional=dict.fromkeys(ORGANIZATION, VALUES))
BODIES = st.one_of(
    st.binary(max_size=100),
    VALUES.map(lambda value: json.dumps(value).encode()),
    VALUES.map(lambda value: json.dumps(value, ensure_ascii=False).encode(errors="surrogatepass")),
    st.fixed_dictionaries({"credits": VALUES}).map(lambda value: json.dumps(value).encode()),
    st.fixed_dictionaries(
        {"id": WORDS, "email": WORDS, "organizations": st.lists(ORGANIZATIONS | VALUES)}
    ).map(lambda value: json.dumps(value).encode()),
)
HEADERS = st.dictionaries(
    st.sampled_from(["Content-Type", "content-type", "Retry-After", "RETRY-AFTER", "X"]),
    st.one_of(
        WORDS,
        st.floats().map(str),
        st.sampled_from(["text/html", "application/json", "text/plain"]),
        st.builds(
            "{}, {} {} {} {}:{}:{} {}".format,
            st.sampled_from(["Mon", "x"]),
            st.integers(-1, 40),
            st.sampled_from(["Jan", "Feb", "x"]),
            st.integers(-1, 10**12),
            st.integers(-1, 99),
            st.integers(-1, 99),
            st.integers(-1, 99),
            st.one_of(st.just("GMT"), st.integers().map("{:+}".format)),
        ),
    ),
)


@settings(max_examples=200, deadline=None)
@given(body=BODIES, headers=HEADERS)
@example(body=b'{"credits": 1e999}', headers={})
def test_any_body_is_a_value_or_a_response_error(body, headers):
    """Whatever a 200 answer holds, it is a safe value or one well told ResponseError."""
    received = Answer(ASKED, 200, headers, body, secret=KEY)
    for read in (credits_of, account_of):
        try:
            value = read(received)
        except ResponseError as error:
            assert_is_told_well(error)
            continue
        if isinstance(value, Account):
            shown = [value.id, value.email, value.profile_picture or ""]
            for each in value.organizations:
                assert each.is_default in (True, False)
                shown += [each.id, each.name, each.role]
            assert KEY not in "".join(shown)
            assert len("".join(shown).splitlines()) <= 1
        else:
            assert type(value) is float
            assert math.isfinite(value)


@settings(max_examples=200, deadline=None)
@given(body=BODIES, headers=HEADERS, status=st.integers(201, 599))
def test_any_refusal_is_a_status_error(body, headers, status):
    """Whatever an error answer holds, it is one well told error of the right class."""
    error = error_of(Answer(ASKED, status, headers, body, secret=KEY), NOW)
    assert isinstance(error, StatusError)
    assert isinstance(error, AuthenticationError) <= (status == 401)
    assert isinstance(error, PermissionDeniedError) <= (status == 403)
    assert isinstance(error, RateLimitError) == (status == 429)
    assert error.status == status
    if isinstance(error, RateLimitError):
        assert 0 <= error.retry_after <= 86_400
    assert_is_told_well(error)
    for shown in (error.detail, error.error_id):
        assert KEY not in shown
        assert len(shown) <= 300
        assert len(shown.splitlines()) <= 1


@pytest.mark.parametrize("start", [b"", b'{"credits": '])
@pytest.mark.parametrize(
    "piece", [b"[", b'{"a":', b"1", b'"', b"\\", b" ", b"<", b"-", b"e", b"\xff"]
)
def test_a_mebibyte_of_anything_is_taken_apart_in_no_time(start, piece):
    """Deep nesting, long numbers and long text of the largest size cost little."""
    body = start + piece * ((1 << 20) // len(piece))
    started = time.process_time()
    with pytest.raises(ResponseError) as caught:
        credits_of(answer(body))
    error_of(answer(body, 500), NOW)
    assert time.process_time() - started < 1
    assert_hides(caught.value)
