"""The picture of a watch: what was spent since it began."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from ..display.palette import series_colour
from .axes import Panel, matplotlib_days, set_time_axis, set_value_axis
from .balance_panel import draw_line
from .composition import LEFT, NAME, write_caption, write_headline
from .headline import Headline
from .names import drawable_names
from .picture_data import (
    HOUR,
    BalanceLine,
    Look,
    PictureData,
    balance_line,
    latest_balances,
    prepare_watch,
)
from .sheet import Sheet
from .spend_panel import draw_spending
from .words import amount, duration, local, priced

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..analysis.series import Histories

__all__ = ["draw_watch"]


def draw_watch(
    histories: Histories,
    since: datetime,
    every: timedelta,
    look: Look,
    *,
    empty_below: float = 0.0,
) -> Figure:
    """The sum of what was spent since the watch began, above what each minute cost."""
    picture, price = prepare_watch(histories, since, look.order), look.usd_per_credit
    names = drawable_names(picture)
    sheet = Sheet(look.theme, 370)
    scale, zone = sheet.style.scale, picture.histories.zone
    left, right = 58 * scale, sheet.width - 52 * scale
    top, gap, bottom = 76 * scale, 36 * scale, sheet.height - 36 * scale
    middle = top + (bottom - top - gap) * 0.6
    upper = sheet.axes(left, top, right, middle)
    lower = sheet.axes(left, middle + gap, right, bottom, sharex=upper)
    panels = [Panel(each, sheet.style, price, is_own=True) for each in (upper, lower)]
    set_time_axis(panels[1], picture)
    upper.tick_params(axis="x", which="both", bottom=False, labelbottom=False)
    sums = {code: _sums(picture, code) for code in range(len(names))}
    lines = {code: line for code, line in sums.items() if line is not None}
    highest = max((float(line.credits.max()) for line in lines.values()), default=0.0)
    set_value_axis(panels[0], highest, 1.2, with_dollars=True)
    shown = (
        lines
        if len(lines) == 1
        else {code: each for code, each in lines.items() if each.credits.any()}
    )
    for code, line in shown.items():
        draw_line(panels[0], picture, line, code, names[code], area=len(shown) == 1, is_sum=True)
    spending = draw_spending(panels[1], picture)
    total = sum(float(line.credits[-1]) for line in lines.values())
    balances = [each for each in latest_balances(picture) if each is not None]
    length = picture.window_end - picture.window_start
    last = local(picture.histories.last_time, zone)
    begin = local(picture.window_start, zone)
    parts = [f"{priced(sum(balances), price, exact=True)} left at {last:%H:%M}"]
    parts.append(f"read every {_interval_text(every)} since {begin:%H:%M}")
    if total > 0 and len(names) == 1 and sum(balances) > empty_below and length > 0:
        remaining = (sum(balances) - empty_below) / total * length
        if remaining < 48 * HOUR:
            parts.append(f"at this rate empty in {duration(int(remaining))}")
    name = names[0] if len(names) == 1 else f"{len(names):,} organizations"
    spent = f"{priced(total, price, ' credits', exact=True)} spent in {duration(length)}"
    write_headline(sheet, Headline(name, spent, "", parts, is_low=False))
    _write_ends(sheet, panels[0], picture, shown, names)
    write_caption(sheet, top - 10 * scale, [f"credits spent since {begin:%H:%M}"])
    keys = spending.keys if spending else []
    per = "between readings" if picture.by == "reading" else f"per {picture.by}"
    write_caption(sheet, middle + gap - 10 * scale, [f"credits spent {per}", *keys])
    return sheet.figure


def _interval_text(every: timedelta) -> str:
    """``10 s``, ``10 min``, ``2 h``."""
    seconds = every.total_seconds()
    for length, unit in ((3600, "h"), (60, "min")):
        if seconds >= length and seconds % length == 0:
            return f"{seconds / length:,.0f} {unit}"
    return f"{seconds:,.0f} s"


def _sums(picture: PictureData, code: int) -> BalanceLine | None:
    """What was spent since the watch began, at each reading."""
    series = picture.histories.series[code]
    inside = np.flatnonzero(picture.contains(series.times))
    if not len(inside):
        return None
    spent = series.spent[inside].cumsum()
    return balance_line(
        picture._replace(
            histories=picture.histories._replace(
                series=[
                    series._replace(times=series.times[inside], credits=spent)
                    if each == code
                    else other
                    for each, other in enumerate(picture.histories.series)
                ]
            )
        ),
        code,
        600,
    )


def _write_ends(
    sheet: Sheet,
    panel: Panel,
    picture: PictureData,
    lines: dict[int, BalanceLine],
    names: list[str],
) -> None:
    """Writes how much it is at the end of each line."""
    frame = panel.ax.get_position()
    for code, line in list(lines.items())[:4]:
        x = matplotlib_days(line.times[-1:])[0]
        y = float(line.credits[-1])
        point = panel.ax.transData.transform((x, y)) * 100 / sheet.figure.dpi
        text = amount(y, exact=True)
        if len(lines) > 1:
            text = f"{sheet.fit(names[code], 160, NAME, 'bold')} {text}"
        right = min(point[0] - 6, frame.x1 * sheet.width)
        if sheet.text_width(text, NAME, "bold") < right - LEFT - 50:
            sheet.text(
                right,
                sheet.height - point[1] - 6,
                text,
                NAME,
                weight="bold",
                ha="right",
                color=series_colour(picture.colours[code]),
            )
