"""Frames as text: a table for a terminal, CSV and JSON for programs; pure."""

from __future__ import annotations

import csv
import json
import math
import re
import textwrap
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from ..text import clean_text, shorten
from .frame_html import frame_table
from .html_table import Medium
from .quiet_rows import Stretch, idle_organizations, quiet_rows, visible_stretches
from .table_texts import names_text, shown_names
from .text_table import table_text
from .wording import credits_text

__all__ = ["frame_text"]

# A spreadsheet computes a cell that begins so. Some leave out spaces, quotes and what cannot be
# seen in front, and some take the wide signs of Chinese and Japanese (U+FF1D …) for narrow ones.
_FORMULA = re.compile(
    r"[\t\r\n]|[\s'\"\x00-\x1f\u200b-\u200f\u2060\ufeff]*[=+\-@\uff1d\uff0b\uff0d\uff20]"
)

_MOST_ROWS = 40
_LONGEST_NAME = 40
_SHORTEST_NAME = 12

# The columns that a narrow terminal shortens, in this order.
_SHORTENABLE = ("label", "name")

# The columns that a narrow terminal then leaves out, in this order.
_DISPENSABLE = (
    "cell",
    "revised_at",
    "user",
    "evidence",
    "readings",
    "likely_topped_up",
    "likely_spent",
    "estimated",
    "source",
    "role",
    "email",
    "organization",
    # The line above the table shows them as well.
    "recent_per_day",
    "spent_per_day",
)
# What people read in place of a column's name.
_HEADS = {"dearest": "most"}
_TEXT_COLUMNS = frozenset(
    {"organization", "name", "role", "user", "email", "source", "label", "evidence", "cell"}
)


def frame_text(
    frame: pd.DataFrame,
    style: str,
    width: int,
    *,
    now: datetime | None = None,
    usd_per_credit: float = 0.01,
    has_unicode: bool = True,
) -> str:
    """A frame in one of the formats, ending with a line break.

    Args:
        frame: Any of the documented frames.
        style: ``table`` (rounded, shortened to fit), ``csv`` or ``json`` (exact, with times in
            ISO 8601; JSON is a list of objects). In CSV, text that a spreadsheet would take for a
            formula has an apostrophe in front.
        width: How many characters fit in a line of the terminal, for the table.
        now: The present, for the table of a frame of ours as people want to see it, which names
            days; None for the columns as they are.
        usd_per_credit: The price of a credit, for that table.
        has_unicode: Whether the terminal can show its signs.
    """
    if style == "csv":
        return _csv(frame)
    if style == "json":
        return json.dumps(_records(frame), ensure_ascii=False, indent=1) + "\n"
    table = None
    if now is not None and len(frame):
        draw = partial(table_text, width=width, has_unicode=has_unicode)
        table = frame_table(frame, now, usd_per_credit, Medium(draw, _MOST_ROWS, _MOST_ROWS))
    return (_table(frame, width) if table is None else table) + "\n"


def _csv(frame: pd.DataFrame) -> str:
    texts = {
        str(name): column.map(_without_formula, na_action="ignore")
        for name, column in frame.items()
        if not _is_of_numbers_or_times(column)
    }
    # The csv module quotes a carriage return only where it quotes all text.
    has_return = any("\r" in str(each) for column in texts.values() for each in column)
    times = {str(name): _iso_texts(column) for name, column in frame.items() if _has_times(column)}
    rows = frame.assign(**texts, **times)
    if _has_time_index(frame):
        rows.index = pd.Index(_iso_texts(frame.index), name=frame.index.name)
    # pandas writes a double as Python does: the shortest digits that mean the same double.
    return rows.to_csv(
        index=_has_time_index(frame),
        # Both Excel and csv.reader accept this line ending.
        lineterminator="\n",
        quoting=csv.QUOTE_NONNUMERIC if has_return else csv.QUOTE_MINIMAL,
    )


def _is_of_numbers_or_times(column: pd.Series[Any]) -> bool:
    types = pd.api.types
    return (
        types.is_numeric_dtype(column)
        or types.is_datetime64_any_dtype(column)
        or types.is_timedelta64_dtype(column)
    )


def _has_times(column: pd.Series[Any]) -> bool:
    return pd.api.types.is_datetime64_any_dtype(column)


def _iso_texts(times: Iterable[Any]) -> np.ndarray[Any, np.dtype[np.object_]]:
    """Times in ISO 8601, with microseconds where there are any; None for a missing one."""
    texts = [None if pd.isna(each) else each.isoformat() for each in times]
    return np.array(texts, dtype=object)


def _without_formula(value: Any) -> Any:
    """A cell that a spreadsheet shows and does not compute, as OWASP describes it.

    Source: https://owasp.org/www-community/attacks/CSV_Injection
    """
    return f"'{value}" if isinstance(value, str) and _FORMULA.match(value) else value


