"""Ways in which an HTTP answer can go wrong, which the simulator sends on request.

The bodies follow what the service has published or sent: errors of v1 are objects with ``id``,
``name`` and ``message``, newer routes send ``id``, ``name`` and ``errors``, and Cloudflare, which
sits in front of the host, sends HTML.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final

__all__ = ["FAULTS", "Fault", "json_answer"]

_HTML_TYPE: Final = "text/html; charset=UTF-8"
_ERROR_ID: Final = "5bc8b2a1-51f3-4f0c-9d0b-0d3a1e8c5a11"
_MEBIBYTE: Final = 1 << 20


@dataclass(frozen=True)
class Fault:
    """An answer to send instead of the correct one.

    Args:
        status: The HTTP status.
        body: The bytes of the body.
        headers: Additional headers, as pairs of name and value.
        delay: Real seconds before anything is sent.
        hang_up: Close the connection half-way through the body, or without any answer if the
            body is empty.
        content_type: The ``Content-Type``.
        drip: Real seconds between two bytes of the body; 0 sends it at once.
        endless: Send the body again and again, without a length, until the client hangs up or
            32 MiB have been sent.
    """

    status: int = 200
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    delay: float = 0.0
    hang_up: bool = False
    content_type: str = "application/json"
    drip: float = 0.0
    endless: bool = False


def json_answer(value: object, status: int = 200) -> Fault:
    """An answer whose body is the value as JSON."""
    return Fault(status, json.dumps(value).encode())


def _error_answer(status: int, name: str, message: str) -> Fault:
    return json_answer({"id": _ERROR_ID, "name": name, "message": message}, status)


def _html_page(status: int, title: str) -> Fault:
    body = f"<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"
    return Fault(status, body.encode(), content_type=_HTML_TYPE)


def _credits_answer(literal: str) -> Fault:
    # Not by json.dumps, because some of these are not valid JSON.
    return Fault(body=b'{"credits": ' + literal.encode() + b"}")


def _organization(number: int, is_default: bool) -> dict[str, Any]:
    return {
        "id": f"org-simulatedfault000000000{number}",
        "name": f"Faulty {number} (simulated)",
        "role": "MEMBER",
        "is_default": is_default,
    }


def _account_answer(*organizations: object) -> Fault:
    return json_answer(
        {
            "id": "user-sim-fault",
            "email": "faulty@example.com",
            "organizations": organizations,
            "profile_picture": "https://example.com/simulated.png",
        }
    )


def _without(mapping: Mapping[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in mapping.items() if name != key}


_TOO_MANY_REQUESTS: Final = _error_answer(
    429, "rate_limit_exceeded", "too many requests, wait for 60 seconds"
)
_BALANCE_BODY: Final = b'{"credits": 1234.5}'

# What can happen to a request, by name. After a 401, 403, 404 or 410 an "auto" client asks the
# other version of the API: queue those twice to refuse both.
FAULTS: Final[Mapping[str, Fault]] = MappingProxyType(
    {
        "401": _error_answer(401, "unauthorized", "missing authorization header"),
        "403": _error_answer(
            403, "permission_denied", "you do not have access to this organization"
        ),
        "403-html": Fault(
            403,
            b"<!DOCTYPE html><html><head><title>Access denied</title></head>"
            b"<body><h1>Access denied</h1><p>error code: 1010</p></body></html>",
            content_type=_HTML_TYPE,
        ),
        "404": _error_answer(404, "not_found", "the requested resource was not found"),
        "410": _error_answer(410, "gone", "this version of the API was switched off"),
        "429": _TOO_MANY_REQUESTS,
        "429-retry-after": replace(_TOO_MANY_REQUESTS, headers=(("Retry-After", "7"),)),
        "500": _error_answer(500, "server_error", "an unexpected server error has occurred"),
        "502": _html_page(502, "502 Bad Gateway"),
        "503": _html_page(503, "503 Service Temporarily Unavailable"),
        "504": _html_page(504, "504 Gateway Time-out"),
        "v2beta-error": json_answer(
            {"id": "ea8877d647fd34d56e00e688823294ab", "name": "bad_request", "errors": ["a", "b"]},
            400,
        ),
        "redirect": Fault(302, headers=(("Location", "http://elsewhere.invalid/v1/user/balance"),)),
        "html": _html_page(200, "Sign in to this network"),
        "empty": Fault(),
        "broken-json": Fault(body=b'{"credits": 12'),
        "not-utf-8": Fault(body=b'{"credits": "\xff\xfe"}'),
        "list": json_answer([{"credits": 1.0}]),
        "string": json_answer("credits"),
        "number": json_answer(12.5),
        "null": json_answer(None),
        "credits-missing": json_answer({"balance": 12.5, "currency": "credits"}),
        "credits-null": _credits_answer("null"),
        "credits-true": _credits_answer("true"),
        "credits-text": _credits_answer('"12"'),
        "credits-nan": _credits_answer("NaN"),
        "credits-1e400": _credits_answer("1e400"),
        "credits-infinity": _credits_answer("Infinity"),
        "account-no-organizations": _account_answer(),
        "account-two-defaults": _account_answer(_organization(1, True), _organization(2, True)),
        "account-no-default": _account_answer(_organization(1, False), _organization(2, False)),
        "account-missing-fields": json_answer({"id": "user-sim-fault"}),
        "account-organization-without-id": _account_answer(_without(_organization(1, True), "id")),
        "account-organization-without-name": _account_answer(
            _without(_organization(1, True), "name")
        ),
        "account-organization-not-an-object": _account_answer("org-simulatedfault0000000001"),
        "too-large": Fault(body=b'{"credits": 1, "pad": "' + b"x" * (2 * _MEBIBYTE) + b'"}'),
        "endless": Fault(body=b'{"credits": 1, "pad": "' + b"x" * 65536, endless=True),
        "drip": Fault(body=_BALANCE_BODY, drip=0.2),
        "hang-up": Fault(body=_BALANCE_BODY, hang_up=True),
        "hang-up-at-once": Fault(hang_up=True),
    }
)
