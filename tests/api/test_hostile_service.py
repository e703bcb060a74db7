"""Whatever a service answers, and however slowly: documented errors, no hang, no key shown.

``python -m pytest tests/*/test_hostile_*.py --examples 100000`` searches longer.
"""

from __future__ import annotations

import json
import logging
import threading
import unicodedata
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from IPython.utils.capture import capture_output

from stability_magic import ApiError, StabilityClient, StabilityMagicError

from ..helpers.errors import KEY, assert_is_clear_error
from ..helpers.wire import RawServer, reply_with

HOSTILE = settings(
    settings.get_profile("hostile"), deadline=None, suppress_health_check=list(HealthCheck)
)
OK_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"

HEADS = st.sampled_from(
    [
        b"",
        b"HTTP/1.1 ",
        b"HTTP/1.1 200 OK\r\n",
        OK_HEAD + b"\r\n",
        OK_HEAD + b"Transfer-Encoding: chunked\r\n\r\n",
        OK_HEAD + b"Content-Encoding: gzip\r\n\r\n\x1f\x8b",
        OK_HEAD + b"Content-Length: 5\r\n\r\n",
        b"HTTP/1.1 429 No\r\nRetry-After: ",
        b"HTTP/1.1 302 No\r\nLocation: ",
        b"HTTP/1.1 401 No\r\nContent-Type: text/plain\r\n\r\n",
    ]
)
_HEADERS = (
    "Content-Type Content-Length Content-Encoding Transfer-Encoding Retry-After Location Date"
    " Connection Set-Cookie WWW-Authenticate X-Odd"
)
_VALUES = "application/json text/html gzip br chunked close nan 1e400 0 -1 5 99999999999999999999"
NAMES = st.sampled_from(_HEADERS.split())
VALUES = st.sampled_from(
    [*_VALUES.split(), "Wed, 21 Oct 2015 07:28:00 GMT", KEY, f"Bearer {KEY}"]
) | st.text(st.characters(max_codepoint=255, exclude_characters="\r\n"), max_size=30)
# Any text that JSON can hold, including what harms terminals, pages and files.
TEXT = st.text(max_size=40) | st.sampled_from(
    [
        *("", " ", "\x1b[31mred", "a\nb", "\u202eabc", "$x^2$", "<script>", "../..", "_name", KEY),
        *("\ud800", "\0", "é" * 300, "null", "key:abc", "org-1", "🎨", "\N{HEBREW LETTER ALEF}"),
    ]
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=8,
)
CREDITS = st.floats() | st.integers() | st.sampled_from(["1", None, True, [], {}, 1e308, -0.0])
ORGANIZATION = st.fixed_dictionaries(
    {"id": TEXT, "name": TEXT, "role": TEXT, "is_default": st.booleans()}
)
BODY = (
    ANYTHING
    | st.fixed_dictionaries({"credits": CREDITS})
    | st.fixed_dictionaries({"id": TEXT, "name": TEXT, "message": TEXT, "errors": ANYTHING})
    | st.fixed_dictionaries(
        {"id": TEXT, "email": TEXT, "organizations": st.lists(ORGANIZATION, max_size=4)}
    )
)


def encode_answer(status: int, headers: list[tuple[str, str]], body: object) -> bytes:
    """The bytes of an answer with a JSON body."""
    lines = [f"HTTP/1.1 {status} Any", *(f"{name}: {value}" for name, value in headers)]
    encoded_body = json.dumps(body).encode("utf-8", "surrogatepass")
    return "\r\n".join(lines).encode("latin-1", "replace") + b"\r\n\r\n" + encoded_body


def request_both_operations(answer: bytes, timeout: float = 2.0) -> None:
    """Calls both operations; each must succeed or raise a documented error."""
    with (
        RawServer(reply_with(answer)) as server,
        StabilityClient(KEY, api_url=server.url, timeout=timeout) as client,
    ):
        for operation in (client.balance, client.account):
            try:
                value = operation()
            except ApiError as error:
                assert_is_clear_error(error)
            else:
                assert KEY not in f"{value!r} {value}"


@HOSTILE
@given(head=HEADS, rest=st.binary(max_size=200))
@example(head=b"HTTP/1.1 200 OK\r\n", rest=b"Content-Length: -5\r\n\r\n{}")
@example(head=b"HTTP/1.1 200 OK\r\n", rest=b"Content-Length: 1, 2\r\n\r\n{}")
@example(head=b"HTTP/1.1 200 OK\r\n", rest=b"a: b\r\n" * 200)
@example(head=b"HTTP/1.1 200 OK\r\n", rest=b"a" * 100_000)
@example(head=b"HTTP/1.1 200 OK\r\n", rest=b"Content-Encoding: br, gzip\r\n\r\n{}")
@example(head=b"HTTP/1.1 200 OK\r\n", rest=b"Transfer-Encoding: chunked\r\n\r\nzz\r\n")
def test_garbage_on_the_wire_is_an_error_of_this_package(head: bytes, rest: bytes) -> None:
    """Whatever bytes come, and however they end."""
    request_both_operations(head + rest)


