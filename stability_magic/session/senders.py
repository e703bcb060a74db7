"""Sends a message within a time: by a command, or to an address of Apprise."""

from __future__ import annotations

import logging
import os
import re
import signal
import subprocess
import threading
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from shutil import which
from typing import IO, TYPE_CHECKING
from urllib.parse import unquote

from ..channels import Address, Channel, Command
from ..environment import variables_for_others
from ..settings import expand_path
from ..text import clean_text, shorten, strike_out

if TYPE_CHECKING:
    from ..display.notice_text import Message

__all__ = ["NEEDS_APPRISE", "SEND_SECONDS", "lacks_apprise", "send"]

# Within so many seconds a message is sent, or it is not.
SEND_SECONDS = 10.0

_LONGEST_REASON = 160
# Bytes; of what a command writes, the last ones are looked at.
_MOST_OUTPUT = 4096
# Shorter parts of an address are in every other word, so that they count as whole words alone.
_SHORTEST_PART = 4

NEEDS_APPRISE = "it needs Apprise; install stability_magic[notify]"


def send(channel: Channel, message: Message, *, seconds: float, secret: str = "") -> str:
    """Sends a message, and returns why that failed; empty if it did not.

    Args:
        channel: Where to.
        message: What to send.
        seconds: How long to try.
        secret: The key, which no program gets to see.
    """
    if isinstance(channel, Command):
        return _run(channel, f"{message.to_json()}\n".encode(), seconds, secret)
    reasons: list[str] = []
    # It cannot be ended from outside, and holds nothing up.
    thread = threading.Thread(
        target=lambda: reasons.append(_notify(channel, message)), name=_NAME, daemon=True
    )
    thread.start()
    thread.join(seconds)
    return reasons[0] if reasons else _late(seconds)


_NAME = "stability_notify"


def _late(seconds: float) -> str:
    return f"no answer within {seconds:g} seconds"


def _run(command: Command, data: bytes, seconds: float, secret: str) -> str:
    words = ["".join(each) for each in command.words]
    # What the system says instead depends on the folders of the path that it may not look into.
    program = which(expand_path(words[0]))
    if program is None:
        return "there is no such program, or it may not be run"
    try:
        process = subprocess.Popen(  # noqa: S603 - the user's own command, without a shell
            [program, *words[1:]],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=variables_for_others(secret),
            # Ctrl-C is not meant for it, and what it starts can be ended with it.
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        return f"it cannot be started ({reason})"
    tail = bytearray()
    # A command that reads nothing, or writes for ever, blocks these threads alone.
    feeder = _start(lambda: _feed(process.stdin, data))
    reader = _start(lambda: _read_tail(process.stdout, tail))
    try:
        code = process.wait(seconds)
    except subprocess.TimeoutExpired:
        _kill(process)
        return f"{_late(seconds)}, so that it was ended"
    for each in (feeder, reader):
        # What it left behind in the background may keep its output open.
        each.join(0.2)
    if code == 0:
        return ""
    lines = bytes(tail).decode("utf-8", "replace").split("\n")
    last = next((each for each in reversed(lines) if each.strip()), "").strip()
    for word in (secret, *words[1:]):
        last = strike_out(last, word)
    told = f": {shorten(clean_text(last), _LONGEST_REASON)}" if last else ""
    return f"it ended with exit code {code}{told}"


def _start(function: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=function, name=_NAME, daemon=True)
    thread.start()
    return thread


def _feed(stream: IO[bytes] | None, data: bytes) -> None:
    # It may end without reading.
    with suppress(OSError, ValueError):
        if stream is not None:
            with stream:
                stream.write(data)


def _read_tail(stream: IO[bytes] | None, tail: bytearray) -> None:
    with suppress(OSError, ValueError):
        while stream is not None and (chunk := os.read(stream.fileno(), 65_536)):
            tail += chunk
            del tail[:-_MOST_OUTPUT]
        if stream is not None:
            stream.close()


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Ends a command with all that it has started."""
    with suppress(OSError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    process.wait()


def lacks_apprise() -> bool:
    """Whether Apprise is not installed."""
    return find_spec("apprise") is None


def _notify(address: Address, message: Message) -> str:
    try:
        import apprise
    except ImportError:
        return NEEDS_APPRISE
    complaints = _Complaints()
    loggers = [logging.getLogger(each) for each in _LOGGERS]
    for logger in loggers:
        logger.addFilter(complaints)
    try:
        service = apprise.Apprise.instantiate(address.reveal())
        if service is None:
            # Apprise's own words for it repeat it, and shorten what it takes for secrets.
            return "Apprise knows no such address; compare it with its documentation"
        is_sent = service.notify(title=message.title, body=message.text)
    except Exception as error:
        # Its plug-ins are many, and raise any exception; some repeat the address in it.
        return type(error).__name__
    finally:
        for logger in loggers:
            logger.removeFilter(complaints)
    return "" if is_sent else _without_parts(complaints.last or "it was not accepted", address)


# What logs while Apprise sends.
_LOGGERS = ("apprise", "urllib3.connectionpool")


class _Complaints(logging.Filter):
    """Keeps what Apprise says in one thread; nothing goes further, as it may hold an address."""

    def __init__(self) -> None:
        super().__init__()
        self._thread = threading.get_ident()
        self._lines: list[str] = []

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether somebody else's record goes on."""
        if record.thread != self._thread:
            return True
        if record.name == _LOGGERS[0] and record.levelno >= logging.WARNING:
            self._lines.append(record.getMessage())
        return False

    @property
    def last(self) -> str:
        """What was said last; empty for nothing."""
        return self._lines[-1] if self._lines else ""


_PART_END = re.compile(r"[:/@?&=,]+")


def _without_parts(text: str, address: Address) -> str:
    """A line without the address, and without whatever of it is not shown anyway."""
    whole = address.reveal()
    shown = str(address)
    text = text.replace(whole, shown)
    # Apprise shows of a secret its first and its last letter.
    text = re.sub(r"\S*\.\.\.\S*", "***", text)
    parts = {part for each in (whole, unquote(whole)) for part in _PART_END.split(each)}
    for part in sorted(parts - {"", *_PART_END.split(shown)}, key=len, reverse=True):
        word = re.escape(part)
        text = re.sub(word if len(part) >= _SHORTEST_PART else rf"\b{word}\b", "***", text)
    return shorten(clean_text(text), _LONGEST_REASON)
