"""Which rows of a frame tell that nothing happened, and how the others fit into few lines; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "IDLE_EVIDENCE",
    "MOST_ROWS",
    "Stretch",
    "idle_organizations",
    "quiet_rows",
    "visible_stretches",
]

# What a table in a notebook shows at most.
MOST_ROWS = 12

_QUIET_RUN = 3

# How the evidence of a forecast begins where there is nothing to forecast.
IDLE_EVIDENCE = "nothing is being spent"

_FIGURES = ("spent", "topped_up", "likely_spent", "likely_topped_up")
# With any of these a row says something.
_REMARKS = ("label", "doubtful")


class Stretch(NamedTuple):
    """Rows from ``begin`` up to, but without, ``end``; more than one of them stand in one line."""

    begin: int
    end: int
    is_earlier: bool = False

    @property
    def is_single(self) -> bool:
        """Whether it is one row that is shown in full."""
        return self.end - self.begin == 1 and not self.is_earlier


def visible_stretches(
    is_quiet: NDArray[np.bool_], most: int = MOST_ROWS, kept: int = MOST_ROWS - 2
) -> list[Stretch]:
    """How rows in the order of time fit into few lines, with the last ones in full.

    Three or more rows in a row at which nothing happened stand in one line, but for the last row
    of all; and all the rows before the last ``kept`` lines where there are more than ``most``.
    """
    eventful = np.flatnonzero(~is_quiet)
    end = len(is_quiet)
    stretches: list[Stretch] = []
    while end > 0 and len(stretches) <= most:
        count = int(np.searchsorted(eventful, end))
        begin = int(eventful[count - 1]) + 1 if count else 0
        if end == len(is_quiet) or end - begin < _QUIET_RUN:
            begin = end - 1
        stretches.append(Stretch(begin, end))
        end = begin
    if len(stretches) > most:
        stretches = stretches[:kept]
        stretches.append(Stretch(0, stretches[-1].begin, is_earlier=True))
    return stretches[::-1]


def idle_organizations(frame: pd.DataFrame) -> list[str]:
    """The ids of those that spent and bought nothing in a frame of readings, usage or forecasts.

    None where all of them are like that, as then that is the answer; and none in other frames.
    """
    if "organization" not in frame:
        return []
    if "evidence" in frame:
        is_idle = np.array([str(each).startswith(IDLE_EVIDENCE) for each in frame["evidence"]])
        idle = pd.Series(is_idle, dtype=bool).groupby(frame["organization"].to_numpy()).all()
    elif isinstance(frame.index, pd.DatetimeIndex) and "topped_up" in frame:
        largest = frame[_figures(frame)].max(axis=1)
        groups = largest.groupby(frame["organization"], sort=False).agg(["max", "count"])
        # The first reading ever has nothing to be compared with.
        idle = (groups["count"] > 0) & ~(groups["max"] > 0.0)
    else:
        return []
    return [] if idle.all() else list(idle.index[idle])


def quiet_rows(frame: pd.DataFrame) -> NDArray[np.bool_]:
    """The rows of readings or usage at which nothing was spent or bought; none in other frames."""
    if not isinstance(frame.index, pd.DatetimeIndex) or "topped_up" not in frame:
        return np.zeros(len(frame), dtype=bool)
    quiet = np.ones(len(frame), dtype=bool)
    for each in _figures(frame):
        quiet &= frame[each].to_numpy(np.float64) <= 0.0
    for each in _REMARKS:
        if each in frame:
            quiet &= frame[each].isna().to_numpy(bool)
    return quiet


def _figures(frame: pd.DataFrame) -> list[str]:
    return [each for each in _FIGURES if each in frame]
