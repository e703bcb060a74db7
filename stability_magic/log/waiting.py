"""How long a thread waits for what another program holds: one budget for a whole command."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

__all__ = ["ATTEMPT_SECONDS", "BUSY_SECONDS", "try_until_free", "waiting_budget", "waiting_left"]

Result = TypeVar("Result")

# How long a command waits, altogether, for other processes that are writing.
BUSY_SECONDS = 30.0
# How long one attempt waits within SQLite, where nothing can interrupt it.
ATTEMPT_SECONDS = 0.1
_PAUSE_SECONDS = 0.02


class _State(threading.local):
    """The seconds that this thread may still wait; None outside of a budget."""

    def __init__(self) -> None:
        self.left: float | None = None


_state = _State()


@contextmanager
def waiting_budget(seconds: float | None = None) -> Iterator[None]:
    """A context in which this thread waits for other processes for so long altogether.

    Only time that is spent waiting counts. Within another budget it is a part of that one, so it
    can make the time shorter but not longer.

    Args:
        seconds: How long; None is as long as a command may wait.
    """
    outer = _state.left
    inner = min(BUSY_SECONDS if seconds is None else seconds, waiting_left())
    try:
        _state.left = inner
        yield
    finally:
        spent = inner - (inner if _state.left is None else _state.left)
        _state.left = None if outer is None else outer - spent


def waiting_left() -> float:
    """The seconds that this thread may still wait; outside of a budget, those of a command."""
    return BUSY_SECONDS if _state.left is None else _state.left


def try_until_free(
    attempt: Callable[[], Result], is_busy: Callable[[Exception], bool], seconds: float
) -> Result:
    """The result of the first attempt that finds what it needs free.

    Between two attempts an interruption gets its turn.

    Args:
        attempt: What to try.
        is_busy: Whether an exception means that another process holds what is needed.
        seconds: How long to go on at most.

    Raises:
        Exception: Whatever the attempt raises; also that another process still holds it when the
            time is over.
    """
    start = left = min(seconds, waiting_left())
    outer = _state.left
    while True:
        begin = time.monotonic()
        try:
            return attempt()
        except Exception as error:
            if not is_busy(error):
                raise
            if left > 0:
                time.sleep(_PAUSE_SECONDS)
            left -= time.monotonic() - begin
            if outer is not None:
                _state.left = outer - (start - left)
            if left <= 0:
                raise
