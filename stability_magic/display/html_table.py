"""A table as HTML that looks the same in every notebook; pure.

Inline styles only: no class, script or outside resource. Text takes the page's own colour, light
or dark; secondary text is fainter, never grey. Where a host strips the styles, the attributes keep
the alignment.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from html import escape
from typing import TYPE_CHECKING, NamedTuple

from .quiet_rows import MOST_ROWS
from .table_texts import frame_phrase
from .wording import NOTHING, count_text

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "NOTEBOOK",
    "Cell",
    "Head",
    "Medium",
    "Row",
    "first_rows",
    "table_html",
]


_BLOCK = (
    "font:13px/1.45 system-ui,-apple-system,'Segoe UI',Roboto,sans-serif;"
    "font-variant-numeric:tabular-nums;color:inherit;overflow-x:auto"
)
# JupyterLab would stretch the table, and give it stripes and borders.
_TABLE = (
    "border-collapse:collapse;border:0;margin:0;table-layout:auto;font:inherit;color:inherit;"
    "width:auto"
)
_LINE = "background:none;border-top:1px solid rgba(128,128,128,.18)"
_PADDING = "padding:.2em 1em .2em 0"
_FAINT = "opacity:.72"
_LEFT = "text-align:left"

# Up to so many characters stay in one line where the page is narrow; a longer text has room for
# a few words in each of its lines.
_LONGEST_UNBROKEN = 40
_LONGEST_HEAD = 16
_ROOM = "min-width:14em"

_UNBROKEN = "white-space:nowrap"

# Two of these in one text are a formula to the notebooks that typeset them, but not in code.
_MATHEMATICAL = re.compile(r"[$\\]")
_CODE = "font:inherit;color:inherit;background:none;padding:0"


class Head(NamedTuple):
    """The head of a column, or of several; text is at the left, numbers at the right."""

    text: str
    is_text: bool = False
    span: int = 1


class Cell(NamedTuple):
    """What stands in one place of a table; the note follows it, fainter."""

    text: str
    is_text: bool = False
    is_bold: bool = False
    note: str = ""


# A text instead of cells goes across the table, fainter.
Row = Sequence[Cell] | str


def first_rows(rows: Sequence[Sequence[Cell]], most: int = MOST_ROWS) -> list[Row]:
    """The first rows, and in place of the others one that counts them."""
    if len(rows) <= most:
        return list(rows)
    more = count_text(len(rows) - most + 1, "more row")
    return [*rows[: most - 1], f"… {more}"]


def table_html(
    heads: Sequence[Head], rows: Sequence[Row], foot: Sequence[str], frame: pd.DataFrame
) -> str:
    """The table as HTML.

    Args:
        heads: Their spans add up to the number of cells in a row.
        rows: What is below; without any there is only the foot.
        foot: What stands under the table, separated by dots.
        frame: What the table was made from, whose columns the foot names in the end.
    """
    width = sum(each.span for each in heads)
    head = "".join(map(_head, heads))
    lines = "".join(f'<tr style="{_LINE}">{_cells(each, width)}</tr>' for each in rows)
    table = (
        f'<table style="{_TABLE}"><thead><tr style="background:none">{head}</tr></thead>'
        f"<tbody>{lines}</tbody></table>"
    )
    words = " · ".join(_escaped(each) for each in [*foot, frame_phrase(frame)] if each)
    return (
        f'<div style="{_BLOCK}">{table if rows else ""}'
        f'<div style="{_FAINT};padding-top:4px">{words}</div></div>'
    )


class Medium(NamedTuple):
    """Where a table is shown.

    Attributes:
        draw: Makes the table of its heads, its rows, its foot, and the frame that it is made from.
        most_rows: How many rows it has at most.
        kept_rows: How many of the last rows are shown where there are more.
    """

    draw: Callable[[Sequence[Head], Sequence[Row], Sequence[str], pd.DataFrame], str]
    most_rows: int
    kept_rows: int


NOTEBOOK = Medium(table_html, MOST_ROWS, MOST_ROWS - 2)


def _head(head: Head) -> str:
    styles = [_PADDING, "font-weight:400", _FAINT]
    # The name of an organization may have several lines.
    styles += [_UNBROKEN] if len(head.text) <= _LONGEST_HEAD else []
    side = f"align=left style={_quoted(*styles, _LEFT)}"
    if not head.is_text:
        span = f" colspan={head.span}" if head.span > 1 else ""
        side = f"align=right{span} style={_quoted(*styles)}"
    return f"<th {side}>{_escaped(head.text)}</th>"


def _cells(row: Row, width: int) -> str:
    if isinstance(row, str):
        style = _quoted(_PADDING, _LEFT, _FAINT)
        return f"<td colspan={width} align=left style={style}>{_escaped(row)}</td>"
    return "".join(map(_cell, row))


def _cell(cell: Cell) -> str:
    styles = [_PADDING]
    text, is_long = cell.text, len(cell.text) > _LONGEST_UNBROKEN
    if cell.is_text:
        # Names keep their own spaces, so that they can be searched for and copied.
        styles += [
            _LEFT,
            *([_ROOM] if is_long else [_UNBROKEN] if {" ", "-"} & set(text) or cell.note else []),
        ]
    else:
        text = text.replace(" ", "\N{NO-BREAK SPACE}")
    styles += [_FAINT] * (text == NOTHING)
    html = _escaped(text)
    if cell.is_bold:
        html = f"<b>{html}</b>"
    if cell.note:
        html += f' <span style="{_FAINT}">{_escaped(cell.note)}</span>'
    side = "left" if cell.is_text else "right"
    return f"<td align={side} style={_quoted(*styles)}>{html}</td>"


def _quoted(*styles: str) -> str:
    return f'"{";".join(styles)}"'


def _escaped(text: str) -> str:
    """The text as HTML, in which nothing is markup or mathematics."""
    html = escape(text)
    if len(_MATHEMATICAL.findall(html)) > 1:
        html = f"<code style={_quoted(_CODE)}>{html}</code>"
    return html
