"""Parses the API's answers: bytes into values, error statuses into exceptions; pure.

The bodies follow the published API documents of v1alpha and v1, and the newer routes of the same
host. Unknown fields are ignored.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

from ..errors import (
    AuthenticationError,
    PermissionDeniedError,
    RateLimitError,
    ResponseError,
    StatusError,
)
from ..models import Account, Organization
from ..text import clean_text, strike_out

__all__ = ["Answer", "parse_account", "parse_credits", "status_error"]

# The service blocks for a minute and sends no Retry-After (platform.stability.ai, API reference).
DEFAULT_WAIT = 60.0
MAX_WAIT = 86_400.0

_MAX_DETAIL_LENGTH = 300
_TYPE_NAMES = {str: "text", bool: "true or false", list: "a list", dict: "an object"}
_PROXY_MESSAGE = (
    "A proxy or CDN answered in place of the API. This says nothing about your key or your"
    " credits; check the network, the proxy and api_url."
)


class Answer(NamedTuple):
    """One HTTP answer.

    Attributes:
        request_label: The request in words, for messages: its address and organization.
        status: The HTTP status code.
        headers: The headers; names in any case.
        body: The whole body.
        secret: The key, which a service may repeat in its answer.
        clock_offset: The service's time less this machine's; None where the answer does not tell.
    """

    request_label: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    secret: str = ""
    clock_offset: timedelta | None = None

    def __repr__(self) -> str:
        # Without headers and body: they may repeat the key, and some tracebacks show variables.
        return f"Answer(request_label={self.request_label!r}, status={self.status})"


def parse_account(answer: Answer) -> Account:
    """The account in a 200 answer.

    Raises:
        ResponseError: The body is not an account; the message names the field.
    """
    body = _json_object(answer)
    organizations = []
    for position, each in enumerate(_field(answer, body, "organizations", list)):
        path = f"organizations[{position}]"
        if not isinstance(each, dict):
            raise _response_error(answer, f"{path!r} is not an object")
        organizations.append(
            Organization(
                id=_safe_text(answer, _field(answer, each, "id", str, path)),
                name=_safe_text(answer, _field(answer, each, "name", str, path)),
                role=_safe_text(answer, _field(answer, each, "role", str, path)),
                is_default=_field(answer, each, "is_default", bool, path),
            )
        )
    picture = body.get("profile_picture")
    return Account(
        id=_safe_text(answer, _field(answer, body, "id", str)),
        email=_safe_text(answer, _field(answer, body, "email", str)),
        organizations=tuple(organizations),
        profile_picture=None
        if picture is None
        else _safe_text(answer, _field(answer, body, "profile_picture", str)),
    )


def parse_credits(answer: Answer) -> float:
    """The credits in a 200 answer: any finite number, negative ones included.

    Raises:
        ResponseError: ``credits`` is missing or not a finite number.
    """
    body = _json_object(answer)
    if "credits" not in body:
        fields = _safe_text(answer, ", ".join(each[:40] for each in list(body)[:8])) or "none"
        raise _response_error(answer, f"it has no 'credits'; its fields are: {fields}")
    credits = body["credits"]
    if not isinstance(credits, float):
        raise _response_error(answer, "'credits' is not a number")
    if not math.isfinite(credits):
        raise _response_error(answer, "'credits' is not a finite number")
    return credits


def status_error(answer: Answer, now: datetime) -> StatusError:
    """The exception for an error status.

    Args:
        answer: An answer with a status other than 200.
        now: When it arrived; a Retry-After date is counted from then.
    """
    body = _error_body(answer)
    detail = _safe_text(answer, _error_message(body))[:_MAX_DETAIL_LENGTH].rstrip(".")
    attributes: dict[str, Any] = {"status": answer.status, "detail": detail, "error_id": ""}
    if isinstance(body.get("id"), str):
        attributes["error_id"] = _safe_text(answer, body["id"])[:_MAX_DETAIL_LENGTH]
    cause = f"HTTP {answer.status}" + (f": {detail}" if detail else "")
    if answer.status == 429:
        wait = _retry_after_seconds(answer, now)
        return RateLimitError(
            f"{answer.request_label} was asked too often ({cause}); ask again in {wait:.0f} s.",
            retry_after=wait,
            **attributes,
        )
    if _is_html(answer) or (answer.status == 403 and not body):
        return StatusError(
            f"{answer.request_label}: HTTP {answer.status}. {_PROXY_MESSAGE}", **attributes
        )
    if answer.status == 401:
        return AuthenticationError(
            f"{answer.request_label} rejected the API key ({cause}). Check STABILITY_API_KEY or"
            " STABILITY_KEY, or run %stability_login; keys are listed at"
            " https://platform.stability.ai/account/keys.",
            **attributes,
        )
    if answer.status == 403:
        return PermissionDeniedError(
            f"{answer.request_label} is not shown to this key ({cause})."
            " %stability_account lists the key's organizations.",
            **attributes,
        )
    return StatusError(
        f"{answer.request_label} failed ({cause}). {_advice(answer.status)}",
        **attributes,
    )


def _advice(status: int) -> str:
    if 300 <= status < 400:
        return "It redirects elsewhere, and redirects are not followed; check api_url."
    if status in (404, 405, 410):
        return "Check api_url and api_version."
    return "Nothing was read; try again in a minute."


def _retry_after_seconds(answer: Answer, now: datetime) -> float:
    """Seconds to wait; the service's usual minute if the header is missing or unreadable."""
    value = _header(answer, "retry-after").strip()
    try:
        wait = float(value)
    except ValueError:
        retry_at = parse_http_date(value)
        if retry_at is None:
            return DEFAULT_WAIT
        wait = (retry_at - now).total_seconds()
    if math.isnan(wait):
        return DEFAULT_WAIT
    return min(max(wait, 0.0), MAX_WAIT)


