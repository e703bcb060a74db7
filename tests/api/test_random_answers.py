"""Parsing random and very large answers, without a network."""

from __future__ import annotations

import json
import math
import time

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
from stability_magic.api.answers import Answer, parse_account, parse_credits, status_error

from ..helpers.errors import KEY, assert_hides_key, assert_is_clear_error
from .samples import ACCOUNT, NOW, ORGANIZATION, REQUEST_LABEL, answer

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
    """Whatever a 200 answer holds, it is a safe value or one clear ResponseError."""
    random_answer = Answer(REQUEST_LABEL, 200, headers, body, secret=KEY)
    for parse in (parse_credits, parse_account):
        try:
            value = parse(random_answer)
        except ResponseError as error:
            assert_is_clear_error(error)
            continue
        if isinstance(value, Account):
            texts = [value.id, value.email, value.profile_picture or ""]
            for each in value.organizations:
                assert each.is_default in (True, False)
                texts += [each.id, each.name, each.role]
            assert KEY not in "".join(texts)
            assert len("".join(texts).splitlines()) <= 1
        else:
            assert type(value) is float
            assert math.isfinite(value)


@settings(max_examples=200, deadline=None)
@given(body=BODIES, headers=HEADERS, status=st.integers(201, 599))
def test_any_refusal_is_a_status_error(body, headers, status):
    """Whatever an error answer holds, it is one clear error of the right class."""
    error = status_error(Answer(REQUEST_LABEL, status, headers, body, secret=KEY), NOW)
    assert isinstance(error, StatusError)
    assert isinstance(error, AuthenticationError) <= (status == 401)
    assert isinstance(error, PermissionDeniedError) <= (status == 403)
    assert isinstance(error, RateLimitError) == (status == 429)
    assert error.status == status
    if isinstance(error, RateLimitError):
        assert 0 <= error.retry_after <= 86_400
    assert_is_clear_error(error)
    for text in (error.detail, error.error_id):
        assert KEY not in text
        assert len(text) <= 300
        assert len(text.splitlines()) <= 1


@pytest.mark.parametrize("start", [b"", b'{"credits": '])
@pytest.mark.parametrize(
    "piece", [b"[", b'{"a":', b"1", b'"', b"\\", b" ", b"<", b"-", b"e", b"\xff"]
)
def test_a_mebibyte_of_anything_is_parsed_quickly(start, piece):
    """Deep nesting, long numbers and long text of the maximal size cost little."""
    body = start + piece * ((1 << 20) // len(piece))
    started = time.process_time()
    with pytest.raises(ResponseError) as caught:
        parse_credits(answer(body))
    status_error(answer(body, 500), NOW)
    assert time.process_time() - started < 1
    assert_hides_key(caught.value)
