"""Answers that are compressed, chunked, very large or very slow."""

from __future__ import annotations

import gzip
import threading
import time
import tracemalloc

import pytest

from stability_magic import ResponseError, TransportError
from stability_magic.simulator.simulator import Fault

from ..helpers.errors import assert_is_clear_error
from ..helpers.wire import RawServer, reply_with
from .service import BALANCE_BODY, OK_HEAD


def gzip_fault(body):
    """An answer with the body compressed."""
    return Fault(body=gzip.compress(body), headers=(("Content-Encoding", "gzip"),))


def test_a_compressed_answer_is_decompressed(service, connect):
    """The client understands gzip, as its Accept-Encoding header says."""
    service.fail(gzip_fault(BALANCE_BODY))
    assert connect().balance().credits == 1234.5
    assert service.requests[0].header("Accept-Encoding") == "gzip"


@pytest.mark.parametrize(
    "body",
    [b"no gzip at all", b"", gzip.compress(BALANCE_BODY, mtime=0)[:14]],
    ids=["garbage", "empty", "cut off"],
)
def test_badly_compressed_answers_are_response_errors(service, connect, body):
    """A body that cannot be decompressed cannot be understood."""
    service.fail(Fault(body=body, headers=(("Content-Encoding", "gzip"),)))
    with pytest.raises(ResponseError, match="cannot be understood"):
        connect().balance()


def test_a_decompression_bomb_takes_no_memory(service, connect):
    """64 MiB compressed to 64 KiB are refused at the first byte beyond 1 MiB."""
    client = connect()
    client.balance()
    service.fail(gzip_fault(b" " * (64 << 20)))
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
    body = BALANCE_BODY.ljust((1 << 20) + size)
    for fault in (Fault(body=body), gzip_fault(body)):
        service.fail(fault)
        if size:
            with pytest.raises(ResponseError, match="more than 1 MiB"):
                connect().balance()
        else:
            assert connect().balance().credits == 1234.5


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        (OK_HEAD + b"Content-Length: 1000000000000\r\n\r\n", b"x" * 65536),
        (OK_HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + b"x" * 65536 + b"\r\n"),
        (OK_HEAD + b"\r\n", b"x" * 65536),
        (b"HTTP/1.1 500 Oh\r\n\r\n", b"x" * 65536),
        (b"HTTP/1.1 503 Oh\r\n\r\n", b"x" * 65536),
        (b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n", b"x" * 65536),
    ],
    ids=["declared", "chunked", "endless", "error", "passing", "redirect"],
)
def test_a_large_answer_is_refused_while_it_is_read(connect, head, piece):
    """Whatever length it claims, little more than 1 MiB of it is read."""
    sent_sizes = []

    def reply(connection):
        connection.sendall(head)
        while sum(sent_sizes) < 256 << 20:
            connection.sendall(piece)
            sent_sizes.append(len(piece))

    with (
        RawServer(reply) as server,
        pytest.raises(ResponseError, match="more than 1 MiB") as caught,
    ):
        connect(api_url=server.url).balance()
    assert sum(sent_sizes) < 32 << 20  # what fits into the buffers of two sockets
    assert_is_clear_error(caught.value)


def test_a_chunked_answer_is_understood(connect):
    """A body in chunks is put together."""
    chunks = b"".join(
        b"%x\r\n%b\r\n" % (len(each), each) for each in (BALANCE_BODY[:5], BALANCE_BODY[5:])
    )
    answer = OK_HEAD + b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n" + chunks
    with RawServer(reply_with(answer + b"0\r\n\r\n")) as server:
        assert connect(api_url=server.url).balance().credits == 1234.5


GZIP_NAME = b"\x1f\x8b\x08\x08\0\0\0\0\0\xff"  # a gzip head, followed by a file name


@pytest.mark.parametrize(
    ("head", "body"),
    [
        (OK_HEAD + b"Content-Length: 2000\r\n\r\n", b" " * 2000),
        (OK_HEAD + b"\r\n", b" " * 2000),
        (OK_HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n" * 300),
        (OK_HEAD + b"Content-Encoding: gzip\r\n\r\n", GZIP_NAME + b"n" * 2000),
        (b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n", b" " * 2000),
        (b"HTTP/1.1 401 No\r\n\r\n", b" " * 2000),
        (b"HTTP/1.1 200 OK\r\n", b"X-Odd: 1\r\n" * 200),
        (b"HTTP/1.1 200 ", b"O" * 2000),
    ],
    ids=["declared", "endless", "chunked", "gzip", "redirect", "error", "headers", "status"],
)
def test_an_answer_that_trickles_in_times_out(connect, head, body):
    """A byte now and then does not keep a notebook waiting."""

    def reply(connection):
        connection.sendall(head)
        for position in range(len(body)):
            connection.sendall(body[position : position + 1])
            time.sleep(0.02)

    with RawServer(reply) as server:
        started = time.monotonic()
        with pytest.raises(TransportError, match=r"no answer within 0\.3 s") as caught:
            connect(api_url=server.url, timeout=0.3).balance()
        assert time.monotonic() - started < 1.5
    assert_is_clear_error(caught.value)


@pytest.mark.parametrize("status", [502, 503, 504])
@pytest.mark.parametrize(
    "options",
    [{"endless": True, "body": b"x" * 65536}, {"drip": 0.05, "body": b"x" * 200}],
    ids=["endless", "slow"],
)
def test_the_body_before_a_retry_is_not_read(service, connect, status, options):
    """The body of a 502, 503 or 504 may be endless or slow; it is ignored."""
    service.fail(Fault(status, content_type="text/html", **options))
    started = time.monotonic()
    assert connect().balance().credits == 100.0
    assert time.monotonic() - started < 5


def test_an_answer_that_stops_in_the_middle_times_out(connect):
    """A body whose rest never arrives is a timeout."""
    is_over = threading.Event()

    def reply(connection):
        connection.sendall(OK_HEAD + b"Content-Length: 20\r\n\r\n" + BALANCE_BODY[:7])
        is_over.wait(5)

    with RawServer(reply) as server:
        with pytest.raises(TransportError, match=r"no answer within 0\.2 s"):
            connect(api_url=server.url, timeout=0.2).balance()
        is_over.set()
