"""The two operations of the API that tell about an account; the only user of requests."""

from __future__ import annotations

import hashlib
import ipaddress
import re
import time
import zlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3.exceptions import HTTPError, LocationParseError
from urllib3.util import Retry

from ._answers import Answer, account_of, credits_of, error_of
from ._errors import RateLimitError, ResponseError, SettingsError, TransportError
from ._readings import Account, Balance
from ._text import Secret, clean_text
from ._version import __version__

__all__ = ["API_URL", "API_VERSIONS", "StabilityClient", "checked_key"]

API_URL = "https://api.stability.ai"
API_VERSIONS = ("auto", "v1alpha", "v1")

# A service that was switched off, or never knew the key, says so with one of these.
_NOT_SERVED = frozenset({401, 403, 404, 410})
_BAD_ADDRESS = (
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidSchema,
    LocationParseError,
)
_LARGEST_BODY = 1024 * 1024
_LONGEST_TIMEOUT = 86_400.0

_T = TypeVar("_T")


class StabilityClient:
    """A client of Stability AI's user API.

    One connection pool; the proxies of the environment are used, except for loopback, and a
    ``.netrc`` is not. Redirects are not followed. A request that got no answer, or 502, 503
    or 504, is sent once more. After HTTP 429 nothing is sent until the wait is over.

    Args:
        api_key: The key. White space around it and a leading ``Bearer`` are dropped.
        api_url: The service; https, or plain http on loopback.
        api_version: ``v1alpha``, ``v1``, or ``auto``: v1alpha first, and v1 where it answers
            401, 403, 404 or 410. Which of the two works is remembered.
        timeout: Seconds to wait for the connection, and for the answer.

    Raises:
        SettingsError: The key, the address, the version or the time-out cannot be used.

    Example::

        with StabilityClient(os.environ["STABILITY_API_KEY"]) as client:
            print(client.balance().credits)
    """

    # There from the start: a traceback may show a client that could not be made.
    api_url = ""

    def __init__(
        self,
        api_key: str,
        *,
        api_url: str = API_URL,
        api_version: str = "auto",
        timeout: float = 10.0,
    ) -> None:
        # First of all, so that no traceback with variables shows it.
        api_key = Secret(api_key)
        if api_version not in API_VERSIONS:
            raise SettingsError(
                f"api_version is {api_version!r}; use one of {', '.join(API_VERSIONS)}."
            )
        self.api_url = _checked_url(api_url)
        self.timeout = timeout  # checked in the setter
        self._key = checked_key(api_key)
        self._version = None if api_version == "auto" else api_version
        self._wait_until = 0.0
        # A proxy would carry the key of a loopback service over the network in clear.
        self._proxies = {"no_proxy": _host(self.api_url)} if _is_loopback(self.api_url) else {}
        self._session = _session()

    def __repr__(self) -> str:
        return f"StabilityClient(api_url={self.api_url!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections."""
        self._session.close()

    @property
    def key_fingerprint(self) -> str:
        """The first 16 hexadecimal digits of the key's SHA-256."""
        return hashlib.sha256(self._key.encode()).hexdigest()[:16]

    @property
    def timeout(self) -> float:
        """Seconds to wait for the connection, and for the answer."""
        return self._timeout

    @timeout.setter
    def timeout(self, seconds: float) -> None:
        if not 0 < seconds <= _LONGEST_TIMEOUT:
            raise SettingsError(
                f"timeout is {seconds:g}; use a number of seconds above 0, up to a day's."
            )
        self._timeout = seconds

    def account(self) -> Account:
        """The user that the key belongs to, and the user's organizations.

        Raises:
            ApiError: One of its subclasses; see the class.
        """
        return self._ask("account", account_of)

    def balance(self, organization: str | None = None) -> Balance:
        """The credits that are left now.

        Args:
            organization: An organization's id; None asks for the key's default.

        Raises:
            SettingsError: The id holds what no id holds; nothing was sent.
            ApiError: One of its subclasses; see the class.
        """
        credits = self._ask("balance", credits_of, organization)
        return Balance(
            organization=organization,
            credits=credits,
            read_at=datetime.now(UTC),
            api_url=self.api_url,
            key_fingerprint=self.key_fingerprint,
        )

    def _ask(
        self, operation: str, read: Callable[[Answer], _T], organization: str | None = None
    ) -> _T:
        """What is read from the 200 answer of the version that this service serves."""
        if organization is not None and not _is_header_text(organization):
            raise SettingsError(
                f"{clean_text(organization)!r} is no organization id; nothing was sent."
                " Ids look like org-1234; %stability_account lists them."
            )
        if self._version is None:
            answer = self._send("v1alpha", operation, organization)
            version = "v1alpha"
            if answer.status in _NOT_SERVED:
                answer = self._send("v1", operation, organization)
                version = "v1"
        else:
            version = self._version
            answer = self._send(version, operation, organization)
        if answer.status != 200:
            raise error_of(answer, datetime.now(UTC))
        value = read(answer)
        # Only now is it known that the API answered, and not a network that wants a login.
        self._version = version
        return value

    def _send(self, version: str, operation: str, organization: str | None) -> Answer:
        url = f"{self.api_url}/{version}/user/{operation}"
        asked = f"{url} for {organization}" if organization else url
        self._check_wait(asked)
        headers = {} if organization is None else {"Organization": organization}
        answer, problem = None, ""
        try:
            with self._session.get(
                url,
                headers=headers,
                auth=_KeyAuth(self._key, bearer=version == "v1"),
                timeout=self.timeout,
                proxies=dict(self._proxies),
                allow_redirects=False,
                stream=True,
            ) as response:
                body = _body(response, self.timeout)
                answer = Answer(
                    asked, response.status_code, response.headers, body, secret=self._key
                )
        except (requests.RequestException, HTTPError, OSError, ValueError) as error:
            problem = _reason(error, self.timeout)
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
        if answer.status == 429:
            self._remember_wait(answer)
        return answer

    def _remember_wait(self, answer: Answer) -> None:
        error = error_of(answer, datetime.now(UTC))
        if isinstance(error, RateLimitError):
            self._wait_until = time.monotonic() + error.retry_after

    def _check_wait(self, asked: str) -> None:
        wait = self._wait_until - time.monotonic()
        if wait > 0:
            until = datetime.now(UTC) + timedelta(seconds=wait)
            raise RateLimitError(
                f"{asked} asked to wait until {until:%H:%M:%S} UTC, {wait:.0f} s from now;"
                " nothing was sent.",
                retry_after=wait,
            )


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
        session.mount(scheme, HTTPAdapter(max_retries=retry))
    return session


