"""Colours, letters and lines of all pictures: one ink that reads on a white and a black page."""

from __future__ import annotations

from typing import NamedTuple

from matplotlib import rcParams, rcParamsDefault
from matplotlib.colors import same_color, to_rgba

__all__ = ["Style", "contrast", "style_of"]

_DEFAULT_FONT_SIZE = 10.0


class Style(NamedTuple):
    """How a picture is drawn.

    Attributes:
        ink: The colour of all text and of the axes.
        grid_alpha: How strong the grid is.
        gap_alpha: How strong the band over a gap is.
        background: The colour of the figure in a notebook; ``none`` for the page's own.
        file_background: Its colour in a file.
        scale: How many times larger letters are than usual.
    """

    ink: str
    grid_alpha: float
    gap_alpha: float
    background: str
    file_background: str
    scale: float


# The ink of a page whose colour is not known has 4.4:1 on white and 4.3:1 on #111.
_AUTO = ("#74787F", 0.25, 0.13, "none", "white")
_LIGHT = ("#24292F", 0.15, 0.08, "none", "white")
_DARK = ("#E6EDF3", 0.15, 0.08, "none", "#111111")


def style_of(theme: str) -> Style:
    """The style for a theme: ``light``, ``dark``, or ``auto``.

    With ``auto``, a dark style of matplotlib is noticed, which is also what VS Code's setting for
    themed pictures switches on. A background that the user chose for figures stays.
    """
    scale = float(rcParams["font.size"]) / _DEFAULT_FONT_SIZE
    chosen = rcParams["figure.facecolor"]
    is_own = not same_color(chosen, rcParamsDefault["figure.facecolor"]) and to_rgba(chosen)[3] > 0
    if theme == "auto":
        is_dark_style = contrast(rcParams["text.color"], "black") > 10
        values = _DARK if is_dark_style else _AUTO
        if is_own and not is_dark_style:
            # Ink for a page of any colour may be too faint on this one.
            values = _LIGHT if contrast(chosen, "black") > 6 else _DARK
    else:
        values = {"light": _LIGHT, "dark": _DARK}[theme]
    style = Style(*values, scale)
    return style._replace(background=chosen, file_background=chosen) if is_own else style


def contrast(first: object, second: object) -> float:
    """The contrast ratio of two opaque colours, from 1 to 21 (WCAG 2)."""
    low, high = sorted((_luminance(first), _luminance(second)))
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: object) -> float:
    linear = [
        each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4
        for each in to_rgba(colour)[:3]  # type: ignore[arg-type]
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
