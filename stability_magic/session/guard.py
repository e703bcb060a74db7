"""The guard: what must be left, what may be spent, and amounts as people write them; pure."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import date
from typing import NamedTuple

from ..display.wording import credits_text, name_text, usd_text
from ..errors import BadArgument, BudgetError, LowBalanceError
from ..jobs import Job, parse_job
from ..prices import PriceList

__all__ = [
    "Requirement",
    "cap_error",
    "cap_text",
    "low_balance_error",
    "parse_amount",
    "parse_cap",
    "parse_requirement",
]

_AMOUNT = re.compile(
    r"(?P<dollar>\$)?\s*(?P<number>\d+(?:\.\d*)?|\.\d+)\s*(?P<unit>usd|credits)?",
    re.IGNORECASE,
)


class Requirement(NamedTuple):
    """What must be left.

    Attributes:
        credits: How much.
        job: What that pays for, where it was told so.
    """

    credits: float
    job: Job | None = None


def parse_requirement(
    text: str, usd_per_credit: float, prices: Callable[[], PriceList], day: date
) -> Requirement:
    """What ``500``, ``5usd`` or ``6 ultra`` require.

    Args:
        text: An amount, or a job as :func:`~stability_magic.jobs.parse_job` reads it.
        usd_per_credit: The price of a credit.
        prices: Returns what operations cost; called for a job alone.
        day: The day whose prices are taken.

    Raises:
        BadArgument: It is neither, the price of a credit is needed and not there, or that of an
            operation is not known.
    """
    if not any(each.isalpha() for each in text) or _AMOUNT.fullmatch(text.strip()):
        return Requirement(parse_amount(text, usd_per_credit))
    try:
        job = parse_job(text, prices(), day)
    except BadArgument as error:
        raise BadArgument(
            f"{text!r} is neither an amount, such as 500 or 5usd, nor a job: {error}"
        ) from None
    if job.unpriced:
        raise BadArgument(
            f"no price is known for {', '.join(job.unpriced)}; set StabilityMagic.prices, or"
            " require an amount of credits, such as 500."
        )
    return Requirement(job.credits, job)


def parse_amount(text: str, usd_per_credit: float) -> float:
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


def parse_cap(cap: float | str, usd_per_credit: float) -> float:
    """The credits of a cap: a number of credits, or a text as above.

    Raises:
        BadArgument: It is no such amount, or would let nothing be spent.
    """
    if isinstance(cap, int | float) and not isinstance(cap, bool):
        text, credits = f"{cap:g}", float(cap)
    else:
        text = str(cap)
        credits = parse_amount(text, usd_per_credit)
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
    name: str, left: float, required: float, usd_per_credit: float, job: Job | None = None
) -> LowBalanceError | None:
    """The error to raise when less is left than required; None when enough is left.

    Args:
        name: The organization's name.
        left: Its credits.
        required: Credits that must be left.
        usd_per_credit: The price of a credit.
        job: What they are required for, if that was told.
    """
    if left >= required:
        return None
    purpose = f" for {job}" if job else ""
    return LowBalanceError(
        f"{name_text(name)} has {credits_text(left)} credits"
        f" ({usd_text(left * usd_per_credit)}) left, and {credits_text(required)} are required"
        f"{purpose}."
        " Top up at platform.stability.ai/account/credits, or use less.",
        credits=left,
        required=required,
    )
