"""Pictures of readings: the balance over time, and what was spent in each period."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from ..analysis.series import Histories, histories_from_frame
from .axes import Panel, set_time_axis
from .balance_panel import draw_balances
from .budget_line import budget_levels
from .composition import draw_empty, draw_panels
from .picture_data import Look, PictureData, prepare_picture, with_outlooks
from .rows import FEWEST_ROWS, draw_rows
from .spend_panel import draw_spending
from .style import style_of
from .watch_picture import draw_watch

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..analysis.budgets import BudgetChange

__all__ = ["plot_balance", "plot_spend", "plot_usage", "usage_picture", "watch_picture"]

_USUAL = Look()


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
    """Draws balances over time, as steps: what happens between two readings is unknown.

    Top-ups are marked with what was likely bought. Where there are no readings for much longer
    than is usual in these readings, the background is grey and the line dotted. If there are more
    readings than pixels, some are left out, but never an extreme.

    Args:
        readings: A readings frame, in any order; only its columns ``organization`` and
            ``credits`` are required. Dates are in the time zone of its index.
        ax: Where to draw; the current axes of pyplot when None. They get no title; the lines have
            the organizations' names as their labels, for a legend.
        by: The period in which the time axis begins and ends: ``hour``, ``day``, ``week`` or
            ``month``.
        since: The picture begins with the period in which this instant lies, which needs a time
            zone; at the first reading when None. If the frame also holds a reading before it,
            the line starts here, at that balance.
        until: Where the picture ends; at the last reading when None.
        forecast: Whether to draw how each balance is expected to go on, as a dashed line, and
            the band that holds the true balance in 80 of 100 cases; up to the time by which it
            is empty, and over a third of the width at most.
        low_balance: The credits at which a line is drawn, red once a latest balance is below.

    Returns:
        The axes drawn on; its y axis is in credits.

    Raises:
        ValueError: The frame lacks a column or a time zone, credits are not finite numbers,
            ``by`` is unknown, or ``since`` and ``until`` have no time zone or are in the wrong
            order.
    """
    picture = _prepare(readings, by, since, until, exact=True)
    if forecast:
        picture = with_outlooks(picture)
    panel = _users_panel(ax)
    panel.ax.set_ylabel("credits left", color=panel.style.ink)
    codes = list(range(len(picture.histories.series)))
    if codes:
        set_time_axis(panel, picture)
    if not codes or draw_balances(panel, picture, codes, low_balance, ends=False) is None:
        _title_empty(panel, picture)
    return panel.ax


def plot_spend(
    readings: pd.DataFrame,
    by: str = "day",
    *,
    ax: Axes | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Axes:
    """Draws credits spent in each hour, day, week or month, stacked by organization.

    The pale part of a bar is likely: a top-up hid it, or it comes from readings on either side of
    an edge of the period, so that the period's share of it is an estimate. A bar that is
    open stands for a period of which only a part is known. If there are more periods than pixels,
    a bar stands for several neighbours and shows the one with the most spending.

    Args:
        readings: As for ``plot_balance``.
        by: ``hour``, ``day``, ``week`` (from Monday) or ``month``.
        ax: Where to draw; the current axes of pyplot when None.
        since: The picture begins with the period in which this instant lies; earlier spending is
            left out.
        until: Where the picture ends; later spending is left out.

    Returns:
        The axes drawn on; its y axis is in credits.

    Raises:
        ValueError: As for ``plot_balance``.
    """
    picture = _prepare(readings, by, since, until, exact=True)
    panel = _users_panel(ax)
    panel.ax.set_ylabel(f"credits spent per {by}", color=panel.style.ink)
    has_readings = bool(picture.histories.series)
    if has_readings:
        set_time_axis(panel, picture)
    if not has_readings or draw_spending(panel, picture) is None:
        _title_empty(panel, picture)
    return panel.ax


def plot_usage(
    readings: pd.DataFrame,
    by: str = "day",
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    forecast: bool = False,
    low_balance: float | None = None,
) -> Figure:
    """Draws the balance over time and, below it on the same time axis, what was spent.

    From five organizations on, each has a row of its own. Fewer than three periods are shown as
    shorter ones, or as the time between readings.

    Args:
        readings: As for ``plot_balance``.
        by: ``hour``, ``day``, ``week`` (from Monday) or ``month``.
        since: As for ``plot_balance``.
        until: Where the picture ends; at the last reading when None.
        forecast: As for ``plot_balance``.
        low_balance: As for ``plot_balance``.

    Returns:
        A figure that is unknown to pyplot, so that a notebook shows it only once, as the value
        of its cell. It has the size ``rcParams["figure.figsize"]`` if that was changed.

    Raises:
        ValueError: As for ``plot_balance``.
    """
    picture = _prepare(readings, by, since, until, exact=False)
    return _draw(picture, with_outlooks(picture) if forecast else None, low_balance, _USUAL)


def usage_picture(
    histories: Histories,
    by: str,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    recent: Histories | None = None,
    low_balance: float | None = None,
    empty_below: float = 0.0,
    budgets: Iterable[BudgetChange] = (),
    look: Look = _USUAL,
) -> Figure:
    """The picture of histories, which may be condensed at :func:`picture_cut_points` (see
    ``analysis.cut_points``), from ``since`` on, wherever in its period that lies.

    Args:
        histories: The readings.
        by: The period.
        since: As for ``plot_usage``.
        until: Likewise.
        recent: The readings to forecast from; None for a picture without a forecast.
        low_balance: As for ``plot_usage``.
        empty_below: The credits under which a balance counts as empty.
        budgets: What was set of budgets; a line where the bars are of its period.
        look: How it is drawn.
    """
    picture = prepare_picture(histories, by, since, until, order=look.order)
    picture = picture._replace(budgets=budget_levels(picture, budgets))
    outlooks = (
        with_outlooks(picture, recent, empty_below=empty_below) if recent is not None else None
    )
    return _draw(picture, outlooks, low_balance, look)


def _prepare(
    readings: pd.DataFrame,
    by: str,
    since: datetime | None,
    until: datetime | None,
    *,
    exact: bool,
) -> PictureData:
    histories = histories_from_frame(readings)
    return prepare_picture(histories, by, since, until, exact=exact, whole_periods=True)


def _draw(
    picture: PictureData,
    ahead: PictureData | None,
    low_balance: float | None,
    look: Look,
) -> Figure:
    """Draws a picture, or the same with how it goes on."""
    count = len(picture.histories.series)
    if not count:
        return draw_empty(look)
    if count >= FEWEST_ROWS:
        # Rows say when the credits end, and need no room for the future.
        outlooks = () if ahead is None else ahead.outlooks
        return draw_rows(picture._replace(outlooks=outlooks), low_balance, look)
    return draw_panels(picture if ahead is None else ahead, low_balance, look)


def watch_picture(
    histories: Histories,
    *,
    since: datetime,
    every: timedelta,
    empty_below: float = 0.0,
    look: Look = _USUAL,
) -> Figure:
    """What was spent since a watch began: the sum over time, and what each minute cost.

    Args:
        histories: The readings, which may be condensed at :func:`watch_cut_points`.
        since: When the watch began.
        every: The time between its readings.
        empty_below: The credits under which a balance counts as empty.
        look: How it is drawn.
    """
    if not histories.series:
        return draw_empty(look)
    return draw_watch(histories, since, every, look, empty_below=empty_below)


def _users_panel(ax: Axes | None) -> Panel:
    if ax is None:
        # Imported only here: pyplot takes most of a second to import, and chooses a backend.
        from matplotlib import pyplot

        ax = pyplot.gca()
    return Panel(ax, style_of(_USUAL.theme), _USUAL.usd_per_credit, is_own=False)


def _title_empty(panel: Panel, picture: PictureData) -> None:
    """Says why there is nothing to see, unless the axes already show something."""
    ax = panel.ax
    if ax.has_data():
        return
    ax.set_title("no readings in this time" if picture.histories.series else "no readings yet")
    ax.set_xticks([])
    ax.set_yticks([])
