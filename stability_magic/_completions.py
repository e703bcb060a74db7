"""What may stand next in a command's arguments; pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

from ._commands import Command

__all__ = ["completions"]

_CALL = re.compile(r"(?:[\w.,\s]+=)?\s*%{0,2}(?P<magic>\w+)\s+(?P<rest>.*)")
_SPANS = ("30s", "10m", "1h")
_TIMES = ("today", "yesterday", "12h", "7d", "30d", "all")


def completions(
    line: str,
    token: str,
    magics: Mapping[str, Command],
    organizations: Callable[[], Iterable[str]],
) -> list[str]:
    """The arguments that may stand where the cursor is.

    Args:
        line: The line as far as the cursor.
        token: The word that the cursor ends, which completions begin with; may be empty.
        magics: The commands by the names of their magics.
        organizations: Asked only where an organization may stand.
    """
    call = _CALL.fullmatch(line)
    command = magics.get(call["magic"]) if call else None
    if call is None or command is None:
        return []
    words = call["rest"][: len(call["rest"]) - len(token)].split()
    offered = [each for each in command.arguments if each.place in ("", "magic")]
    before = next((each for each in offered if words and words[-1] in each.flags), None)
    if before is None or before.options.get("action") == "store_true":
        given = set(words)
        found: Iterable[str] = (
            flag
            for each in offered
            for flag in each.flags
            if flag.startswith("-")
            and (each.options.get("action") == "append" or not given.intersection(each.flags))
        )
    elif "choices" in before.options:
        found = before.options["choices"]
    elif before.options.get("metavar") == "WHEN":
        found = _TIMES
    elif before.options.get("metavar") == "TIME":
        found = _SPANS
    elif before.options.get("metavar") == "ID":
        found = organizations()
    else:
        found = ()
    return [each for each in found if each.startswith(token)]
