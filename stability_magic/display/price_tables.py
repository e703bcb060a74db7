"""What operations cost, and what a job would cost, as tables; pure."""

from __future__ import annotations

import math
import string
from datetime import datetime
from typing import Any

import pandas as pd

from .html_table import Cell, Head, Medium, first_rows
from .price_lines import sooner_text
from .table_texts import amount_text, dollars_text, shown_names, text_of
from .wording import NOTHING

__all__ = ["estimate_table", "prices_table"]

# A list of prices that is cut short is none.
_MOST_PRICES = 40


def prices_table(frame: pd.DataFrame, usd_per_credit: float, medium: Medium) -> str:
    """The prices, with the days on which they hold; ``until`` only where one ends.

    Args:
        frame: A prices frame.
        usd_per_credit: The price of a credit.
        medium: Where it is shown.
    """
    has_ends = bool(frame["until"].notna().any())
    has_measured = bool(frame["measured"].notna().any())
    heads = [Head("operation", is_text=True), Head("credits", span=2)]
    heads += [Head("measured")] * has_measured
    heads += [Head("since", is_text=True)]
    heads += [Head("until", is_text=True)] * has_ends
    heads += [Head("source", is_text=True)]
    marks = _source_marks(frame.dropna(subset="credits")["source"])
    lines = []
    for _, row in frame.iterrows():
        cells = [
            Cell(text_of(row["operation"]), is_text=True, is_bold=True),
            Cell(amount_text(row["credits"])),
            Cell(dollars_text(row["credits"] * usd_per_credit)),
        ]
        cells += [Cell(amount_text(row["measured"]))] * has_measured
        cells += [Cell(_day_text(row["since"]), is_text=True)]
        cells += [Cell(_day_text(row["until"]), is_text=True)] * has_ends
        letters = sorted(marks[each] for each in _sources(row["source"]) if each in marks)
        cells += [Cell(" ".join(letters) or text_of(row["source"]), is_text=True)]
        lines.append(cells)
    foot = [f"{each}: {text_of(source)}" for source, each in marks.items()]
    return medium.draw(heads, first_rows(lines, max(medium.most_rows, _MOST_PRICES)), foot, frame)


def _sources(text: str) -> list[str]:
    return [each.strip() for each in str(text).split(";")]


def _source_marks(texts: pd.Series[Any]) -> dict[str, str]:
    """A letter for each source, as they all have no room in the rows."""
    sources = dict.fromkeys(each for text in texts for each in _sources(text))
    letters = string.ascii_lowercase
    return {
        source: letters[place] if place < len(letters) else str(place)
        for place, source in enumerate(sources)
    }


def _day_text(at: datetime) -> str:
    """A day with its year, as prices may be old."""
    return NOTHING if pd.isna(at) else f"{at.day} {at:%b %Y}"


def estimate_table(frame: pd.DataFrame, medium: Medium) -> str:
    """The tasks of a job, with what is left after each and those above it.

    Args:
        frame: An estimate frame.
        medium: Where it is shown.
    """
    has_balance = bool(frame["organization"].notna().any())
    names = shown_names(frame) if has_balance else {}
    has_names = len(names) > 1
    has_sooner = bool(frame["days_sooner"].notna().any())
    heads = [Head("organization", is_text=True)] * has_names
    heads += [Head("operation", is_text=True), Head("number"), Head("each")]
    heads += [Head("credits", span=2)]
    heads += [Head("left after it")] * has_balance
    heads += [Head("empty", is_text=True)] * has_sooner
    lines = []
    for _, row in frame.iterrows():
        name = names.get(row["organization"], NOTHING)
        cells = [Cell(name, is_text=True, is_bold=True)] * has_names
        cells += [
            Cell(text_of(row["operation"]), is_text=True, is_bold=not has_names),
            Cell(f"{row['count']:,}"),
            Cell(amount_text(row["price"])),
            Cell(amount_text(row["credits"])),
            Cell(dollars_text(row["usd"])),
        ]
        cells += [Cell(amount_text(row["left"]))] * has_balance
        cells += [Cell(sooner_text(row["days_sooner"]) or NOTHING, is_text=True)] * has_sooner
        lines.append(cells)
    foot = []
    if any(math.isnan(each) for each in frame["price"]):
        foot.append(f"{NOTHING}: not known")
    return medium.draw(heads, first_rows(lines, medium.most_rows), foot, frame)
