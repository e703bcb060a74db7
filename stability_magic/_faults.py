"""Ways in which an HTTP answer can go wrong, for the simulator to play on request.

The bodies follow what was published or seen of the service: errors of v1 are objects with
``id``, ``name`` and ``message``, newer routes answer ``id``, ``name`` and ``errors``, and
Cloudflare, which stands before the host, answers HTML.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final

__all__ = ["FAULTS", "Fault"]

_HTML: Final = "text/html; charset=UTF-8"
_ERROR_ID: Final = "5bc8b2a1-51f3-4f0c-9d0b-0d3a1e8c5a11"
_MEBIBYTE: Final = 1 << 20


@dataclass(frozen=True)
class Fault:
    """An answer to give instead of the right one.

    Args:
        status: The HTTP status.
        body: The bytes of the body.
        headers: Further headers, as pairs of name and value.
        delay: Seconds of real time before anything is sent.
        hang_up: Close the connection half-way through the body, or without any answer
            where the body is empty.
        content_type: The ``Content-Type``.
        drip: Seconds of real time between two bytes of the body; 0 sends it at once.
        endless: Send the body again and again, with no length, until the client hangs up
            or 32 MiB are sent.
    """

    status: int = 200
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    delay: float = 0.0
    hang_up: bool = False
    content_type: str = "application/json"
    drip: float = 0.0
    endless: bool = False


def _json(value: object, status: int = 200) -> Fault:
    return Fault(status, json.dumps(value).encode())


def _refusal(status: int, name: str, message: str) -> Fault:
    return _json({"id": _ERROR_ID, "name": name, "message": message}, status)


def _page(status: int, title: str) -> Fault:
    body = f"<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"
    return Fault(status, body.encode(), content_type=_HTML)


def _credits(literal: str) -> Fault:
    # Written by hand, because some of these are no legal JSON.
    return Fault(body=b'{"credits": ' + literal.encode() + b"}")


def _organization(number: int, is_default: bool) -> dict[str, Any]:
    return {
        "id": f"org-simulatedfault000000000{number}",
        "name": f"Faulty {number} (simulated)",
        "role": "MEMBER",
        "is_default": is_default,
    }


def _account(*organizations: object) -> Fault:
    return _json(
        {
            "id": "user-sim-fault",
            "email": "faulty@example.com",
            "organizations": organizations,
            "profile_picture": "https://example.com/simulated.png",
        }
    )


def _without(mapping: Mapping[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in mapping.items() if name != key}


_TOO_MANY: Final = _refusal(429, "rate_limit_exceeded", "too many requests, wait for 60 seconds")
_BALANCE: Final = b'{"credits": 1234.5}'

# What a request may meet on the wire, by a name to choose it by. An "auto" client asks the
# other version of the API after a 401, 403, 404 or 410: queue those twice to refuse both.
FAULTS: Final[Mapping[str, Fault]] = MappingProxyType(
    {
        "401": _refusal(401, "unauthorized", "missing authorization header"),
        "403": _refusal(403, "permission_denied", "you do not have access to this organization"),
        "403-html": Fault(
            403,
            b"<!DOCTYPE html><html><head><title>Access denied</title></head>"
            b"<body><h1>Access denied</h1><p>error code: 1010</p></body></html>",
            content_type=_HTML,
        ),
        "404": _refusal(404, "not_found", "the requested resource was not found"),
        "410": _refusal(410, "gone", "this version of the API was switched off"),
        "429": _TOO_MANY,
        "429-retry-after": replace(_TOO_MANY, headers=(("Retry-After", "7"),)),
        "500": _refusal(500, "server_error", "an unexpected server error has occurred"),
        "502": _page(502, "502 Bad Gateway"),
        "503": _page(503, "503 Service Temporarily Unavailable"),
        "504": _page(504, "504 Gateway Time-out"),
        "v2beta-error": _json(
            {"id": "ea8877d647fd34d56e00e688823294ab", "name": "bad_request", "errors": ["a", "b"]},
            400,
        ),
        "redirect": Fault(302, headers=(("Location", "http://elsewhere.invalid/v1/user/balance"),)),
        "html": _page(200, "Sign in to this network"),
        "empty": Fault(),
        "broken-json": Fault(body=b'{"credits": 12'),
        "not-utf-8": Fault(body=b'{"credits": "\xff\xfe"}'),
        "list": _json([{"credits": 1.0}]),
        "string": _json("credits"),
        "number": _json(12.5),
        "null": _json(None),
        "credits-missing": _json({"balance": 12.5, "currency": "credits"}),
        "credits-null": _credits("null"),
        "credits-true": _credits("true"),
        "credits-text": _credits('"12"'),
        "credits-nan": _credits("NaN"),
        "credits-1e400": _credits("1e400"),
        "credits-infinity": _credits("Infinity"),
        "account-no-organizations": _account(),
        "account-two-defaults": _account(_organization(1, True), _organization(2, True)),
        "account-no-default": _account(_organization(1, False), _organization(2, False)),
        "account-missing-fields": _json({"id": "user-sim-fault"}),
        "account-organization-without-id": _account(_without(_organization(1, True), "id")),
        "account-organization-without-name": _account(_without(_organization(1, True), "name")),
        "account-organization-not-an-object": _account("org-simulatedfault0000000001"),
        "too-large": Fault(body=b'{"credits": 1, "pad": "' + b"x" * (2 * _MEBIBYTE) + b'"}'),
        "endless": Fault(body=b'{"credits": 1, "pad": "' + b"x" * 65536, endless=True),
        "drip": Fault(body=_BALANCE, drip=0.2),
        "hang-up": Fault(body=_BALANCE, hang_up=True),
        "hang-up-at-once": Fault(hang_up=True),
    }
)
