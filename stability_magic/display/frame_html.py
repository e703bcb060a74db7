"""The documented frames as tables for notebooks and terminals; pure.

A table may be shorter and rounder than its frame, and says below it which columns the frame has.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from .budget_table import budget_table
from .costs_tables import costs_table, summary_table
from .frame_kinds import kind_of
from .html_table import NOTEBOOK, Cell, Head, Medium, first_rows
from .lines import empty_phrase, is_empty
from .price_tables import estimate_table, prices_table
from .quiet_rows import idle_organizations
from .readings_table import readings_table
from .table_texts import (
    amount_text,
    day_text,
    dollars_text,
    idle_text,
    moment_text,
    rate_text,
    shown_names,
    span_text,
    text_of,
)
from .team import team_table
from .usage_table import usage_table
from .wording import NOTHING

__all__ = ["frame_html", "frame_table"]


def frame_html(frame: pd.DataFrame, now: datetime, usd_per_credit: float) -> str | None:
    """A frame as an HTML table of at most 12 rows; None for a frame that is none of ours.

    Args:
        frame: Any frame.
        now: The present.
        usd_per_credit: The price of a credit.
    """
    return frame_table(frame, now, usd_per_credit, NOTEBOOK)


def frame_table(
    frame: pd.DataFrame, now: datetime, usd_per_credit: float, medium: Medium
) -> str | None:
    """The same table as a medium shows it."""
    kind = kind_of(frame)
    if kind is None:
        return None
    now = now.astimezone(_zone(frame, now))
    tables: Mapping[str, Callable[[], str]] = {
        "readings": lambda: readings_table(
            frame, now, usd_per_credit, is_below_answer=kind.is_below_answer, medium=medium
        ),
        "usage": lambda: usage_table(frame, now, usd_per_credit, by=kind.by, medium=medium),
        "forecast": lambda: _forecast_table(frame, now, usd_per_credit, medium),
        "budget": lambda: budget_table(frame, now, medium),
        "costs": lambda: costs_table(frame, now, medium),
        "summary": lambda: summary_table(frame, medium),
        "team": lambda: team_table(frame, medium),
        "prices": lambda: prices_table(frame, usd_per_credit, medium),
        "estimate": lambda: estimate_table(frame, medium),
        "watch": lambda: _watch_table(frame, now, usd_per_credit, medium),
        "counts": lambda: _counts_table(frame, medium),
        "organizations": lambda: _organizations_table(frame, medium),
    }
    return tables[kind.name]()


def _zone(frame: pd.DataFrame, now: datetime) -> Any:
    dtypes = [getattr(frame.index, "dtype", None), *frame.dtypes]
    zones = [each.tz for each in dtypes if isinstance(each, pd.DatetimeTZDtype)]
    return zones[0] if zones else now.tzinfo


def _forecast_table(
    frame: pd.DataFrame, now: datetime, usd_per_credit: float, medium: Medium
) -> str:
    """When each organization is empty; idle ones are named below."""
    names = shown_names(frame)
    idle = idle_organizations(frame)
    shown = frame[~frame["organization"].isin(idle)].fillna({"evidence": ""})
    rows = [row for _, row in shown.iterrows()]
    phrases = [_empty_text(each, now) for each in rows]
    ranges = [
        "" if " to " in phrase or "later" in phrase else _range_text(row, now)
        for row, phrase in zip(rows, phrases, strict=True)
    ]
    has_ranges = any(ranges)
    heads = [Head(each, is_text=True) for each in ("organization", "empty")]
    heads.append(Head("credits left", span=2))
    heads += [Head("early to late", is_text=True)] * has_ranges
    heads.append(Head("spending", is_text=True))
    lines = []
    for row, phrase, days in zip(rows, phrases, ranges, strict=True):
        cells = [
            Cell(names[row["organization"]], is_text=True, is_bold=True),
            Cell(phrase, is_text=True, is_bold=phrase.startswith(("about", "in ", "within"))),
            Cell(amount_text(row["credits"])),
            Cell(dollars_text(row["credits"] * usd_per_credit)),
        ]
        cells += [Cell(days, is_text=True)] * has_ranges
        cells.append(Cell(_spending_text(row), is_text=True))
        lines.append(cells)
    foot = []
    if idle:
        foot.append(f"idle: {idle_text(frame, idle)}")
    return medium.draw(heads, first_rows(lines, medium.most_rows), foot, frame)


def _empty_text(row: pd.Series[Any], now: datetime) -> str:
    """What the line says, in few words."""
    phrase = next(iter(empty_phrase(row, now)), "")
    if phrase.startswith("irregular"):
        return "cannot tell"
    if is_empty(row):
        return "now"
    # The days of the interval stand in a column of their own.
    text = re.sub(r" \([^)]*\)$", "", phrase).removeprefix("empty ")
    return {"lasts more than a year": "in more than a year"}.get(text, text) or NOTHING


def _range_text(row: pd.Series[Any], now: datetime) -> str:
    early, late = row["empty_early"], row["empty_late"]
    if pd.isna(early) or pd.isna(row["empty_at"]) or is_empty(row):
        return ""
    if row["evidence"].startswith("too old"):
        return ""
    first = _near_day_text(early, now)
    if pd.isna(late):
        return f"{first} or later"
    if early.date() == late.date():
        return first
    if (early.year, early.month) == (late.year, late.month) and early.date() != now.date():
        return f"{early.day}{NOTHING}{_near_day_text(late, now)}"
    return f"{first} {NOTHING} {_near_day_text(late, now)}"


def _near_day_text(at: datetime, now: datetime) -> str:
    return "today" if at.date() == now.date() else day_text(at, now).partition(" ")[2]


def _spending_text(row: pd.Series[Any]) -> str:
    """At what rate credits are being spent, or why that is not known."""
    evidence = text_of(row["evidence"])
    if evidence.startswith("irregular"):
        reason = str(row["evidence"]).partition(";")[0]
        return reason.rpartition("but ")[2] if "but " in reason else "irregular"
    rates = []
    if not pd.isna(row["spent_per_day"]) and row["spent_per_day"] > 0.0:
        rates.append(f"about {rate_text(row['spent_per_day'])} a day")
    if not pd.isna(row["recent_per_day"]):
        rates.append(f"{rate_text(row['recent_per_day'])} a day in the last 7 days")
    if evidence.startswith("too old") or not rates:
        return evidence
    return ", ".join(rates)


def _watch_table(frame: pd.DataFrame, now: datetime, usd_per_credit: float, medium: Medium) -> str:
    names = shown_names(frame)
    heads = [
        Head("organization", is_text=True),
        Head("credits left", span=2),
        Head("spent"),
        Head("since", is_text=True),
        Head("every"),
        Head("read", is_text=True),
        Head("next", is_text=True),
        Head("failed"),
    ]
    lines = [
        [
            Cell(names.get(row["organization"], NOTHING), is_text=True, is_bold=True),
            Cell(amount_text(row["credits"])),
            Cell(dollars_text(row["credits"] * usd_per_credit)),
            Cell(amount_text(row["spent"] or np.nan)),
            Cell(moment_text(row["since"], now), is_text=True),
            Cell(span_text(row["every"].total_seconds())),
            Cell(moment_text(row["last_reading"], now), is_text=True),
            Cell(moment_text(row["next_reading"], now), is_text=True),
            Cell(_count_cell(row["failures"])),
        ]
        for _, row in frame.iterrows()
    ]
    return medium.draw(heads, first_rows(lines, medium.most_rows), [], frame)


def _counts_table(frame: pd.DataFrame, medium: Medium) -> str:
    heads = [
        Head("log", is_text=True),
        Head("new readings"),
        Head("already there"),
        Head("new costs"),
        Head("organizations"),
    ]
    numbers = ("readings", "known", "costs", "organizations")
    lines = [
        [
            Cell(text_of(row["log"]), is_text=True),
            *(Cell(_count_cell(row[each])) for each in numbers),
        ]
        for _, row in frame.iterrows()
    ]
    return medium.draw(heads, first_rows(lines, medium.most_rows), [], frame)


def _count_cell(count: int) -> str:
    return f"{count:,}" if count else NOTHING


def _organizations_table(frame: pd.DataFrame, medium: Medium) -> str:
    names = shown_names(frame)
    heads = [Head(each, is_text=True) for each in ("organization", "role", "", "id")]
    lines = [
        [
            Cell(names[row["organization"]], is_text=True, is_bold=True),
            Cell(text_of(row["role"]) or NOTHING, is_text=True),
            Cell("default" if row["is_default"] else "", is_text=True),
            Cell(text_of(row["organization"]), is_text=True),
        ]
        for _, row in frame.iterrows()
    ]
    users = [text_of(each) for each in frame["email"].unique()]
    return medium.draw(heads, first_rows(lines, medium.most_rows), [*users[:1]], frame)
