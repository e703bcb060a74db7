"""Times, amounts and names as they stand in the tables of notebooks; pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pandas as pd

from ..text import distinct_names
from .wording import NOTHING, count_text, credits_text, name_text, usd_text

__all__ = [
    "amount_text",
    "day_text",
    "dollars_text",
    "frame_phrase",
    "idle_text",
    "moment_text",
    "names_text",
    "period_text",
    "rate_text",
    "share_text",
    "shown_names",
    "span_text",
    "text_of",
    "top_up_text",
]

_LONGEST_TEXT = 40
_MOST_NAMES = 5


def moment_text(at: datetime, now: datetime) -> str:
    """``today 09:27``, ``yesterday 21:05``, ``Mon 23 Nov 08:20``; with the year if another one."""
    if pd.isna(at):
        return NOTHING
    near = {0: "today", 1: "yesterday", -1: "tomorrow"}
    return f"{near.get((now.date() - at.date()).days) or day_text(at, now)} {at:%H:%M}"


def day_text(at: datetime, now: datetime) -> str:
    """``Mon 23 Nov``, with the year where it is another one than now."""
    return f"{at:%a} {_date_text(at, now)}"


def _date_text(at: datetime, now: datetime) -> str:
    return f"{at.day} {at:%b}" + ("" if at.year == now.year else f" {at.year}")


def period_text(at: datetime, by: str, now: datetime) -> str:
    """The name of a period that begins then, such as ``26 Oct`` of a week."""
    if by == "month":
        return f"{at:%B}" + ("" if at.year == now.year else f" {at.year}")
    if by == "week":
        return _date_text(at, now)
    return day_text(at, now) if by == "day" else moment_text(at, now)


def amount_text(credits: float, *, at_least: bool = False, about: bool = False) -> str:
    """Credits, with ``≥`` before a lower bound and ``≈`` before an estimate."""
    return NOTHING if math.isnan(credits) else f"{_sign(at_least, about)}{credits_text(credits)}"


def dollars_text(usd: float, *, at_least: bool = False, about: bool = False) -> str:
    """US dollars with two decimals, likewise; ``<$0.01`` for less than a cent."""
    if math.isnan(usd):
        return NOTHING
    text = "<$0.01" if 0.0 < usd < 0.01 else usd_text(usd)
    return f"{_sign(at_least, about)}{text}"


def _sign(at_least: bool, about: bool) -> str:
    return "≥ " if at_least else "≈ " if about else ""


def rate_text(credits: float) -> str:
    """Credits where only their size matters: without decimals from 100 on."""
    return f"{credits:,.0f}" if 100.0 <= credits < 1e15 else credits_text(credits)


def share_text(share: float) -> str:
    """``12 %`` of a part of the whole; a dash where it is not known."""
    if math.isnan(share):
        return NOTHING
    return "<1 %" if 0.0 < share < 0.005 else f"{share:.0%}".replace("%", " %")


def top_up_text(usd: float, *, about: bool = False) -> str:
    """``+$25``, or a dash where nothing was bought."""
    if not usd > 0.0:
        return NOTHING
    return f"{_sign(False, about)}+{usd_text(usd).removesuffix('.00')}"


def span_text(seconds: float) -> str:
    """``3.1 s``, ``12 min``, ``2 h 5 min``, ``3 d``; a dash where it is not known."""
    if math.isnan(seconds):
        return NOTHING
    if seconds < 99.95:
        return f"{seconds:.1f}".removesuffix(".0") + " s"
    minutes = round(seconds / 60.0)
    hours, rest = divmod(minutes, 60)
    if hours >= 48 and not rest and hours % 24 == 0:
        return f"{hours // 24:,} d"
    parts = [f"{hours:,} h"] if hours else []
    return " ".join([*parts, f"{rest} min"] if rest or not parts else parts)


def text_of(value: Any) -> str:
    """A text of a frame as it may stand in a table; empty where it is missing."""
    text = "" if pd.isna(value) else name_text(str(value))
    return text if len(text) <= _LONGEST_TEXT else f"{text[: _LONGEST_TEXT - 1]}…"


def names_text(names: Sequence[str]) -> str:
    """``A``, ``A and B``, ``A, B, C, D, E and 3 more``."""
    listed = list(names[:_MOST_NAMES])
    if len(names) > _MOST_NAMES:
        listed.append(f"{len(names) - _MOST_NAMES:,} more")
    *first, last = listed
    return f"{', '.join(first)} and {last}" if first else last


def shown_names(frame: pd.DataFrame) -> dict[str, str]:
    """What the organizations of a frame are called, by their ids; names that are alike differ."""
    pairs = frame[["organization", "name"]].drop_duplicates("organization", keep="last")
    texts = {
        each: text_of(name) or text_of(each)
        for each, name in zip(pairs["organization"], pairs["name"], strict=True)
    }
    return distinct_names(texts)


def idle_text(frame: pd.DataFrame, idle: Sequence[str]) -> str:
    """Who spends nothing, and how much each of them has left, from a column ``credits``."""
    names = shown_names(frame)
    left = frame.drop_duplicates("organization", keep="last").set_index("organization")["credits"]
    return names_text([f"{names[each]} at {credits_text(left[each])}" for each in idle])


def frame_phrase(frame: pd.DataFrame) -> str:
    """What the table was made from, with the names of all columns as they are."""
    names = [*(str(each) for each in frame.index.names if each), *map(str, frame.columns)]
    return f"DataFrame of {count_text(len(frame), 'row')}: {', '.join(names)}"
