"""A server that answers with arbitrary bytes."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable

__all__ = ["RawServer", "reply_with"]


class RawServer:
    """A server on loopback that calls ``reply(connection)`` to answer each request."""

    def __init__(self, reply: Callable[[socket.socket], object]) -> None:
        self.requests: list[bytes] = []
        self.reply = reply
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._stopping = False

    def __enter__(self) -> RawServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping = True
        with contextlib.suppress(OSError):  # wakes the thread up
            socket.create_connection(self._listener.getsockname()).close()
        self._thread.join(timeout=10)
        self._listener.close()
        assert not self._thread.is_alive()

    def _serve(self) -> None:
        while not self._stopping:
            connection, _ = self._listener.accept()
            connection.settimeout(5)
            with connection, contextlib.suppress(OSError):
                head = b""
                while b"\r\n\r\n" not in head and (more := connection.recv(65536)):
                    head += more
                if head:
                    self.requests.append(head)
                    self.reply(connection)


def reply_with(body: bytes) -> Callable[[socket.socket], object]:
    """A reply that sends these bytes, whatever the request."""
    return lambda connection: connection.sendall(body)
