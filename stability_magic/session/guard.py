"""The guard: how many credits must be left, and how many may be spent; pure."""

from __future__ import annotations

import math
import re

from ..display.wording import credits_text, name_text, usd_text
from ..errors import BadArgument, BudgetError, LowBalanceError

__all__ = [
    "cap_error",
    "cap_text",
    "low_balance_error",
    "parse_cap",
    "parse_required_credits",
]

_AMOUNT = re.compile(r"(\$*)(\d+(?:\.\d*)?|\.\d+)\s*(usd|credits)?", re.IGNORECASE)


def parse_required_credits(text: str, usd_per_credit: float) -> float:
    """The credits in ``500``, ``500credits``, ``5usd`` or ``$5``.

    Raises:
        BadArgument: It is no such amount, or is in dollars while credits have no price.
    """
    match = _AMOUNT.fullmatch(text.strip())
    sign, number, unit = match.groups() if match else ("", "nan", "")
    is_usd = bool(sign) or (unit or "").lower() == "usd"
    amount = float(number)
    if not math.isfinite(amount) or (sign and unit):
        raise BadArgument(
            f"{text!r} is no amount of credits; use credits, such as 500, or dollars, such as 5usd."
        )
    if not is_usd:
        return amount
    if not usd_per_credit > 0:
        raise BadArgument(
            f"{text!r} cannot be told in credits: usd_per_credit is {usd_per_credit:g}; use"
            " credits, such as 500."
        )
    return amount / usd_per_credit


def parse_cap(cap: float | str, usd_per_credit: float) -> float:
    """The credits of a cap: a number of credits, or a text as above.

    Raises:
        BadArgument: It is no such amount, or would let nothing be spent.
    """
    if isinstance(cap, int | float) and not isinstance(cap, bool):
        text, credits = f"{cap:g}", float(cap)
    else:
        text = str(cap)
        credits = parse_required_credits(text, usd_per_credit)
    if not 0 < credits < math.inf:
        raise BadArgument(
            f"a cap of {text} is none to keep; use an amount of credits above 0, such as 200, or"
            " leave it out."
        )
    return credits


def cap_text(label: str | None, cap: float, usd_per_credit: float) -> str:
    """Whose cap it is, and how much: ``render is capped at 200.00 credits ($2.00)``."""
    name = name_text(label) if label else "this cell"
    return f"{name} is capped at {credits_text(cap)} credits ({usd_text(cap * usd_per_credit)})"


def cap_error(
    label: str | None, cap: float, spent: float, usd_per_credit: float, ending: str
) -> BudgetError:
    """The error to raise when more was spent than a cap allows.

    Args:
        label: What the user calls the cell.
        cap: Its cap, in credits.
        spent: What was spent while it ran, in credits.
        usd_per_credit: The price of a credit.
        ending: What ended it.
    """
    return BudgetError(
        f"{cap_text(label, cap, usd_per_credit)}, and {credits_text(spent)}"
        f" ({usd_text(spent * usd_per_credit)}) were spent while it ran; {ending}. Set a higher"
        " cap, or use less.",
        spent=spent,
        budget=cap,
    )


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
