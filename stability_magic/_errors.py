"""The exceptions of stability_magic.

::

    StabilityMagicError
    ├── SettingsError                  nothing was sent
    ├── ApiError
    │   ├── TransportError             no answer; safe to try again
    │   ├── StatusError                .status, .detail, .error_id
    │   │   ├── AuthenticationError    401
    │   │   ├── PermissionDeniedError  403 of the API itself
    │   │   └── RateLimitError         429, .retry_after in seconds
    │   └── ResponseError              not what the API documents
    ├── LowBalanceError                .credits, .required
    └── LogError                       .path
"""

from __future__ import annotations

from pathlib import Path

from ._text import clean_text

__all__ = [
    "ApiError",
    "AuthenticationError",
    "LogError",
    "LowBalanceError",
    "PermissionDeniedError",
    "RateLimitError",
    "ResponseError",
    "SettingsError",
    "StabilityMagicError",
    "StatusError",
    "TransportError",
]


class StabilityMagicError(Exception):
    """Base of everything this package raises on purpose.

    Its message is one line that can be printed, whatever it names.
    """

    def __init__(self, message: str = "") -> None:
        super().__init__(clean_text(message))


class SettingsError(StabilityMagicError):
    """Nothing was sent: no key, a host that is not https, a setting that cannot be used."""


class BadArgument(ValueError):  # noqa: N818 - what is wrong is the argument
    """An argument of a command cannot be used; for the magics and the command line alone.

    There it becomes IPython's ``UsageError``, or exit code 2.
    """


class ApiError(StabilityMagicError):
    """A question to the API that was not answered as hoped."""


class TransportError(ApiError):
    """No answer arrived (DNS, TLS, refused, timed out); asking again is safe."""


class StatusError(ApiError):
    """The service answered with an error status.

    Attributes:
        status: The HTTP status code.
        detail: What the service said about it; empty where it said nothing.
        error_id: The id under which the service filed it; empty where it gave none.
    """

    def __init__(self, message: str, *, status: int, detail: str = "", error_id: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.detail = detail
        self.error_id = error_id


class AuthenticationError(StatusError):
    """HTTP 401: the service did not accept the API key."""


class PermissionDeniedError(StatusError):
    """HTTP 403 in the API's own JSON: the key may not see this organization."""


class RateLimitError(StatusError):
    """HTTP 429, or a request that was not sent because of an earlier one.

    Attributes:
        retry_after: Seconds until the service answers again.
    """

    def __init__(
        self,
        message: str,
        *,
        retry_after: float,
        status: int = 429,
        detail: str = "",
        error_id: str = "",
    ) -> None:
        super().__init__(message, status=status, detail=detail, error_id=error_id)
        self.retry_after = retry_after


class ResponseError(ApiError):
    """An answer that is not what the API documents: a proxy's page, a missing field."""


class LowBalanceError(StabilityMagicError):
    """Less is left than was required.

    Attributes:
        credits: What is left.
        required: What was required, in credits.
    """

    def __init__(self, message: str, *, credits: float, required: float) -> None:
        super().__init__(message)
        self.credits = credits
        self.required = required


class LogError(StabilityMagicError):
    """The log could not be read or written.

    Attributes:
        path: The file, or the address of a shared log, without its password.
    """

    def __init__(self, message: str, *, path: Path | str) -> None:
        super().__init__(message)
        self.path = path
