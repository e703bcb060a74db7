"""Every command and its arguments, declared once for the magics and the command line."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from . import _actions, _log_actions
from ._outcome import Outcome
from ._when import PERIODS, WHEN

if TYPE_CHECKING:
    from ._session import Session

__all__ = ["COMMANDS", "Argument", "Command", "add_arguments"]


@dataclasses.dataclass(frozen=True)
class Argument:
    """An argument as argparse takes it.

    Attributes:
        flags: Its names.
        options: The keywords of ``add_argument``.
        place: Where it is offered: ``magic``, ``command line``, or both where empty.
    """

    flags: tuple[str, ...]
    options: Mapping[str, Any]
    place: str = ""


@dataclasses.dataclass(frozen=True)
class Command:
    """A command: ``%stability_NAME`` in a notebook, ``stability-magic NAME`` elsewhere.

    Attributes:
        name: NAME.
        summary: What it does, in a sentence.
        examples: Arguments to try.
        run: Does it.
        arguments: Its arguments.
        place: Where it is offered, as for an argument.
        cell: Whether its magic stands at the head of a cell, as ``%%stability_NAME``.
    """

    name: str
    summary: str
    examples: tuple[str, ...]
    run: Callable[[Session, argparse.Namespace], Outcome]
    arguments: tuple[Argument, ...] = ()
    place: str = ""
    cell: bool = False


def add_arguments(parser: argparse.ArgumentParser, command: Command, place: str) -> None:
    """Declares a command's arguments in a parser, those for ``place``."""
    for each in command.arguments:
        if each.place in ("", place):
            parser.add_argument(*each.flags, **each.options)


_ORGANIZATIONS = Argument(
    ("-o", "--organization"),
    {
        "action": "append",
        "metavar": "ID",
        "help": "an organization's id; may be given more than once",
    },
)
_ALL = Argument(
    ("-a", "--all"), {"action": "store_true", "help": "all organizations of the account"}
)
_SINCE = Argument(("--since",), {"metavar": "WHEN", "help": f"from when on: {WHEN}"})
_UNTIL = Argument(("--until",), {"metavar": "WHEN", "help": "until when; a day is meant whole"})
_BY = Argument(
    ("--by",), {"choices": PERIODS, "default": "day", "help": "the length of a period (day)"}
)

_HOST = Argument(
    ("--host",), {"action": "store_true", "help": "show which machine took each reading"}
)
_LOCAL = Argument(("--local",), {"action": "store_true", "help": "leave the shared log aside"})
_LABEL = Argument(("label",), {"metavar": "LABEL", "nargs": "?", "help": "what to call the cell"})

