"""What the API answers, taken apart: bytes into values, error statuses into exceptions; pure.

The bodies are those of the published API documents of v1alpha and v1 and of the newer routes
of the same host; unknown fields are ignored.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

from ._errors import (
    AuthenticationError,
    PermissionDeniedError,
    RateLimitError,
    ResponseError,
    StatusError,
)
from ._readings import Account, Organization
from ._text import clean_text

__all__ = ["Answer", "account_of", "credits_of", "error_of"]

# The service blocks for a minute and sends no Retry-After (platform.stability.ai, API reference).
DEFAULT_WAIT = 60.0
LONGEST_WAIT = 86_400.0

_LONGEST_DETAIL = 300
_SHORTEST_SECRET = 8
_KINDS = {str: "text", bool: "true or false", list: "a list", dict: "an object"}
_PROXY = (
    "A proxy or CDN answered in place of the API. This says nothing about your key or your"
    " credits; check the network, the proxy and api_url."
)


class Answer(NamedTuple):
    """One HTTP answer.

    Attributes:
        asked: What was asked, for messages: the address, and for whom.
        status: The HTTP status code.
        headers: Its headers; names in any case.
        body: The whole body.
        secret: The key, which some services repeat in what they say.
    """

    asked: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    secret: str = ""

    def __repr__(self) -> str:
        # Without what the service said: it may have repeated the key, and some tracebacks show
        # variables.
        return f"Answer(asked={self.asked!r}, status={self.status})"


def account_of(answer: Answer) -> Account:
    """The account in a 200 answer.

    Raises:
        ResponseError: The body is not an account; the message names the field.
    """
    body = _object(answer)
    listed = _field(answer, body, "organizations", list)
    organizations = []
    for position, each in enumerate(listed):
        where = f"organizations[{position}]"
        if not isinstance(each, dict):
            raise _unexpected(answer, f"{where!r} is not an object")
        organizations.append(
            Organization(
                id=_shown(answer, _field(answer, each, "id", str, where)),
                name=_shown(answer, _field(answer, each, "name", str, where)),
                role=_shown(answer, _field(answer, each, "role", str, where)),
                is_default=_field(answer, each, "is_default", bool, where),
            )
        )
    picture = body.get("profile_picture")
    return Account(
        id=_shown(answer, _field(answer, body, "id", str)),
        email=_shown(answer, _field(answer, body, "email", str)),
        organizations=tuple(organizations),
        profile_picture=None
        if picture is None
        else _shown(answer, _field(answer, body, "profile_picture", str)),
    )


def credits_of(answer: Answer) -> float:
    """The credits in a 200 answer: any finite number, negative ones included.

    Raises:
        ResponseError: There is no ``credits``, or it is no finite number.
    """
    body = _object(answer)
    if "credits" not in body:
        fields = ", ".join(_shown(answer, each)[:40] for each in list(body)[:8]) or "none"
        raise _unexpected(answer, f"it has no 'credits'; its fields are: {fields}")
    credits = body["credits"]
    if not isinstance(credits, float):
        raise _unexpected(answer, "'credits' is not a number")
    if not math.isfinite(credits):
        raise _unexpected(answer, "'credits' is not a finite number")
    return credits


def error_of(answer: Answer, now: datetime) -> StatusError:
    """The exception that an error status stands for.

    Args:
        answer: An answer with a status other than 200.
        now: When it arrived; a Retry-After that is a date counts from here.
    """
    problem = _problem(answer)
    detail = _shown(answer, _words(problem))[:_LONGEST_DETAIL].rstrip(".")
    facts: dict[str, Any] = {"status": answer.status, "detail": detail, "error_id": ""}
    if isinstance(problem.get("id"), str):
        facts["error_id"] = _shown(answer, problem["id"])[:_LONGEST_DETAIL]
    said = f"HTTP {answer.status}" + (f": {detail}" if detail else "")
    if answer.status == 429:
        wait = _retry_after(answer, now)
        return RateLimitError(
            f"{answer.asked} was asked too often ({said}); ask again in {wait:.0f} s.",
            retry_after=wait,
            **facts,
        )
    if _is_page(answer) or (answer.status == 403 and not problem):
        return StatusError(f"{answer.asked}: HTTP {answer.status}. {_PROXY}", **facts)
    if answer.status == 401:
        return AuthenticationError(
            f"{answer.asked} rejected the API key ({said}). Check STABILITY_API_KEY or run"
            " %stability_login; keys are listed at https://platform.stability.ai/account/keys.",
            **facts,
        )
    if answer.status == 403:
        return PermissionDeniedError(
            f"{answer.asked} is not shown to this key ({said})."
            " %stability_account lists the key's organizations.",
            **facts,
        )
    return StatusError(f"{answer.asked} failed ({said}). {_advice(answer.status)}", **facts)


def _advice(status: int) -> str:
    if 300 <= status < 400:
        return "It redirects elsewhere, and redirects are not followed; check api_url."
    if status in (404, 405, 410):
        return "Check api_url and api_version."
    return "Nothing was read; try again in a minute."


def _retry_after(answer: Answer, now: datetime) -> float:
    """Seconds to wait; what cannot be read, or is absent, is the service's usual minute."""
    value = _header(answer, "retry-after").strip()
    try:
        wait = float(value)
    except ValueError:
        try:
            until = parsedate_to_datetime(value)
        except (ValueError, OverflowError):
            return DEFAULT_WAIT
        wait = (until.replace(tzinfo=until.tzinfo or UTC) - now).total_seconds()
    if math.isnan(wait):
        return DEFAULT_WAIT
    return min(max(wait, 0.0), LONGEST_WAIT)


