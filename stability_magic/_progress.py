"""A bar for work that takes long."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tqdm import tqdm

__all__ = ["Progress"]

# Seconds: what is done sooner needs no bar, and nobody reads one that changes faster.
_DELAY = 0.5
_INTERVAL = 0.1


class Progress:
    """A bar on standard error that appears when work takes long, and goes away at its end.

    Args:
        what: What is being done.
        notebook: Whether to show it though standard error is no terminal.

    Attributes:
        total: How many readings there are to be done; None until that is known.
    """

    def __init__(self, what: str, *, notebook: bool) -> None:
        self.total: int | None = None
        self._what = what
        self._notebook = notebook
        self._bar: tqdm[Any] | None = None

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def reach(self, done: int) -> None:
        """So many readings are done."""
        if self._bar is None:
            if self.total is None or done >= self.total:
                return
            from tqdm import tqdm

            self._bar = tqdm(
                desc=self._what,
                total=self.total,
                unit=" readings",
                unit_scale=True,
                delay=_DELAY,
                mininterval=_INTERVAL,
                leave=False,
                file=sys.stderr,
                disable=False if self._notebook else None,
            )
        self._bar.update(done - self._bar.n)