COMMANDS: tuple[Command, ...] = (
    Command(
        "account",
        "Ask whose key it is, and list the organizations it can ask about.",
        ("", "--show-email"),
        _actions.account,
        (
            Argument(
                ("--show-email",),
                {"action": "store_true", "help": "show the user's e-mail address in clear"},
            ),
        ),
    ),
    Command(
        "balance",
        "Ask for the credits that are left, log the reading, show the readings so far.",
        ("", "-a --since 7d", "-o org-1234 --label 'before the batch'", "--require 5usd"),
        _actions.balance,
        (
            _ORGANIZATIONS,
            _ALL,
            Argument(
                ("--since",),
                {
                    "metavar": "WHEN",
                    "default": "30d",
                    "help": f"show the readings from when on (30d): {WHEN}",
                },
            ),
            Argument(
                ("--require",),
                {
                    "metavar": "N",
                    "help": "fail where less is left: credits (500) or US dollars (5usd)",
                },
            ),
            Argument(
                ("--fail-open",),
                {
                    "action": "store_true",
                    "help": "with --require: only warn where the balance cannot be read",
                },
            ),
            Argument(("--label",), {"metavar": "TEXT", "help": "a note to keep with the reading"}),
            _HOST,
            Argument(("--no-log",), {"action": "store_true", "help": "do not log the new reading"}),
            Argument(
                ("-q", "--quiet"), {"action": "store_true", "help": "leave out the line above"}
            ),
        ),
    ),
    Command(
        "history",
        "Show the logged readings; nobody is asked.",
        ("", "--since 2026-11-01 --until 2026-11-15", "--since all"),
        _log_actions.history,
        (_ORGANIZATIONS, _SINCE, _UNTIL, _HOST, _LOCAL),
    ),
    Command(
        "usage",
        "Show what was spent in each hour, day, week or month, from the log.",
        ("", "--by week", "--by hour --since today"),
        _log_actions.usage,
        (_BY, _ORGANIZATIONS, _SINCE, _UNTIL, _LOCAL),
    ),
    Command(
        "plot",
        "Draw the balance over time, and below it what was spent in each period.",
        ("", "--by week --since 90d", "--forecast --output credits.svg"),
        _log_actions.plot,
        (
            _BY,
            _ORGANIZATIONS,
            _SINCE,
            _UNTIL,
            Argument(
                ("--forecast",),
                {"action": "store_true", "help": "draw how the balance is expected to go on"},
            ),
            Argument(
                ("--output",),
                {"metavar": "FILE", "help": "write the picture to a .png, .svg or .pdf file"},
            ),
            _LOCAL,
        ),
    ),
    Command(
        "forecast",
        "Tell from the log when the credits will run out, and how sure that is.",
        ("", "-o org-1234"),
        _log_actions.forecast,
        (_ORGANIZATIONS, _LOCAL),
    ),
    Command(
        "cost",
        "Tell and log what the cell below costs: the balance is read before and after it.",
        ("", "render", "'night batch' -o org-1234 --settle 5"),
        _actions.cost,
        (
            _LABEL,
            Argument(("-o", "--organization"), {"metavar": "ID", "help": "an organization's id"}),
            Argument(
                ("--settle",),
                {
                    "metavar": "SECONDS",
                    "default": "1",
                    "help": "between the readings after the cell, until two agree (1)",
                },
            ),
        ),
        place="magic",
        cell=True,
    ),
    Command(
        "costs",
        "Show what the cells cost, from the log.",
        ("", "render --since 7d", "--summary"),
        _log_actions.costs,
        (
            _LABEL,
            _SINCE,
            Argument(
                ("--summary",),
                {
                    "action": "store_true",
                    "help": "by label, and what was spent elsewhere, outside all cells",
                },
            ),
            _LOCAL,
        ),
    ),
    Command(
        "watch",
        "Take readings at regular times, until it is stopped.",
        ("", "--every 1h -a"),
        _actions.watch,
        (
            Argument(
                ("--every",),
                {
                    "metavar": "TIME",
                    "default": "10m",
                    "help": "the time between readings: 30s, 10m (the default), 2h; 10s at least",
                },
            ),
            _ORGANIZATIONS,
            _ALL,
            Argument(
                ("--plot",),
                {"action": "store_true", "help": "keep a picture up to date as well"},
                place="magic",
            ),
            Argument(
                ("--status",), {"action": "store_true", "help": "how it stands"}, place="magic"
            ),
            Argument(("--stop",), {"action": "store_true", "help": "end it"}, place="magic"),
        ),
    ),
    Command(
        "merge",
        "Take in the readings of other log files; again is harmless.",
        ("laptop.db", "~/hub/log.db server.db"),
        _log_actions.merge,
        (Argument(("paths",), {"metavar": "PATH", "nargs": "+", "help": "a log's file"}),),
    ),
    Command(
        "sync",
        "Send the shared log what it lacks; again is harmless.",
        ("", "--again"),
        _log_actions.sync,
        (
            Argument(
                ("--again",),
                {
                    "action": "store_true",
                    "help": "also what was sent before, for a shared log that lost some of it",
                },
            ),
        ),
    ),
    Command(
        "login",
        "Ask for the API key without showing it, and hold it for this session.",
        ("", "--save"),
        _actions.login,
        (
            Argument(
                ("--save",),
                {"action": "store_true", "help": "keep it in the system's keyring as well"},
            ),
        ),
    ),
    Command(
        "demo",
        "Try everything without a key, on simulated figures and with a log of its own.",
        ("",),
        _actions.demo,
        (
            Argument(
                ("--spend",),
                {
                    "metavar": "CREDITS",
                    "help": "spend simulated credits, as your own code would",
                },
                place="magic",
            ),
            Argument(
                ("--stop",),
                {"action": "store_true", "help": "go back to the real service and log"},
                place="magic",
            ),
            Argument(
                ("--folder",),
                {
                    "metavar": "DIR",
                    "default": "stability-magic-demo",
                    "help": "where the demo's log and picture go (stability-magic-demo)",
                },
                place="command line",
            ),
        ),
    ),
)
