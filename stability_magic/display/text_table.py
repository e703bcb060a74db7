"""A table as text that fits into the lines of a terminal; pure."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from .html_table import Cell, Head, Row
from .wording import ascii_text

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["table_text"]

_GAP = "  "
_SHORTEST_TEXT = 12
_FEWEST_COLUMNS = 2


class _Column(NamedTuple):
    """A head and what stands below it; None where a row goes across the table."""

    head: str
    is_text: bool
    cells: list[str | None]

    @property
    def cell_width(self) -> int:
        """How wide the cells are."""
        return max((len(each) for each in self.cells if each is not None), default=0)

    @property
    def least_width(self) -> int:
        """Where the head is broken between all of its words."""
        return max(self.cell_width, *map(len, [*self.head.split(), ""]))


def table_text(
    heads: Sequence[Head],
    rows: Sequence[Row],
    foot: Sequence[str],
    frame: pd.DataFrame,  # noqa: ARG001 - a terminal shows nothing of pandas
    *,
    width: int,
    has_unicode: bool = True,
) -> str:
    """The table in lines; where they are too narrow for it, heads are broken, then notes left out
    and texts shortened, and then the last columns left out, which is told.

    Args:
        heads: Their spans add up to the number of cells in a row.
        rows: What is below; without any there is only the foot.
        foot: What stands under the table, each on a line of its own.
        frame: What the table was made from.
        width: How many characters fit in a line.
        has_unicode: Whether the terminal can show ``≥`` and dashes.
    """
    as_shown: Callable[[str], str] = str if has_unicode else ascii_text
    columns = _columns(heads, rows, as_shown, has_notes=True)
    widths = _widths(columns, width)
    if any(now < each.cell_width for now, each in zip(widths, columns, strict=True)):
        columns = _columns(heads, rows, as_shown, has_notes=False)
        widths = _widths(columns, width)
    omissions: list[str] = []
    while _total(widths) > width and len(columns) > _FEWEST_COLUMNS:
        omissions.insert(0, columns.pop().head)
        widths = _widths(columns, width)
    ellipsis = as_shown("…")
    lines = [_line(each, columns, widths, ellipsis) for each in _head_rows(columns, widths)]
    for number, row in enumerate(rows):
        if not isinstance(row, str):
            cells = [each.cells[number] or "" for each in columns]
            lines.append(_line(cells, columns, widths, ellipsis))
        elif number:
            lines.append(as_shown(row))
        else:
            # Above the head, so that it is not taken for a row.
            lines.insert(0, as_shown(row.partition(", from ")[0]))
    if omissions:
        foot = [*foot, f"without {', '.join(omissions)}: the terminal is too narrow"]
    notes = [line for each in foot if each for line in _wrapped(as_shown(each), width)]
    return "\n".join([*(lines if rows else []), *notes])


def _columns(
    heads: Sequence[Head],
    rows: Sequence[Row],
    as_shown: Callable[[str], str],
    *,
    has_notes: bool,
) -> list[_Column]:
    """One column for each head; cells that share a head stand beside each other in it."""
    columns, begin = [], 0
    for head in heads:
        parts = [
            [
                None if isinstance(row, str) else as_shown(_text(row[place], has_notes))
                for row in rows
            ]
            for place in range(begin, begin + head.span)
        ]
        widths = [
            max((len(each) for each in part if each is not None), default=0) for part in parts
        ]
        cells = [
            None
            if group[0] is None
            else _GAP.join(
                (each or "").rjust(width) for each, width in zip(group, widths, strict=True)
            )
            if head.span > 1
            else group[0]
            for group in zip(*parts, strict=True)
        ]
        columns.append(_Column(as_shown(head.text), head.is_text, cells))
        begin += head.span
    return columns


def _text(cell: Cell, has_notes: bool) -> str:
    return f"{cell.text} {cell.note}" if cell.note and has_notes else cell.text


def _widths(columns: Sequence[_Column], width: int) -> list[int]:
    """As wide as the columns want to be, or as narrow as they can be."""
    widths = [max(len(each.head), each.cell_width) for each in columns]
    broken = [each.least_width for each in columns]
    shortened = [
        min(least, _SHORTEST_TEXT) if each.is_text else least
        for each, least in zip(columns, broken, strict=True)
    ]
    for least in (broken, shortened):
        while _total(widths) > width and widths != least:
            narrowable = [place for place, each in enumerate(widths) if each > least[place]]
            widths[max(narrowable, key=widths.__getitem__)] -= 1
    return widths


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + len(_GAP) * (len(widths) - 1)


def _head_rows(columns: Sequence[_Column], widths: Sequence[int]) -> list[list[str]]:
    """The heads in as many lines as the longest of them needs, at the bottom."""
    parts = [
        textwrap.wrap(each.head, width, break_on_hyphens=False) or [""]
        for each, width in zip(columns, (max(each, 1) for each in widths), strict=True)
    ]
    height = max(map(len, parts), default=0)
    padded = [[""] * (height - len(each)) + each for each in parts]
    return [list(line) for line in zip(*padded, strict=True)]


def _line(
    texts: Sequence[str], columns: Sequence[_Column], widths: Sequence[int], ellipsis: str
) -> str:
    cells = []
    for text, column, width in zip(texts, columns, widths, strict=True):
        is_long = len(text) > width
        cell = text[: max(width - len(ellipsis), 0)].rstrip() + ellipsis if is_long else text
        cells.append(cell.ljust(width) if column.is_text else cell.rjust(width))
    return _GAP.join(cells).rstrip()


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, max(width, _SHORTEST_TEXT), subsequent_indent=_GAP)
