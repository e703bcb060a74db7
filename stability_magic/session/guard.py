"""The guard: how many credits must be left, and amounts as people write them; pure."""

from __future__ import annotations

import math
import re

from ..display.wording import credits_text, name_text, usd_text
from ..errors import BadArgument, LowBalanceError

__all__ = ["low_balance_error", "parse_required_credits"]

_AMOUNT = re.compile(
    r"(?P<dollar>\$)?\s*(?P<number>\d+(?:\.\d*)?|\.\d+)\s*(?P<unit>usd|credits)?",
    re.IGNORECASE,
)


def parse_required_credits(text: str, usd_per_credit: float) -> float:
    """The credits in ``500``, ``500credits``, ``5usd`` or ``$5``.

    Raises:
        BadArgument: It is no such amount, or is in dollars while credits have no price.
    """
    match = _AMOUNT.fullmatch(text.strip())
    unit = (match["unit"] or "").lower() if match else ""
    is_contradiction = bool(match and match["dollar"]) and unit == "credits"
    amount = float(match["number"]) if match and not is_contradiction else math.nan
    if not math.isfinite(amount):
        raise BadArgument(
            f"{text!r} is no amount of credits; use credits, such as 500, or dollars, such as 5usd."
        )
    if match and (match["dollar"] or unit == "usd"):
        if not usd_per_credit > 0:
            raise BadArgument(
                f"{text!r} cannot be told in credits: usd_per_credit is {usd_per_credit:g}; use"
                " credits, such as 500."
            )
        amount /= usd_per_credit
        if not math.isfinite(amount):
            raise BadArgument(f"{text!r} is more than can be counted; use less.")
    return amount


def low_balance_error(
    name: str, left: float, required: float, usd_per_credit: float
) -> LowBalanceError | None:
    """The error to raise when less is left than required; None when enough is left.

    Args:
        name: The organization's name.
        left: Its credits.
        required: Credits that must be left.
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
