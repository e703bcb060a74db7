"""Sends one HTTP request and reads its answer; the only importer of requests."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import io
import os
import queue
import re
import socket
import ssl
import time
import zlib
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, Self

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3.exceptions import HTTPError, LocationParseError
from urllib3.util import Retry

from ..environment import variable
from ..errors import ResponseError, SettingsError, TransportError
from ..text import Secret, SecretHolder, shorten
from ..version import __version__
from .answers import Answer
from .validation import host_of, is_loopback

__all__ = ["NetworkRoute", "Transport", "network_route"]

_BAD_ADDRESS_ERRORS = (
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidSchema,
    LocationParseError,
)
_FAILURES = (requests.RequestException, HTTPError, OSError, ValueError)
_NOT_HTTP = "not HTTP"
_MAX_BODY_SIZE = 1024 * 1024
# The first that is set decides. The second is curl's, which requests knows; the third OpenSSL's.
_BUNDLE_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
_MAX_PATH_LENGTH = 200


class NetworkRoute(NamedTuple):
    """The way that requests to a service take, as the environment says.

    Attributes:
        proxy: The proxy's address, which may hold a password; empty for none.
        bundle_variable: The environment variable that names a bundle of CA certificates, if any.
        bundle: That bundle's path.
        bundle_problem: Why it cannot be used, in a few words; empty if it can.
    """

    proxy: Secret
    bundle_variable: str
    bundle: str
    bundle_problem: str


def network_route(api_url: str) -> NetworkRoute:
    """The way that requests to a service take; nothing is sent."""
    # What requests itself does before it sends.
    with _new_session() as session:
        settings = session.merge_environment_settings(
            api_url, _own_proxies(api_url), None, None, None
        )
    proxy = Secret(requests.utils.select_proxy(api_url, settings["proxies"]) or "")
    name, path = _ca_bundle()
    return NetworkRoute(proxy, name, path, _bundle_problem(path) if path else "")


def _own_proxies(api_url: str) -> dict[str, str]:
    # A proxy would carry a loopback service's key over the network unencrypted.
    return {"no_proxy": host_of(api_url)} if is_loopback(api_url) else {}


class Transport(SecretHolder):
    """The connections to one service; each process that uses them gets its own.

    Args:
        api_url: The service's address; proxies are used unless it is on loopback.
        key: The key, which travels in a header of each request.
    """

    def __init__(self, api_url: str, key: Secret) -> None:
        self._key = key
        self._proxies = _own_proxies(api_url)
        self._process_session = (os.getpid(), _new_session())

    def close(self) -> None:
        """Closes the connections."""
        self._session().close()

    def _session(self) -> requests.Session:
        """This process's session; what a fork has copied from its parent stays the parent's."""
        process, session = self._process_session
        if process != os.getpid():
            session = _new_session()
            self._process_session = (os.getpid(), session)
        return session

    def get(
        self,
        url: str,
        *,
        request_label: str,
        organization: str | None,
        use_bearer: bool,
        timeout: float,
    ) -> Answer:
        """Sends a GET request, again if a second try may help, and reads the answer.

        Args:
            url: The address to request.
            request_label: The request in words, for messages.
            organization: The organization's id; None sends no such header.
            use_bearer: Whether to write ``Bearer`` before the key.
            timeout: Seconds to wait for the connection, and again for the answer.

        Raises:
            TransportError: No answer arrived.
            ResponseError: The answer is longer than any documented one.
            SettingsError: The CA bundle that the environment names cannot be used.
        """
        headers = {} if organization is None else {"Organization": organization}
        bundle_variable, bundle = _ca_bundle()
        outcome: Answer | BaseException
        try:
            with self._session().get(
                url,
                headers=headers,
                auth=_KeyAuth(self._key, use_bearer=use_bearer),
                timeout=timeout,
                proxies=dict(self._proxies),
                verify=bundle or True,
                allow_redirects=False,
                stream=True,
            ) as response:
                outcome = Answer(
                    request_label,
                    response.status_code,
                    response.headers,
                    _read_body(response),
                    secret=self._key,
                )
        except BaseException as error:
            outcome = error
        # Raised outside the handler, so that no exception carries the frames of the lower layers:
        # their variables hold the request's headers, and some tracebacks print variables. An
        # interruption may come at any moment, so that the handler itself calls nothing.
        if isinstance(outcome, BaseException):
            _forget_frames(outcome)
            if not isinstance(outcome, _FAILURES):
                # An interruption: nobody knows which connections are at rest.
                self._process_session = (os.getpid(), _new_session())
                raise outcome
            problem = _failure_reason(outcome, timeout)
            del outcome
            if url.startswith("https:"):
                _check_bundle(bundle_variable, bundle)
            raise TransportError(
                f"{request_label} did not answer: {problem}. Nothing was read; asking again is"
                " safe."
            )
        if len(outcome.body) > _MAX_BODY_SIZE:
            raise ResponseError(
                f"{request_label} answered with more than 1 MiB, which no account needs; the rest"
                " was not read. Check api_url and the network."
            )
        return outcome


def _forget_frames(error: BaseException) -> None:
    """Takes from an exception where it was raised, and what was being handled there."""
    error.__traceback__ = error.__context__ = error.__cause__ = None


def _ca_bundle() -> tuple[str, str]:
    """The environment variable that names a bundle of CA certificates, and the bundle's path."""
    for name in _BUNDLE_VARIABLES:
        if path := variable(name):
            return name, path
    return "", ""


