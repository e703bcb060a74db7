"""What a command answers."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from ._errors import StabilityMagicError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from ._cell_cost import CellCost
    from ._watch import Watch

__all__ = ["Outcome"]


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a command answers.

    Attributes:
        lines: The answer in a line, or one for each organization.
        frame: The table.
        figure: The picture.
        error: What went wrong with a part of it; raised when the rest has been shown.
        cost: To be ended when the cell has run.
        watch: To be started by whoever can show how it goes on.
    """

    lines: tuple[str, ...] = ()
    frame: pd.DataFrame | None = None
    figure: Figure | None = None
    error: StabilityMagicError | None = None
    cost: CellCost | None = None
    watch: Watch | None = None
