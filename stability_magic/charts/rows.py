"""The picture of five organizations or more: a row for each, most spent first."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from matplotlib.lines import Line2D

from ..display.palette import LOW_COLOUR
from .axes import SMALL, Panel, set_time_axis
from .balance_panel import draw_line
from .composition import (
    LEFT,
    NAME,
    NARROW,
    has_years,
    shown_zone,
    write_headline,
    write_no_readings,
)
from .headline import headline
from .names import drawable_names
from .picture_data import (
    MAX_COLUMNS,
    Look,
    PictureData,
    SpendingBars,
    balance_line,
    is_idle,
    latest_balances,
    spending_bars,
    spent_in_window,
)
from .sheet import Sheet
from .spend_panel import draw_bars
from .words import amount, day, dollars, empty_words, local, priced

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

__all__ = ["FEWEST_ROWS", "draw_rows"]

FEWEST_ROWS = 5
_MOST_ROWS = 12
_ROW, _TOP, _BOTTOM = 46.0, 94.0, 44.0
_LINE_HEIGHT = 34.0
_MAX_IDLE_NAMES = 3
_MOST_BARS = 96  # in a row; more would be narrower than two pixels


class _Table(NamedTuple):
    """What all rows share.

    Attributes:
        sheet: The figure.
        picture: What is shown.
        columns: Where.
        bars: What was spent in each period.
        totals: What each organization spent in all.
        highest: The highest bar, in credits.
        low_balance: The credits below which a balance is low.
        price: US dollars for a credit.
    """

    sheet: Sheet
    picture: PictureData
    columns: _Columns
    bars: SpendingBars
    totals: NDArray[np.float64]
    highest: float
    low_balance: float | None
    price: float


class _Columns(NamedTuple):
    """The edges of the columns, in CSS pixels."""

    left: float
    balance: tuple[float, float]
    spent: float
    bars: tuple[float, float]


def draw_rows(picture: PictureData, low_balance: float | None, look: Look) -> Figure:
    """The picture; beyond twelve rows the rest of the organizations share one."""
    names, price = drawable_names(picture), look.usd_per_credit
    every = range(len(names))
    bars = spending_bars(picture, max(50, min(_MOST_BARS, MAX_COLUMNS // len(names))))
    zone_name = shown_zone(picture, look)
    words = headline(picture, names, bars, low_balance, price, zone_name)
    if bars is None:
        return write_no_readings(Sheet(look.theme, 150), words)
    spending = spent_in_window(picture)
    totals = spending.seen + spending.hidden
    idle = [code for code in every if is_idle(picture, code)]
    shown = sorted((code for code in every if code not in idle), key=lambda code: -totals[code])
    if not shown:
        shown, idle = idle, []
    below = _BOTTOM + (14 if has_years(picture) else 0)
    sheet = Sheet(look.theme, _TOP + _ROW * min(len(shown), _MOST_ROWS + 1) + below)
    scale = sheet.style.scale
    room = max(1, int((sheet.height / scale - _TOP - below + 1) // _ROW))
    limit = min(room, _MOST_ROWS + 1)
    rest = shown[limit - 1 :] if len(shown) > limit else []
    shown = shown[: limit - 1] if rest else shown
    write_headline(sheet, words._replace(parts=[*words.parts, "most spent first"]))
    columns = _columns(sheet)
    highest = float((bars.seen + bars.pale)[shown].max())
    largest = _largest(bars, shown)
    scale_words = ", all to one scale"
    if largest:
        text = _largest_words(bars, picture, largest)
        start = _place_beside(sheet, columns, picture, bars, largest, text)
        if start is None:
            scale_words = f"; most {text}"
        else:
            y = _TOP + _ROW * shown.index(largest[0]) + 16
            sheet.text(start, y * scale, text, SMALL)
    _write_header(sheet, picture, columns, scale_words)
    table = _Table(sheet, picture, columns, bars, totals, highest, low_balance, price)
    last: tuple[Axes, ...] = ()
    for row, code in enumerate(shown):
        last = _draw_row(table, row, code, names[code])
    base = _TOP + _ROW * len(shown)
    for ax in last:
        panel = Panel(ax, sheet.style, price, is_own=True)
        ax.xaxis.set_visible(True)
        set_time_axis(panel, picture)
    if rest:
        # Below the dates of the rows above it.
        _write_rest(sheet, picture, columns, base + 0.42 * _ROW, rest, totals, price)
    if idle:
        sheet.text(LEFT, sheet.height - 10 * scale, _idle_words(sheet, picture, idle, names), SMALL)
    return sheet.figure


def _is_narrow(sheet: Sheet) -> bool:
    return sheet.width < NARROW * sheet.style.scale


def _columns(sheet: Sheet) -> _Columns:
    unit = sheet.width / 720
    if _is_narrow(sheet):
        return _Columns(300 * unit, (328 * unit, 430 * unit), 564 * unit, (586 * unit, 708 * unit))
    return _Columns(205 * unit, (256 * unit, 432 * unit), 500 * unit, (516 * unit, 708 * unit))


def _write_header(sheet: Sheet, picture: PictureData, columns: _Columns, scale_words: str) -> None:
    scale = sheet.style.scale
    y = (_TOP - 14) * scale
    per = "between readings" if picture.by == "reading" else f"per {picture.by}"
    for x, text, align, end in (
        (LEFT, "organization", "left", columns.left - 40),
        (columns.left, "left", "right", columns.left),
        (columns.balance[0], "balance, each to its own top", "left", columns.spent - 36),
        (columns.spent, "spent", "right", columns.spent),
        (columns.bars[0], f"{per}{scale_words}", "left", sheet.width),
    ):
        room = end - x if align == "left" else sheet.width
        sheet.text(x, y, sheet.fit(text, room, SMALL), SMALL, ha=align)
    height = 1 - (_TOP - 4) * scale / sheet.height
    sheet.figure.add_artist(
        Line2D(
            [LEFT / sheet.width, 1 - LEFT / sheet.width],
            [height, height],
            color=sheet.style.ink,
            alpha=0.8,
            linewidth=0.9,
        )
    )


def _draw_row(table: _Table, row: int, code: int, name: str) -> tuple[Axes, Axes]:
    sheet, picture, columns, bars, _, highest, low_balance, price = table
    scale = sheet.style.scale
    bottom = (_TOP + _ROW * (row + 1) - 4) * scale
    top = bottom - _LINE_HEIGHT * scale
    balance = latest_balances(picture)[code]
    is_low = low_balance is not None and balance is not None and balance < low_balance
    first, second = bottom - 22 * scale, bottom - 7 * scale
    left = "\N{EN DASH}" if balance is None else amount(balance)
    room = columns.left - LEFT - 10 * scale - sheet.text_width(left, NAME, "bold")
    sheet.text(LEFT, first, sheet.fit(name, room, NAME, "bold"), NAME, weight="bold")
    colour = LOW_COLOUR if is_low else sheet.style.ink
    sheet.text(columns.left, first, left, NAME, weight="bold", ha="right", color=colour)
    note = _note(picture, code, is_low=is_low)
    if price and balance is not None:
        behind = dollars(balance * price)
        sheet.text(columns.left, second, behind, SMALL, ha="right")
        room = columns.left - LEFT - 10 * scale - sheet.text_width(behind, SMALL)
    weight = "bold" if is_low else "normal"
    if sheet.text_width(note, SMALL, weight) > room:
        # The days are what counts.
        note = sheet.fit(note.replace("empty ", "", 1), room, SMALL, weight)
    if note:
        sheet.text(LEFT, second, note, SMALL, color=colour, weight=weight)
    spent = float(table.totals[code])
    sheet.text(columns.spent, first, amount(spent), NAME, weight="bold", ha="right")
    if price:
        sheet.text(columns.spent, second, dollars(spent * price), SMALL, ha="right")
    axes = sheet.axes(columns.balance[0], top, columns.balance[1], bottom)
    # With up to four points in a column, that is nearly one for each pixel.
    column_count = round((columns.balance[1] - columns.balance[0]) / 5)
    line = balance_line(picture, code, column_count)
    panel = _plain_panel(sheet, picture, axes, price)
    if line is not None:
        own_top = max(float(line.credits.max()), 0.0)
        axes.set_ylim(0, (own_top or 1.0) * 1.06)
        draw_line(panel, picture, line, code, name, area=True, has_dots=False)
        if not _is_narrow(sheet):
            x = columns.balance[0] - 6 * scale
            sheet.text(x, top + 8 * scale, amount(own_top), SMALL, ha="right")
    other = sheet.axes(columns.bars[0], top, columns.bars[1], bottom)
    panel = _plain_panel(sheet, picture, other, price)
    other.set_ylim(0, (highest or 1.0) * 1.06)
    draw_bars(panel, picture, bars, code, np.zeros(len(bars.is_open)), name)
    return axes, other


def _plain_panel(sheet: Sheet, picture: PictureData, axes: Axes, price: float) -> Panel:
    """Axes with nothing but their zero line."""
    panel = Panel(axes, sheet.style, price, is_own=True)
    set_time_axis(panel, picture, labels=False)
    axes.yaxis.set_visible(False)
    for side, spine in axes.spines.items():
        spine.set_visible(side == "bottom")
    axes.spines["bottom"].set(color=sheet.style.ink, alpha=0.8, linewidth=0.9)
    return panel


def _note(picture: PictureData, code: int, *, is_low: bool) -> str:
    outlook = picture.outlooks[code] if picture.outlooks else None
    if outlook is None:
        return "LOW" if is_low else ""
    now = int(outlook.times[0]) if len(outlook.times) else picture.window_end
    words, span = empty_words(outlook.estimate, now, picture.histories.zone)
    if span and ("to" in span.split() or "later" in span):
        words = f"empty {span}"
    if not words:
        words = outlook.estimate.evidence.partition(":")[0]
    return f"LOW, {words}" if is_low else words


def _largest(bars: SpendingBars, shown: list[int]) -> tuple[int, int] | None:
    """The organization and the place of the highest bar."""
    heights = (bars.seen + bars.pale)[shown]
    row, place = np.unravel_index(int(heights.argmax()), heights.shape)
    return (shown[int(row)], int(place)) if heights[row, place] > 0 else None


def _largest_words(bars: SpendingBars, picture: PictureData, largest: tuple[int, int]) -> str:
    """How much the highest bar is, and when it was."""
    at = local(int(bars.edges[largest[1]]), picture.histories.zone)
    when = {"month": f"in {at:%b %Y}", "day": f"on {day(at)}", "week": f"from {day(at)}"}
    value = amount(float((bars.seen + bars.pale)[largest]))
    return f"{value} {when.get(picture.by, f'at {at:%H:%M}')}"


def _place_beside(
    sheet: Sheet,
    columns: _Columns,
    picture: PictureData,
    bars: SpendingBars,
    place: tuple[int, int],
    text: str,
) -> float | None:
    """Where a label begins that stands beside the highest bar, above others; None without room."""
    left, right = columns.bars
    edges = left + (right - left) * (bars.edges - picture.axis_start) / (
        picture.axis_end - picture.axis_start
    )
    heights = (bars.seen + bars.pale)[place[0]]
    middles, width = (edges[:-1] + edges[1:]) / 2, sheet.text_width(text, SMALL)
    for start in (edges[place[1] + 1] + 5, edges[place[1]] - 5 - width):
        below = heights[(middles > start - 3) & (middles < start + width + 3)]
        is_inside = left - 4 <= start and start + width <= sheet.width - 4
        if is_inside and below.max(initial=0.0) < 0.7 * heights.max():
            return float(start)
    return None


def _write_rest(
    sheet: Sheet,
    picture: PictureData,
    columns: _Columns,
    top: float,
    rest: list[int],
    totals: NDArray[np.float64],
    price: float,
) -> None:
    """Writes the sums of the organizations that have no row of their own."""
    scale = sheet.style.scale
    balances = latest_balances(picture)
    left = sum(balances[code] or 0.0 for code in rest)
    y = (top + 10) * scale
    room = columns.left - LEFT - 10 * scale - sheet.text_width(amount(left), NAME, "bold")
    sheet.text(LEFT, y, sheet.fit(f"other ({len(rest)})", room, NAME, "bold"), NAME, weight="bold")
    sheet.text(columns.left, y, amount(left), NAME, weight="bold", ha="right")
    spent = float(totals[rest].sum())
    sheet.text(columns.spent, y, amount(spent), NAME, weight="bold", ha="right")
    if price:
        for x, credits in ((columns.left, left), (columns.spent, spent)):
            sheet.text(x, y + 15 * scale, dollars(credits * price), SMALL, ha="right")


def _idle_words(sheet: Sheet, picture: PictureData, idle: list[int], names: list[str]) -> str:
    balances = latest_balances(picture)
    told = [
        f"{names[code]}, idle at {priced(balances[code] or 0.0, 0, ' credits')}" for code in idle
    ]
    rest = len(told) - _MAX_IDLE_NAMES
    text = f"not drawn: {'; '.join(told[:_MAX_IDLE_NAMES])}{f'; {rest} more' if rest > 0 else ''}"
    return sheet.fit(text, sheet.width - 2 * LEFT, SMALL)
