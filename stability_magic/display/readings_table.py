"""The readings frame as a table for notebooks: when, how much was left, what was spent; pure."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np

from .html_table import NOTEBOOK, Cell, Head, Medium
from .quiet_rows import idle_organizations, quiet_rows, visible_stretches
from .table_texts import (
    amount_text,
    dollars_text,
    idle_text,
    moment_text,
    shown_names,
    text_of,
    top_up_text,
)
from .wording import count_text

if TYPE_CHECKING:
    import pandas as pd

    from .quiet_rows import Stretch

__all__ = ["readings_table"]

_LATEST = 5
# Columns that have a place only where something stands in them.
_REMARKS = ("label", "host", "doubtful")


def readings_table(
    frame: pd.DataFrame,
    now: datetime,
    usd_per_credit: float,
    *,
    is_below_answer: bool,
    medium: Medium = NOTEBOOK,
) -> str:
    """The last readings; organizations that spent and bought nothing are named below.

    Args:
        frame: A readings frame.
        now: The present, in the zone of the frame.
        usd_per_credit: The price of a credit.
        is_below_answer: Whether the answer stands above, so that the latest five are enough.
        medium: Where it is shown.
    """
    names, idle = shown_names(frame), idle_organizations(frame)
    rows = frame[~frame["organization"].isin(idle)] if idle else frame
    if is_below_answer:
        stretches = visible_stretches(np.zeros(len(rows), bool), _LATEST, _LATEST)
    else:
        stretches = visible_stretches(quiet_rows(rows), medium.most_rows, medium.kept_rows)
    shown = rows.iloc[[each.begin for each in stretches if each.is_single]]
    has_names = rows["organization"].nunique() > 1
    has_top_ups = bool((shown["topped_up"] > 0.0).any())
    remarks = [each for each in _REMARKS if each in shown and shown[each].notna().any()]
    heads = [Head("read", is_text=True)]
    heads += [Head("credits left", span=2), Head("spent")]
    heads += [Head("topped up")] * has_top_ups
    heads += [Head("organization", is_text=True)] * has_names
    heads += [Head(each, is_text=True) for each in remarks]
    lines: list[list[Cell] | str] = []
    for stretch in stretches:
        at = rows.index[stretch.begin]
        if not stretch.is_single:
            lines.append(_stretch_text(stretch, rows.index, now))
            continue
        row = rows.iloc[stretch.begin]
        cells = [
            Cell(moment_text(at, now), is_text=True),
            Cell(amount_text(row["credits"])),
            Cell(dollars_text(row["credits"] * usd_per_credit)),
            Cell(amount_text(row["spent"] or np.nan)),
        ]
        cells += [Cell(_top_up_text(row["topped_up"], usd_per_credit))] * has_top_ups
        cells += [Cell(names[row["organization"]], is_text=True)] * has_names
        cells += [Cell(text_of(row[each]), is_text=True) for each in remarks]
        lines.append(cells)
    foot = [] if has_names else [names[each] for each in rows["organization"].iloc[:1]]
    if idle:
        foot.append(f"idle: {idle_text(frame, idle)}")
    return medium.draw(heads, lines, foot, frame)


def _top_up_text(credits: float, usd_per_credit: float) -> str:
    """What was bought; more than the balance rose by, where that is no whole number of dollars."""
    is_whole = abs(credits - 100.0 * round(credits / 100.0)) < 0.005 if credits > 0.0 else True
    return f"{'' if is_whole else '≥ '}{top_up_text(credits * usd_per_credit)}"


def _stretch_text(stretch: Stretch, times: pd.Index, now: datetime) -> str:
    count, since = stretch.end - stretch.begin, moment_text(times[stretch.begin], now)
    if not stretch.is_earlier:
        return f"… {count_text(count, 'reading')} unchanged, from {since}"
    if times.is_monotonic_increasing:
        return f"… {count_text(count, 'earlier row')}, from {since}"
    return f"… {count_text(count, 'more row')}"
