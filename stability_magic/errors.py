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
    ├── BudgetError                    .spent, .budget
    └── LogError                       .path
"""

from __future__ import annotations

from pathlib import Path

from .text import clean_text

__all__ = [
    "ApiError",
    "AuthenticationError",
    "BudgetError",
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
    """The base class of everything this package raises on purpose.

    Its message is one printable line.
    """

    def __init__(self, message: str = "") -> None:
        super().__init__(clean_text(message))


class SettingsError(StabilityMagicError):
    """A missing key, a host without https, or a setting that cannot be used; nothing was sent."""


class BadArgument(ValueError):  # noqa: N818 - what is wrong is the argument
    """An argument of a command cannot be used.

    The magics turn it into IPython's ``UsageError``, the command line into exit code 2.
    """


class ApiError(StabilityMagicError):
    """A request to the API failed."""


class TransportError(ApiError):
    """No answer arrived (DNS, TLS, refused, timed out); asking again is safe."""


class StatusError(ApiError):
    """The service answered with an error status.

    Attributes:
        status: The HTTP status code.
        detail: The service's own message; empty if it sent none.
        error_id: The service's id for this error; empty if it sent none.
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
    """HTTP 429, or a request that was not sent because of an earlier 429.

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
    """The balance is lower than required.

    Attributes:
        credits: The balance, in credits.
        required: The balance that was required, in credits.
    """

    def __init__(self, message: str, *, credits: float, required: float) -> None:
        super().__init__(message)
        self.credits = credits
        self.required = required


class BudgetError(StabilityMagicError):
    """More was spent than a budget or a cap allows.

    Attributes:
        spent: What was spent, in credits; NaN where that is not known.
        budget: What may be spent, in credits.
    """

    def __init__(self, message: str, *, spent: float, budget: float) -> None:
        super().__init__(message)
        self.spent = spent
        self.budget = budget


class LogError(StabilityMagicError):
    """The log could not be read or written.

    Attributes:
        path: The log's file, or the address of a shared log without its password.
    """

    def __init__(self, message: str, *, path: Path | str) -> None:
        super().__init__(message)
        self.path = path
