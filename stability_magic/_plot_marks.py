"""What is marked in a picture: top-ups, with their sizes where there is room; low balances."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke

from ._lines import credits_text
from ._panels import Shown, latest, rises
from ._plot_axes import colour_of, days_of, dpi, drawable_names, ink, pixel_time
from ._thinning import placed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.backend_bases import RendererBase
    from matplotlib.text import Annotation
    from numpy.typing import NDArray

__all__ = ["mark_low", "mark_topups"]

_MOST_SIZES = 24
_MARK_POINTS = 6.0
_LIFT_POINTS = 5.0
_RED = "#c62828"
_MOST_ABOVE = 3.0


def mark_topups(ax: Axes, picture: Shown) -> list[tuple[Artist, str]]:
    pixels = _MARK_POINTS * dpi(ax) / 72
    found = rises(picture, round(pixel_time(ax, picture) * pixels))
    if not len(found.times):
        return []
    days = days_of(found.times)
    ax.scatter(
        days,
        found.credits,
        s=_MARK_POINTS**2,
        marker="^",
        c=[colour_of(code) for code in found.codes],
        edgecolors=[ink(ax)],
        linewidths=0.6,
        zorder=3,
    )
    most = np.argsort(-found.sizes, kind="stable")[:_MOST_SIZES]
    sizes = _Sizes(ax, days[most], found.credits[most], found.sizes[most])
    ax.add_artist(sizes)
    # Room for the size of a top-up to the highest balance of all, also in a lower panel.
    share = 1.3 * sizes.height * dpi(ax) / 72 / ax.bbox.height
    ax.margins(y=min(0.3, max(ax.get_ymargin(), share)))
    sizes.place()
    mark = Line2D([], [], linestyle="", marker="^", color=ink(ax), markersize=_MARK_POINTS)
    return [(mark, "topped up")]


def mark_low(ax: Axes, picture: Shown, low_balance: float | None) -> list[tuple[Artist, str]]:
    """A line at the level that some latest balance is under."""
    if low_balance is None:
        return []
    names = drawable_names(picture)
    low = [name for name, left in zip(names, latest(picture), strict=True) if left < low_balance]
    if not low:
        return []
    style: dict[str, Any] = {"color": _RED, "linestyle": (0, (6, 2)), "linewidth": 1.2}
    level: Artist = Line2D([], [], **style)
    # One far above all balances would press them flat.
    if low_balance <= _MOST_ABOVE * ax.dataLim.y1:
        level = ax.axhline(low_balance, **style)
    whose = "" if len(names) == 1 else f" ({', '.join(low)})"
    return [(level, f"LOW: under {credits_text(low_balance).removesuffix('.00')}{whose}")]


class _Sizes(Artist):
    """The sizes of top-ups, placed anew whenever they are drawn.

    Which of them fit depends on the size of the axes, which a layout, a window or a zoom
    changes after they were made. This artist draws nothing itself, before the texts it places.
    """

    def __init__(
        self,
        ax: Axes,
        days: NDArray[np.float64],
        credits: NDArray[np.float64],
        sizes: NDArray[np.float64],
    ) -> None:
        super().__init__()
        self.set_zorder(2.5)
        self.set_in_layout(False)
        halo = [withStroke(linewidth=2.5, foreground=ax.get_facecolor())]
        self._texts: list[Annotation] = [
            ax.annotate(
                _amount(size),
                (day, balance),
                (0, _LIFT_POINTS),
                textcoords="offset points",
                ha="center",
                va="bottom",
                color=ink(ax),
                fontsize="small",
                path_effects=halo,
                zorder=4,
            )
            for day, balance, size in zip(days, credits, sizes, strict=True)
        ]
        boxes = [text.get_window_extent() for text in self._texts]
        self._boxes = np.array([(box.width, box.height) for box in boxes]) * 72 / dpi(ax)
        self.height = float(self._boxes[:, 1].max()) + 2 * _LIFT_POINTS
        for text in self._texts:
            text.set_in_layout(False)

    def draw(self, renderer: RendererBase) -> None:  # noqa: ARG002 - matplotlib's signature
        self.place()

    def place(self) -> None:
        """Shows what fits, the largest first."""
        axes: Any = self.axes
        points = 72 / dpi(axes)
        # Asking for the limits brings the transform up to date.
        axes.get_xlim(), axes.get_ylim()
        anchors = axes.transData.transform([text.xy for text in self._texts]) * points
        frame = np.array(axes.bbox.extents) * points
        result = placed(anchors, self._boxes, frame, _LIFT_POINTS)
        for text, fits, offset in zip(self._texts, *result, strict=True):
            # An unchanged text must not ask an interactive figure to be drawn again.
            if text.get_visible() != fits:
                text.set_visible(bool(fits))
            if not np.allclose(text.xyann, offset, atol=0.1):
                text.xyann = tuple(offset)


def _amount(credits: float) -> str:
    if credits < 0.01:
        return "+<0.01"
    return f"+{round(credits, 0 if credits >= 100 else 2):,.12g}"