def _check_bundle(name: str, path: str) -> None:
    """Raises a SettingsError if an environment variable names a bundle that cannot be used."""
    problem = _bundle_problem(path) if path else ""
    if problem:
        raise SettingsError(
            f"The CA bundle {shorten(path, _MAX_PATH_LENGTH)} that {name} names {problem}; set"
            f" {name} to a file with PEM certificates, or unset it."
        )


def _bundle_problem(path: str) -> str:
    """What is wrong with a bundle of CA certificates, in a few words; empty if nothing is."""
    try:
        if Path(path).is_dir():
            # OpenSSL looks certificates up there by the names that c_rehash makes.
            names = [each.name for each in Path(path).iterdir()]
            is_usable = any(re.fullmatch(r"[0-9a-f]{8}\.\d+", each) for each in names)
            return "" if is_usable else "is a folder without certificates that c_rehash has named"
        ssl.create_default_context(cafile=path)
    except FileNotFoundError:
        return "does not exist"
    except ssl.SSLError:
        return "holds no certificate"
    except (OSError, ValueError):
        return "cannot be read"
    return ""


class _KeyAuth(AuthBase):
    """Sets the key as the API expects it, whatever a ``.netrc`` says about the host."""

    def __init__(self, key: str, *, use_bearer: bool) -> None:
        self._header = Secret(f"Bearer {key}" if use_bearer else key)

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = self._header
        return request


class _ClosingRetry(Retry):
    """A retry that does not read the rest of the failed answer."""

    def increment(self, *args: Any, **kwargs: Any) -> Self:
        next_retry = super().increment(*args, **kwargs)
        response = kwargs.get("response")
        if response is not None:
            # Otherwise the whole body, however long, is read before the request is sent again.
            response.close()
        return next_retry


class _NoRedirectSession(requests.Session):
    """A session that ignores redirects."""

    def get_redirect_target(self, resp: requests.Response) -> str | None:  # noqa: ARG002
        # If there is a target, requests reads the whole body, however long, to prepare for it.
        return None


def _new_session() -> requests.Session:
    session = _NoRedirectSession()
    session.headers.update(
        {
            "Accept": "application/json",
            "Accept-Encoding": "gzip",
            "Stability-Client-ID": "stability-magic",
            "Stability-Client-Version": __version__,
            # A CDN takes clients with a library's user agent for robots.
            "User-Agent": f"stability-magic/{__version__}",
        }
    )
    retry = _ClosingRetry(
        total=1,
        other=0,
        redirect=0,
        status_forcelist=(502, 503, 504),
        allowed_methods=("GET",),
        raise_on_status=False,
        # Otherwise it would also retry 429, and sleep for as long as the service says.
        respect_retry_after_header=False,
    )
    for scheme in ("https://", "http://"):
        session.mount(scheme, _DeadlineAdapter(max_retries=retry))
    return session


