"""What the panels of a picture share: their axes, grid, bands, and sizes in pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from matplotlib.dates import date2num
from matplotlib.ticker import FixedFormatter, FixedLocator
from matplotlib.transforms import ScaledTranslation

from .picture_data import DAY, PictureData
from .sheet import PIXELS_PER_INCH, text_size
from .style import Style
from .ticks import time_ticks, value_ticks
from .words import dollars

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

__all__ = [
    "SMALL",
    "Panel",
    "matplotlib_days",
    "set_time_axis",
    "set_value_axis",
    "shade_gaps",
    "width_in_pixels",
]

# Points.
SMALL = 8.5
_MAX_PLAIN = 1e15
_UNITS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


class Panel(NamedTuple):
    """One panel of a picture.

    Attributes:
        ax: Its axes.
        style: How it is drawn.
        price: US dollars for a credit.
        is_own: Whether the axes belong to the picture, and not to the user.
    """

    ax: Axes
    style: Style
    price: float
    is_own: bool

    def points(self, size: float) -> float:
        """A size of text, in points, as large as the user likes it."""
        return size * self.style.scale

    def days_per_pixel(self) -> float:
        """How many of matplotlib's days a CSS pixel stands for."""
        low, high = self.ax.get_xlim()
        return float(high - low) / max(width_in_pixels(self.ax), 1.0)


def matplotlib_days(times: NDArray[np.int64]) -> NDArray[np.float64]:
    """Converts microseconds since 1970 UTC to matplotlib's days."""
    days = date2num(np.asarray(times, dtype=np.int64).view("datetime64[us]"))
    return np.asarray(days, dtype=np.float64)


def width_in_pixels(ax: Axes) -> float:
    """The width of axes, in CSS pixels."""
    figure: Any = ax.figure
    return float(ax.bbox.width / figure.dpi * PIXELS_PER_INCH)


def set_time_axis(panel: Panel, picture: PictureData, *, labels: bool = True) -> None:
    """Makes the time axis show the picture's window, with as many dates as have room."""
    ax, style, zone = panel.ax, panel.style, picture.histories.zone
    low, high = picture.axis_start, picture.axis_end
    ax.set_xlim(*matplotlib_days(np.array([low, high])))
    if not labels:
        ax.xaxis.set_visible(False)
        return
    figure: Any = ax.figure
    per_pixel = (high - low) / max(width_in_pixels(ax) * figure.dpi / PIXELS_PER_INCH, 1.0)

    # Mondays may be further apart than their labels need.
    least = 0.62 * figure.dpi if 16 * DAY < high - low <= 122 * DAY else 0.0

    def room(label: str) -> int:
        lines = label.split("\n")
        width = max(text_size(figure, each, panel.points(SMALL))[0] for each in lines)
        return int(max(width + 0.08 * figure.dpi, least) * per_pixel)

    ticks = time_ticks(low, high, zone, room, picture.by)
    if panel.is_own:
        # Of what is next to the edge of the picture, the label would be cut off.
        left, right = float(ax.bbox.x0), float(figure.bbox.x1 - ax.bbox.x1)
        ticks = [
            each
            for each in ticks
            if (each.middle - low) / per_pixel + left > room(each.label) / per_pixel / 2
            and (high - each.middle) / per_pixel + right > room(each.label) / per_pixel / 2
        ]
    instants = np.array([each.middle for each in ticks], dtype=np.int64)
    ax.xaxis.set_major_locator(FixedLocator(list(matplotlib_days(instants))))
    ax.xaxis.set_major_formatter(FixedFormatter([each.label for each in ticks]))
    ax.minorticks_off()
    ax.tick_params(
        axis="x",
        which="major",
        bottom=True,
        top=False,
        labelbottom=True,
        length=3.5,
        width=0.9,
        direction="out",
        color=style.ink,
        labelcolor=style.ink,
        labelsize=panel.points(SMALL),
        pad=3 * style.scale,
    )


def set_value_axis(panel: Panel, highest: float, headroom: float, *, with_dollars: bool) -> None:
    """An axis of credits from zero on, with its grid, and dollars at its right."""
    ax, style = panel.ax, panel.style
    # Where nothing was spent, there is only the zero line.
    values = value_ticks(highest * headroom)
    top = highest * headroom if highest > 0 else 1.0
    ax.set_ylim(0, top)
    ax.yaxis.set_major_locator(FixedLocator(values))
    ax.yaxis.set_major_formatter(FixedFormatter(_tick_texts(values)))
    ax.tick_params(
        axis="y",
        which="both",
        left=False,
        right=False,
        labelleft=True,
        labelright=False,
        labelcolor=style.ink,
        labelsize=panel.points(SMALL),
        pad=4,
    )
    ax.set_axisbelow(True)
    ax.grid(visible=False, axis="both")
    ax.grid(
        visible=True,
        axis="y",
        color=style.ink,
        alpha=style.grid_alpha,
        linewidth=0.7,
        linestyle="-",
    )
    for side, spine in ax.spines.items():
        spine.set_visible(side == "bottom")
    # The zero line, above the bars.
    zero = ax.spines["bottom"]
    zero.set(color=style.ink, alpha=0.8, linewidth=0.9)
    zero.set_zorder(3)
    if with_dollars and panel.price:
        _label_dollars(panel, values)


def _tick_texts(values: list[float]) -> list[str]:
    """Labels of one unit, which have room beside the axis: ``75,000``, ``750k``, ``7.5M``."""
    if values[-1] >= _MAX_PLAIN:
        return [f"{each:.3g}".replace("e+", "e") for each in values]
    unit, sign = next((each for each in _UNITS if values[-1] >= 100 * each[0]), (1, ""))
    return [f"{each / unit:,.10g}{sign if each else ''}" for each in values]


def _label_dollars(panel: Panel, values: list[float]) -> None:
    ax = panel.ax
    figure: Any = ax.figure
    cents = [each * panel.price * 100 for each in values]
    if any(abs(each - round(each)) > 1e-6 * max(each, 1.0) for each in cents if each < 1e15):
        # Rounded, they would not be what the line stands for.
        return
    if values[-1] * panel.price >= _MAX_PLAIN:
        return
    texts = [_short_dollars(each * panel.price) for each in values]
    if any("." in each and each[-1].isdigit() for each in texts):
        # As many decimals at each line, but for zero.
        texts = ["$0", *(dollars(each * panel.price) for each in values[1:])]
    beside = ax.get_yaxis_transform() + ScaledTranslation(8 / 100, 0, figure.dpi_scale_trans)
    for value, text in zip(values, texts, strict=True):
        ax.text(
            1,
            value,
            text,
            transform=beside,
            ha="left",
            va="center_baseline",
            color=panel.style.ink,
            fontsize=panel.points(SMALL),
            parse_math=False,
        )


def _short_dollars(usd: float) -> str:
    unit, sign = next((each for each in _UNITS if usd >= 10 * each[0]), (1, ""))
    return f"${usd / unit:,.10g}{sign}" if sign else dollars(usd, short=True)


def shade_gaps(panel: Panel, picture: PictureData) -> bool:
    """Shades where there are no readings; returns whether there is such a time."""
    starts, ends = (matplotlib_days(each) for each in picture.gaps)
    if not len(starts):
        return False
    ax, style = panel.ax, panel.style
    ax.broken_barh(
        list(zip(starts, ends - starts, strict=True)),
        (0, 1),
        transform=ax.get_xaxis_transform(),
        facecolor=style.ink,
        linewidth=0,
        alpha=style.gap_alpha,
        zorder=0.4,
        label="no readings",
    )
    return True
