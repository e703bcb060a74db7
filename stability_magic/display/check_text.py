"""What was checked, as lines that are safe to paste into a bug report; pure."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ..text import mask_email, strike_out

__all__ = ["FAULT", "OK", "UNKNOWN", "Check", "check_text", "without_secrets"]

OK, FAULT, UNKNOWN = "ok", "FAULT", "-"

_MARK_WIDTH, _NAME_WIDTH = 7, 12

_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
# An id of an organization or of a user, such as org-1234; in the name of a host it is none.
_ID = re.compile(r"(?<![\w./-])(org|user)-[\w-]+")
# Who an address is used as, a user and maybe a password; but for the addresses that are examples.
_EXAMPLES = r"(?:user@host/database|me:password@example\.org)(?!\S*@)"
_USER_INFO = re.compile(rf"(?<=://)(?!{_EXAMPLES})\S*@")


class Check(NamedTuple):
    """One thing that was checked.

    Attributes:
        name: What it is, such as ``clock``.
        state: ``OK``, ``FAULT``, or ``UNKNOWN`` where nothing can be said or nothing is to be done.
        text: How it is or, of a fault, what the cause is.
    """

    name: str
    state: str
    text: str


def check_text(checks: Iterable[Check], width: int | None = None) -> str:
    """A line for each check.

    Args:
        checks: What was checked.
        width: Columns at which lines are wrapped; None leaves them as they are.
    """
    lines = [f"{each.state:<{_MARK_WIDTH}}{each.name:<{_NAME_WIDTH}}{each.text}" for each in checks]
    if width is not None:
        indent = " " * (_MARK_WIDTH + _NAME_WIDTH)
        lines = [
            textwrap.fill(
                each,
                max(width, 2 * len(indent)),
                subsequent_indent=indent,
                break_long_words=False,
                break_on_hyphens=False,
            )
            for each in lines
        ]
    return "\n".join(lines) + "\n"


def _masked_email(email: str) -> str:
    # A part of the example of an address for messages.
    return email if email == "password@example.org" else mask_email(email)


def without_secrets(text: str, *, home: str, secrets: Sequence[str]) -> str:
    """A text as it may be shown to anybody.

    Nothing is left of keys; users and passwords in addresses and e-mail addresses are masked, ids
    of organizations and users are cut to their last four characters, and the home folder is ``~``.

    Args:
        text: The text.
        home: The home folder; empty if it is not known.
        secrets: The keys that there are.
    """
    for each in secrets:
        text = strike_out(text, each)
    text = _USER_INFO.sub("***@", text)
    text = _EMAIL.sub(lambda match: _masked_email(match[0]), text)
    text = _ID.sub(lambda match: f"{match[1]}-…{match[0][-4:]}", text)
    # Not the root folder, which some containers have as a home.
    if len(home.rstrip("/\\")) > 1:
        text = re.sub(rf"{re.escape(home.rstrip('/'))}(?![\w-]|\.\w)", "~", text)
    return text