class _DeadlineReader(io.RawIOBase):
    """Reads from a socket until a deadline; the socket's own timeout restarts with each byte."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._raw: Any = sock.makefile("rb", buffering=0)
        self._deadline = time.monotonic() + (sock.gettimeout() or 0.0)
        self._is_over = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self._is_over:
            return 0
        remaining = self._deadline - time.monotonic()
        if remaining <= 0:
            raise TimeoutError("timed out")
        self._socket.settimeout(remaining)
        count: int | None = self._raw.readinto(buffer)
        return count

    def has_more(self, buffer: io.BufferedReader) -> bool:
        """Whether bytes have arrived behind the answer that was read through this buffer."""
        self._is_over = True
        with contextlib.suppress(OSError, ValueError):
            # Bytes that TLS has decrypted already are in no buffer of the system.
            pending = self._socket.pending() if isinstance(self._socket, ssl.SSLSocket) else 0
            return bool(pending or buffer.peek(1))
        return True

    def shut_down(self) -> None:
        """Ends the connection; whoever wants to use it again finds it closed."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def fileno(self) -> int:
        return int(self._raw.fileno())

    def close(self) -> None:
        self._raw.close()
        super().close()


class _DeadlineResponse(http.client.HTTPResponse):
    """A response whose head and body together must arrive before one deadline.

    Whatever in its head is not HTTP is thrown away: urllib3 logs it, and it may repeat the key.
    The connection serves no other request unless it is certain where this answer ends: else the
    next question would be answered by what is left over of this one.
    """

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp.close()
        self._reader = _DeadlineReader(sock)
        self.fp = io.BufferedReader(self._reader)

    def _read_status(self) -> tuple[str, int, str]:
        """The first line of the answer, after any number of interim answers."""
        version, status, reason = super()._read_status()  # type: ignore[misc]
        while 100 <= status < 200:
            http.client.parse_headers(self.fp)
            version, status, reason = super()._read_status()  # type: ignore[misc]
        return version, status, reason

    def begin(self) -> None:
        try:
            super().begin()
        except http.client.RemoteDisconnected:
            raise
        except http.client.HTTPException:
            raise http.client.HTTPException(_NOT_HTTP) from None
        if self.status != 200 or self.msg.defects or not _tells_its_end(self.msg):
            self.will_close = True
        if self.msg.defects:
            self.msg.defects.clear()
            self.msg.set_payload("")

    def _close_conn(self) -> None:
        # http.client calls it at the end of the body.
        if self._reader.has_more(self.fp):
            self._reader.shut_down()
        super()._close_conn()  # type: ignore[misc]


def _tells_its_end(headers: http.client.HTTPMessage) -> bool:
    """Whether the headers say in exactly one way how long the body is."""
    lengths = headers.get_all("Content-Length", [])
    encodings = headers.get_all("Transfer-Encoding", [])
    if encodings:
        return not lengths and [each.strip().lower() for each in encodings] == ["chunked"]
    return len(lengths) == 1 and re.fullmatch(r"\s*[0-9]+\s*", lengths[0]) is not None


class _DeadlineConnection:
    """A connection whose timeout covers the whole answer; a mix-in."""

    response_class = _DeadlineResponse
    # http.client prints every header at higher levels, which somebody may set for all connections.
    debuglevel = 0


