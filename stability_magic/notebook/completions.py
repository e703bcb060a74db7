"""Completions of a magic's arguments; pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

from ..commands.declarations import Command
from .words import split_line

__all__ = ["completions"]

_MAGIC_CALL = re.compile(r"(?:[\w.,\s]+=)?\s*%{0,2}(?P<magic>\w+)\s+(?P<rest>.*)")
_INTERVALS = ("30s", "10m", "1h")
_PERIODS = (
    "today",
    "yesterday",
    *(f"{which} {unit}" for which in ("this", "last") for unit in ("week", "month", "year")),
)
_TIMES = ("today", "yesterday", "12h", "7d", "30d", "all")


def completions(
    line: str,
    token: str,
    magics: Mapping[str, Command],
    organizations: Callable[[], Iterable[str]],
) -> list[str]:
    """What the word at the cursor can be completed to.

    Args:
        line: The line up to the cursor.
        token: The word before the cursor, with which completions begin; may be empty.
        magics: The commands by the names of their magics.
        organizations: Returns organization ids; called only where one is expected.
    """
    call = _MAGIC_CALL.fullmatch(line)
    command = magics.get(call["magic"]) if call else None
    if call is None or command is None:
        return []
    rest = call["rest"][: len(call["rest"]) - len(token)]
    if _is_comment(rest) or token.startswith("#"):
        return []
    in_quotes = rest.endswith(("'", '"'))
    words = rest.rstrip("'\"").split()
    arguments = [each for each in command.arguments if each.is_offered_in("magic")]
    option = next((each for each in arguments if words and words[-1] in each.flags), None)
    if option is None or option.options.get("action") == "store_true":
        used = set(words)
        candidates: Iterable[str] = [
            flag
            for each in arguments
            for flag in each.flags
            if flag.startswith("-")
            and (each.options.get("action") == "append" or not used.intersection(each.flags))
        ]
        if any(each.options.get("metavar") in ("JOB", "OPERATION") for each in arguments):
            candidates = [*candidates, *_operations()]
    elif "choices" in option.options:
        candidates = option.options["choices"]
    elif option.options.get("metavar") == "WHEN":
        candidates = _TIMES
    elif option.options.get("metavar") == "PERIOD":
        bare = (each for each in _PERIODS if each.startswith(token))
        return [f"'{each}'" if " " in each and not in_quotes else each for each in bare]
    elif option.options.get("metavar") == "TIME":
        candidates = _INTERVALS
    elif option.options.get("metavar") == "ID":
        candidates = organizations()
    else:
        candidates = ()
    return [each for each in candidates if each.startswith(token)]


def _operations() -> tuple[str, ...]:
    from ..prices import PriceList

    return PriceList().operations


def _is_comment(text: str) -> bool:
    """Whether what follows a text is part of a comment."""
    try:
        return split_line(text, has_escapes=True).has_comment
    except ValueError:
        # Within quotes.
        return False
