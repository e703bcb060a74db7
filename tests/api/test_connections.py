"""A connection serves another request only if it is certain where the last answer ended."""

from __future__ import annotations

import gzip
import threading
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stability_magic import ApiError, StabilityClient, StatusError, TransportError

from ..helpers.errors import KEY, assert_is_clear_error
from .keep_alive import KeepAliveServer, balance_answer, expected_credits, organization_of
from .service import BALANCE_BODY, OK_HEAD

INTERIM_ANSWERS = (
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"HTTP/1.1 102 Processing\r\n\r\n",
    b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\nContent-Length: 5\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
    b"HTTP/1.1 199 Odd\r\n\r\n",
)
STALE = balance_answer("org-666")


def ask_in_turn(server, count=6, **options):
    """The credits of several organizations, and what they should be."""
    organizations = [f"org-{each}" for each in range(1, count + 1)]
    with StabilityClient(KEY, api_url=server.url, timeout=5.0, **options) as client:
        found = [client.balance(each).credits for each in organizations]
    return found, [expected_credits(each) for each in organizations]


@pytest.mark.parametrize("interim", INTERIM_ANSWERS, ids=lambda each: each[9:12].decode())
@pytest.mark.parametrize("count", [1, 3, 50])
@pytest.mark.parametrize("pause", [0, 0.02], ids=["at once", "later"])
def test_any_number_of_interim_answers_is_read_past(interim, count, pause):
    """Each organization gets its own balance, over the one connection."""

    def reply(connection, head):
        connection.sendall(interim * count)
        time.sleep(pause)
        connection.sendall(balance_answer(organization_of(head)))

    with KeepAliveServer(reply) as server:
        found, expected = ask_in_turn(server)
        assert found == expected
        assert server.connections == 1


@pytest.mark.parametrize("pause", [0, 0.01], ids=["flood", "trickle"])
def test_interim_answers_without_end_time_out(pause):
    """They do not keep a notebook waiting for the answer that never comes."""

    def reply(connection, head):
        while True:
            connection.sendall(INTERIM_ANSWERS[2] * (1 if pause else 100))
            time.sleep(pause)

    with (
        KeepAliveServer(reply) as server,
        StabilityClient(KEY, api_url=server.url, timeout=0.3) as client,
    ):
        started = time.monotonic()
        with pytest.raises(TransportError, match=r"no answer within 0\.3 s") as caught:
            client.balance()
        assert time.monotonic() - started < 5
    assert_is_clear_error(caught.value)


@pytest.mark.parametrize(
    "interim",
    [b"HTTP/1.1 103 " + b"x" * 100_000, b"HTTP/1.1 103 Hints\r\n" + b"a: b\r\n" * 200],
    ids=["long", "many headers"],
)
def test_an_interim_answer_out_of_all_measure_is_not_http(interim):
    """As for a final answer."""
    with (
        KeepAliveServer(lambda connection, _: connection.sendall(interim)) as server,
        StabilityClient(KEY, api_url=server.url, timeout=2.0) as client,
        pytest.raises(TransportError, match="not HTTP"),
    ):
        client.balance()


def chunked(body):
    return b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)


UNCERTAIN_ENDS = {
    "a second answer": lambda own: own + STALE,
    "an interim answer behind": lambda own: own + INTERIM_ANSWERS[2],
    "a line end too many": lambda own: own + b"\r\n",
    "a length too short": lambda own: own.replace(b"}", b"}    ") + b"HTTP/1.1 200 OK\r\n",
    "two lengths": lambda own: own.replace(b"Content-Length", b"Content-Length: 9999\r\nX-Odd", 1),
    "a signed length": lambda own: own.replace(b"Length: ", b"Length: +"),
    "an underscore in the length": lambda own: own.replace(b"Length: ", b"Length: 0_"),
    "length and chunks": lambda own: (
        OK_HEAD + b"Content-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(body_of(own))
    ),
    "a second answer behind chunks": lambda own: (
        OK_HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunked(body_of(own)) + STALE
    ),
    "a line that is no header": lambda own: own.replace(b"\r\nContent-L", b"\r\nodd\r\nContent-L"),
    "HTTP/1.0": lambda own: own.replace(b"HTTP/1.1", b"HTTP/1.0") + STALE,
    "gzip and a second answer": lambda own: (
        OK_HEAD
        + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(gzip.compress(body_of(own)))
        + gzip.compress(body_of(own))
        + STALE
    ),
}


def body_of(answer):
    return answer.partition(b"\r\n\r\n")[2]


def ask_and_go_on(server, count=6):
    """Asks about several organizations; each answer is its own balance, or an error."""
    with StabilityClient(KEY, api_url=server.url, timeout=0.5, api_version="v1") as client:
        answers = 0
        for each in range(1, count + 1):
            try:
                credits = client.balance(f"org-{each}").credits
            except ApiError as error:
                assert_is_clear_error(error)
            else:
                assert credits == each
                answers += 1
    return answers


