"""Answers for the tests that parse them."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from stability_magic.api.answers import Answer

from ..helpers.errors import KEY

NOW = datetime(2026, 6, 10, 12, tzinfo=UTC)
REQUEST_LABEL = "https://api.example.invalid/v1/user/balance"
ORGANIZATION = {"id": "org-1", "name": "One", "role": "MEMBER", "is_default": True}
ACCOUNT = {"id": "user-1", "email": "a@example.com", "organizations": [ORGANIZATION]}


def answer(body=b"", status=200, **headers):
    """An answer with a body of bytes, or of a value that is sent as JSON."""
    if not isinstance(body, bytes):
        body = json.dumps(body).encode()
    header_lines = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(REQUEST_LABEL, status, header_lines, body, secret=KEY)
