"""Puts a picture together: its words, two panels, and the labels at the ends of its lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.lines import Line2D

from ..display.palette import LOW_COLOUR, series_colour
from .axes import SMALL, Panel, matplotlib_days, set_time_axis
from .balance_panel import BalancePanel, draw_balances, is_low
from .headline import Headline, headline
from .names import drawable_names
from .picture_data import DAY, HOUR, Look, PictureData, is_idle, latest_balances
from .placing import spread
from .sheet import Sheet
from .spend_panel import draw_spending
from .words import SEPARATOR, amount, empty_words, local, priced

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "NARROW",
    "draw_empty",
    "draw_panels",
    "has_years",
    "shown_zone",
    "write_caption",
    "write_headline",
    "write_no_readings",
]

TITLE, SUBTITLE, NAME = 12.0, 9.5, 9.0
LEFT = 8.0
_MAX_SUBTITLE = 100
# The part of the width that names at the ends of lines may take.
_MOST_ENDS = 1 / 3
# On a narrower figure there are no dollars at the right, and no labels at the ends of lines.
NARROW = 480
_COMMANDS = (
    ("Take the first reading:", "%stability_balance"),
    ("Take one every 10 minutes:", "%stability_watch"),
    ("Try it without a key:", "%stability_demo"),
)


def shown_zone(picture: PictureData, look: Look) -> str:
    """The name of the time zone, where times of day are shown and it is not the machine's own."""
    zone = picture.histories.zone
    name = str(zone)
    is_brief = picture.axis_end - picture.axis_start <= 2 * DAY
    if not is_brief or not look.machine_zone or name == look.machine_zone:
        return ""
    if "(" in name or name.startswith("/"):
        # A zone without a name; what its clock is called then is shorter than where it is from.
        name = local(picture.window_end, zone).tzname() or name
    return "UTC" if name in ("Etc/UTC", "UTC+00:00") else name


def write_headline(sheet: Sheet, words: Headline) -> None:
    """Writes the title and the line below it, each as much of it as has room."""
    scale = sheet.style.scale
    room = sheet.width - 2 * LEFT
    parts = list(words.parts)

    def title_of(name: str, empty: str) -> str:
        return f"{name}: {words.rest}{f', {empty}' if empty else ''}"

    title = title_of(words.name, words.empty)
    if words.empty and sheet.text_width(title, TITLE, "bold") > room:
        title = title_of(words.name, "")
        parts.insert(0, words.empty)
    excess = sheet.text_width(title, TITLE, "bold") - room
    if excess > 0:
        width = sheet.text_width(words.name, TITLE, "bold") - excess
        name = sheet.fit(words.name, max(width, 0.0), TITLE, "bold")
        title = f"{name}: {words.rest}" if len(name) > 2 else words.rest
    if sheet.text_width(title, TITLE, "bold") > room:
        title = title.partition(": ")[2] or title
    # What cannot be told completely is left out, the least important first.
    while len(parts) > 1 and (
        len(SEPARATOR.join(parts)) > _MAX_SUBTITLE
        or sheet.text_width(SEPARATOR.join(parts), SUBTITLE) > room
    ):
        parts.pop()
    subtitle = sheet.fit(SEPARATOR.join(parts), room, SUBTITLE)
    colour = LOW_COLOUR if words.is_low else sheet.style.ink
    sheet.text(LEFT, 25 * scale, title, TITLE, weight="bold", color=colour)
    sheet.text(LEFT, 44 * scale, subtitle, SUBTITLE)
    sheet.figure.description = f"{title}. {subtitle}"


def write_caption(sheet: Sheet, y: float, parts: list[str]) -> None:
    """Writes what a panel shows, and its keys."""
    sheet.text(LEFT, y, sheet.fit(SEPARATOR.join(parts), sheet.width - 2 * LEFT, SMALL), SMALL)


