"""How both front ends read arguments: what is not known comes with what was probably meant."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from ..text import did_you_mean

__all__ = ["CommandParser"]


class CommandParser(argparse.ArgumentParser):
    """Parses the arguments of a command, or of all of them."""

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """The arguments; a mistake in them is an error of the command that has it."""
        arguments, unknown_words = self.parse_known_args(args, namespace)
        if unknown_words:
            parser: CommandParser = getattr(arguments, "parser", self)
            parser.error(parser.refusal(unknown_words))
        return arguments

    def refusal(self, unknown_words: Sequence[str]) -> str:
        """Why words that are no arguments of this command are refused."""
        options = [each.partition("=")[0] for each in unknown_words if each.startswith("-")]
        hint = "; words that belong together need quotes around them"
        if options:
            hint = did_you_mean(options[0], self._option_string_actions)
        return f"unrecognized arguments: {' '.join(unknown_words)}{hint}"

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        # argparse asks this for every argument that has choices, commands among them.
        if action.choices is not None and value not in action.choices:
            choices = [str(each) for each in action.choices]
            hint = did_you_mean(str(value), choices)
            raise argparse.ArgumentError(
                action, f"invalid choice: {value!r} (choose from {', '.join(choices)}){hint}"
            )
