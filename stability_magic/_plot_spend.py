"""The lower panel of a picture: what was spent in each period."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.patches import Patch, StepPatch

from ._panels import Bars, Shown, bars
from ._plot_axes import Entries, colour_of, days_of, drawable_names, ink, pixels, say_why_empty

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

__all__ = ["draw_spend"]

_HATCH = "////"
# It keeps an SVG small, however many organizations share the bars.
_MOST_BARS = 2000


def draw_spend(ax: Axes, picture: Shown) -> Entries | None:
    """Draws the lower panel; None where there is nothing to draw."""
    ax.set_ylabel(f"credits spent per {picture.by}")
    names = drawable_names(picture)
    found = bars(picture, max(50, min(pixels(ax), _MOST_BARS // max(1, len(names)))))
    if found is None:
        say_why_empty(ax, picture)
        return None
    tops = np.cumsum(found.spent, axis=0)
    highest = tops[-1].max() or 1.0
    ax.update_datalim([(each, highest) for each in days_of(found.edges[[0, -1]])])
    ax.update_datalim([(0, 0)], updatex=False)
    organizations = _draw_bars(ax, found, tops, names)
    ax.yaxis.set_major_formatter("{x:,.10g}")
    if not found.at_least.any():
        return Entries(organizations, [])
    sample = Patch(facecolor="none", edgecolor=ink(ax), hatch=_HATCH, linewidth=0.5)
    return Entries(organizations, [(sample, "at least (a top-up hides spending)")])


def _draw_bars(
    ax: Axes, found: Bars, tops: NDArray[np.float64], names: list[str]
) -> list[tuple[Artist, str]]:
    edges, bases = days_of(found.edges), tops - found.spent
    bounds = np.where(found.at_least, tops, np.nan)
    spaced = pixels(ax) >= 4 * len(edges)
    if spaced:
        gap = 4 * (edges[-1] - edges[0]) / pixels(ax)
        edges, tops, bases, bounds = _spaced(edges, gap, tops, bases, bounds)
    entries: list[tuple[Artist, str]] = []
    for code in range(len(names)):
        if found.spent[code].any() or len(names) == 1:
            colour = colour_of(code)
            patch = StepPatch(tops[code], edges, baseline=bases[code], color=colour, linewidth=0)
            patch.set_label(names[code])
            _add_steps(ax, patch)
            entries.append((patch, names[code]))
        if found.at_least[code].any():
            hatched = StepPatch(bounds[code], edges, baseline=bases[code], fill=False)
            hatched.set(hatch=_HATCH, edgecolor=ink(ax))
            # The outline shows a lower bound of nothing, too; on thin bars it hides the rest.
            hatched.set_linewidth(0.5 if spaced else 0)
            _add_steps(ax, hatched)
    return entries


def _add_steps(ax: Axes, patch: StepPatch) -> None:
    # Axes.stairs would look for the limits in every corner of every bar, which takes longer
    # than all the rest.
    patch.sticky_edges.y.append(0)
    ax.add_artist(patch)


def _spaced(
    edges: NDArray[np.float64],
    gap: float,
    tops: NDArray[np.float64],
    bases: NDArray[np.float64],
    bounds: NDArray[np.float64],
) -> tuple[NDArray[np.float64], ...]:
    """Bars that leave a seventh of their width free, and no more than ``gap``."""
    ends = edges[1:] - np.minimum(np.diff(edges) / 7, gap)
    slots = []
    # Where the top is NaN nothing is drawn; the base may not be.
    for rows, between in ((tops, np.nan), (bases, 0.0), (bounds, np.nan)):
        slot = np.full((len(rows), 2 * rows.shape[1] - 1), between)
        slot[:, ::2] = rows
        slots.append(slot)
    return (np.column_stack([edges[:-1], ends]).ravel(), *slots)
