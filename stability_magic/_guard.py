"""The guard: how much has to be left; pure."""

from __future__ import annotations

import math
import re

from ._errors import BadArgument, LowBalanceError
from ._lines import credits_text, name_text, usd_text

__all__ = ["required_credits", "shortfall"]

_AMOUNT = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*(usd|credits)?", re.IGNORECASE)


def required_credits(text: str, usd_per_credit: float) -> float:
    """The credits in ``500``, ``500credits`` or ``5usd``.

    Raises:
        BadArgument: It is no such amount, or credits have no price to convert dollars by.
    """
    found = _AMOUNT.fullmatch(text.strip())
    amount = float(found[1]) if found else math.nan
    if not math.isfinite(amount):
        raise BadArgument(
            f"{text!r} is no amount that can be required; use credits, such as 500, or dollars,"
            " such as 5usd."
        )
    if found and (found[2] or "").lower() == "usd":
        if not usd_per_credit > 0:
            raise BadArgument(
                f"{text!r} cannot be told in credits: usd_per_credit is {usd_per_credit:g}; use"
                " credits, such as 500."
            )
        return amount / usd_per_credit
    return amount


def shortfall(
    name: str, left: float, required: float, usd_per_credit: float
) -> LowBalanceError | None:
    """What is wrong when less is left than required; None when nothing is.

    Args:
        name: The organization's name.
        left: Its credits.
        required: Credits.
        usd_per_credit: The price of a credit.
    """
    if left >= required:
        return None
    return LowBalanceError(
        f"{name_text(name)} has {credits_text(left)} credits"
        f" ({usd_text(left * usd_per_credit)}) left, and {credits_text(required)} are required."
        " Top up at platform.stability.ai/account/credits, or use less.",
        credits=left,
        required=required,
    )