def _body(response: requests.Response, timeout: float) -> bytes:
    """The body, or its first bytes past the limit; a body that trickles in is given up."""
    # It is unpacked when it is here: unpacking while reading can wait for ever for a byte that
    # means something, and may blow up a little to a lot.
    deadline = time.monotonic() + timeout
    body = bytearray()
    while len(body) <= _LARGEST_BODY:
        chunk = response.raw.read1(65536, decode_content=False)
        if not chunk:
            break
        body += chunk
        if time.monotonic() > deadline:
            raise requests.ReadTimeout
    if response.headers.get("Content-Encoding", "").lower() in ("gzip", "x-gzip"):
        return _unpacked(bytes(body))
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
    if isinstance(error, requests.exceptions.ProxyError):
        return "the proxy did not let the request through; check HTTPS_PROXY"
    if isinstance(error, _BAD_ADDRESS):
        return "its address or that of a proxy cannot be used; check api_url and HTTPS_PROXY"
    if isinstance(error, requests.exceptions.SSLError):
        return "its TLS certificate or connection is not valid"
    words = str(error)
    for sign, meaning in (
        ("resolve", "its name was not found; check api_url and the network"),
        ("getaddrinfo", "its name was not found; check api_url and the network"),
        ("refused", "the connection was refused"),
        ("unreachable", "the network is unreachable"),
    ):
        if sign in words:
            return meaning
    return "the connection broke"


def checked_key(key: str) -> Secret:
    """A key without what pasting adds to it.

    Raises:
        SettingsError: It is empty, or holds what no key holds.
    """
    # Secret at once: an exception from here may be shown with the variables.
    key = Secret(key)
    cleaned = Secret(re.sub(r"^bearer(\s+|$)", "", key.strip(), flags=re.IGNORECASE))
    if not cleaned:
        raise SettingsError("The API key is empty; set STABILITY_API_KEY or run %stability_login.")
    if not _is_header_text(cleaned):
        raise SettingsError(
            "The API key holds a space, a line break or a character that no key has; copy it"
            " again from https://platform.stability.ai/account/keys."
        )
    return cleaned


def _is_header_text(value: str) -> bool:
    return bool(value) and value.isascii() and value.isprintable() and " " not in value


def _checked_url(url: str) -> str:
    """The service's address without a slash at its end; https is understood where none is said."""
    text = url.strip()
    full = (text if "://" in text else f"https://{text}").rstrip("/")
    try:
        parts = urlsplit(full)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or not full.isascii() or not full.isprintable() or " " in full:
        raise SettingsError(f"api_url is no address of a service; use {API_URL} or one like it.")
    if parts.username is not None or "?" in full or "#" in full:
        raise SettingsError("api_url holds a user, a query or a fragment; give host and path only.")
    if parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(full)):
        return full
    raise SettingsError(
        f"api_url is {parts.scheme}://{host}, where a key could be overheard; use https."
        " Plain http is for loopback alone."
    )


def _host(url: str) -> str:
    return urlsplit(url).hostname or ""


def _is_loopback(url: str) -> bool:
    try:
        return ipaddress.ip_address(_host(url)).is_loopback
    except ValueError:
        return _host(url) == "localhost"
