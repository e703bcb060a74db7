"""Pictures of readings: the balance over time, and what was spent in each period.

The modules named ``_plot…`` are the only importers of matplotlib.
"""

from __future__ import annotations

import io
import sys
from datetime import datetime
from typing import TYPE_CHECKING, Any

from matplotlib import get_backend
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ._balances import Balances, balances
from ._panels import MOST_COLUMNS, Shown, line, shown, unwatched, with_outlooks
from ._plot_axes import (
    Entries,
    add_legend,
    colour_of,
    date,
    days_of,
    drawable_names,
    limit,
    pixel_time,
    pixels,
    say_why_empty,
    style_of,
    wrap_label,
)
from ._plot_marks import mark_low, mark_topups
from ._plot_spend import draw_spend

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

__all__ = ["plot_balance", "plot_spend", "plot_usage", "usage_picture"]

_GREY = "#7f7f7f"
# Up to here a line shows each of its readings as a dot.
_MOST_DOTS = 40


def plot_balance(
    readings: pd.DataFrame,
    *,
    ax: Axes | None = None,
    by: str = "day",
    since: datetime | None = None,
    until: datetime | None = None,
    forecast: bool = False,
    low_balance: float | None = None,
) -> Axes:
    """Draws balances over time, as steps: between two readings no slope is known.

    Top-ups are marked with their size, of those that would lie on each other the largest.
    Stretches with no reading of any of the organizations for longer than a period are
    shaded. What more readings than pixels would hide is left out, but no extreme.

    Args:
        readings: A readings frame, in any order; of its columns ``organization`` and
            ``credits`` are needed. Dates are in the time zone of its index.
        ax: Where to draw; the current axes of pyplot when None.
        by: The period: ``hour``, ``day``, ``week`` or ``month``.
        since: Where the time axis begins, with a time zone; at the first reading when None.
            A frame that also holds a reading before it shows the balance from there on.
        until: Where the time axis ends; at the last reading when None.
        forecast: Whether to draw, dashed, how each balance is expected to go on, and the band
            that holds the true one in 80 of 100 cases; as far ahead as the window is long.
        low_balance: Credits under which the picture says that a latest balance is low.

    Returns:
        The axes drawn on; its y axis is in credits.

    Raises:
        ValueError: The frame lacks a column or a time zone, credits are no finite numbers,
            ``by`` is unknown, or ``since`` and ``until`` have no zone or the wrong order.
    """
    picture = shown(balances(readings), by, since, until)
    if forecast:
        picture = with_outlooks(picture)
    ax = _current_axes() if ax is None else ax
    return _finished(ax, picture, _draw_balance(ax, picture, low_balance))