def draw_panels(picture: PictureData, low_balance: float | None, look: Look) -> Figure:
    """The picture of up to four organizations."""
    price = look.usd_per_credit
    is_weekly = picture.by in ("week", "month")
    is_long = picture.window_end - picture.window_start > 120 * DAY
    is_brief = picture.axis_end - picture.axis_start <= 2 * DAY
    is_first = picture.by == "reading"
    sheet = Sheet(look.theme, 330 if is_first else 405 if is_brief else 440)
    scale = sheet.style.scale
    names = drawable_names(picture)
    codes, idle = _active(picture)
    has_forecast = any(each and len(each.times) > 1 for each in picture.outlooks)
    is_wide = sheet.width >= NARROW * scale
    ends = is_wide and len(codes) > 1
    is_huge = any(each.credits.max() >= 1e15 for each in picture.histories.series)
    left = (72 if is_huge else 58) * scale
    right = sheet.width - (52 if is_wide else 12) * scale
    if ends:
        widest = max(sheet.text_width(names[code], NAME, "bold") for code in codes)
        least = (190 if has_forecast else 150) * scale
        right = sheet.width - max(least, min(widest + 18 * scale, _MOST_ENDS * sheet.width))
    top, gap = 76 * scale, (42 if has_forecast else 36) * scale
    bottom = sheet.height - (42 if has_years(picture) else 30) * scale
    share = 0.34 if is_weekly and is_long else 0.6
    middle = top + (bottom - top - gap) * share
    upper = sheet.axes(left, top, right, middle)
    lower = sheet.axes(left, middle + gap, right, bottom, sharex=upper)
    shown_price = price if is_wide else 0.0
    balance_panel = Panel(upper, sheet.style, shown_price, is_own=True)
    spend_panel = Panel(lower, sheet.style, shown_price, is_own=True)
    set_time_axis(spend_panel, picture)
    upper.tick_params(axis="x", which="both", bottom=False, labelbottom=False)
    balances = draw_balances(balance_panel, picture, codes, low_balance, ends=ends)
    spending = draw_spending(spend_panel, picture)
    words = headline(
        picture,
        names,
        spending.bars if spending else None,
        low_balance,
        price,
        shown_zone(picture, look),
    )
    if balances is None or spending is None:
        return write_no_readings(sheet, words)
    write_headline(sheet, words)
    keys = list(balances.keys)
    if not is_wide and len(codes) > 1:
        keys = [*(names[code] for code in codes), *keys]
    keys += [f"not drawn: {_idle_words(picture, idle, names)}"] if idle else []
    write_caption(sheet, top - 10 * scale, ["credits left", *keys])
    per = "between readings" if picture.by == "reading" else f"per {picture.by}"
    write_caption(sheet, middle + gap - 10 * scale, [f"credits spent {per}", *spending.keys])
    if ends:
        _write_ends(
            sheet, balance_panel, picture, balances, low_balance, price, (top, bottom, right)
        )
    elif has_forecast and len(codes) == 1:
        _write_empty(sheet, balance_panel, picture, codes[0], middle)
    return sheet.figure


def _active(picture: PictureData) -> tuple[list[int], list[int]]:
    """The organizations that are drawn, and those that only have to be named."""
    every = list(range(len(picture.histories.series)))
    balances = latest_balances(picture)
    if len(every) == 1:
        return every, []
    # Those that were read only later have no balance in the window.
    known = [code for code in every if balances[code] is not None]
    idle = [code for code in known if is_idle(picture, code)]
    active = [code for code in known if code not in idle]
    return (active, idle) if active else (every, [])


def _idle_words(picture: PictureData, idle: list[int], names: list[str]) -> str:
    balances = latest_balances(picture)
    return ", ".join(f"{names[code]}, idle at {amount(balances[code] or 0.0)}" for code in idle)


def has_years(picture: PictureData) -> bool:
    """Whether some labels on the time axis have two lines."""
    span = picture.axis_end - picture.axis_start
    zone = picture.histories.zone
    is_new_year = local(picture.axis_start, zone).year != local(picture.axis_end, zone).year
    has_weekdays = 36 * HOUR < span <= 16 * DAY
    return span > 122 * DAY or has_weekdays or is_new_year


def write_no_readings(sheet: Sheet, words: Headline) -> Figure:
    """A picture of a window without readings says so."""
    for each in sheet.figure.axes:
        each.set_axis_off()
    write_headline(
        sheet,
        words._replace(
            rest="no readings in this time", empty="", parts=words.parts[:1], is_low=False
        ),
    )
    return sheet.figure


