"""Frames as text: a table for a terminal, CSV and JSON for programs; pure."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from ._lines import credits_text
from ._text import shortened

__all__ = ["FORMATS", "as_text"]

FORMATS = ("table", "csv", "json")

_ROWS = 40
_LONGEST_NAME = 40
_SHORTEST_NAME = 12

# What a narrow terminal shortens, first to last.
_SHORTENED = ("label", "name")

# What a narrow terminal does without first.
_DISPENSABLE = (
    "cell",
    "user",
    "evidence",
    "readings",
    "likely_topped_up",
    "likely_spent",
    "source",
    "role",
    "email",
    "organization",
    # The line above the table tells it, too.
    "spent_per_day",
)
_WORDS = frozenset(
    {"organization", "name", "role", "user", "email", "source", "label", "evidence", "cell"}
)


def as_text(frame: pd.DataFrame, style: str, width: int) -> str:
    """A frame in one of the formats, with a line break at its end.

    Args:
        frame: Any of the documented frames.
        style: ``table`` (rounded, shortened to fit), ``csv`` or ``json`` (exact, with the
            times in ISO 8601; JSON is a list of objects).
        width: The columns of the terminal, for the table.
    """
    if style == "csv":
        # Excel and csv.reader alike take this line end.
        return frame.to_csv(index=_has_time(frame), lineterminator="\n")
    if style == "json":
        return json.dumps(_records(frame), ensure_ascii=False, indent=1) + "\n"
    return _table(frame, width) + "\n"


def _has_time(frame: pd.DataFrame) -> bool:
    return isinstance(frame.index, pd.DatetimeIndex)


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    rows = frame.reset_index(drop=not _has_time(frame))
    return [
        {str(name): _plain(value) for name, value in record.items()}
        for record in rows.to_dict("records")
    ]


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return None if pd.isna(value) else value.isoformat()
    return None if pd.isna(value) else value


def _table(frame: pd.DataFrame, width: int) -> str:
    """The last rows, rounded; what is too wide is shortened, and then left out, and said so."""
    if frame.empty:
        return "(nothing)"
    shown = frame.tail(_ROWS)
    columns = _times(shown)
    columns |= {str(name): [_cell(each) for each in shown[name]] for name in shown}
    _leave_out(columns, frame)
    if "at_least" in columns:
        bounds = columns.pop("at_least")
        columns["spent"] = [
            f"≥ {spent}" if bound else spent
            for spent, bound in zip(columns["spent"], bounds, strict=True)
        ]
    lines = _rendered(columns)
    for name in _SHORTENED:
        if name in columns and (excess := len(lines[0]) - width) > 0:
            longest = max(_SHORTEST_NAME, max(map(len, columns[name])) - excess)
            columns[name] = [shortened(each, longest) for each in columns[name]]
            lines = _rendered(columns)
    without = []
    for each in _DISPENSABLE:
        if each in columns and len(lines[0]) > width:
            del columns[each]
            without.append(each)
            lines = _rendered(columns)
    if without:
        lines.append(f"(without {', '.join(without)}: the terminal is too narrow)")
    if len(frame) > len(shown):
        lines.insert(0, f"… {len(frame) - len(shown):,} earlier rows")
    return "\n".join(lines)


def _times(frame: pd.DataFrame) -> dict[str, list[str]]:
    if not isinstance(frame.index, pd.DatetimeIndex):
        return {}
    midnight = bool((frame.index.normalize() == frame.index).all())
    style = "%Y-%m-%d" if midnight else "%Y-%m-%d %H:%M"
    return {str(frame.index.name): list(frame.index.strftime(style))}


def _rendered(columns: dict[str, list[str]]) -> list[str]:
    padded = {}
    for name, cells in columns.items():
        # pandas sets text flush right, which is for numbers.
        width = max(map(len, [name, *cells])) if name in _WORDS else 0
        padded[name.ljust(width)] = [each.ljust(width) for each in cells]
    return pd.DataFrame(padded).to_string(index=False).splitlines()


def _leave_out(columns: dict[str, list[str]], frame: pd.DataFrame) -> None:
    """Leaves out what says nothing: ids where the names tell organizations apart, no labels."""
    if _has_time(frame) and "name" in columns:
        pairs = frame[["organization", "name"]].drop_duplicates()
        if pairs["name"].is_unique:
            del columns["organization"]
    if "label" in columns and not any(columns["label"]):
        del columns["label"]


def _cell(value: Any) -> str:
    if isinstance(value, bool | np.bool_):
        return "yes" if value else ""
    if isinstance(value, float):
        return "" if pd.isna(value) else credits_text(value)
    if isinstance(value, datetime) and not pd.isna(value):
        return f"{value:%Y-%m-%d %H:%M}"
    return "" if pd.isna(value) else shortened(str(value), _LONGEST_NAME)
