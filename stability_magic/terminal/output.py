"""The standard streams: what goes out is cleaned, and a stream that fails is no failure."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import sys
from collections.abc import Callable
from typing import TextIO

from ..display.wording import ascii_text
from ..text import clean_line, clean_text, wrap_text

__all__ = ["Output"]

_BOLD_RED, _BOLD, _PLAIN = "\x1b[1;31m", "\x1b[1m", "\x1b[0m"
_NOT_ASCII = re.compile(r"[^\x00-\x7e]")


class Output:
    """Standard output and standard error, as a context that flushes them at its end.

    A reader that has gone, a full disk or a closed stream never becomes an exception, nor the exit
    code: the command has done its work all the same. What quotes text from outside cannot control
    the terminal, because everything is cleaned here.
    """

    def __init__(self) -> None:
        _open_missing_streams()
        for stream in (sys.stdout, sys.stderr):
            # A character that the terminal cannot show must not turn an answer into an error.
            with contextlib.suppress(AttributeError, OSError, ValueError):
                stream.reconfigure(errors="replace")  # type: ignore[union-attr]
        self._has_told = False

    def __enter__(self) -> Output:
        return self

    def __exit__(self, *_: object) -> None:
        # The interpreter flushes them too, and makes the exit code 120 if that fails.
        for stream in (sys.stdout, sys.stderr):
            _write(stream, "")

    @property
    def is_terminal(self) -> bool:
        """Whether standard output is a terminal."""
        return _is_terminal(sys.stdout)

    def line(self, text: str) -> None:
        """Tells people one line on standard error; on a terminal it is wrapped at spaces."""
        text = clean_line(text) if _has_blocks(sys.stderr) else ascii_text(clean_line(text))
        if _is_terminal(sys.stderr):
            text = wrap_text(text, shutil.get_terminal_size().columns)
        _write(sys.stderr, f"{text}\n")

    def text(self, text: str, *, is_error: bool = False) -> None:
        """Writes lines for people to standard output or standard error."""
        text = _clean_lines(text)
        if is_error:
            _write(sys.stderr, text)
        else:
            self._write_output(text)

    @property
    def has_blocks(self) -> bool:
        """Whether standard output can show bars, blocks and ``≥``."""
        return _has_blocks(sys.stdout)

    def summary(self, text: str, *, has_colour: bool) -> None:
        """Writes a summary to standard output; its head stands out where there may be colour."""
        lines = _clean_lines(text).split("\n")
        if self.is_terminal and has_colour:
            for number, line in enumerate(lines[1:4], start=1):
                if line.startswith(("LOW", "OVER BUDGET")):
                    lines[number] = f"{_BOLD_RED}{line}{_PLAIN}"
            lines[0] = f"{_BOLD}{lines[0]}{_PLAIN}"
        self._write_output("\n".join(lines))

    def data(self, text: str, style: str) -> None:
        """Writes what :func:`frame_text` returns to standard output.

        For programs it is exact whatever the encoding of the stream: CSV and OpenMetrics are
        UTF-8, and JSON escapes what cannot be encoded. A table may be approximate, and so may what
        a person looks at.
        """
        is_terminal = self.is_terminal
        if style == "json":
            encoding = sys.stdout.encoding or "utf-8"
            self._write_output(_escape_json(text, _must_escape(encoding, is_terminal)))
        elif style in ("csv", "openmetrics") and not is_terminal:
            self._write_output(text.encode(errors="replace"))
        else:
            self._write_output(_clean_lines(text))

    def _write_output(self, content: str | bytes) -> None:
        problem = _write(sys.stdout, content)
        if problem and not self._has_told:
            self._has_told = True
            self.line(f"stability-magic: Standard output could not be written ({problem}).")


def _open_missing_streams() -> None:
    """Opens the null device for each stream that the process was started without.

    A file that is opened takes the first free number. So the log would become standard output, and
    be written into.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    if sys.stdin is None:
        sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
    if sys.stdout is None:
        sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", encoding="utf-8", closefd=False)


def _is_terminal(stream: TextIO) -> bool:
    try:
        return stream.isatty()
    except (OSError, ValueError):
        return False


def _has_blocks(stream: TextIO) -> bool:
    try:
        "━╸▁█≥≈·…".encode(stream.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _write(stream: TextIO, content: str | bytes) -> str:
    """Writes text, or bytes as they are, at once.

    Returns:
        Why it could not be written; empty if it was, or if nobody reads it any more.
    """
    try:
        buffer = getattr(stream, "buffer", None)
        if isinstance(content, str) or buffer is None:
            text = content if isinstance(content, str) else content.decode()
            print(text, end="", file=stream, flush=True)
        else:
            stream.flush()
            buffer.write(content)
            buffer.flush()
    except BrokenPipeError:
        _discard(stream)
    except (OSError, ValueError) as error:
        _discard(stream)
        return getattr(error, "strerror", None) or str(error)
    return ""


def _discard(stream: TextIO) -> None:
    """Drops what a stream could not write, and would try to write again at every flush.

    The stream stays as it is: a full disk may have room for the next line.
    """
    with contextlib.suppress(OSError, ValueError):
        number = stream.fileno()
        kept, null = os.dup(number), os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(null, number)
            stream.flush()
        finally:
            os.dup2(kept, number)
            os.close(kept)
            os.close(null)


def _clean_lines(text: str) -> str:
    return "\n".join(clean_line(each) for each in text.split("\n"))


def _must_escape(encoding: str, is_terminal: bool) -> Callable[[str], bool]:
    """Says of a character whether a stream cannot have it as it is."""

    def must_escape(character: str) -> bool:
        if is_terminal and clean_text(character) != character:
            return True
        try:
            character.encode(encoding)
        except UnicodeEncodeError:
            return True
        return False

    return must_escape


def _escape_json(text: str, must_escape: Callable[[str], bool]) -> str:
    """The same JSON with some characters as escapes; only strings have any beyond ASCII."""
    return _NOT_ASCII.sub(
        lambda match: json.dumps(match[0])[1:-1] if must_escape(match[0]) else match[0], text
    )
