"""The line at the budget, in the panel of what was spent in each of its periods."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.collections import LineCollection

from ..analysis.budgets import BudgetChange, budgets_by_period, budgets_in_force
from ..display.palette import LOW_COLOUR
from ..when import BUDGET_PERIODS
from .axes import Panel, matplotlib_days
from .picture_data import BudgetLevels, PictureData, SpendingBars
from .words import priced

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["budget_levels", "draw_budget", "highest_level"]

# The line is drawn up to this many times the highest bar.
_MAX_LEVEL_RATIO = 3.0
_FAINT = 0.5


def budget_levels(picture: PictureData, changes: Iterable[BudgetChange]) -> BudgetLevels | None:
    """What might be spent in each period of a picture.

    None where that is no picture for a line: the bars are of other periods, no budget was set, or
    they are the bars of several organizations, of which each may have a budget of its own.
    """
    organizations, by = picture.histories.organizations, picture.by
    if by not in BUDGET_PERIODS or len(organizations) != 1:
        return None
    own = [each for each in changes if (each.organization, each.every) == (organizations[0], by)]
    levels = budgets_by_period(own, organizations[0], by, picture.edges)
    set_at = min((each.set_at for each in own), default=0)
    is_before = picture.edges[1:] <= set_at
    if budgets_in_force(own):
        # What was spent before somebody thought of a budget is what people compare it with.
        first = min(own, key=lambda each: (each.set_at, each.id)).credits
        levels[is_before] = np.nan if first is None else first
    return None if np.isnan(levels).all() else BudgetLevels(levels, is_before)


def highest_level(bars: SpendingBars, budgets: BudgetLevels | None) -> float:
    """How high the line reaches; 0 where there is none, or where bars would be lost below it."""
    if budgets is None or len(budgets.credits) != len(bars.is_open):
        return 0.0
    highest = float(np.nanmax(budgets.credits))
    return highest if highest <= _MAX_LEVEL_RATIO * float(bars.totals.max()) else 0.0


def draw_budget(panel: Panel, bars: SpendingBars, budgets: BudgetLevels) -> str:
    """Draws the line where it has room, and returns what the caption has to say of it."""
    levels = budgets.credits
    known = levels[~np.isnan(levels)]
    text = f"budget {priced(float(known[-1]), panel.price, short=True)}"
    if not highest_level(bars, budgets):
        return f"{text}, far above"
    is_over = bool(bars.seen[0, -1] > levels[-1])
    for is_shown, alpha in ((~budgets.is_before, 1.0), (budgets.is_before, _FAINT)):
        line = LineCollection(
            _strokes(matplotlib_days(bars.edges), np.where(is_shown, levels, np.nan)),
            colors=LOW_COLOUR if is_over else panel.style.ink,
            alpha=alpha,
            linewidths=1.1,
            linestyles=[(0, (5, 3))],
            zorder=2.4,
            label="_budget",
        )
        panel.ax.add_collection(line, autolim=False)
    words = ["dashes:", *["now"] * (len(set(known.tolist())) > 1), *["OVER"] * is_over, text]
    return " ".join(words)


def _strokes(edges: NDArray[np.float64], levels: NDArray[np.float64]) -> list[Any]:
    """A stroke for the periods in a row that have the same level, so that its dashes go on."""
    starts = np.flatnonzero(np.append(True, levels[1:] != levels[:-1]))
    ends = np.append(starts[1:], len(levels))
    return [
        [(edges[start], levels[start]), (edges[end], levels[start])]
        for start, end in zip(starts, ends, strict=True)
        if not np.isnan(levels[start])
    ]
