"""Semicolons after magics, which IPython would take for a part of a magic's name."""

from __future__ import annotations

import os
import re

from .words import split_line

__all__ = ["separate_semicolons"]

_CALL = re.compile(r"(?P<target>[\w.,\s]+=)?(?P<name>\s*%stability(?:_\w+)?)(?P<rest>(?:[\s;].*)?)")


def separate_semicolons(lines: list[str]) -> list[str]:
    """A cell's lines, with a space in ``%stability_balance;`` so that IPython finds the magic.

    It takes everything up to a space for a magic's name, a semicolon too.

    After an assignment the semicolon is removed: nothing is shown there anyway, and it would only
    assign None.
    """
    return [_separate_semicolon(each) for each in lines]


def _separate_semicolon(line: str) -> str:
    match = _CALL.fullmatch(line.rstrip())
    rest = match["rest"] if match else ""
    try:
        semicolon = split_line(rest, has_escapes=os.name != "nt").semicolon
    except ValueError:
        # The magic tells.
        return line
    if match is None or semicolon < 0:
        return line
    arguments, comment = rest[:semicolon].rstrip(), rest[semicolon + 1 :]
    if match["target"]:
        return f"{match['target']}{match['name']}{arguments}{comment}\n"
    return f"{match['name']}{arguments} ;{comment}\n"
