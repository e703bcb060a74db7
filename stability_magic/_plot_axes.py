"""What the panels of a picture share: dates, legends, names, colours, and their size in pixels."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from matplotlib import font_manager
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.lines import Line2D

from ._panels import Shown
from ._text import clean_text, shortened

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.legend import Legend
    from numpy.typing import NDArray

__all__ = [
    "Entries",
    "add_legend",
    "colour_of",
    "date",
    "days_of",
    "dpi",
    "drawable_names",
    "ink",
    "limit",
    "pixel_time",
    "pixels",
    "say_why_empty",
    "style_of",
    "wrap_label",
]

# Masataka Okabe and Kei Ito's colours for every kind of colour vision, without the black and
# the yellow, which a dark or a white page swallows.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#E69F00", "#56B4E9", "#CC79A7")
_STYLES: tuple[Any, ...] = ("-", "--", ":", "-.", (0, (6, 2, 1, 2, 1, 2)), (0, (1, 4)))

_LONGEST_NAME = 40
_MOST_NAMES = 8
_LEAST_SPAN = 600_000_000
# What a legend's entry needs beside its text, in font sizes: its line, and gaps.
_HANDLE_EMS = 5.0


class Entries(NamedTuple):
    """What the legend of one panel names."""

    organizations: list[tuple[Artist, str]]
    others: list[tuple[Artist, str]]


def say_why_empty(ax: Axes, picture: Shown) -> None:
    if ax.has_data():
        return
    none_at_all = not picture.whole.series
    ax.set_title("no readings yet" if none_at_all else "no readings in this time")
    ax.set_xticks([])
    ax.set_yticks([])


def limit(ax: Axes, picture: Shown, *, exactly: bool = False) -> None:
    """Shows the window that was asked for, and some minutes at the least."""
    short = max(0, _LEAST_SPAN - (picture.ends - picture.first)) // 2
    left, right = days_of(np.array([picture.first - short, picture.ends + short]))
    if exactly:
        spare = (right - left) * 0.02
        ax.set_xlim(left - spare, right + spare)
    elif short:
        ax.update_datalim([(left, 0), (right, 0)], updatey=False)
    ax.autoscale_view()
    if picture.since is not None:
        ax.set_xlim(left=left)
    if picture.until is not None:
        ax.set_xlim(right=right)


class _FittingDates(AutoDateLocator):
    """Dates no denser than the axis has room for, whatever its length has become."""

    def _room(self) -> int:
        # An axis reckons with labels three times as wide as high; "Jan-01" is five times.
        axis: Any = self.axis
        return max(1, int(axis.get_tick_space() * 0.62))

    def get_locator(self, dmin: datetime, dmax: datetime) -> Any:
        most = min(11, max(5, self._room() + 1))
        self.maxticks = dict.fromkeys(self.maxticks, most)
        # With more than these there is no interval between, say, 12 hours and one day.
        self.minticks = min(5, (most - 1) // 2)
        return super().get_locator(dmin, dmax)  # type: ignore[no-untyped-call]

    def __call__(self) -> Any:
        axis: Any = self.axis
        low, high = sorted(axis.get_view_interval())
        nearest = (high - low) / self._room() * 0.8
        kept: list[float] = []
        # From the end: of the 31st and the 1st, which tells the month, the 1st stays.
        ticks = super().__call__()  # type: ignore[no-untyped-call]
        for tick in np.asarray(ticks)[::-1]:
            if not kept or kept[-1] - tick >= nearest:
                kept.append(tick)
        return np.array(kept[::-1])


def date(ax: Axes, picture: Shown) -> None:
    """Dates the time axis, and says in which zone."""
    zone = picture.whole.zone
    locator: Any = _FittingDates(tz=zone)  # type: ignore[no-untyped-call]
    ax.xaxis.set_major_locator(locator)
    formatter: Any = ConciseDateFormatter(locator, tz=zone)
    ax.xaxis.set_major_formatter(formatter)
    name = str(zone)
    if "(" in name:
        name = datetime.fromtimestamp(picture.last / 1e6, UTC).astimezone(zone).tzname() or name
    # On the left: on the right stands the date that the labels of the ticks have in common.
    ax.set_xlabel(name, loc="left")


def add_legend(ax: Axes, entries: Entries) -> None:
    """A legend above the axes, no wider than they are; inside where there is no room above."""
    organizations, others = entries
    if not organizations and not others:
        return
    trial = _legend(ax, [*organizations, *others], 1, above=True)
    texts = trial.get_texts()
    em = float(texts[0].get_fontsize()) * dpi(ax) / 72
    widest = max(text.get_window_extent().width for text in texts)
    row = (trial.get_window_extent().height - em) / len(texts)
    columns = max(1, int(ax.bbox.width // (widest + _HANDLE_EMS * em)))
    figure: Any = ax.figure
    laid_out = figure.get_layout_engine() is not None
    room = figure.bbox.height / 4 if laid_out else figure.bbox.y1 - ax.bbox.y1 - em
    free = int(room // row) * columns - len(others)
    above = laid_out or free >= min(4, len(organizations))
    most = min(_MOST_NAMES, max(free, 2)) if above else 4
    if len(organizations) > most:
        left_out = len(organizations) - most + 1
        blank = Line2D([], [], linestyle="")
        organizations = [*organizations[: most - 1], (blank, f"… and {left_out} more")]
    fitting = (ax.bbox.width - _HANDLE_EMS * em) / widest
    longest = max(8, int(_LONGEST_NAME * min(1.0, fitting)))
    short = [(handle, shortened(name, longest)) for handle, name in organizations]
    _legend(ax, [*short, *others], columns if above else 1, above=above)


def _legend(ax: Axes, entries: list[tuple[Artist, str]], columns: int, *, above: bool) -> Legend:
    place: dict[str, Any] = {"loc": "best", "framealpha": 0.7}
    if above:
        place = {"loc": "lower left", "bbox_to_anchor": (0, 1), "frameon": False}
    legend = ax.legend(
        [handle for handle, _ in entries],
        [name for _, name in entries],
        borderaxespad=0.2,
        ncols=columns,
        fontsize="small",
        **place,
    )
    for text in legend.get_texts():
        # A name is a name, whatever dollar signs and backslashes it holds.
        text.set_parse_math(False)
        text.set_usetex(False)
    return legend


def wrap_label(ax: Axes) -> None:
    """Breaks the label of a panel that is too low for it."""
    label = ax.yaxis.label
    if label.get_window_extent().height > 1.4 * ax.bbox.height:
        label.set_text(label.get_text().replace(" per ", "\nper "))


def drawable_names(picture: Shown) -> list[str]:
    """Names that can be drawn: one line, not too long, of glyphs that the fonts have."""
    named = zip(picture.whole.names, picture.whole.organizations, strict=True)
    names = [clean_text(name if name.strip() else each) for name, each in named]
    # A legend leaves out what begins with an underscore.
    names = [" " + name if name.startswith("_") else name for name in names]
    names = [shortened(name, _LONGEST_NAME) for name in names]
    if all(name.isascii() for name in names):
        return names
    glyphs = _glyphs()
    stand_in = "\N{REPLACEMENT CHARACTER}" if 0xFFFD in glyphs else "?"
    return ["".join(each if ord(each) in glyphs else stand_in for each in name) for name in names]


def _glyphs() -> set[int]:
    glyphs: set[int] = set()
    # The families that text is drawn with, and what matplotlib takes when none is installed.
    for family in (*font_manager.FontProperties().get_family(), "DejaVu Sans"):
        wanted = font_manager.FontProperties(family=[family])
        try:
            path = font_manager.findfont(wanted, fallback_to_default=False)
        except ValueError:
            continue
        if family != "DejaVu Sans" or not glyphs:
            glyphs.update(font_manager.get_font(path).get_charmap())
    return glyphs


def days_of(times: NDArray[np.int64]) -> NDArray[np.float64]:
    """Microseconds since 1970 UTC as matplotlib counts time."""
    days = date2num(times.view("datetime64[us]"))
    return np.asarray(days, dtype=np.float64)


def pixels(ax: Axes) -> int:
    return max(100, round(ax.bbox.width))


def pixel_time(ax: Axes, picture: Shown) -> int:
    """Microseconds that a pixel stands for."""
    return max(picture.last - picture.first, _LEAST_SPAN) // pixels(ax)


def dpi(ax: Axes) -> float:
    figure: Any = ax.figure
    return float(figure.dpi)


def colour_of(code: int) -> str:
    return _COLOURS[code % len(_COLOURS)]


def ink(ax: Axes) -> Any:
    """The colour that the axes are labelled in, which can be read on their background."""
    return ax.yaxis.label.get_color()


def style_of(code: int) -> Any:
    """The line style of an organization; it differs where a colour comes again."""
    return _STYLES[code // len(_COLOURS) % len(_STYLES)]
