"""What cells cost, one by one and by label, as tables for notebooks; pure."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from .html_table import NOTEBOOK, Cell, Head, Medium, first_rows
from .quiet_rows import visible_stretches
from .table_texts import (
    amount_text,
    dollars_text,
    moment_text,
    share_text,
    span_text,
    text_of,
)
from .wording import NOTHING, count_text

__all__ = ["costs_table", "summary_table"]

_MOST_ELSEWHERE = 5
_ABOUT = "≈: about, not confirmed yet, or a top-up or other spending fell in"


def costs_table(frame: pd.DataFrame, now: datetime, medium: Medium = NOTEBOOK) -> str:
    """The last cells; those in a row that cost nothing stand in one line.

    Args:
        frame: A costs frame.
        now: The present, in the zone of the frame.
        medium: Where it is shown.
    """
    is_quiet = ((frame["spent"] == 0.0) & frame["exact"]).to_numpy(bool)
    stretches = visible_stretches(is_quiet, medium.most_rows, medium.kept_rows)
    has_organizations = frame["organization"].nunique() > 1
    has_members = bool(frame["member"].notna().any())
    heads = [Head("started", is_text=True), Head("cell", is_text=True)]
    heads += [Head("credits", span=2), Head("took"), Head("how sure", is_text=True)]
    heads += [Head("member", is_text=True)] * has_members
    heads += [Head("organization", is_text=True)] * has_organizations
    lines: list[list[Cell] | str] = []
    has_estimate = False
    for begin, end, is_earlier in stretches:
        row = frame.iloc[begin]
        since = moment_text(row["started_at"], now)
        if is_earlier:
            lines.append(f"… {count_text(end - begin, 'earlier cell')}, from {since}")
            continue
        if end - begin > 1:
            lines.append(f"… {count_text(end - begin, 'cell')} that cost nothing, from {since}")
            continue
        is_estimate = bool(row["spent"] > 0.0 and not row["exact"])
        has_estimate |= is_estimate
        cells = [
            Cell(since, is_text=True),
            Cell(_cell_name(row), is_text=True),
            *_amounts(row["spent"], row["usd"], is_estimate=is_estimate),
            Cell(span_text(row["seconds"])),
            Cell(_certainty(row, now), is_text=True),
        ]
        cells += [Cell(text_of(row["member"]) or NOTHING, is_text=True)] * has_members
        cells += [Cell(text_of(row["organization"]), is_text=True)] * has_organizations
        lines.append(cells)
    foot = [_ABOUT] if has_estimate else []
    return medium.draw(heads, lines, foot, frame)


def _cell_name(row: pd.Series[Any]) -> str:
    if label := text_of(row["label"]):
        return label
    cell = text_of(row["cell"])
    return f"cell {cell[:8]}" if cell else NOTHING


def _amounts(spent: float, usd: float, *, is_estimate: bool) -> list[Cell]:
    if spent == 0.0:
        return [Cell(NOTHING), Cell(NOTHING)]
    return [
        Cell(amount_text(spent, about=is_estimate)),
        Cell(dollars_text(usd, about=is_estimate)),
    ]


def _certainty(row: pd.Series[Any], now: datetime) -> str:
    if pd.isna(row["spent"]):
        told = "unknown"
    elif not row["exact"]:
        told = "about" if row["spent"] else "no change seen yet"
    else:
        told = "exact" if row["spent"] else "nothing spent"
    revised_at = row.get("revised_at")
    return told if pd.isna(revised_at) else f"{told}, revised {moment_text(revised_at, now)}"


def summary_table(frame: pd.DataFrame, medium: Medium = NOTEBOOK) -> str:
    """Costs by label; that nothing was spent elsewhere is told below.

    Args:
        frame: The summary of a costs frame.
        medium: Where it is shown.
    """
    has_organizations = frame["organization"].nunique() > 1
    heads = [Head("cell", is_text=True), Head("runs"), Head("credits", span=2)]
    heads += [Head(each) for each in ("mean", "most", "share")]
    heads += [Head("organization", is_text=True)] * has_organizations
    label_lines: list[list[Cell]] = []
    elsewhere_lines: list[list[Cell]] = []
    has_estimate = False
    for (_, row), share in zip(frame.iterrows(), _shares(frame), strict=True):
        is_elsewhere = row["count"] == 0
        if is_elsewhere and row["exact"] and not row["total"] > 0.0:
            continue
        is_estimate = bool(row["total"] > 0.0 and not row["exact"])
        has_estimate |= is_estimate
        cells = [
            Cell(text_of(row["label"]), is_text=True, is_bold=not is_elsewhere),
            Cell("" if is_elsewhere else f"{row['count']:,}"),
            *_amounts(row["total"], row["usd"], is_estimate=is_estimate),
            Cell("" if is_elsewhere else amount_text(row["mean"])),
            Cell("" if is_elsewhere else amount_text(row["dearest"])),
            Cell(share_text(share)),
        ]
        cells += [Cell(text_of(row["organization"]), is_text=True)] * has_organizations
        (elsewhere_lines if is_elsewhere else label_lines).append(cells)
    elsewhere_rows = first_rows(elsewhere_lines, _MOST_ELSEWHERE)
    lines = [*first_rows(label_lines, medium.most_rows - len(elsewhere_rows)), *elsewhere_rows]
    foot = []
    if not elsewhere_lines and (frame["count"] == 0).any():
        foot.append("nothing spent elsewhere")
    foot += [_ABOUT] * has_estimate
    return medium.draw(heads, lines, foot, frame)


def _shares(frame: pd.DataFrame) -> pd.Series[Any]:
    """The part of the total that each row has, from 0 to 1."""
    if "share" in frame:
        return frame["share"]
    total = frame["total"].sum()
    return frame["total"] / total if total > 0.0 else frame["total"] * np.nan
