"""The outcome of a command."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..errors import StabilityMagicError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from ..analysis.summary import Summary
    from ..display.check_text import Check
    from ..session.cell_cost import CellCostMeter
    from ..session.spending_cap import SpendingCap
    from ..session.watch import Watch

__all__ = ["Outcome"]


@dataclasses.dataclass(frozen=True)
class Outcome:
    """The outcome of a command, for a front end to show.

    Attributes:
        lines: The answer in a line, or one for each organization.
        frame: The table.
        figure: The picture.
        error: What failed in part; to be raised after the rest has been shown.
        cost_meter: The meter to finish after the cell has run.
        spending_cap: The cap to keep while the cell runs.
        watch: The watch to start; it needs a function that shows each reading.
        summaries: What there is to know at a glance, of each organization; None for a command that
            tells something else.
        checks: What was checked; None for a command that checks nothing.
        card: Makes the lines as HTML, for a front end that can show it; empty if it cannot.
    """

    lines: tuple[str, ...] = ()
    frame: pd.DataFrame | None = None
    figure: Figure | None = None
    error: StabilityMagicError | None = None
    cost_meter: CellCostMeter | None = None
    spending_cap: SpendingCap | None = None
    watch: Watch | None = None
    summaries: tuple[Summary, ...] | None = None
    checks: tuple[Check, ...] | None = None
    card: Callable[[], str] | None = None
