"""The words in a magic's line, as a shell has them; pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

__all__ = ["MagicLine", "split_line"]

# What words are made of: quotes may begin and end within a word. After a semicolon a comment may
# begin without a space.
_PART = re.compile(
    r"""
    '(?P<single>[^']*)'
    | "(?P<double>(?:\\.|[^"\\])*)"
    | \\(?P<escaped>.)
    | (?P<plain>(?:[^\s'"\\;]|;(?!\#))+|;)
    """,
    re.VERBOSE | re.DOTALL,
)
# The same where a backslash is a character as any other.
_PART_WITH_BACKSLASHES = re.compile(
    r"""'(?P<single>[^']*)' | "(?P<double>[^"]*)" | (?P<plain>(?:[^\s'";]|;(?!\#))+|;)""",
    re.VERBOSE,
)
_ESCAPE = re.compile(r'\\(["\\])')


class MagicLine(NamedTuple):
    """What a magic's line says.

    Attributes:
        words: The arguments.
        semicolon: Where the semicolon at its end is; -1 without one.
        has_comment: Whether a comment follows.
    """

    words: list[str]
    semicolon: int
    has_comment: bool

    @property
    def is_silent(self) -> bool:
        """Whether a semicolon ends it."""
        return self.semicolon >= 0


def split_line(line: str, *, has_escapes: bool) -> MagicLine:
    """Splits the text after a magic's name.

    A ``#`` at the beginning of a word begins a comment. A semicolon at the end is no argument.

    Args:
        line: The text.
        has_escapes: Whether a backslash escapes what follows, as in a POSIX shell; on Windows it
            separates the parts of a path.

    Raises:
        ValueError: A quotation is not closed, or nothing follows a backslash.
    """
    part = _PART if has_escapes else _PART_WITH_BACKSLASHES
    words: list[str] = []
    begin = end = _end_of_space(line, 0)
    semicolon = -1
    while end < len(line) and line[end] != "#":
        begin = end
        parts = list(_parts(part, line, begin))
        end = parts[-1].end() if parts else begin
        semicolon = end - 1 if parts and (parts[-1]["plain"] or "").endswith(";") else -1
        is_closed = end == len(line) or line[end].isspace() or (semicolon >= 0 and line[end] == "#")
        if not is_closed:
            problem = "escaped character" if line[end] == "\\" else "closing quotation"
            raise ValueError(f"No {problem}")
        words.append("".join(map(_meaning, parts)))
        end = _end_of_space(line, end)
    if semicolon >= 0:
        last_word = words.pop()
        words += [last_word[:-1]] if begin < semicolon else []
    return MagicLine(words, semicolon, has_comment=end < len(line))


def _parts(part: re.Pattern[str], line: str, start: int) -> Iterator[re.Match[str]]:
    """The parts of the word that begins there."""
    while match := part.match(line, start):
        yield match
        start = match.end()
        if match[0] == ";" and line[start : start + 1] == "#":
            return


def _end_of_space(line: str, start: int) -> int:
    return len(line) - len(line[start:].lstrip())


def _meaning(match: re.Match[str]) -> str:
    """What a part of a word stands for."""
    groups = match.groupdict()
    if groups.get("double") is not None:
        has_escapes = "escaped" in groups
        return _ESCAPE.sub(r"\1", groups["double"]) if has_escapes else groups["double"]
    return next(each for each in groups.values() if each is not None)
