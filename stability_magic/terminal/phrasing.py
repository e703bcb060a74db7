"""Advice in the words of the command line; pure."""

from __future__ import annotations

import re

from ..commands.declarations import COMMANDS
from ..settings import StabilityMagic

__all__ = ["command_line_words"]

# Not in quotes: that is what the user typed.
_MAGIC = re.compile(r"(?<!['\"\w%])%%?stability_(?P<name>\w+)(?P<options>(?: --[a-z][a-z-]*)*)")
_SETTING = re.compile(r"(?<!['\"\w])StabilityMagic\.(?P<name>\w+)(?: or [A-Z_]+)?")
# Arguments of the library's client, and settings; words that stand alone, and in no path.
_CLIENT_SETTING = re.compile(r"(?<!\S)(?P<name>api_url|api_version)(?=[\s,;.]|$)")

_SESSION = re.compile(r"(?<!['\"])\bthis session\b")

# Without it the command would hold the key for no longer than it runs.
_NEEDED_OPTIONS = {"login": " --save"}


def command_line_words(text: str, program: str) -> str:
    """A text that advises magics and settings of a notebook, as a command line has them.

    Args:
        text: The text; what it has in quotes stays as it is.
        program: The name of the command line.
    """

    def command(match: re.Match[str]) -> str:
        name = match["name"]
        if name not in _COMMANDS:
            return match[0]
        options = match["options"] or _NEEDED_OPTIONS.get(name, "")
        return f"{program} {name}{options}"

    def variable(match: re.Match[str]) -> str:
        trait = StabilityMagic.class_traits().get(match["name"])
        return (trait.metadata.get("env") if trait else None) or match[0]

    text = _SESSION.sub("this command", _MAGIC.sub(command, text))
    return _CLIENT_SETTING.sub(variable, _SETTING.sub(variable, text))


_COMMANDS = frozenset(each.name for each in COMMANDS if each.is_offered_in("command line"))
