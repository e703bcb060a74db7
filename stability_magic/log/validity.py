"""What a row of a log must be, whoever wrote it: to be logged, merged, sent or received; pure.

A row that is not valid is left out and counted, and keeps no other from being used. Text is a case
of its own: :func:`clean_text` makes it harmless, so only its length can be wrong.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from numbers import Real
from typing import Any

from ..text import clean_text
from ..when import BUDGET_PERIODS

__all__ = [
    "FIRST_TIME",
    "ID_LENGTH",
    "KEY_PREFIX",
    "LAST_TIME",
    "MAX_NAME_LENGTH",
    "MAX_TEXT_LENGTH",
    "VALID_COST_SQL",
    "VALID_READING_SQL",
    "budget_fault",
    "cost_fault",
    "is_finite",
    "key_fault",
    "left_out_text",
    "organization_fault",
    "reading_fault",
    "text_fault",
    "time_fault",
]

# The times of rows lie between these, in microseconds since 1970 UTC: there were no credits before,
# and a row from a clock that was centuries ahead would make everybody's periods millions.
FIRST_TIME, LAST_TIME = 0, 7_258_118_400_000_000

# The ids of readings and costs, in bytes.
ID_LENGTH = 16

# In characters. Ids of organizations and fingerprints of keys are parts of primary keys, of which
# PostgreSQL takes 2,700 bytes.
MAX_NAME_LENGTH = 512
MAX_TEXT_LENGTH = 65_536

# Readings whose organization is not known yet are logged under this and their key's fingerprint.
KEY_PREFIX = "key:"

_NO_TIME = "no time between 1970 and 2200"
_NO_ID = "no id of 16 bytes"
_NO_ORGANIZATION = "no id of an organization"
_LONG_TEXT = "a text that is too long"

# The same for SQLite, except for texts. An amount that is NULL or text passes: the file is damaged
# then, which whoever reads the row reports. 9e999 is infinite. With the plus, SQLite searches by
# the window that is asked for, and not by this condition, which nearly all readings fulfil.
VALID_READING_SQL = (
    f"+readings.read_at BETWEEN {FIRST_TIME} AND {LAST_TIME}"
    f" AND length(readings.id) = {ID_LENGTH} AND abs(coalesce(readings.credits, 0)) < 9e999"
)
VALID_COST_SQL = (
    f"costs.started_at BETWEEN {FIRST_TIME} AND {LAST_TIME}"
    f" AND costs.ended_at BETWEEN costs.started_at AND {LAST_TIME}"
    f" AND length(costs.id) = {ID_LENGTH} AND costs.exact IN (0, 1)"
    " AND abs(coalesce(costs.seconds, 0)) < 9e999 AND abs(coalesce(costs.spent, 0)) < 9e999"
)


def reading_fault(
    organization: object,
    read_at: object,
    reading_id: object,
    credits: object,
    texts: Iterable[object] = (),
) -> str | None:
    """Why these are no reading; None if they are one.

    Args:
        organization: The id that it is logged under.
        read_at: Its time, in microseconds since 1970 UTC.
        reading_id: Its id, as bytes.
        credits: The balance.
        texts: Its texts: the service's address, source, label and host; each may be None.
    """
    return (
        organization_fault(organization)
        or time_fault(read_at)
        or _id_fault(reading_id)
        or (None if is_finite(credits) else "no finite balance")
        or _texts_fault(texts)
    )


def cost_fault(
    organization: object,
    started_at: object,
    ended_at: object,
    seconds: object,
    spent: object,
    exact: object,
    label: object,
    cell: object,
    cost_id: object,
    *origin: object,
) -> str | None:
    """Why these are no cost of a cell; None if they are one.

    The arguments are the fields of ``Cost``, in their order; the last are host and member.
    """
    return (
        organization_fault(organization)
        or time_fault(started_at)
        or time_fault(ended_at)
        or _order_fault(started_at, ended_at)
        or (None if is_finite(seconds) else "no finite duration")
        or (None if spent is None or is_finite(spent) else "no finite amount")
        or (None if exact in (0, 1) else "neither exact nor not")
        or _texts_fault((label, cell, *origin))
        or _id_fault(cost_id)
    )


def budget_fault(
    organization: object, every: object, set_at: object, credits: object, change_id: object
) -> str | None:
    """Why these are no change of a budget; None if they are one.

    The arguments are the fields of ``BudgetChange``, in their order.
    """
    return (
        organization_fault(organization)
        or (None if every in BUDGET_PERIODS else "neither for days nor for weeks nor for months")
        or time_fault(set_at)
        or (None if credits is None or _is_above_zero(credits) else "no finite amount above zero")
        or _id_fault(change_id)
    )


def organization_fault(organization: object) -> str | None:
    """Why this is no id that readings are logged under; None if it is one."""
    if not isinstance(organization, str) or len(organization) > MAX_NAME_LENGTH:
        return _NO_ORGANIZATION
    return None if organization.strip(" ") else _NO_ORGANIZATION


def key_fault(fingerprint: object, organization: object, seen_at: object) -> str | None:
    """Why these are no key and its default organization; None if they are."""
    if organization_fault(fingerprint) or ":" in str(fingerprint):
        return "no fingerprint of a key"
    # A key that stands for another key would never lead to an organization.
    if isinstance(organization, str) and organization.startswith(KEY_PREFIX):
        return _NO_ORGANIZATION
    return organization_fault(organization) or time_fault(seen_at)


def time_fault(time: object) -> str | None:
    """Why this is no time in microseconds since 1970 UTC; None if it is one."""
    if not isinstance(time, int) or isinstance(time, bool):
        return _NO_TIME
    return None if FIRST_TIME <= time <= LAST_TIME else _NO_TIME


def text_fault(text: object) -> str | None:
    """Why this is no text that a log holds; None if it is one."""
    if not isinstance(text, str):
        return "no text"
    return None if len(text) <= MAX_TEXT_LENGTH else _LONG_TEXT


def is_finite(amount: object) -> bool:
    """Whether this is a number of credits or seconds."""
    if isinstance(amount, bool) or not isinstance(amount, Real):
        return False
    try:
        return math.isfinite(amount)
    except OverflowError:
        # An integer too large for a float.
        return False


def _is_above_zero(amount: Any) -> bool:
    return is_finite(amount) and amount > 0


def left_out_text(faults: Mapping[tuple[str, str], int], place: str) -> str:
    """A sentence that tells how many rows of a place were left out, and why.

    Args:
        faults: How many rows had a fault, by what they should be (``reading``) and the fault.
        place: Where the rows are.
    """
    total = sum(faults.values())
    reasons = "; ".join(
        f"{_count(number, noun)}: {fault}" for (noun, fault), number in sorted(faults.items())
    )
    is_left_out = (
        "is not valid and was left out" if total == 1 else "are not valid and were left out"
    )
    return clean_text(f"{_count(total, 'row')} of {place} {is_left_out} ({reasons}).")


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _id_fault(row_id: object) -> str | None:
    return None if isinstance(row_id, bytes) and len(row_id) == ID_LENGTH else _NO_ID


def _texts_fault(texts: Iterable[Any]) -> str | None:
    for each in texts:
        if each is not None and (fault := text_fault(each)):
            return fault
    return None


def _order_fault(started_at: Any, ended_at: Any) -> str | None:
    return "ended before it began" if ended_at < started_at else None
