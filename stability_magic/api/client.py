"""The two operations of the API that describe an account."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Self, TypeVar

from ..errors import RateLimitError, SettingsError
from ..models import Account, Balance
from ..text import Secret, SecretHolder, clean_text, strike_out
from .answers import Answer, parse_account, parse_credits, status_error
from .service_clock import ServiceClock
from .transport import Transport
from .validation import API_URL, is_header_text, validate_key, validate_url

__all__ = ["API_URL", "API_VERSIONS", "StabilityClient"]

API_VERSIONS = ("auto", "v1alpha", "v1")

# A version that was switched off, or that does not accept the key, answers with one of these.
_FALLBACK_STATUSES = frozenset({401, 403, 404, 410})
_MAX_TIMEOUT = 86_400.0

_T = TypeVar("_T")


class StabilityClient(SecretHolder):
    """A client for Stability AI's user API.

    It keeps one connection pool, in each process that uses it. It uses the proxies of the
    environment, except for loopback, and ignores ``.netrc``. It does not follow redirects. A
    request that gets no answer, or 502, 503 or 504, is sent once more. After HTTP 429 nothing is
    sent until the wait is over. It cannot be pickled or copied, because it holds the key.

    Args:
        api_key: The key. White space and quotes around it and a leading ``Bearer`` are dropped.
        api_url: The service's address; https, or plain http on loopback.
        api_version: ``v1alpha``, ``v1``, or ``auto``: v1alpha first, then v1 if v1alpha answers
            401, 403, 404 or 410. The client remembers which of the two works.
        timeout: Seconds to wait for the connection, and again for the answer.

    Raises:
        SettingsError: The key, address, version or timeout cannot be used.

    Example::

        with StabilityClient(os.environ["STABILITY_API_KEY"]) as client:
            print(client.balance().credits)
    """

    # A traceback may show a client whose construction failed, so it needs this for its repr.
    api_url = ""

    def __init__(
        self,
        api_key: str,
        *,
        api_url: str = API_URL,
        api_version: str = "auto",
        timeout: float = 10.0,
    ) -> None:
        # Before anything else, so that no traceback with variables shows it.
        api_key = Secret(api_key)
        if api_version not in API_VERSIONS:
            raise SettingsError(
                f"api_version is {api_version!r}; use one of {', '.join(API_VERSIONS)}."
            )
        self.api_url = validate_url(api_url)
        self.timeout = timeout  # checked in the setter
        self._key = validate_key(api_key)
        self._version = None if api_version == "auto" else api_version
        self._wait_until = 0.0
        self._service_clock = ServiceClock()
        self._clock_offset: timedelta | None = None
        self._transport = Transport(self.api_url, self._key)

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
        self._transport.close()

    @property
    def key_fingerprint(self) -> str:
        """The first 16 hexadecimal digits of the key's SHA-256."""
        return hashlib.sha256(self._key.encode()).hexdigest()[:16]

    @property
    def timeout(self) -> float:
        """Seconds to wait for the connection, and again for the answer."""
        return self._timeout

    @timeout.setter
    def timeout(self, seconds: float) -> None:
        if not 0 < seconds <= _MAX_TIMEOUT:
            raise SettingsError(
                f"timeout is {seconds:g}; use a number of seconds above 0, up to a day's."
            )
        self._timeout = seconds

    @property
    def served_version(self) -> str | None:
        """The version of the API that answered, or that was chosen; None before an answer."""
        return self._version

    @property
    def clock_offset(self) -> timedelta | None:
        """The service's time less this machine's, by the last answer; None where it tells none."""
        return self._clock_offset

    def account(self) -> Account:
        """The user that the key belongs to, and the user's organizations.

        Raises:
            ApiError: One of its subclasses; ``stability_magic.errors`` lists them.
        """
        return self._request("account", parse_account)

    def balance(self, organization: str | None = None) -> Balance:
        """The current credit balance.

        Args:
            organization: An organization's id; None for the key's default organization.

        Raises:
            SettingsError: The id has characters that no id has; nothing was sent.
            ApiError: One of its subclasses; ``stability_magic.errors`` lists them.
        """

        def parse(answer: Answer) -> Balance:
            return Balance(
                organization=organization,
                credits=parse_credits(answer),
                read_at=datetime.now(UTC) + (answer.clock_offset or timedelta(0)),
                api_url=self.api_url,
                key_fingerprint=self.key_fingerprint,
                clock_offset=answer.clock_offset,
            )

        return self._request("balance", parse, organization)

    def _request(
        self, operation: str, parse: Callable[[Answer], _T], organization: str | None = None
    ) -> _T:
        """The parsed 200 answer of whichever API version the service serves."""
        if organization is not None and not is_header_text(organization):
            raise SettingsError(
                f"{clean_text(self._without_key(organization))!r} is no organization id; nothing"
                " was sent."
                " Ids look like org-1234; %stability_account lists them."
            )
        if self._version is None:
            answer = self._send("v1alpha", operation, organization)
            version = "v1alpha"
            if answer.status in _FALLBACK_STATUSES:
                answer = self._send("v1", operation, organization)
                version = "v1"
        else:
            version = self._version
            answer = self._send(version, operation, organization)
        if answer.status != 200:
            raise status_error(answer, datetime.now(UTC))
        value = parse(answer)
        # Only now is it certain that the API answered, and not the login page of a network.
        self._version = version
        return value

    def _send(self, version: str, operation: str, organization: str | None) -> Answer:
        url = f"{self.api_url}/{version}/user/{operation}"
        request_label = f"{url} for {self._without_key(organization)}" if organization else url
        self._refuse_while_waiting(request_label)
        sent_at = datetime.now(UTC)
        answer = self._transport.get(
            url,
            request_label=request_label,
            organization=organization,
            use_bearer=version == "v1",
            timeout=self.timeout,
        )
        offset = self._service_clock.offset(answer.headers, sent_at, datetime.now(UTC))
        self._clock_offset = offset
        if answer.status == 429:
            self._remember_wait(answer)
        return answer._replace(clock_offset=offset)

    def _without_key(self, argument: str) -> str:
        """An argument as messages may show it: somebody may have pasted the key there."""
        return strike_out(argument, self._key)

    def _remember_wait(self, answer: Answer) -> None:
        error = status_error(answer, datetime.now(UTC))
        if isinstance(error, RateLimitError):
            self._wait_until = time.monotonic() + error.retry_after

    def _refuse_while_waiting(self, request_label: str) -> None:
        wait = self._wait_until - time.monotonic()
        if wait > 0:
            until = datetime.now(UTC) + timedelta(seconds=wait)
            raise RateLimitError(
                f"{request_label} asked to wait until {until:%H:%M:%S} UTC, {wait:.0f} s from"
                " now; nothing was sent.",
                retry_after=wait,
            )
