"""The panel of balances: lines, top-ups, the low balance, and how the balances go on."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from matplotlib.collections import LineCollection

from ..display.palette import LOW_COLOUR, series_colour
from .axes import SMALL, Panel, matplotlib_days, set_value_axis, shade_gaps, width_in_pixels
from .names import drawable_names
from .picture_data import (
    FEW_READINGS,
    MAX_COLUMNS,
    BalanceLine,
    Outlook,
    PictureData,
    TopUps,
    balance_line,
    largest_top_ups,
    latest_balances,
    top_ups_of,
)
from .placing import first_free_place, place_above, step_boxes
from .sheet import PIXELS_PER_INCH, text_size
from .words import dollars, priced

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["BalancePanel", "draw_balances", "draw_line", "is_low"]

_MAX_LABELS = 24
_MANY_POINTS = 1500
# With more rises than this, all of a line is drawn as one stroke.
_MAX_RISES = 150
# The line for a low balance is drawn up to this many times the highest balance.
_MAX_LEVEL_RATIO = 3.0
_SLICES = 24


class BalancePanel(NamedTuple):
    """What was drawn.

    Attributes:
        keys: What the caption has to explain.
        lines: The organizations with a line, and each line's last point in data coordinates.
        has_level: Whether there is a line for the low balance.
    """

    keys: list[str]
    lines: dict[int, tuple[float, float]]
    has_level: bool


def is_low(picture: PictureData, low_balance: float | None, codes: list[int]) -> bool:
    """Whether a latest balance is below the low one."""
    latest = latest_balances(picture)
    balances = (latest[code] for code in codes)
    return low_balance is not None and any(
        balance is not None and balance < low_balance for balance in balances
    )


def draw_balances(
    panel: Panel, picture: PictureData, codes: list[int], low_balance: float | None, *, ends: bool
) -> BalancePanel | None:
    """Draws the balances of some organizations; None if there is nothing to draw.

    Args:
        panel: Where.
        picture: What is shown.
        codes: The organizations.
        low_balance: The credits below which a balance is low.
        ends: Whether the ends of the lines get labels, so that the axis needs none in dollars.
    """
    ax = panel.ax
    columns = max(50, min(round(width_in_pixels(ax)), MAX_COLUMNS // max(1, len(codes))))
    lines = {code: balance_line(picture, code, columns) for code in codes}
    drawn = {code: line for code, line in lines.items() if line is not None}
    if not drawn:
        return None
    highest = max(float(line.credits.max()) for line in drawn.values())
    has_level = low_balance is not None and 0 < low_balance <= _MAX_LEVEL_RATIO * max(highest, 0)
    if has_level and low_balance is not None:
        highest = max(highest, low_balance)
    top_ups = {code: top_ups_of(picture, code) for code in drawn}
    has_top_ups = any(len(each.times) for each in top_ups.values())
    set_value_axis(
        panel, highest, 1.13 if has_top_ups else 1.06, with_dollars=panel.is_own and not ends
    )
    keys = []
    if shade_gaps(panel, picture):
        keys.append("grey: no readings")
    reading_count = sum(len(line.readings) for line in drawn.values())
    if 1 < reading_count <= FEW_READINGS:
        keys.append("dots: readings")
    names = drawable_names(picture)
    for code, line in drawn.items():
        draw_line(panel, picture, line, code, names[code], area=len(codes) == 1)
    obstacles = _line_boxes(panel, drawn)
    if has_level and low_balance is not None:
        obstacles = _draw_level(
            panel,
            picture,
            low_balance,
            obstacles,
            is_low=is_low(picture, low_balance, codes),
            is_labelled=not ends,
        )
    obstacles = np.concatenate([obstacles, _draw_outlooks(panel, picture, codes)])
    if has_top_ups:
        _mark_top_ups(panel, picture, top_ups, obstacles)
    last = {
        code: (float(matplotlib_days(line.times[-1:])[0]), max(float(line.credits[-1]), 0.0))
        for code, line in drawn.items()
    }
    return BalancePanel(keys, last, has_level)


def draw_line(
    panel: Panel,
    picture: PictureData,
    line: BalanceLine,
    code: int,
    name: str,
    *,
    area: bool,
    is_sum: bool = False,
    has_dots: bool = True,
) -> None:
    """Draws one line of steps, dotted where there are no readings.

    A rise is thin, but not in a line of sums.
    """
    ax, colour = panel.ax, series_colour(picture.colours[code])
    times, credits = line.times, np.maximum(line.credits, 0.0)
    width = 1.1 if len(times) > _MANY_POINTS else 1.7
    days = matplotlib_days(times)
    if area:
        x, y = _corners(days, credits)
        ax.fill_between(x, y, color=colour, alpha=0.10, linewidth=0, zorder=1)
    # Not those of the line: how many are left of them depends on which readings it kept.
    is_busy = len(top_ups_of(picture, code).times) > _MAX_RISES
    solid, rises, dotted = _strokes(
        times, credits, *picture.gaps, are_rises_apart=not (is_sum or is_busy)
    )
    kinds: tuple[tuple[list[Floats], dict[str, Any]], ...] = (
        (solid, {"linewidths": width}),
        (rises, {"linewidths": 0.9, "alpha": 0.75}),
        (dotted, {"linewidths": width, "linestyles": [(0, (1, 1.8))]}),
    )
    for strokes, style in kinds:
        if strokes:
            collection = LineCollection(
                strokes, colors=colour, zorder=2.6, capstyle="butt", **style
            )
            collection.set_joinstyle("miter")
            ax.add_collection(collection, autolim=False)
    has_dots = has_dots and len(line.readings) <= FEW_READINGS
    (dots,) = ax.plot(
        days,
        credits,
        drawstyle="steps-post",
        linestyle="",
        color=colour,
        marker="o",
        markeredgewidth=0,
        markersize=3.6 if has_dots else 5.5,
        markevery=line.readings if has_dots else line.readings[-1:],
        label=name,
        zorder=3.2,
        clip_on=False,
        scalex=False,
        scaley=False,
    )
    if line.readings and has_dots:
        _dot(panel, days[line.readings[-1]], credits[line.readings[-1]], 5.5, colour)
    dots.sticky_edges.y.append(0)


def _dot(panel: Panel, day: float, credits: float, size: float, colour: str) -> None:
    panel.ax.scatter(
        [day], [credits], s=size**2, color=colour, linewidths=0, zorder=3.3, clip_on=False
    )


def _corners(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """The corners of a line of steps."""
    return np.repeat(x, 2)[1:], np.repeat(y, 2)[:-1]


def _strokes(
    times: NDArray[np.int64],
    credits: Floats,
    gap_starts: NDArray[np.int64],
    gap_ends: NDArray[np.int64],
    *,
    are_rises_apart: bool,
) -> tuple[list[Floats], list[Floats], list[Floats]]:
    """The strokes of a line of steps: solid, rises, and what lies in gaps."""
    edges = np.concatenate([gap_starts, gap_ends])
    edges = np.setdiff1d(edges[(edges > times[0]) & (edges < times[-1])], times)
    at = np.searchsorted(times, edges, side="right")
    times, credits = np.insert(times, at, edges), np.insert(credits, at, credits[at - 1])
    if len(times) == 1:
        return [], [], []
    days = matplotlib_days(times)
    middles = times[:-1] + np.diff(times) // 2
    in_gap = np.zeros(len(middles), dtype=bool)
    if len(gap_starts):
        place = np.searchsorted(gap_starts, middles, side="right") - 1
        in_gap = (place >= 0) & (middles < gap_ends[np.maximum(place, 0)]) & (np.diff(times) > 0)
    is_rise = np.diff(credits) > 0
    is_rise &= are_rises_apart
    dotted = [
        np.array([[days[each], credits[each]], [days[each + 1], credits[each]]])
        for each in np.flatnonzero(in_gap)
    ]
    rises = [
        np.array([[days[each + 1], credits[each]], [days[each + 1], credits[each + 1]]])
        for each in np.flatnonzero(is_rise)
    ]
    # The corners of all steps, cut after each rise, and before and after each gap.
    x, y = _corners(days, credits)
    # Corner 2k+1 ends the flat part of step k, corner 2k+2 the change after it.
    cuts = np.concatenate([2 * np.flatnonzero(is_rise) + 2, 2 * np.flatnonzero(in_gap) + 1])
    pieces = np.split(np.column_stack([x, y]), np.unique(cuts))
    return [each for each in pieces if len(each) > 1], rises, dotted


def _to_pixels(panel: Panel, x: Floats, y: Floats) -> tuple[Floats, Floats]:
    points = panel.ax.transData.transform(np.column_stack([x, y]))
    figure: Any = panel.ax.figure
    return points[:, 0] * PIXELS_PER_INCH / figure.dpi, points[:, 1] * PIXELS_PER_INCH / figure.dpi


def _frame(panel: Panel) -> Floats:
    figure: Any = panel.ax.figure
    return np.asarray(np.array(panel.ax.bbox.extents) * PIXELS_PER_INCH / figure.dpi)


def _size(panel: Panel, text: str, points: float, weight: str = "normal") -> Floats:
    figure: Any = panel.ax.figure
    size = text_size(figure, text, panel.points(points), weight)
    return np.asarray(np.array(size) * PIXELS_PER_INCH / figure.dpi)


def _line_boxes(panel: Panel, lines: dict[int, BalanceLine]) -> Floats:
    boxes = []
    for line in lines.values():
        x, y = _to_pixels(panel, matplotlib_days(line.times), np.maximum(line.credits, 0.0))
        boxes.append(step_boxes(x, y))
        if line.readings:
            last = line.readings[-1]
            boxes.append(np.array([[x[last] - 5, y[last] - 5, x[last] + 5, y[last] + 5]]))
    return np.concatenate(boxes)


def _write(panel: Panel, text: str, corner: Any, points: float, **options: Any) -> None:
    """Writes a text into the panel, its lower left corner in CSS pixels of the figure."""
    ax = panel.ax
    frame = _frame(panel)
    x = (corner[0] - frame[0]) / (frame[2] - frame[0])
    y = (corner[1] - frame[1]) / (frame[3] - frame[1])
    drawn = ax.text(
        x,
        y,
        text,
        transform=ax.transAxes,
        ha="left",
        va="bottom",
        fontsize=panel.points(points),
        parse_math=False,
        zorder=4,
        **{"color": panel.style.ink} | options,
    )
    drawn.set_in_layout(False)


def _draw_level(
    panel: Panel,
    picture: PictureData,
    low_balance: float,
    obstacles: Floats,
    *,
    is_low: bool,
    is_labelled: bool,
) -> Floats:
    """Draws the low balance, and its label where it touches no line."""
    colour, weight = (LOW_COLOUR, "bold") if is_low else (panel.style.ink, "normal")
    panel.ax.axhline(
        low_balance, color=colour, linewidth=1.1, linestyle=(0, (5, 3)), zorder=2.4, label="_low"
    )
    frame = _frame(panel)
    level = _to_pixels(
        panel, matplotlib_days(np.array([picture.axis_start])), np.array([low_balance])
    )[1][0]
    obstacles = np.concatenate([obstacles, [[frame[0], level, frame[2], level]]])
    if is_labelled:
        text = f"low balance {priced(low_balance, panel.price, short=True)}"
        size = _size(panel, text, SMALL, weight)
        inside = frame + np.array([6, 2, 0, 2])
        place = first_free_place(size, level, obstacles, inside, 4)
        if place is not None:
            _write(panel, text, place, SMALL, color=colour, weight=weight)
            box = np.array([[*place, place[0] + size[0], place[1] + size[1]]])
            obstacles = np.concatenate([obstacles, box])
    return obstacles


def _mark_top_ups(
    panel: Panel, picture: PictureData, top_ups: dict[int, TopUps], obstacles: Floats
) -> None:
    """Labels all top-ups in one form that fits all of them; else marks them with triangles."""
    codes = np.concatenate([np.full(len(each.times), code) for code, each in top_ups.items()])
    times, credits, _, sizes = (
        np.concatenate(each) for each in zip(*top_ups.values(), strict=True)
    )
    is_alone = len(top_ups) == 1
    if len(times) <= _MAX_LABELS:
        order = np.argsort(times, kind="stable")
        x, y = _to_pixels(panel, matplotlib_days(times[order]), np.maximum(credits[order], 0.0))
        anchors = np.column_stack([x, y])
        frame = _frame(panel) + np.array([-24, 0, 0, 6]) if panel.is_own else _frame(panel)
        weight = "normal" if is_alone else "bold"
        long = [f"+{priced(each, panel.price, short=True)}" for each in sizes[order]]
        forms = [long]
        if panel.price:
            forms.append([f"+{dollars(each * panel.price, short=True)}" for each in sizes[order]])
        if not is_alone:
            forms = forms[1:] or forms
        point = PIXELS_PER_INCH / 72
        for texts in forms:
            # A long label that is far above its rise would seem to belong to another one.
            most = (9 if texts is long else 36) * point
            boxes = np.array([_size(panel, each, SMALL, weight) for each in texts])
            places = place_above(anchors, boxes, obstacles, frame, 4 * point, 5 * point, most)
            if places is None:
                continue
            for text, place, code in zip(texts, places, codes[order], strict=True):
                colour = panel.style.ink if is_alone else series_colour(picture.colours[code])
                _write(panel, text, place, SMALL, color=colour, weight=weight)
            return
    width = picture.axis_end - picture.axis_start
    column = int(width * 7 / max(width_in_pixels(panel.ax), 1))
    for code, each in top_ups.items():
        shown = largest_top_ups(each, column)
        panel.ax.scatter(
            matplotlib_days(shown.times),
            np.maximum(shown.credits, 0.0),
            s=4.5**2,
            marker="^",
            color=series_colour(picture.colours[code]),
            linewidths=0,
            zorder=3.1,
            clip_on=False,
        )


def _draw_outlooks(panel: Panel, picture: PictureData, codes: list[int]) -> Floats:
    """Draws how the balances go on; returns the boxes of the lines."""
    boxes = [np.empty((0, 4))]
    for code in codes:
        outlook = picture.outlooks[code] if picture.outlooks else None
        if outlook is not None and len(outlook.times) > 1:
            boxes.append(
                _draw_outlook(panel, picture, outlook, series_colour(picture.colours[code]))
            )
    return np.concatenate(boxes)


def _draw_outlook(panel: Panel, picture: PictureData, outlook: Outlook, colour: str) -> Floats:
    ax = panel.ax
    days = matplotlib_days(outlook.times)
    now, end = float(days[0]), float(matplotlib_days(np.array([picture.axis_end]))[0])
    edges = np.linspace(now, end, _SLICES + 1)
    low, high = (np.maximum(each, 0.0) for each in (outlook.low, outlook.high))
    for number, (begin, stop) in enumerate(itertools.pairwise(edges)):
        x = np.unique(np.concatenate([[begin, stop], days[(days > begin) & (days < stop)]]))
        x = x[x <= days[-1]]
        if len(x) < 2:
            break
        alpha = 0.26 + (0.06 - 0.26) * number / (_SLICES - 1)
        bounds = (np.interp(x, days, each) for each in (low, high))
        ax.fill_between(x, *bounds, color=colour, alpha=alpha, linewidth=0, zorder=1.2)
    found = outlook.estimate
    expected, floor = np.maximum(outlook.expected, 0.0), outlook.empty_below
    empty = found.empty_at
    x, y = days, expected
    if empty is not None:
        at = float(matplotlib_days(np.array([empty]))[0])
        keep = (days < at) & (expected > floor)
        x, y = np.append(days[keep], at), np.append(expected[keep], floor)
    inside = x <= end
    if not inside.all():
        level = np.interp(end, x, y)
        x, y = np.append(x[inside], end), np.append(y[inside], level)
    ax.plot(
        x,
        y,
        color=colour,
        linewidth=1.5,
        linestyle=(0, (3.2, 1.8)),
        zorder=2.7,
        label="_forecast",
        scalex=False,
        scaley=False,
    )
    if found.empty_early is not None:
        early, late = (
            min(float(matplotlib_days(np.array([each]))[0]), end) if each is not None else end
            for each in (found.empty_early, found.empty_late)
        )
        if early < end:
            ax.hlines(floor, early, late, colors=colour, linewidth=4, alpha=0.5, zorder=2.9).set(
                clip_on=False, capstyle="butt", label="_range"
            )
    if empty is not None and x[-1] <= end and y[-1] == floor:
        _dot(panel, float(x[-1]), floor, 6.5, colour)
    px, py = _to_pixels(panel, x, y)
    low_edge, high_edge = np.minimum(py[:-1], py[1:]), np.maximum(py[:-1], py[1:])
    return np.column_stack([px[:-1], low_edge, px[1:], high_edge])
