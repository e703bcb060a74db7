"""The panel of what was spent in each period."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from matplotlib.colors import to_rgba
from matplotlib.patches import StepPatch

from ..display.palette import series_colour
from .axes import Panel, matplotlib_days, set_value_axis, shade_gaps, width_in_pixels
from .budget_line import draw_budget, highest_level
from .names import drawable_names
from .picture_data import PictureData, SpendingBars, spending_bars
from .sheet import PIXELS_PER_INCH, text_size
from .words import amount, local, money

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["SpendPanel", "bar_count", "draw_bars", "draw_spending"]

# Keeps an SVG small, however many organizations share the bars.
_MAX_BARS = 2000
_BAR_SHARE = 0.84
_VALUE_SIZE = 7.3
_LEAST_VALUE_WIDTH = 22
_PALE, _OPEN = 0.42, 0.18


class SpendPanel(NamedTuple):
    """What was drawn: the bars, and what the caption has to explain."""

    bars: SpendingBars
    keys: list[str]


def bar_count(panel: Panel, organizations: int) -> int:
    """How many bars can be told apart."""
    return max(50, min(round(width_in_pixels(panel.ax)), _MAX_BARS // max(1, organizations)))


def draw_spending(panel: Panel, picture: PictureData) -> SpendPanel | None:
    """Draws the panel; None if there is nothing to draw."""
    names = drawable_names(picture)
    bars = spending_bars(picture, bar_count(panel, len(names)))
    if bars is None:
        return None
    values = _values(panel, picture, bars)
    highest = max(float(bars.totals.max()), highest_level(bars, picture.budgets))
    set_value_axis(panel, highest, 1.16 if values else 1.06, with_dollars=panel.is_own)
    shade_gaps(panel, picture)
    base: Floats = np.zeros(len(bars.is_open))
    for code, name in enumerate(names):
        if bars.seen[code].any() or bars.pale[code].any() or len(names) == 1:
            base = draw_bars(panel, picture, bars, code, base, name)
    _write_values(panel, picture, bars, values)
    keys = _keys(picture, bars)
    if picture.budgets is not None:
        keys.append(draw_budget(panel, bars, picture.budgets))
    return SpendPanel(bars, keys)


def draw_bars(
    panel: Panel, picture: PictureData, bars: SpendingBars, code: int, base: Floats, name: str
) -> Floats:
    """Draws one organization's bars on those below; returns how high they reach."""
    colour = series_colour(picture.colours[code])
    edges = matplotlib_days(bars.edges)
    share = 1.0 if width_in_pixels(panel.ax) < 3 * len(edges) else _BAR_SHARE
    gap: Floats = np.diff(edges) * (1 - share)
    if picture.by == "reading":
        gap = np.minimum(gap, 2 * panel.days_per_pixel())
    middle, top = base + bars.seen[code], base + bars.seen[code] + bars.pale[code]
    line = {"linewidth": 1.1, "edgecolor": colour, "joinstyle": "miter"}
    is_open = bars.is_open & (bars.seen[code] > 0)
    for label, low, high, is_shown, style in (
        (name, base, middle, ~bars.is_open, {"color": colour, "linewidth": 0}),
        (
            "_pale",
            middle,
            top,
            bars.pale[code] > 0,
            {"color": to_rgba(colour, _PALE), "linewidth": 0},
        ),
        ("_open", base, middle, is_open, {"facecolor": to_rgba(colour, _OPEN), **line}),
    ):
        if is_shown.any():
            # One artist for all bars: far faster than one for each, and one path in an SVG.
            patch = _steps(edges, gap, low, np.where(is_shown, high, np.nan), style)
            patch.set_label(label)
            panel.ax.add_artist(patch)
    return np.asarray(top)


def _steps(
    edges: Floats, gap: Floats, low: Floats, high: Floats, style: dict[str, Any]
) -> StepPatch:
    """Bars with gaps between them; where the top is NaN, there is none."""
    if gap.any():
        edges = np.column_stack([edges[:-1] + gap / 2, edges[1:] - gap / 2]).ravel()
        # The base must be a number in a gap, too.
        spaced = np.full((2, 2 * len(high) - 1), np.nan)
        spaced[0, ::2], spaced[1, ::2], spaced[1, 1::2] = high, low, 0.0
        high, low = spaced
    patch = StepPatch(high, edges, baseline=low, zorder=2, **style)  # type: ignore[arg-type]
    # Axes.stairs would look for the limits in every corner of every bar.
    patch.sticky_edges.y.append(0)
    return patch


def _keys(picture: PictureData, bars: SpendingBars) -> list[str]:
    keys = [] if bars.totals.any() else ["nothing spent"]
    if bars.pale.any():
        keys.append(
            "pale: likely, not seen"
            if bars.is_hidden
            else f"pale: estimated, spread over {picture.by}s"
        )
    opened = np.flatnonzero(bars.is_open & (bars.totals > 0))
    if len(opened):
        is_last = len(opened) == 1 and opened[0] == len(bars.is_open) - 1 and picture.until is None
        keys.append("open: so far" if is_last or picture.by != "month" else "open: part of a month")
        if not is_last and picture.by != "month":
            by = picture.by
            keys[-1] = f"open: part of {'an' if by == 'hour' else 'a'} {by}"
    return keys


def _values(panel: Panel, picture: PictureData, bars: SpendingBars) -> list[str]:
    """What stands above each bar; nothing where it would not fit above all of them."""
    if picture.by not in ("week", "month", "reading"):
        return []
    edges = matplotlib_days(bars.edges)
    widths = np.diff(edges) / panel.days_per_pixel()
    totals = bars.totals
    if picture.by == "reading":
        texts = [amount(each, exact=True) if each > 0 else "" for each in totals]
    else:
        texts = [_bar_value(each, panel.price) if each > 0 else "" for each in totals]
    figure: Any = panel.ax.figure
    pixels = PIXELS_PER_INCH / figure.dpi
    sizes = [text_size(figure, each, panel.points(_VALUE_SIZE))[0] * pixels for each in texts]
    if picture.by == "reading":
        has_room = all(size <= width for size, width in zip(sizes, widths, strict=True) if size)
    else:
        # February is a little narrower.
        width = float(widths.mean())
        has_room = max(sizes, default=0.0) <= width and width * _BAR_SHARE >= _LEAST_VALUE_WIDTH
    return texts if has_room and any(texts) else []


def _bar_value(credits: float, price: float) -> str:
    if price and credits * price >= 1:
        return f"${credits * price:,.0f}" if credits * price < 1e15 else money(credits, price)
    return money(credits, price)


def _write_values(
    panel: Panel, picture: PictureData, bars: SpendingBars, values: list[str]
) -> None:
    edges = matplotlib_days(bars.edges)
    for at, text in enumerate(values):
        if not text:
            continue
        is_last = at == len(values) - 1 and bool(bars.is_open[at]) and picture.until is None
        has_room = bars.totals[at] < 0.7 * bars.totals.max()
        label = text
        if is_last and has_room and picture.by == "month":
            label = f"{local(int(bars.edges[at]), picture.histories.zone):%b}\nso far\n{text}"
        panel.ax.annotate(
            label,
            ((edges[at] + edges[at + 1]) / 2, float(bars.totals[at])),
            (0, 2.5),
            textcoords="offset points",
            ha="center",
            va="bottom",
            fontsize=panel.points(_VALUE_SIZE),
            color=panel.style.ink,
            parse_math=False,
            zorder=4,
            annotation_clip=False,
        )