@HOSTILE
@given(
    status=st.sampled_from([200, 200, 400, 401, 402, 403, 404, 410, 418, 429, 500, 503, 302, 307])
    | st.integers(100, 999),
    headers=st.lists(st.tuples(NAMES, VALUES), max_size=5),
    body=BODY,
)
def test_any_answer_is_a_value_or_a_documented_error(
    status: int, headers: list[tuple[str, str]], body: object
) -> None:
    """Plausible and impossible statuses, headers and bodies."""
    request_both_operations(encode_answer(status, headers, body))


@pytest.mark.parametrize(
    "head",
    [
        f"{KEY} 200 OK\r\n\r\n{{}}",
        f"HTTP/{KEY} 200 OK\r\n\r\n{{}}",
        f"HTTP/1.1 {KEY} OK\r\n\r\n{{}}",
        f"HTTP/1.1 200 OK\r\n{KEY}\r\nA: b\r\n\r\n{{}}",
        f"HTTP/1.1 200 OK\r\n : {KEY}\r\n\r\n{{}}",
        f"HTTP/1.1 200 OK\r\nContent-Length: {KEY}\r\n\r\n{{}}",
        f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{KEY}\r\n{{}}",
        f"HTTP/1.1 100 OK\r\n\r\n{KEY}\r\n\r\n",
        f"HTTP/1.1 302 OK\r\nLocation: https://{KEY}/\r\n\r\n",
        f"HTTP/1.1 200 OK\r\nSet-Cookie: {KEY}; expires={KEY}\r\n\r\n{{}}",
        f"HTTP/1.1 503 {KEY}\r\nRetry-After: {KEY}\r\n\r\n",
    ],
)
def test_no_log_repeats_a_key_that_the_service_repeats(caplog: Any, head: str) -> None:
    """At the lowest log level, with the libraries below included."""
    caplog.set_level(logging.DEBUG)
    request_both_operations(head.encode())
    assert "GET /v1alpha/user/balance" in caplog.text or "Retrying" in caplog.text
    assert KEY not in caplog.text


@settings(HOSTILE, max_examples=max(10, settings.get_profile("hostile").max_examples // 10))
@given(
    pieces=st.lists(st.binary(min_size=1, max_size=30), max_size=6),
    endless=st.booleans(),
    head=HEADS,
)
def test_slow_and_endless_answers_are_given_up(
    pieces: list[bytes], endless: bool, head: bytes
) -> None:
    """An answer that trickles in, stops, or never ends is a timeout."""
    is_over = threading.Event()

    def reply(connection) -> None:
        connection.sendall(head)
        while True:
            for piece in pieces or [b" "]:
                connection.sendall(piece)
                if is_over.wait(0.01):
                    return
            if not endless:
                is_over.wait(0.5)
                return

    with (
        RawServer(reply) as server,
        StabilityClient(KEY, api_url=server.url, timeout=0.05) as client,
    ):
        with pytest.raises(ApiError) as caught:
            client.balance()
        is_over.set()
    assert_is_clear_error(caught.value)


@pytest.fixture(scope="module")
def server_and_bodies():
    """A server, and the bodies with which it answers each operation."""
    bodies: dict[str, object] = {}

    def reply(connection) -> None:
        operation = "account" if b"/user/account" in server.requests[-1] else "balance"
        connection.sendall(encode_answer(200, [("Connection", "close")], bodies[operation]))

    with RawServer(reply) as server:
        yield server, bodies


@HOSTILE
@given(
    organizations=st.lists(ORGANIZATION, min_size=1, max_size=3),
    credits=st.floats(allow_nan=False, allow_infinity=False),
)
def test_any_name_can_be_shown(
    server_and_bodies, shell, monkeypatch, tmp_path, organizations, credits
) -> None:
    """In lines, frames, the log and its histories; the output does not harm a terminal."""
    server, bodies = server_and_bodies
    monkeypatch.setenv("STABILITY_API_HOST", server.url)
    monkeypatch.setenv("STABILITY_API_KEY", KEY)
    monkeypatch.setenv("STABILITY_MAGIC_LOG", str(tmp_path / f"{len(server.requests)}.db"))
    bodies["account"] = {"id": "user-1", "email": f"{KEY}@x", "organizations": organizations}
    bodies["balance"] = {"credits": credits}
    for line in ("account", "balance -a", "history", "usage --by week", "forecast"):
        with capture_output() as captured:
            result = shell.run_cell(f"answer = %stability_{line}")
        error = result.error_in_exec or result.error_before_exec
        assert error is None or isinstance(error, StabilityMagicError), repr(error)
        output = captured.stdout + captured.stderr
        assert not {unicodedata.category(each) for each in output if each != "\n"} & {"Cc", "Cs"}
        assert KEY not in output
        frame = shell.user_ns.pop("answer", None)
        assert KEY not in f"{frame!r} {frame if frame is None else frame._repr_html_()}"