def _header(answer: Answer, name: str) -> str:
    return next((value for key, value in answer.headers.items() if key.lower() == name), "")


def _is_page(answer: Answer) -> bool:
    kind = _header(answer, "content-type").lower()
    return "html" in kind or answer.body.lstrip()[:1] == b"<"


def _json(answer: Answer) -> Any:
    """The body as JSON, each number a float; ValueError where it is none."""
    body = answer.body
    if len(answer.secret) >= _SHORTEST_SECRET:
        body = body.replace(answer.secret.encode(), b"***")
    try:
        return json.loads(body, parse_int=float)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _problem(answer: Answer) -> dict[str, Any]:
    """An error body of either of the API's shapes; empty where it is none of them."""
    try:
        body = _json(answer)
    except ValueError:
        return {}
    known = isinstance(body, dict) and ("message" in body or "errors" in body or "name" in body)
    return body if known else {}


def _words(problem: Mapping[str, Any]) -> str:
    """What went wrong in the service's words: v1 says ``message``, v2beta lists ``errors``."""
    errors = problem.get("errors")
    said = [problem.get("message"), *(errors if isinstance(errors, list) else ())]
    words = "; ".join(each.strip() for each in said if isinstance(each, str) and each.strip())
    if not words and isinstance(problem.get("name"), str):
        words = problem["name"]
    return words


def _shown(answer: Answer, words: str) -> str:
    """Words of the service as they may be shown: printable, and without the key."""
    # A key as short as a syllable is no real one, and would be found in every word.
    if len(answer.secret) >= _SHORTEST_SECRET:
        words = words.replace(answer.secret, "***")
    return clean_text(words)


def _object(answer: Answer) -> dict[str, Any]:
    if _is_page(answer):
        raise ResponseError(f"{answer.asked}: {_PROXY}")
    if not answer.body.strip():
        raise _unexpected(answer, "it is empty")
    try:
        body = _json(answer)
    except ValueError:
        raise _unexpected(answer, "it is not JSON") from None
    if not isinstance(body, dict):
        raise _unexpected(answer, "it is not a JSON object")
    return body


def _field(answer: Answer, body: Mapping[str, Any], name: str, kind: type, where: str = "") -> Any:
    path = f"{where}.{name}" if where else name
    if name not in body:
        raise _unexpected(answer, f"it has no {path!r}")
    if not isinstance(body[name], kind):
        raise _unexpected(answer, f"{path!r} is not {_KINDS[kind]}")
    return body[name]


def _unexpected(answer: Answer, what: str) -> ResponseError:
    return ResponseError(
        f"{answer.asked} gave an answer that cannot be understood: {what}."
        " Nothing was read; check api_url, or try again later."
    )
