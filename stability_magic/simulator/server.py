"""A small HTTP/1.1 server on loopback that sends the answers it is given, good and bad ones.

It knows how bytes go over the wire and nothing about what they mean.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import re
import socket
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any, Final

from .faults import Fault

__all__ = ["LoopbackServer", "Request"]

_LOOPBACK_ADDRESS: Final = "127.0.0.1"
_POLL_INTERVAL: Final = 0.02  # seconds until the server notices that it should stop
_MAX_ENDLESS_SIZE: Final = 32 << 20  # bytes; enough for a test, too few to harm the machine


@dataclass(frozen=True)
class Request:
    """A request as it arrived.

    Args:
        method: Such as ``GET``.
        path: The target, with its query string.
        headers: The headers, by their names as sent.
        at: When it arrived, on the simulator's clock.
    """

    method: str
    path: str
    headers: dict[str, str]
    at: datetime

    def header(self, name: str) -> str | None:
        """The value of a header, its name in any case; None if it is absent."""
        lower = name.lower()
        return next((value for key, value in self.headers.items() if key.lower() == lower), None)


class LoopbackServer(ThreadingHTTPServer):
    """Answers each request with ``answer(request)``, in its own threads, until it is closed.

    Args:
        answer: Decides what to send. Called from several threads at once.
        now: The clock for the time of a request.
        date: The clock for the ``Date`` header.
        port: The TCP port; 0 takes any free one.
        address: A loopback address.

    Raises:
        ValueError: The address is not a loopback address.
        OSError: The port is taken.
    """

    daemon_threads = True
    request_queue_size = 128
    # On Windows this option would let two servers share one port.
    allow_reuse_address = os.name == "posix"

    def __init__(
        self,
        answer: Callable[[Request], Fault],
        now: Callable[[], datetime],
        date: Callable[[], datetime],
        port: int = 0,
        address: str = _LOOPBACK_ADDRESS,
    ) -> None:
        if not ipaddress.ip_address(address).is_loopback:
            raise ValueError(f"{address} is no loopback address; others could reach the simulator")
        self.answer = answer
        self.now = now
        self.date = date
        self._stopping = threading.Event()
        self._connections: dict[threading.Thread, Any] = {}
        self._lock = threading.Lock()
        super().__init__((address, port), _Handler)
        self._acceptor = threading.Thread(
            target=self.serve_forever,
            args=(_POLL_INTERVAL,),
            name="stability-magic-simulator",
            daemon=True,
        )
        self._acceptor.start()

    def server_bind(self) -> None:
        # HTTPServer would ask the resolver for this machine's name, which can take seconds.
        TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]  # type: ignore[assignment]

    def process_request(self, request: Any, client_address: Any) -> None:
        thread = threading.Thread(
            target=self._serve_connection,
            args=(request, client_address),
            name="stability-magic-simulator-connection",
            daemon=True,
        )
        with self._lock:
            self._connections[thread] = request
        thread.start()

    def _serve_connection(self, request: Any, client_address: Any) -> None:
        try:
            self.process_request_thread(request, client_address)
        finally:
            with self._lock:
                self._connections.pop(threading.current_thread(), None)

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A client may leave at any time; anything else is a mistake in the simulator.
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)

    def pause(self, seconds: float) -> None:
        """Waits, but no longer than the server runs."""
        self._stopping.wait(seconds)

    @property
    def is_stopping(self) -> bool:
        """Whether the server is being closed."""
        return self._stopping.is_set()

    def close(self) -> None:
        """Stops at once: drops every connection and ends every thread."""
        self._stopping.set()
        self.shutdown()
        self._acceptor.join()
        self.server_close()
        with self._lock:
            connections = dict(self._connections)
        for connection in connections.values():
            with contextlib.suppress(OSError):  # it may have been closed in the meantime
                connection.shutdown(socket.SHUT_RDWR)
        for thread in connections:
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: LoopbackServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def _serve(self) -> None:
        self._discard_body()
        headers = dict(self.headers.items())
        request = Request(self.command, self.path, headers, self.server.now())
        self._send_answer(self.server.answer(request))

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _serve

    def send_error(
        self,
        code: int,
        message: str | None = None,
        explain: str | None = None,  # noqa: ARG002 - http.server's signature
    ) -> None:
        """Refuses what http.server could not parse, as the API would."""
        self.close_connection = True
        name = "method_not_allowed" if code == 501 else "bad_request"
        body = json.dumps({"id": "0", "name": name, "message": message or ""}).encode()
        self._send_answer(Fault(405 if code == 501 else code, body))

    def log_message(self, format: str, *args: Any) -> None:
        """Prints nothing: the simulator runs inside other people's programs."""

    def _discard_body(self) -> None:
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not re.fullmatch("[0-9]{1,9}", length):
            self.close_connection = True
        elif int(length):
            # Closing a connection with an unread body would reset it and lose the answer.
            self.rfile.read(min(int(length), 1 << 20))
            self.close_connection = True

    def _send_answer(self, fault: Fault) -> None:
        self.server.pause(fault.delay)
        if fault.hang_up or fault.endless:
            self.close_connection = True
        if fault.hang_up and not fault.body:
            return
        head, body = self._head(fault), fault.body
        if getattr(self, "command", None) == "HEAD":
            body = b""
        elif fault.hang_up:
            body = body[: len(body) // 2]
        if fault.drip:
            self._send_slowly(head, body, fault.drip)
        elif fault.endless:
            self._send_repeatedly(head, body)
        else:
            # A single write, so that a small answer travels in one packet.
            self.wfile.write(head + body)

    def _head(self, fault: Fault) -> bytes:
        phrase = self.responses.get(fault.status, ("Unknown", ""))[0]
        lines = [
            f"HTTP/1.1 {int(fault.status)} {phrase}",
            "Server: stability-magic-simulator",
            "X-Simulated: true",
            f"Date: {format_datetime(self.server.date(), usegmt=True)}",
            f"Content-Type: {fault.content_type}",
        ]
        if not fault.endless:
            lines.append(f"Content-Length: {len(fault.body)}")
        if self.close_connection:
            lines.append("Connection: close")
        lines += [f"{name}: {value}" for name, value in fault.headers]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def _send_slowly(self, head: bytes, body: bytes, seconds: float) -> None:
        self.wfile.write(head)
        for position in range(len(body)):
            if self.server.is_stopping:
                return
            self.wfile.write(body[position : position + 1])
            self.server.pause(seconds)

    def _send_repeatedly(self, head: bytes, body: bytes) -> None:
        self.wfile.write(head)
        for _ in range(_MAX_ENDLESS_SIZE // max(len(body), 1)):
            if self.server.is_stopping:
                return
            self.wfile.write(body)
