"""The session of code that has none of its own: the notebook's, or one for the whole process."""

from __future__ import annotations

import atexit
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .session import Session

__all__ = ["current_session", "forget_current", "make_current"]

_notebooks: list[Callable[[], Session]] = []
_sessions_of_process: list[Session] = []
_lock = threading.Lock()


def make_current(notebook: Callable[[], Session]) -> None:
    """Makes a notebook's session the one to use.

    Args:
        notebook: Returns it; it may begin only then.
    """
    _notebooks.append(notebook)


def forget_current(notebook: Callable[[], Session]) -> None:
    """Says that a notebook's session is not used any more."""
    if notebook in _notebooks:
        _notebooks.remove(notebook)


def current_session() -> Session:
    """The notebook's session; where there is none, one with the settings of the environment."""
    if _notebooks:
        return _notebooks[-1]()
    from ..settings import StabilityMagic
    from .session import Session

    with _lock:
        if not _sessions_of_process:
            session = Session(StabilityMagic(), source="library")
            _sessions_of_process.append(session)
            atexit.register(session.close)
        return _sessions_of_process[0]
