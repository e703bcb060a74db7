"""One HTTP request and its answer; the only user of requests."""

from __future__ import annotations

import http.client
import io
import socket
import time
import zlib
from functools import cache
from typing import Any, Self

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3.exceptions import HTTPError, LocationParseError
from urllib3.util import Retry

from ._answers import Answer
from ._checks import host_of, is_loopback
from ._errors import ResponseError, TransportError
from ._text import Secret
from ._version import __version__

__all__ = ["Transport"]

_BAD_ADDRESS = (
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidSchema,
    LocationParseError,
)
_NO_HTTP = "not HTTP"
_LARGEST_BODY = 1024 * 1024


class Transport:
    """The connections to one service.

    Args:
        api_url: The service; proxies are used unless it is on loopback.
        key: The key, which travels in a header of each request.
    """

    def __init__(self, api_url: str, key: Secret) -> None:
        self._key = key
        # A proxy would carry the key of a loopback service over the network in clear.
        self._proxies = {"no_proxy": host_of(api_url)} if is_loopback(api_url) else {}
        self._session = _session()

    def close(self) -> None:
        """Closes the connections."""
        self._session.close()

    def get(
        self, url: str, *, asked: str, organization: str | None, bearer: bool, timeout: float
    ) -> Answer:
        """Sends a GET request, once more where that may help, and reads the answer.

        Args:
            url: Where to.
            asked: What is asked, for messages.
            organization: For whom; None sends no such header.
            bearer: Whether ``Bearer`` stands before the key.
            timeout: Seconds to wait for the connection, and for the answer.

        Raises:
            TransportError: No answer arrived.
            ResponseError: It is longer than any that is documented.
        """
        headers = {} if organization is None else {"Organization": organization}
        answer, problem = None, ""
        try:
            with self._session.get(
                url,
                headers=headers,
                auth=_KeyAuth(self._key, bearer=bearer),
                timeout=timeout,
                proxies=dict(self._proxies),
                allow_redirects=False,
                stream=True,
            ) as response:
                body = _body(response)
                answer = Answer(
                    asked, response.status_code, response.headers, body, secret=self._key
                )
        except (requests.RequestException, HTTPError, OSError, ValueError) as error:
            problem = _reason(error, timeout)
        # Raised out here, so that the exception does not carry the lower layers' frames: their
        # variables hold the request's headers, and some tracebacks print variables.
        if answer is None:
            raise TransportError(
                f"{asked} did not answer: {problem}. Nothing was read; asking again is safe."
            )
        if len(answer.body) > _LARGEST_BODY:
            raise ResponseError(
                f"{asked} answered with more than 1 MiB, which no account needs; the rest"
                " was not read. Check api_url and the network."
            )
        return answer


class _KeyAuth(AuthBase):
    """Sets the key as the API expects it, whatever a ``.netrc`` says about the host."""

    def __init__(self, key: str, *, bearer: bool) -> None:
        self._header = Secret(f"Bearer {key}" if bearer else key)

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = self._header
        return request


class _Retry(Retry):
    """A retry that leaves alone what came with the answer before."""

    def increment(self, *details: Any, **named: Any) -> Self:
        again = super().increment(*details, **named)
        response = named.get("response")
        if response is not None:
            # Else the whole body, however long, is read before the request is sent again.
            response.close()
        return again


class _Session(requests.Session):
    """A session that has no business with redirects."""

    def get_redirect_target(self, resp: requests.Response) -> str | None:  # noqa: ARG002
        # Where there is one, requests reads the whole body, however long, to prepare for it.
        return None


def _session() -> requests.Session:
    session = _Session()
    session.headers.update(
        {
            "Accept": "application/json",
            "Accept-Encoding": "gzip",
            "Stability-Client-ID": "stability-magic",
            "Stability-Client-Version": __version__,
            # Without a name of its own, a CDN takes the client for a robot.
            "User-Agent": f"stability-magic/{__version__}",
        }
    )
    retry = _Retry(
        total=1,
        other=0,
        redirect=0,
        status_forcelist=(502, 503, 504),
        allowed_methods=("GET",),
        raise_on_status=False,
        # Else it would also retry 429, and sleep for as long as the service likes.
        respect_retry_after_header=False,
    )
    for scheme in ("https://", "http://"):
        session.mount(scheme, _Adapter(max_retries=retry))
    return session


