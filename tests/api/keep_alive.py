"""A service that keeps its connections, and answers with the bytes that a test wants."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable

__all__ = ["KeepAliveServer", "balance_answer", "expected_credits", "organization_of"]


class KeepAliveServer:
    """A server on loopback that calls ``reply(connection, head)`` for each request.

    A connection serves requests until the client or the reply closes it.

    Args:
        reply: Sends the answer to a request, whose head it gets.
        context: For TLS; None speaks plain HTTP.
    """

    def __init__(
        self,
        reply: Callable[[socket.socket, bytes], object],
        context: ssl.SSLContext | None = None,
    ) -> None:
        self.reply = reply
        self.connections = 0
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        scheme, port = "https" if context else "http", self._listener.getsockname()[1]
        self.url = f"{scheme}://127.0.0.1:{port}"
        self._stopping = False
        self._threads = [threading.Thread(target=self._accept, daemon=True)]

    def __enter__(self) -> KeepAliveServer:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping = True
        with contextlib.suppress(OSError):  # wakes the thread up
            socket.create_connection(self._listener.getsockname()).close()
        for each in self._threads:
            each.join(timeout=10)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            if self._stopping:
                connection.close()
                return
            self.connections += 1
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(0.1)
        with connection, contextlib.suppress(OSError):
            if self._context:
                connection.settimeout(5)
                connection = self._context.wrap_socket(connection, server_side=True)
                connection.settimeout(0.1)
            with connection:
                while head := self._read_head(connection):
                    self.reply(connection, head)

    def _read_head(self, connection: socket.socket) -> bytes:
        head = b""
        while b"\r\n\r\n" not in head and not self._stopping:
            with contextlib.suppress(TimeoutError):
                more = connection.recv(65536)
                if not more:
                    return b""
                head += more
        return b"" if self._stopping else head


def organization_of(head: bytes) -> str:
    """The organization that a request asks about."""
    lines = head.decode("latin-1").split("\r\n")
    values = [each.partition(": ")[2] for each in lines if each.startswith("Organization: ")]
    return values[0] if values else ""


def expected_credits(organization: str) -> float:
    """What the balance of an organization such as ``org-7`` is here: 7."""
    return float(organization.removeprefix("org-") or 0)


def balance_answer(organization: str) -> bytes:
    """The ordinary answer about an organization; the connection stays open."""
    body = b'{"credits": %g}' % expected_credits(organization)
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    return head % len(body) + body