def plot_spend(
    readings: pd.DataFrame,
    by: str = "day",
    *,
    ax: Axes | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Axes:
    """Draws credits spent in each hour, day, week or month, stacked by organization.

    Where a top-up hides spending a bar is a lower bound, and hatched. Where there are more
    periods than pixels a bar stands for neighbours, and shows the one with most spending.

    Args:
        readings: As for ``plot_balance``.
        by: ``hour``, ``day``, ``week`` (from Monday) or ``month``.
        ax: Where to draw; the current axes of pyplot when None.
        since: What was spent before is left out, and the time axis begins here.
        until: What was spent from here on is left out, and the time axis ends here.

    Returns:
        The axes drawn on; its y axis is in credits.

    Raises:
        ValueError: As for ``plot_balance``.
    """
    picture = shown(balances(readings), by, since, until)
    ax = _current_axes() if ax is None else ax
    return _finished(ax, picture, draw_spend(ax, picture))


def plot_usage(
    readings: pd.DataFrame,
    by: str = "day",
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    forecast: bool = False,
    low_balance: float | None = None,
) -> Figure:
    """Draws the balance over time and, below on the same time axis, what was spent.

    Args:
        readings: As for ``plot_balance``.
        by: ``hour``, ``day``, ``week`` (from Monday) or ``month``.
        since: Where the time axis begins, with a time zone; at the first reading when None.
        until: Where the time axis ends; at the last reading when None.
        forecast: As for ``plot_balance``.
        low_balance: As for ``plot_balance``.

    Returns:
        A figure as large as ``rcParams["figure.figsize"]`` that pyplot does not know of, so
        that a notebook shows it once, as the value of its cell.

    Raises:
        ValueError: As for ``plot_balance``.
    """
    return usage_picture(
        balances(readings),
        by,
        since=since,
        until=until,
        forecast=forecast,
        low_balance=low_balance,
    )


def usage_picture(
    whole: Balances,
    by: str,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    forecast: bool = False,
    low_balance: float | None = None,
) -> Figure:
    """The same of readings that were taken apart, of which those may be left out that
    :func:`~stability_magic._thinning.reduced` leaves out at the marks of :func:`picture_marks`.
    """
    picture = shown(whole, by, since, until)
    if forecast:
        picture = with_outlooks(picture)
    figure = _Picture(layout="constrained")
    # The canvas of a bare figure would draw it anew for each text that is measured.
    FigureCanvasAgg(figure)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    balance, spend = _draw_balance(above, picture, low_balance), draw_spend(below, picture)
    if balance and spend:
        limit(below, picture, exactly=True)
        date(below, picture)
        add_legend(above, balance)
        add_legend(below, Entries([], spend.others))
    else:
        below.set_title("")
    wrap_label(below)
    figure.align_ylabels()
    return figure


class _Picture(Figure):
    """A figure that a notebook shows once, whatever was or was not set up for pyplot's figures.

    IPython prefers the format that was chosen with ``%config InlineBackend`` to the PNG here.
    """

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:
        """The interactive figure of ``%matplotlib widget``; nothing with other backends."""
        widget = sys.modules.get("ipympl.backend_nbagg")
        if widget is None or not any(each in get_backend() for each in ("ipympl", "widget")):
            return {}
        if not isinstance(self.canvas, widget.Canvas):
            widget.FigureManager(widget.Canvas(self), 0)
        canvas: Any = self.canvas
        return dict(canvas._repr_mimebundle_(**options))

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png")
        return buffer.getvalue()


def _current_axes() -> Axes:
    # Here alone: pyplot takes most of a second to import, and chooses a backend.
    from matplotlib import pyplot

    return pyplot.gca()


def _finished(ax: Axes, picture: Shown, entries: Entries | None) -> Axes:
    if entries:
        limit(ax, picture)
        date(ax, picture)
        add_legend(ax, entries)
    return ax


def _draw_balance(ax: Axes, picture: Shown, low_balance: float | None) -> Entries | None:
    """Draws the upper panel; None where there is nothing to draw."""
    ax.set_ylabel("credits left")
    lines = _draw_lines(ax, picture)
    if not lines:
        say_why_empty(ax, picture)
        return None
    others = _shade(ax, picture) + mark_topups(ax, picture) + _draw_forecasts(ax, picture)
    others += mark_low(ax, picture, low_balance)
    lowest, highest = ax.dataLim.intervaly
    # How near to nothing a balance is can be seen where nothing is in the picture.
    if 0 < lowest < highest / 2:
        ax.update_datalim([(0, 0)], updatex=False)
    ax.yaxis.set_major_formatter("{x:,.10g}")
    return Entries(lines, others)


def _draw_lines(ax: Axes, picture: Shown) -> list[tuple[Artist, str]]:
    names = drawable_names(picture)
    columns = max(50, min(2 * pixels(ax), MOST_COLUMNS // max(1, len(names))))
    entries: list[tuple[Artist, str]] = []
    for code, name in enumerate(names):
        steps = line(picture, code, columns)
        if steps is None:
            continue
        dotted = len(steps.readings) <= _MOST_DOTS
        entries += [
            (each, name)
            for each in ax.plot(
                days_of(steps.times),
                steps.credits,
                drawstyle="steps-post",
                color=colour_of(code),
                linestyle=style_of(code),
                marker="o" if dotted else "",
                markersize=3.5,
                markevery=steps.readings if dotted else None,
                label=name,
            )
        ]
    return entries


def _draw_forecasts(ax: Axes, picture: Shown) -> list[tuple[Artist, str]]:
    if picture.ends == picture.last:
        return []
    for code, ahead in enumerate(picture.outlooks):
        if ahead is not None:
            days, colour = days_of(ahead.times), colour_of(code)
            ax.plot(days, ahead.middle, color=colour, linestyle=(0, (4, 2)), linewidth=1.2)
            ax.fill_between(days, ahead.low, ahead.high, color=colour, alpha=0.18, linewidth=0)
    mark = Line2D([], [], color=_GREY, linestyle=(0, (4, 2)), linewidth=1.2)
    return [(mark, "forecast, 80 % within the band")]


def _shade(ax: Axes, picture: Shown) -> list[tuple[Artist, str]]:
    starts, ends = (days_of(each) for each in unwatched(picture, pixel_time(ax, picture)))
    if not len(starts):
        return []
    shading = ax.broken_barh(
        list(zip(starts, ends - starts, strict=True)),
        (0, 1),
        transform=ax.get_xaxis_transform(),
        facecolor=_GREY,
        linewidth=0,
        alpha=0.25,
        zorder=0.5,
        label="nobody looked",
    )
    return [(shading, "nobody looked")]
