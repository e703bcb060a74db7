"""The two operations of the API that tell about an account."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Self, TypeVar

from ._answers import Answer, account_of, credits_of, error_of
from ._checks import API_URL, checked_key, checked_url, is_header_text
from ._errors import RateLimitError, SettingsError
from ._readings import Account, Balance
from ._text import Secret, clean_text
from ._transport import Transport

__all__ = ["API_URL", "API_VERSIONS", "StabilityClient"]

API_VERSIONS = ("auto", "v1alpha", "v1")

# A service that was switched off, or never knew the key, says so with one of these.
_NOT_SERVED = frozenset({401, 403, 404, 410})
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
        self.api_url = checked_url(api_url)
        self.timeout = timeout  # checked in the setter
        self._key = checked_key(api_key)
        self._version = None if api_version == "auto" else api_version
        self._wait_until = 0.0
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
        if organization is not None and not is_header_text(organization):
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
        answer = self._transport.get(
            url,
            asked=asked,
            organization=organization,
            bearer=version == "v1",
            timeout=self.timeout,
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
