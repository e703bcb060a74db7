"""Amounts, names and counts as text, the same everywhere; pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from ..text import clean_text, nearest, shorten

if TYPE_CHECKING:
    from ..analysis.summary import WindowSpend

__all__ = [
    "ABOUT_NOTE",
    "AT_LEAST_NOTE",
    "NOTHING",
    "ascii_text",
    "balance_phrase",
    "bound_words",
    "count_text",
    "credits_text",
    "day_time_text",
    "doubt_phrase",
    "name_text",
    "organization_choice",
    "small_usd_text",
    "spend_text",
    "usd_text",
    "window_labels",
]

# What stands in a table where there is nothing, or nothing is known.
NOTHING = "\N{EN DASH}"

# What the signs before a sum mean, below a table.
AT_LEAST_NOTE = "≥: at least, a top-up hid a part"
ABOUT_NOTE = "≈: about, a part is estimated"

_LONGEST_NAME = 60
_MOST_CHOICES = 20


_ASCII = str.maketrans({"·": "-", NOTHING: "-", "≥": ">=", "≤": "<=", "≈": "~", "…": "..."})


def ascii_text(text: str) -> str:
    """The text without the signs that a terminal of ASCII alone cannot show."""
    return text.translate(_ASCII)


def credits_text(credits: float) -> str:
    """Credits with two decimals, or with one significant digit if they are less than 0.01."""
    credits = credits or 0.0  # no negative zero
    if credits and abs(credits) < 0.01:
        return f"{credits:.1g}"
    return f"{credits:,.2f}" if abs(credits) < 1e15 else f"{credits:.6g}"


def usd_text(usd: float) -> str:
    """US dollars, with the sign before the dollar."""
    sign = "-" if usd < 0 else ""
    return f"{sign}${credits_text(abs(usd))}"


def bound_words(is_estimate: bool, is_lower_bound: bool) -> str:
    """What stands before a sum that is not exact, with a space after it; nothing before others.

    Args:
        is_estimate: Whether a part of the sum may belong elsewhere; the truth may be less or more.
        is_lower_bound: Whether a rise of the balance hides spending; the truth may be more.
    """
    words = ["at least "] if is_lower_bound else []
    return "".join([*words, "about "] if is_estimate else words)


def name_text(name: str) -> str:
    """A name for a line of text: short, printable, and without effect on the text around it."""
    name = shorten(clean_text(name), _LONGEST_NAME)
    if any(unicodedata.bidirectional(each) in ("R", "AL", "AN") for each in name):
        return f"\N{FIRST STRONG ISOLATE}{name}\N{POP DIRECTIONAL ISOLATE}"
    return name


def count_text(number: int, noun: str) -> str:
    """A number with its noun: ``1 reading``, ``2 readings``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def small_usd_text(usd: float) -> str:
    """US dollars, whole where they are whole; ``<$0.01`` for less than a cent."""
    return "<$0.01" if 0.0 < usd < 0.01 else usd_text(usd).removesuffix(".00")


def balance_phrase(credits: float, usd_per_credit: float) -> str:
    """``759.33 credits ($7.59) left``."""
    usd = credits * usd_per_credit
    dollars = "<$0.01" if 0.0 < usd < 0.01 else usd_text(usd)
    return f"{credits_text(credits)} credits ({dollars}) left"


def spend_text(window: WindowSpend, usd_per_credit: float | None = None) -> str:
    """What was spent in a window, in credits or in dollars, with ``≥`` or ``≈`` before it."""
    amount = window.spent if usd_per_credit is None else window.spent * usd_per_credit
    text = credits_text(amount) if usd_per_credit is None else usd_text(amount)
    sign = "≥ " if window.is_at_least else "≈ " if window.is_about else ""
    return f"{sign}{text}"


def doubt_phrase(doubt: str) -> str:
    """The phrase for a balance that may be wrong.

    Args:
        doubt: What it is doubted for.
    """
    return f"DOUBTFUL: {doubt}; later readings will tell"


def day_time_text(at: datetime, now: datetime) -> str:
    """``Wed 25 Nov, 09:28``, with the year where it is another one."""
    year = "" if at.year == now.year else f" {at.year}"
    return f"{at:%a} {at.day} {at:%b}{year}, {at:%H:%M}"


def window_labels(now: datetime) -> dict[str, str]:
    """What the windows of a summary are called in its rows."""
    last_month = now.replace(day=1) - timedelta(days=1)
    return {
        "today": "today",
        "yesterday": "yesterday",
        "this week": "this week, from Mon",
        "last week": "last week",
        "this month": f"{now:%B}, so far",
        "last month": f"{last_month:%B}",
    }


def organization_choice(word: str, names: Mapping[str, str]) -> str:
    """The organizations to choose from, and the one that a word was probably meant for.

    Args:
        word: What was given in place of an id; maybe a name.
        names: The names of the organizations by id.
    """
    listed = [
        each if names[each] == each else f"{clean_text(each)} ({name_text(names[each])})"
        for each in names
    ]
    if len(listed) > _MOST_CHOICES:
        listed[_MOST_CHOICES:] = [f"and {len(listed) - _MOST_CHOICES:,} more"]
    ids_by_name = {name: each for each, name in names.items()}
    meant = nearest(word, names) or ids_by_name.get(nearest(word, ids_by_name) or "")
    hint = f"; did you mean {clean_text(meant)}?" if meant else ""
    return f"{', '.join(listed) or 'none yet'}{hint}"