class _File(io.RawIOBase):
    """What a socket receives until a deadline; its own time-out is over with each byte."""

    def __init__(self, received: socket.socket) -> None:
        self._socket = received
        self._raw: Any = received.makefile("rb", buffering=0)
        self._ends = time.monotonic() + (received.gettimeout() or 0.0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._ends - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        self._socket.settimeout(left)
        count: int | None = self._raw.readinto(buffer)
        return count

    def fileno(self) -> int:
        return int(self._raw.fileno())

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    """An answer that is there in time: its head and its body, however slowly they trickle in.

    What in its head is no HTTP is thrown away: urllib3 logs it, and it may repeat the key.
    """

    def __init__(self, sock: socket.socket, *details: Any, **named: Any) -> None:
        super().__init__(sock, *details, **named)
        self.fp.close()
        self.fp = io.BufferedReader(_File(sock))

    def begin(self) -> None:
        try:
            super().begin()
        except http.client.RemoteDisconnected:
            raise
        except http.client.HTTPException:
            raise http.client.HTTPException(_NO_HTTP) from None
        if self.msg.defects:
            self.msg.defects.clear()
            self.msg.set_payload("")


class _InTime:
    """A connection whose time-out holds for the whole answer."""

    response_class = _Response


@cache
def _with_time(pool: Any) -> Any:
    """A kind of connection pools, with such connections."""
    connection = type(pool.ConnectionCls.__name__, (_InTime, pool.ConnectionCls), {})
    return type(pool.__name__, (pool,), {"ConnectionCls": connection})


class _Adapter(HTTPAdapter):
    """Whatever way leads to the service, its connections are in time."""

    def init_poolmanager(self, *details: Any, **named: Any) -> None:
        super().init_poolmanager(*details, **named)
        self._keep_time(self.poolmanager)

    def proxy_manager_for(self, *details: Any, **named: Any) -> Any:
        manager = super().proxy_manager_for(*details, **named)
        self._keep_time(manager)
        return manager

    def _keep_time(self, manager: Any) -> None:
        kinds = manager.pool_classes_by_scheme
        if not all(issubclass(pool.ConnectionCls, _InTime) for pool in kinds.values()):
            manager.pool_classes_by_scheme = {name: _with_time(kinds[name]) for name in kinds}


def _body(response: requests.Response) -> bytes:
    """The body, or its first bytes past the limit."""
    # It is unpacked when it is here: unpacking while reading can wait for ever for a byte that
    # means something, and may blow up a little to a lot.
    body = _packed(response.raw)
    if response.headers.get("Content-Encoding", "").lower() in ("gzip", "x-gzip"):
        return _unpacked(body)
    return body


def _packed(raw: Any) -> bytes:
    body = bytearray()
    while len(body) <= _LARGEST_BODY and (chunk := raw.read1(65536, decode_content=False)):
        body += chunk
    return bytes(body)


def _unpacked(body: bytes) -> bytes:
    """A gzip body as it was, or its first bytes past the limit."""
    try:
        return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(body, _LARGEST_BODY + 1)
    except zlib.error:
        # Then it is no JSON either, which is what will be said about it.
        return body


def _reason(error: Exception, timeout: float) -> str:
    """Why no answer arrived, in a few words."""
    if isinstance(error, requests.Timeout) or "timed out" in str(error):
        return f"no answer within {timeout:g} s"
    if isinstance(error, _BAD_ADDRESS):
        return "its address or that of a proxy cannot be used; check api_url and HTTPS_PROXY"
    if isinstance(error, requests.exceptions.ProxyError) or "SOCKS" in str(error):
        return "the proxy did not let the request through; check HTTPS_PROXY"
    if isinstance(error, requests.exceptions.SSLError):
        return "its TLS certificate or connection is not valid"
    words = str(error)
    for sign, meaning in (
        ("resolve", "its name was not found; check api_url and the network"),
        ("getaddrinfo", "its name was not found; check api_url and the network"),
        ("refused", "the connection was refused"),
        ("unreachable", "the network is unreachable"),
        (_NO_HTTP, "what it sent is not HTTP; check api_url and the network"),
    ):
        if sign in words:
            return meaning
    return "the connection broke"
