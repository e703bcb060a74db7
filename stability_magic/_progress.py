"""A bar for work that takes long."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tqdm import tqdm

__all__ = ["progress"]

# Seconds: what is done sooner needs no bar, and nobody reads one that changes faster.
_DELAY = 0.5
_INTERVAL = 0.1


def progress(what: str, *, notebook: bool) -> tqdm[Any]:
    """A bar on standard error that goes away at its end; its total is set as it becomes known.

    Args:
        what: What is being done.
        notebook: Whether to show it though standard error is no terminal.
    """
    from tqdm import tqdm

    return tqdm(
        desc=what,
        unit=" readings",
        unit_scale=True,
        delay=_DELAY,
        mininterval=_INTERVAL,
        leave=False,
        file=sys.stderr,
        disable=False if notebook else None,
    )