class _IdleConnections:
    """A pool's connections that wait for a request; none in a process that has not made them.

    It stands in for the queue that urllib3 would use. That one has locks, which an interruption
    may leave locked, and which a fork copies locked from a thread that the child does not have.
    """

    def __init__(self, maxsize: int) -> None:
        self._process = os.getpid()
        self._maxsize = maxsize
        self._connections: list[Any] = []

    def get(self, block: bool = False, timeout: float | None = None) -> Any:  # noqa: ARG002
        """Takes a connection, or a None for which a new one is made."""
        is_own = self._process == os.getpid()
        while self._connections:
            with contextlib.suppress(IndexError):  # another thread took the last one
                connection = self._connections.pop()
                if is_own:
                    return connection
                if connection:
                    # Closes this process's descriptor; the connection stays open for the parent.
                    connection.close()
        raise queue.Empty

    def put(self, connection: Any, block: bool = False, timeout: float | None = None) -> None:  # noqa: ARG002
        """Gives a connection back."""
        if self._process != os.getpid() or len(self._connections) >= self._maxsize:
            raise queue.Full
        self._connections.append(connection)

    def qsize(self) -> int:
        """How many there are; urllib3 logs it."""
        return len(self._connections)


@cache
def _deadline_pool_class(pool_class: Any) -> Any:
    """A subclass of a connection pool that makes such connections."""
    plain = pool_class.ConnectionCls
    connection_class = type(plain.__name__, (_DeadlineConnection, plain), {})
    attributes = {"ConnectionCls": connection_class, "QueueCls": _IdleConnections}
    return type(pool_class.__name__, (pool_class,), attributes)


class _DeadlineAdapter(HTTPAdapter):
    """Uses connections with a deadline, both direct ones and those through a proxy."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self._use_deadline_pools(self.poolmanager)

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(*args, **kwargs)
        self._use_deadline_pools(manager)
        return manager

    def _use_deadline_pools(self, manager: Any) -> None:
        pool_classes = manager.pool_classes_by_scheme
        if not all(
            issubclass(each.ConnectionCls, _DeadlineConnection) for each in pool_classes.values()
        ):
            manager.pool_classes_by_scheme = {
                scheme: _deadline_pool_class(each) for scheme, each in pool_classes.items()
            }


def _read_body(response: requests.Response) -> bytes:
    """The body, or its beginning up to just past the limit."""
    # Decompressed only after reading: decompressing while reading can wait for ever for a byte
    # that yields output, and a few bytes may grow into very many.
    body = _read_raw_body(response.raw)
    if response.headers.get("Content-Encoding", "").lower() in ("gzip", "x-gzip"):
        return _gunzip(body)
    return body


def _read_raw_body(raw: Any) -> bytes:
    body = bytearray()
    while len(body) <= _MAX_BODY_SIZE and (chunk := raw.read1(65536, decode_content=False)):
        body += chunk
    return bytes(body)


def _gunzip(body: bytes) -> bytes:
    """A gzip body of any number of members decompressed, or just past the limit of it."""
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(body)) as members:
            return members.read(_MAX_BODY_SIZE + 1)
    except (OSError, EOFError, zlib.error):
        # Then it is not JSON either, and the parser reports that.
        return body


def _failure_reason(error: BaseException, timeout: float) -> str:
    """Why no answer arrived, in a few words."""
    if isinstance(error, requests.Timeout) or "timed out" in str(error):
        return f"no answer within {timeout:g} s"
    if isinstance(error, _BAD_ADDRESS_ERRORS):
        return "its address or that of a proxy cannot be used; check api_url and HTTPS_PROXY"
    if isinstance(error, requests.exceptions.ProxyError) or "SOCKS" in str(error):
        return "the proxy did not let the request through; check HTTPS_PROXY"
    message = str(error)
    if isinstance(error, requests.exceptions.SSLError):
        advice = "; if your network has a CA of its own, set SSL_CERT_FILE to its bundle"
        is_unknown = "CERTIFICATE_VERIFY_FAILED" in message
        return "its TLS certificate or connection is not valid" + (advice if is_unknown else "")
    for fragment, reason in (
        ("resolve", "its name was not found; check api_url and the network"),
        ("getaddrinfo", "its name was not found; check api_url and the network"),
        ("refused", "the connection was refused"),
        ("unreachable", "the network is unreachable"),
        (_NOT_HTTP, "what it sent is not HTTP; check api_url and the network"),
    ):
        if fragment in message:
            return reason
    return "the connection broke"
