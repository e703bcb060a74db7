"""A progress bar for long work."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from ..text import clean_text

if TYPE_CHECKING:
    from tqdm import tqdm

__all__ = ["Progress"]

# Seconds. Shorter work needs no bar, and nobody can read one that changes faster.
_DELAY = 0.5
_INTERVAL = 0.1


class Progress:
    """A bar on standard error that appears when work takes long, and disappears at its end.

    Args:
        description: What is being done.
        in_notebook: Whether to show it although standard error is no terminal.

    Attributes:
        total: How many readings there are to process; None until that is known.
    """

    def __init__(self, description: str, *, in_notebook: bool) -> None:
        self.total: int | None = None
        # It may be a file's name, and goes to the terminal as it is.
        self._description = clean_text(description)
        self._in_notebook = in_notebook
        self._bar: tqdm[Any] | None = None

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def advance_to(self, done: int) -> None:
        """Shows that so many readings have been processed."""
        if self._bar is None:
            if self.total is None or done >= self.total:
                return
            from tqdm import tqdm

            self._bar = tqdm(
                desc=self._description,
                total=self.total,
                unit=" readings",
                unit_scale=True,
                delay=_DELAY,
                mininterval=_INTERVAL,
                leave=False,
                file=sys.stderr,
                disable=False if self._in_notebook else None,
            )
        self._bar.update(done - self._bar.n)
