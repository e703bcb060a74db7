"""The colours of organizations, on cards and in pictures; pure.

The log decides: the organization that it saw first has the first colour, and keeps it whatever
else is shown.
"""

from __future__ import annotations

__all__ = ["LOW_COLOUR", "SERIES_COLOURS", "series_colour"]

# Told apart by every kind of colour vision, and at least 3:1 on white and on #111.
SERIES_COLOURS = (
    "#0A77BC",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#8C4FF0",
    "#A8450A",
    "#9485D3",
    "#86607D",
)
LOW_COLOUR = "#DB3A34"


def series_colour(place: int) -> str:
    """The colour of the organization that the log saw as number ``place``."""
    return SERIES_COLOURS[place % len(SERIES_COLOURS)]
