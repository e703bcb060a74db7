"""The session of code that has none of its own: the notebook's, or one for the whole process."""

from __future__ import annotations

import atexit
import threading

from ..settings import StabilityMagic
from .session import Session

__all__ = ["current_session", "forget_current", "make_current"]

_notebook_sessions: list[Session] = []
_sessions_of_process: list[Session] = []
_lock = threading.Lock()


def make_current(session: Session) -> None:
    """Makes a notebook's session the one to use."""
    _notebook_sessions.append(session)


def forget_current(session: Session) -> None:
    """Says that a notebook's session is not used any more."""
    if session in _notebook_sessions:
        _notebook_sessions.remove(session)


def current_session() -> Session:
    """The notebook's session; where there is none, one with the settings of the environment."""
    if _notebook_sessions:
        return _notebook_sessions[-1]
    with _lock:
        if not _sessions_of_process:
            session = Session(StabilityMagic(), source="library")
            _sessions_of_process.append(session)
            atexit.register(session.close)
        return _sessions_of_process[0]
