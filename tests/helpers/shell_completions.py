"""Makes the shells' completions that the package brings, from the command line as it is declared.

``python -m tests.helpers.shell_completions``, in the folder of the project, writes them anew.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import shtab

import stability_magic.terminal
from stability_magic.terminal.command_line import SHELLS, make_parser
from stability_magic.terminal.output import Output

__all__ = ["FOLDER", "completion"]

FOLDER = Path(stability_magic.terminal.__file__).parent / "completions"

# What a shell offers for an argument that is called so.
_KINDS = {"FILE": shtab.FILE, "PATH": shtab.FILE, "DIR": shtab.DIRECTORY}


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """The arguments of a parser and of its commands."""
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from _actions(command)


def completion(shell: str) -> str:
    """What a shell needs to complete the command line."""
    parser = make_parser(Output())
    for action in _actions(parser):
        if action.metavar in _KINDS:
            action.complete = _KINDS[action.metavar]
    return shtab.complete(parser, shell=shell)


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for each in SHELLS:
        (FOLDER / f"stability-magic.{each}").write_text(completion(each), encoding="utf-8")