def _write_ends(
    sheet: Sheet,
    panel: Panel,
    picture: PictureData,
    balances: BalancePanel,
    low_balance: float | None,
    price: float,
    place: tuple[float, float, float],
) -> None:
    """Writes the name and the balance of each line at its end, and what the low line is."""
    top, bottom, right = place
    names, scale = drawable_names(picture), sheet.style.scale
    labels: list[tuple[float, float, str, str, list[str]]] = []
    for code, (x, y) in balances.lines.items():
        lines = [priced(y, price)]
        outlook = picture.outlooks[code] if picture.outlooks else None
        if outlook and (
            words := empty_words(outlook.estimate, picture.window_end, picture.histories.zone)[0]
        ):
            lines.append(words)
        labels.append((x, y, names[code], series_colour(picture.colours[code]), lines))
    if balances.has_level and low_balance is not None:
        is_under = is_low(picture, low_balance, list(balances.lines))
        end = float(panel.ax.get_xlim()[1])
        colour = LOW_COLOUR if is_under else sheet.style.ink
        labels.append(
            (end, low_balance, "low balance", colour, [priced(low_balance, price, short=True)])
        )
    figure: Any = sheet.figure
    points = panel.ax.transData.transform([each[:2] for each in labels]) * 100 / figure.dpi
    heights = np.array([(14 + 13 * len(each[4]) + 3) * scale for each in labels])
    middles = spread(sheet.height - points[:, 1], heights, top - 14 * scale, bottom)
    width = sheet.width - right - 16 * scale
    for (_, _, name, colour, lines), middle, height, point in zip(
        labels, middles, heights, points, strict=True
    ):
        line = middle - height / 2 + 12 * scale
        x = right + 14 * scale
        sheet.text(x, line, sheet.fit(name, width, NAME, "bold"), NAME, weight="bold", color=colour)
        for number, each in enumerate(lines, 1):
            sheet.text(x, line + 13 * number * scale, sheet.fit(each, width, SMALL), SMALL)
        if not any(picture.outlooks):
            _draw_leader(sheet, point, (x - 4 * scale, line + 2 * scale), right, colour)


def _draw_leader(
    sheet: Sheet, start: tuple[float, float], end: tuple[float, float], right: float, colour: str
) -> None:
    corner = right + 4 * sheet.style.scale
    x = np.array([start[0] + 4, corner, end[0]])
    y = np.array([sheet.height - start[1], end[1], end[1]])
    sheet.figure.add_artist(
        Line2D(x / sheet.width, 1 - y / sheet.height, color=colour, linewidth=0.8, alpha=0.9)
    )


def _write_empty(
    sheet: Sheet, panel: Panel, picture: PictureData, code: int, bottom: float
) -> None:
    """Writes when the credits end, below the zero line at that time."""
    outlook = picture.outlooks[code]
    if outlook is None:
        return
    words, span = empty_words(outlook.estimate, int(outlook.times[0]), picture.histories.zone)
    if not words:
        return
    scale = sheet.style.scale
    at = outlook.estimate.empty_at or picture.axis_end
    at = min(at, picture.axis_end)
    figure: Any = sheet.figure
    x = (
        panel.ax.transData.transform([(matplotlib_days(np.array([at]))[0], 0)])[0, 0]
        * 100
        / figure.dpi
    )
    behind = f"({span})" if span else ""
    width = sheet.text_width(words, SUBTITLE, "bold")
    total = width + (6 * scale + sheet.text_width(behind, SMALL) if behind else 0)
    start = max(LEFT, min(x - width / 2, sheet.width - LEFT - total))
    y = bottom + 17 * scale
    sheet.text(start, y, words, SUBTITLE, weight="bold", color=series_colour(picture.colours[code]))
    if behind:
        sheet.text(start + width + 6 * scale, y, behind, SMALL)


def draw_empty(look: Look) -> Figure:
    """The picture of an empty log: how to begin."""
    sheet = Sheet(look.theme, 150)
    scale = sheet.style.scale
    where = f"The log at {look.log_name} is empty." if look.log_name else "The log is empty."
    where = sheet.fit(where, sheet.width - 2 * LEFT, SUBTITLE)
    sheet.text(LEFT, 25 * scale, "No readings yet", TITLE, weight="bold")
    sheet.text(LEFT, 44 * scale, where, SUBTITLE)
    for number, (words, command) in enumerate(_COMMANDS):
        y = (78 + 20 * number) * scale
        sheet.text(LEFT, y, words, SUBTITLE)
        x = LEFT + 192 * scale
        if x + sheet.text_width(command, SUBTITLE) < sheet.width:
            sheet.text(x, y, command, SUBTITLE, family="monospace", color=series_colour(0))
    sheet.figure.description = f"No readings yet. {where}"
    return sheet.figure
