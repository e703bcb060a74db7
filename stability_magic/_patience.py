"""An end to waiting for somebody who sends now and then, or nothing."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress

__all__ = ["Patience"]


class Patience:
    """Shuts a socket down after some time, so that whoever waits for it gets an end of file.

    A time-out of the socket's own is over with each byte that comes.

    Args:
        fileno: Tells the socket's number.
        seconds: How long to wait.
    """

    def __init__(self, fileno: Callable[[], int], seconds: float) -> None:
        self._fileno = fileno
        self._seconds = seconds
        self._timer: threading.Timer | None = None
        self._over = threading.Event()

    def __enter__(self) -> Patience:
        self.restart()
        return self

    def __exit__(self, *_: object) -> None:
        self._cancel()

    @property
    def over(self) -> bool:
        """Whether the socket was shut down."""
        return self._over.is_set()

    def restart(self) -> None:
        """There was a sign of life: waits as long once more."""
        self._cancel()
        self._timer = threading.Timer(self._seconds, self._shut_down)
        self._timer.daemon = True
        self._timer.start()

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _shut_down(self) -> None:
        self._over.set()
        # Through a number of its own: the socket may be closed and its number given away meanwhile.
        with suppress(Exception), socket.socket(fileno=socket.dup(self._fileno())) as own:
            own.shutdown(socket.SHUT_RDWR)
