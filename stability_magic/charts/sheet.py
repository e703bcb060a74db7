"""The figure of a picture, with places in CSS pixels from its upper left corner."""

from __future__ import annotations

import io
import os
import re
import sys
from typing import TYPE_CHECKING, Any

from matplotlib import get_backend, rc_context, rcParams, rcParamsDefault
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties

from .style import Style, style_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.text import Text

__all__ = ["PIXELS_PER_INCH", "PictureFigure", "Sheet", "text_size"]

# As in "My Organization (…1111)".
_DISTINCTION = re.compile(r"\(…\w+\)$")

PIXELS_PER_INCH = 100
_WIDTH = 720


class _Canvas(FigureCanvasAgg):
    """A canvas that writes text as text into an SVG, and a background into a file."""

    def print_figure(self, filename: Any, *arguments: Any, **options: Any) -> Any:
        figure: Any = self.figure
        if (
            isinstance(filename, str | os.PathLike)
            and options.get("facecolor") in (None, "auto")
            and rcParams["savefig.facecolor"] == "auto"
        ):
            options["facecolor"] = figure.style.file_background
        with rc_context({"svg.fonttype": "none"}):
            return super().print_figure(filename, *arguments, **options)


class PictureFigure(Figure):
    """A figure that a notebook shows once and sharp, however pyplot's figures are set up.

    If a format was chosen with ``%config InlineBackend``, IPython prefers it to the PNG here.

    Attributes:
        style: How it is drawn.
        description: What it says, for whoever cannot see it.
    """

    def __init__(self, style: Style, **options: Any) -> None:
        super().__init__(facecolor=style.background, **options)
        self.style = style
        self.description = ""
        # Without this canvas, a figure draws itself anew for each text that is measured.
        _Canvas(self)

    def __repr__(self) -> str:
        return f"<Figure: {self.description}>"

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:
        """The interactive figure with ``%matplotlib widget``; nothing with other backends."""
        widget = sys.modules.get("ipympl.backend_nbagg")
        if widget is None or not any(name in get_backend() for name in ("ipympl", "widget")):
            return {}
        if not isinstance(self.canvas, widget.Canvas):
            widget.FigureManager(widget.Canvas(self), 0)
        canvas: Any = self.canvas
        return dict(canvas._repr_mimebundle_(**options))

    def _repr_png_(self) -> tuple[bytes, dict[str, Any]]:
        """The picture at twice its resolution, and the size at which it is shown."""
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=2 * self.dpi)
        width, height = (round(each * self.dpi) for each in self.get_size_inches())
        return buffer.getvalue(), {"width": width, "height": height, "alt": self.description}


class Sheet:
    """A new figure of the user's size, or of one that suits the picture.

    Attributes:
        figure: The figure.
        style: How it is drawn.
        width: In CSS pixels, as is everything else.
        height: Likewise.
    """

    def __init__(self, theme: str, height: float) -> None:
        self.style = style_of(theme)
        size = [float(each) for each in rcParams["figure.figsize"]]
        if size == list(rcParamsDefault["figure.figsize"]):
            scale = max(1.0, self.style.scale)
            size = [_WIDTH * scale / PIXELS_PER_INCH, height * scale / PIXELS_PER_INCH]
        self.figure = PictureFigure(self.style, figsize=size)
        self.width, self.height = (each * PIXELS_PER_INCH for each in size)

    def text(self, x: float, y: float, text: str, size: float, **options: Any) -> Text:
        """Writes text with its base line at a place; its size is in points."""
        usual: dict[str, Any] = {"color": self.style.ink, "va": "baseline", "parse_math": False}
        drawn = self.figure.text(
            x / self.width,
            1 - y / self.height,
            text,
            fontsize=size * self.style.scale,
            **(usual | options),
        )
        # Names and dollar signs are no mathematics.
        drawn.set_usetex(False)
        return drawn

    def axes(self, left: float, top: float, right: float, bottom: float, **options: Any) -> Axes:
        """Axes between four edges."""
        height = max(bottom - top, 10.0)
        place = (
            left / self.width,
            1 - (top + height) / self.height,
            max(right - left, 10.0) / self.width,
            height / self.height,
        )
        return self.figure.add_axes(place, facecolor="none", **options)

    def text_width(self, text: str, size: float, weight: str = "normal") -> float:
        """How wide a text would be."""
        points = size * self.style.scale
        return text_size(self.figure, text, points, weight)[0] * PIXELS_PER_INCH / self.figure.dpi

    def fit(self, text: str, width: float, size: float, weight: str = "normal") -> str:
        """The text, with an ellipsis in place of as much of its end as has no room.

        What tells organizations of one name apart stays.
        """
        if self.text_width(text, size, weight) <= width:
            return text
        match = _DISTINCTION.search(text)
        end = "…" + (match[0] if match else "")
        text = text[: match.start()] if match else text
        low, high = 0, len(text)
        while low < high:
            middle = (low + high + 1) // 2
            if self.text_width(text[:middle].rstrip() + end, size, weight) <= width:
                low = middle
            else:
                high = middle - 1
        return text[:low].rstrip() + end


def text_size(figure: Any, text: str, points: float, weight: str = "normal") -> tuple[float, float]:
    """Width and height of one line of text, in the pixels of the figure."""
    canvas = figure.canvas
    if not hasattr(canvas, "get_renderer"):
        canvas = FigureCanvasAgg(figure)
    properties = FontProperties(size=points, weight=weight)
    width, height, _ = canvas.get_renderer().get_text_width_height_descent(text, properties, False)
    return float(width), float(height)
