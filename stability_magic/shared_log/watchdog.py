"""Limits how long to wait for a server that sends slowly or not at all."""

from __future__ import annotations

import _thread
import socket
import time
from collections.abc import Callable
from contextlib import suppress

__all__ = ["SocketWatchdog"]


class SocketWatchdog:
    """Shuts a socket down after some time, so that whoever reads from it gets an end of file.

    The socket's own time-out would start again with each byte that arrives.

    Args:
        fileno: Returns the socket's file descriptor.
        seconds: How long to wait.
    """

    def __init__(self, fileno: Callable[[], int], seconds: float) -> None:
        self._fileno = fileno
        self._seconds = seconds
        self._deadline = 0.0
        self._is_watching = _thread.allocate_lock()

    def __enter__(self) -> SocketWatchdog:
        self.restart()
        self._is_watching.acquire()
        # An interrupt while one of threading's threads starts can break its locks.
        _thread.start_new_thread(self._watch, ())
        return self

    def __exit__(self, *_: object) -> None:
        self._is_watching.release()

    def restart(self) -> None:
        """Starts the wait again, after a sign of life."""
        self._deadline = time.monotonic() + self._seconds

    def _watch(self) -> None:
        while (rest := self._deadline - time.monotonic()) > 0:
            if self._is_watching.acquire(timeout=rest):
                return
        self._shut_down()

    def _shut_down(self) -> None:
        # Through a duplicate descriptor, since the socket may be closed and its number reused
        # meanwhile.
        with suppress(Exception), socket.socket(fileno=socket.dup(self._fileno())) as duplicate:
            duplicate.shutdown(socket.SHUT_RDWR)