@pytest.mark.parametrize("change", UNCERTAIN_ENDS.values(), ids=UNCERTAIN_ENDS)
def test_what_is_left_over_of_an_answer_answers_no_other_question(change):
    """No balance is the stale one; where the answer could be read, it is read."""

    def reply(connection, head):
        connection.sendall(change(balance_answer(organization_of(head))))

    with KeepAliveServer(reply) as server:
        answers = ask_and_go_on(server)
        if answers:
            assert server.connections >= answers


@pytest.mark.parametrize("status", [201, 204, 304, 400, 401, 404, 429, 500, 503])
def test_after_another_status_the_connection_is_not_used_again(status):
    """An answer that is none does not leave its body behind for the next question."""
    is_first = True

    def reply(connection, head):
        nonlocal is_first
        answer = balance_answer(organization_of(head))
        if is_first:
            answer = answer.replace(b"200 OK", b"%d Odd" % status)
        is_first = False
        connection.sendall(answer)

    with (
        KeepAliveServer(reply) as server,
        StabilityClient(KEY, api_url=server.url, api_version="v1", timeout=5.0) as client,
    ):
        if status == 503:  # it is asked a second time
            assert client.balance("org-1").credits == 1
        else:
            with pytest.raises(StatusError):
                client.balance("org-1")
        if status != 429:
            assert client.balance("org-2").credits == 2
            assert server.connections == 2


def test_chunks_keep_the_connection():
    """Their end is certain."""

    def reply(connection, head):
        own = body_of(balance_answer(organization_of(head)))
        connection.sendall(OK_HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunked(own))

    with KeepAliveServer(reply) as server:
        found, expected = ask_in_turn(server)
        assert found == expected
        assert server.connections == 1


BEHIND = st.sampled_from([b"", b"", STALE, b"\r\n", b"{}", INTERIM_ANSWERS[2] + STALE])
STATUS = st.sampled_from([b"200 OK"] * 5 + [b"204 None", b"404 No", b"500 Oh"])


@settings(settings.get_profile("hostile"), deadline=None, suppress_health_check=list(HealthCheck))
@given(
    turns=st.lists(
        st.tuples(st.lists(st.sampled_from(INTERIM_ANSWERS), max_size=3), STATUS, BEHIND),
        min_size=6,
        max_size=6,
    ),
    is_chunked=st.booleans(),
    pause=st.sampled_from([0, 0.005]),
)
def test_no_balance_is_another_organizations(turns, is_chunked, pause):
    """Whatever comes before an answer and behind it, at once or a little later."""
    remaining = list(turns)

    def reply(connection, head):
        interim, status, behind = remaining.pop() if remaining else ((), b"200 OK", b"")
        interim = list(interim)
        own = balance_answer(organization_of(head))
        if is_chunked:
            own = OK_HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunked(body_of(own))
        if pause and interim:
            connection.sendall(interim.pop(0))
            time.sleep(pause)
        connection.sendall(b"".join(interim) + own.replace(b"200 OK", status) + behind)

    with KeepAliveServer(reply) as server:
        ask_and_go_on(server)


def test_threads_of_one_client_get_their_own_balances():
    """Each request has a connection to itself."""
    found: dict[int, list[float]] = {}

    def reply(connection, head):
        connection.sendall(INTERIM_ANSWERS[2] + balance_answer(organization_of(head)))

    with (
        KeepAliveServer(reply) as server,
        StabilityClient(KEY, api_url=server.url, timeout=10.0) as client,
    ):

        def ask(number):
            found[number] = [client.balance(f"org-{number}").credits for _ in range(20)]

        threads = [threading.Thread(target=ask, args=(each,)) for each in range(6)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
    assert found == {number: [number] * 20 for number in range(6)}


def members(body, size):
    """The body as gzip members of so many bytes each."""
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(map(gzip.compress, pieces))


@pytest.mark.parametrize("size", [1, 2, 7, 18])
@pytest.mark.parametrize("padding", [b"", b"\0" * 8], ids=["", "padded"])
def test_gzip_in_several_members_is_unpacked_whole(size, padding):
    """As RFC 1952 allows."""
    body = members(BALANCE_BODY, size) + padding
    head = OK_HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body)
    with (
        KeepAliveServer(lambda connection, _: connection.sendall(head + body)) as server,
        StabilityClient(KEY, api_url=server.url, timeout=5.0) as client,
    ):
        assert client.balance().credits == 1234.5


@pytest.mark.parametrize(
    "body",
    [
        gzip.compress(BALANCE_BODY) + gzip.compress(b" " * 50)[:20],
        gzip.compress(BALANCE_BODY[:-1]) + b"}",
        gzip.compress(b"") * 40_000,
        gzip.compress(b" " * (1 << 20)) * 50,
    ],
    ids=["cut off", "garbage behind", "empty members", "bomb"],
)
def test_gzip_members_that_do_not_make_a_whole_are_an_error(body):
    """In little time and memory."""
    head = OK_HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body)
    with (
        KeepAliveServer(lambda connection, _: connection.sendall(head + body)) as server,
        StabilityClient(KEY, api_url=server.url, timeout=5.0) as client,
        pytest.raises(ApiError) as caught,
    ):
        client.balance()
    assert_is_clear_error(caught.value)