def _has_time_index(frame: pd.DataFrame) -> bool:
    return isinstance(frame.index, pd.DatetimeIndex)


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    rows = frame.reset_index(drop=not _has_time_index(frame))
    return [
        {str(name): _json_value(value) for name, value in record.items()}
        for record in rows.to_dict("records")
    ]


def _json_value(value: Any) -> Any:
    if isinstance(value, datetime):
        return None if pd.isna(value) else value.isoformat()
    # JSON has no infinity, which is what a sum beyond all numbers is.
    is_infinite = isinstance(value, float) and math.isinf(value)
    return None if pd.isna(value) or is_infinite else value


def _table(frame: pd.DataFrame, width: int) -> str:
    """The last rows, rounded; columns that do not fit are shortened, then left out with a note."""
    if frame.empty:
        return "(nothing)"
    idle = idle_organizations(frame)
    rows = frame[~frame["organization"].isin(idle)] if idle else frame
    idle_names = [name for each, name in shown_names(frame).items() if each in idle] if idle else []
    # Readings were taken one by one, and a terminal has room for them; periods just pass.
    is_quiet = quiet_rows(rows) & ("observed" in rows)
    stretches = visible_stretches(is_quiet, _MOST_ROWS, _MOST_ROWS)
    last_rows = rows.iloc[[each.begin for each in stretches if each.is_single]]
    columns = _time_column(last_rows)
    columns |= {
        _HEADS.get(str(name), str(name)): [_cell_text(each) for each in last_rows[name]]
        for name in last_rows
    }
    _drop_redundant(columns, frame)
    if "at_least" in columns:
        bounds = columns.pop("at_least")
        columns["spent"] = [
            f"≥ {spent}" if bound else spent
            for spent, bound in zip(columns["spent"], bounds, strict=True)
        ]
    lines = _render(columns)
    for name in _SHORTENABLE:
        if name in columns and (excess := len(lines[0]) - width) > 0:
            longest = max(_SHORTEST_NAME, max(map(len, columns[name])) - excess)
            columns[name] = [shorten(each, longest) for each in columns[name]]
            lines = _render(columns)
    omissions = []
    for each in _DISPENSABLE:
        if each in columns and len(lines[0]) > width:
            del columns[each]
            omissions.append(each)
            lines = _render(columns)
    if omissions:
        note = f"(without {', '.join(omissions)}: the terminal is too narrow)"
        lines += textwrap.wrap(note, max(width, _SHORTEST_NAME), subsequent_indent=" ")
    return "\n".join(_with_what_is_left_out(lines, stretches, idle_names))


def _with_what_is_left_out(
    lines: list[str], stretches: Sequence[Stretch], idle_names: Sequence[str]
) -> list[str]:
    """The lines of a table, with a line where rows are left out, and the names of who is idle."""
    for position, stretch in enumerate(stretches, start=1):
        count = f"{stretch.end - stretch.begin:,}"
        if stretch.is_earlier:
            # Above the head, so that it is not taken for a row.
            lines.insert(0, f"… {count} earlier rows")
        elif not stretch.is_single:
            lines.insert(position, f"… {count} rows with nothing spent")
    return [*lines, f"(idle: {names_text(idle_names)})"] if idle_names else lines


def _time_column(frame: pd.DataFrame) -> dict[str, list[str]]:
    if not isinstance(frame.index, pd.DatetimeIndex):
        return {}
    midnight = bool((frame.index.normalize() == frame.index).all())
    style = "%Y-%m-%d" if midnight else "%Y-%m-%d %H:%M"
    return {str(frame.index.name): list(frame.index.strftime(style))}


def _render(columns: dict[str, list[str]]) -> list[str]:
    padded = {}
    for name, cells in columns.items():
        # pandas aligns text to the right, which suits numbers only.
        width = max(map(len, [name, *cells])) if name in _TEXT_COLUMNS else 0
        padded[name.ljust(width)] = [each.ljust(width) for each in cells]
    return pd.DataFrame(padded).to_string(index=False).splitlines()


def _drop_redundant(columns: dict[str, list[str]], frame: pd.DataFrame) -> None:
    """Drops columns that add nothing: ids if the names are unique, and what is empty throughout."""
    if _has_time_index(frame) and "name" in columns:
        pairs = frame[["organization", "name"]].drop_duplicates()
        if pairs["name"].is_unique:
            del columns["organization"]
    for name in ("label", "revised_at"):
        if name in columns and not any(columns[name]):
            del columns[name]


def _cell_text(value: Any) -> str:
    if isinstance(value, bool | np.bool_):
        return "yes" if value else ""
    if isinstance(value, float):
        return "" if pd.isna(value) else credits_text(value)
    if isinstance(value, datetime) and not pd.isna(value):
        return f"{value:%Y-%m-%d %H:%M}"
    return "" if pd.isna(value) else shorten(clean_text(str(value)), _LONGEST_NAME)