def parse_http_date(text: str) -> datetime | None:
    """The time that a header tells; None where it tells none."""
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    # "-0000" is UTC too (RFC 5322, 3.3), and is parsed as a time without a zone.
    return at.replace(tzinfo=at.tzinfo or UTC)


def _header(answer: Answer, name: str) -> str:
    return next((value for key, value in answer.headers.items() if key.lower() == name), "")


def _is_html(answer: Answer) -> bool:
    content_type = _header(answer, "content-type").lower()
    return "html" in content_type or answer.body.lstrip()[:1] == b"<"


def _parse_json(answer: Answer) -> Any:
    """The body parsed as JSON without the key, every number a float.

    Raises:
        ValueError: It is not JSON.
    """
    value, is_json = None, False
    try:
        value = _without_key(json.loads(answer.body, parse_int=float), answer.secret)
        is_json = True
    except (ValueError, RecursionError):
        pass
    # Raised outside the handler: the parser's frames hold the body, which may repeat the key.
    if not is_json:
        raise ValueError("no JSON")
    return value


def _without_key(value: Any, key: str) -> Any:
    """The same value with the key struck out of every text; tracebacks may show its variables."""
    if isinstance(value, str):
        return strike_out(value, key)
    if isinstance(value, list):
        return [_without_key(each, key) for each in value]
    if isinstance(value, dict):
        return {strike_out(name, key): _without_key(each, key) for name, each in value.items()}
    return value


def _error_body(answer: Answer) -> dict[str, Any]:
    """The error body in one of the API's shapes; empty if it has none of them."""
    try:
        body = _parse_json(answer)
    except ValueError:
        return {}
    is_error = isinstance(body, dict) and ("message" in body or "errors" in body or "name" in body)
    return body if is_error else {}


def _error_message(body: Mapping[str, Any]) -> str:
    """The service's own error message: v1 sends ``message``, v2beta a list of ``errors``."""
    errors = body.get("errors")
    parts = [body.get("message"), *(errors if isinstance(errors, list) else ())]
    message = "; ".join(each.strip() for each in parts if isinstance(each, str) and each.strip())
    if not message and isinstance(body.get("name"), str):
        message = body["name"]
    return message


def _safe_text(answer: Answer, text: str) -> str:
    """Text from the service that is safe to show: printable, and without the key."""
    return clean_text(strike_out(text, answer.secret))


def _json_object(answer: Answer) -> dict[str, Any]:
    if _is_html(answer):
        raise ResponseError(f"{answer.request_label}: {_PROXY_MESSAGE}")
    if not answer.body.strip():
        raise _response_error(answer, "it is empty")
    try:
        body = _parse_json(answer)
    except ValueError:
        raise _response_error(answer, "it is not JSON") from None
    if not isinstance(body, dict):
        raise _response_error(answer, "it is not a JSON object")
    return body


def _field(
    answer: Answer, fields: Mapping[str, Any], name: str, expected_type: type, parent: str = ""
) -> Any:
    path = f"{parent}.{name}" if parent else name
    if name not in fields:
        raise _response_error(answer, f"it has no {path!r}")
    if not isinstance(fields[name], expected_type):
        raise _response_error(answer, f"{path!r} is not {_TYPE_NAMES[expected_type]}")
    return fields[name]


def _response_error(answer: Answer, problem: str) -> ResponseError:
    return ResponseError(
        f"{answer.request_label} gave an answer that cannot be understood: {problem}."
        " Nothing was read; check api_url, or try again later."
    )
