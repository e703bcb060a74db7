"""Budgets as a table for notebooks and terminals; pure."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pandas as pd

from ..analysis.budgets import is_passed
from ..when import BUDGET_PERIODS
from .budget_words import this_period
from .html_table import Cell, Head, Medium, first_rows
from .table_texts import amount_text, period_text, rate_text, shown_names, text_of
from .wording import ABOUT_NOTE, AT_LEAST_NOTE, NOTHING

__all__ = ["budget_table"]

_AT_MOST_NOTE = "≤: at most"


def budget_table(frame: pd.DataFrame, now: datetime, medium: Medium) -> str:
    """A row for each budget, with its organization; the name of a single one stands below.

    Args:
        frame: A budget frame.
        now: The present, in the zone of the frame.
        medium: Where it is shown.
    """
    names = shown_names(frame)
    has_names = len(names) > 1
    heads = [Head("organization", is_text=True)] * has_names
    heads += [Head("period", is_text=True)]
    heads += [Head(each) for each in ("budget", "spent", "share", "left", "expected")]
    heads.append(Head("low to high", is_text=True))
    lines = []
    for _, row in frame.iterrows():
        is_over = is_passed(row["spent"], row["budget"])
        marks = {"at_least": bool(row["at_least"]), "about": bool(row["estimated"] > 0.0)}
        cells = [Cell(names[row["organization"]], is_text=True, is_bold=True)] * has_names
        cells += [
            Cell(_period_text(row, now), is_text=True, is_bold=not has_names),
            Cell(amount_text(row["budget"])),
            Cell(amount_text(row["spent"], **marks), is_bold=is_over),
            Cell(_share_text(row["share"]), is_bold=is_over),
            Cell(_left_text(row), is_bold=is_over),
            Cell(amount_text(row["projected"], at_least=marks["at_least"])),
            Cell(_interval_text(row), is_text=True),
        ]
        lines.append(cells)
    foot = [] if has_names else list(names.values())
    if frame["at_least"].any():
        has_at_most = any("≤" in _left_text(row) for _, row in frame.iterrows())
        foot.append(f"{AT_LEAST_NOTE}; {_AT_MOST_NOTE}" if has_at_most else AT_LEAST_NOTE)
    foot += [ABOUT_NOTE] * bool(((frame["estimated"] > 0.0) & ~frame["at_least"]).any())
    return medium.draw(heads, first_rows(lines, medium.most_rows), foot, frame)


def _left_text(row: pd.Series[Any]) -> str:
    if is_passed(row["spent"], row["budget"]):
        return "OVER"
    sign = "≤ " if row["at_least"] else ""
    return f"{sign}{amount_text(row['left'])}"


def _period_text(row: pd.Series[Any], now: datetime) -> str:
    if pd.isna(row["period"]) or row["until"] > now or row["every"] not in BUDGET_PERIODS:
        return this_period(text_of(row["every"]))
    # A frame that is shown again later tells of the period in which it was made.
    name = period_text(row["period"], row["every"], now)
    return f"week from {name}" if row["every"] == "week" else name


def _share_text(share: float) -> str:
    if pd.isna(share):
        return NOTHING
    return f"{share:,.0%}".replace("%", " %") if share < 1e6 else NOTHING


def _interval_text(row: pd.Series[Any]) -> str:
    low, high = row["projected_low"], row["projected_high"]
    if pd.isna(low):
        return NOTHING
    return rate_text(low) if low == high else f"{rate_text(low)} to {rate_text(high)}"
