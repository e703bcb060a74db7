"""Every command and its arguments, declared once for the magics and the command line."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ..display.formats import FORMATS
from ..when import BUDGET_PERIODS, PERIOD_FORMS, PERIODS, WHEN_FORMS
from . import budget_commands, cost_commands, log_commands, notify_commands, service_commands
from .outcome import Outcome

if TYPE_CHECKING:
    from ..session.session import Session

__all__ = ["COMMANDS", "Argument", "Command", "add_arguments"]


@dataclasses.dataclass(frozen=True)
class Argument:
    """A command's argument, as argparse declares it.

    Attributes:
        flags: Its names, such as ``-o`` and ``--organization``.
        options: The keyword arguments of ``add_argument``.
        only_in: The one front end that offers it, ``magic`` or ``command line``; empty for both.
    """

    flags: tuple[str, ...]
    options: Mapping[str, Any]
    only_in: str = ""

    def is_offered_in(self, front_end: str) -> bool:
        """Whether ``magic`` or ``command line`` offers it."""
        return self.only_in in ("", front_end)


@dataclasses.dataclass(frozen=True)
class Command:
    """A command: ``%stability_NAME`` in a notebook, ``stability-magic NAME`` elsewhere.

    Attributes:
        name: NAME.
        summary: What it does, in a sentence.
        examples: Lines of arguments to try.
        terminal_examples: Those to try on the command line, where it needs or has others.
        run: The function that runs it.
        arguments: Its arguments.
        only_in: The one front end that offers it, ``magic`` or ``command line``; empty for both.
        is_cell_magic: Whether its magic is written above a cell, as ``%%stability_NAME``.
        magic_name: Its name as a magic, where that is not ``stability_NAME``.
        formats: The formats in which the command line writes its table; none without one.
    """

    name: str
    summary: str
    examples: tuple[str, ...]
    run: Callable[[Session, argparse.Namespace], Outcome]
    arguments: tuple[Argument, ...] = ()
    only_in: str = ""
    is_cell_magic: bool = False
    magic_name: str = ""

    def __post_init__(self) -> None:
        if not self.magic_name:
            object.__setattr__(self, "magic_name", f"stability_{self.name}")

    formats: tuple[str, ...] = FORMATS
    terminal_examples: tuple[str, ...] = ()

    def examples_in(self, front_end: str) -> tuple[str, ...]:
        """The examples for ``magic`` or ``command line``."""
        is_terminal = front_end == "command line"
        return self.terminal_examples if is_terminal and self.terminal_examples else self.examples

    def is_offered_in(self, front_end: str) -> bool:
        """Whether ``magic`` or ``command line`` offers it."""
        return self.only_in in ("", front_end)


def add_arguments(parser: argparse.ArgumentParser, command: Command, front_end: str) -> None:
    """Adds a command's arguments to a parser, as ``magic`` or ``command line`` offers them."""
    for each in command.arguments:
        if each.is_offered_in(front_end):
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
_SINCE = Argument(("--since",), {"metavar": "WHEN", "help": f"from when on: {WHEN_FORMS}"})
_SINCE_PERIOD = Argument(
    ("--since",),
    {"metavar": "WHEN", "help": f"from the period on in which WHEN lies: {WHEN_FORMS}"},
)
_UNTIL = Argument(("--until",), {"metavar": "WHEN", "help": "until when; a day is meant whole"})
_ON = Argument(
    ("--on",),
    {"metavar": "PERIOD", "help": f"in one period, instead of --since: {PERIOD_FORMS}"},
)
_BY = Argument(
    ("--by",), {"choices": PERIODS, "default": "day", "help": "the length of a period (day)"}
)

_HOST = Argument(
    ("--host",), {"action": "store_true", "help": "show which machine took each reading"}
)
_LOCAL = Argument(("--local",), {"action": "store_true", "help": "leave the shared log aside"})
_LABEL = Argument(("label",), {"metavar": "LABEL", "nargs": "?", "help": "what to call the cell"})
_ONLY_LABEL = Argument(
    ("label",), {"metavar": "LABEL", "nargs": "?", "help": "only the cells with this label"}
)

COMMANDS: tuple[Command, ...] = (
    Command(
        "status",
        "Tell from the log what is left, what was spent lately, and when it is empty.",
        ("", "-a"),
        log_commands.status,
        (
            _ORGANIZATIONS,
            Argument(("-a", "--all"), {"action": "store_true", "help": "all organizations"}),
            _LOCAL,
        ),
        formats=("table", "json", "openmetrics"),
        terminal_examples=("", "-a", "-a --format openmetrics --output stability.prom"),
        magic_name="stability",
    ),
    Command(
        "account",
        "Ask whose key it is, and list the organizations it can ask about.",
        ("", "--show-email"),
        service_commands.account,
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
        (
            "",
            "-a --since 7d",
            "-o org-1234 --label 'before the batch'",
            "--require 5usd",
            "--require '6 ultra'",
        ),
        service_commands.balance,
        (
            _ORGANIZATIONS,
            _ALL,
            Argument(
                ("--since",),
                {
                    "metavar": "WHEN",
                    "default": "30d",
                    "help": f"show the readings from when on (30d): {WHEN_FORMS}",
                },
            ),
            Argument(
                ("--require",),
                {
                    "metavar": "N",
                    "help": "fail where less is left: credits (500), US dollars (5usd), or what a"
                    " job costs ('6 ultra')",
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
        ("", "--on yesterday", "--since 2026-11-01 --until 2026-11-15", "--since all"),
        log_commands.history,
        (_ORGANIZATIONS, _SINCE, _UNTIL, _ON, _HOST, _LOCAL),
    ),
    Command(
        "usage",
        "Show what was spent in each hour, day, week or month, from the log.",
        ("", "--by week", "--by hour --since today", "--on 'last week'"),
        log_commands.usage,
        (_BY, _ORGANIZATIONS, _SINCE_PERIOD, _UNTIL, _ON, _LOCAL),
    ),
    Command(
        "plot",
        "Draw the balance over time, and below it what was spent in each period.",
        ("", "--by week --since 90d", "--on 2026-11", "--forecast --output credits.svg"),
        log_commands.plot,
        (
            _BY,
            _ORGANIZATIONS,
            _SINCE_PERIOD,
            _UNTIL,
            _ON,
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
        formats=(),
        terminal_examples=(
            "--output credits.png",
            "--by week --since 90d --output credits.pdf",
            "--on 2026-11 --output november.png",
            "--forecast --output credits.svg",
        ),
    ),
    Command(
        "forecast",
        "Tell from the log when the balance will be empty, and how sure that is.",
        ("", "-o org-1234"),
        log_commands.forecast,
        (_ORGANIZATIONS, _LOCAL),
    ),
    Command(
        "prices",
        "Show what each operation costs, since when, and who says so; nobody is asked.",
        ("", "ultra core", "--on 2025-07-31", "--since all"),
        cost_commands.prices,
        (
            Argument(
                ("operations",),
                {"metavar": "OPERATION", "nargs": "*", "help": "only this one, or these"},
            ),
            Argument(
                ("--since",),
                {"metavar": "WHEN", "help": f"all prices from when on (today's): {WHEN_FORMS}"},
            ),
            Argument(
                ("--on",),
                {
                    "metavar": "PERIOD",
                    "help": f"the prices of a period, instead of --since: {PERIOD_FORMS}",
                },
            ),
            _LOCAL,
        ),
    ),
    Command(
        "estimate",
        "Tell what a job costs, what is left after it, and how much sooner it is empty.",
        ("40 ultra + 12 creative-upscale", "6 ultra -o org-1234"),
        cost_commands.estimate,
        (
            Argument(
                ("job",),
                {
                    "metavar": "JOB",
                    "nargs": "+",
                    "help": "operations with their number in front, joined by +",
                },
            ),
            _ORGANIZATIONS,
            _LOCAL,
        ),
    ),
    Command(
        "budget",
        "Keep a budget for each day, week or month, and show what is left of it.",
        ("", "500 --every week", "20usd --every month -o org-1234", "--check", "--remove"),
        budget_commands.budget,
        (
            Argument(
                ("amount",),
                {
                    "metavar": "N",
                    "nargs": "?",
                    "help": "what may be spent: credits (500) or US dollars (20usd)",
                },
            ),
            Argument(
                ("--every",),
                {"choices": BUDGET_PERIODS, "help": "how often: each day, week or month"},
            ),
            Argument(
                ("--check",),
                {"action": "store_true", "help": "fail where more was spent than may be"},
            ),
            Argument(("--remove",), {"action": "store_true", "help": "take the budget away"}),
            _ORGANIZATIONS,
            Argument(("-a", "--all"), {"action": "store_true", "help": "all organizations"}),
            _LOCAL,
        ),
    ),
    Command(
        "cost",
        "Tell and log what the cell below costs: the balance is read before and after it.",
        ("", "render", "render --max 200", "'night batch' -o org-1234 --settle 5"),
        service_commands.cost,
        (
            _LABEL,
            Argument(
                ("--max",),
                {
                    "metavar": "N",
                    "help": "interrupt the cell when so much is spent: credits (200) or US dollars"
                    " (2usd)",
                },
            ),
            Argument(
                ("--fail-closed",),
                {
                    "action": "store_true",
                    "help": "with --max: also when the balance could not be read for 30 seconds",
                },
            ),
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
        only_in="magic",
        is_cell_magic=True,
    ),
    Command(
        "costs",
        "Show what the cells cost, from the log.",
        ("", "render --since 7d", "--summary"),
        cost_commands.costs,
        (
            _ONLY_LABEL,
            _SINCE,
            _ON,
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
        "team",
        "Show who spent what: member, host and label of cells, and what was elsewhere.",
        ("", "--since 7d", "--on 'last month'", "-o org-1234"),
        cost_commands.team,
        (
            _ORGANIZATIONS,
            Argument(
                ("--since",),
                {
                    "metavar": "WHEN",
                    "help": f"from the day on in which WHEN lies (30d): {WHEN_FORMS}",
                },
            ),
            _UNTIL,
            _ON,
            _LOCAL,
        ),
    ),
    Command(
        "watch",
        "Take readings at regular times, until it is stopped.",
        ("", "--every 1h -a"),
        service_commands.watch,
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
                only_in="magic",
            ),
            Argument(
                ("--status",), {"action": "store_true", "help": "how it stands"}, only_in="magic"
            ),
            Argument(("--stop",), {"action": "store_true", "help": "end it"}, only_in="magic"),
        ),
        formats=(),
    ),
    Command(
        "notify",
        "List, try or use the ways in which you are told of low credits and more.",
        ("--test", "--digest daily"),
        notify_commands.notify,
        (
            Argument(("--test",), {"action": "store_true", "help": "send a test by each of them"}),
            Argument(
                ("--digest",),
                {
                    "choices": ("daily", "weekly"),
                    "help": "send what is left, what was spent yesterday or last week, and when it"
                    " is empty; once for each day or week",
                },
            ),
        ),
        formats=(),
    ),
    Command(
        "merge",
        "Take in the readings of other log files; repeating it does no harm.",
        ("laptop.db", "~/hub/log.db server.db"),
        log_commands.merge,
        (Argument(("paths",), {"metavar": "PATH", "nargs": "+", "help": "a log's file"}),),
    ),
    Command(
        "sync",
        "Send the shared log what it lacks; repeating it does no harm.",
        ("", "--again"),
        log_commands.sync,
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
        "check",
        "Look at key, service, clock, network and logs, in lines that are safe to paste.",
        ("",),
        service_commands.check,
        formats=(),
    ),
    Command(
        "login",
        "Ask for the API key without showing it, and hold it for the session or save it.",
        ("", "--save", "--from STABILITY_KEY"),
        service_commands.login,
        (
            Argument(
                ("--from",),
                {
                    "metavar": "NAME",
                    "dest": "variable",
                    "help": "take it from a variable of this notebook instead of asking",
                },
                only_in="magic",
            ),
            # Taken to be refused without being repeated.
            Argument(("words",), {"nargs": "*", "help": argparse.SUPPRESS}),
            Argument(
                ("--save",),
                {"action": "store_true", "help": "keep it in the system's keyring as well"},
            ),
            Argument(
                ("--plain-file",),
                {
                    "action": "store_true",
                    "help": "with --save, also where the keyring is only a file that is not"
                    " encrypted",
                },
            ),
        ),
        formats=(),
        terminal_examples=("--save",),
    ),
    Command(
        "demo",
        "Try everything without a key, on simulated figures and with a log of its own.",
        ("",),
        service_commands.demo,
        (
            Argument(
                ("--spend",),
                {
                    "metavar": "CREDITS",
                    "help": "spend simulated credits, as your own code would",
                },
                only_in="magic",
            ),
            Argument(
                ("--stop",),
                {"action": "store_true", "help": "go back to the real service and log"},
                only_in="magic",
            ),
            Argument(
                ("--folder",),
                {
                    "metavar": "DIR",
                    "default": "stability-magic-demo",
                    "help": "where the demo's log and picture go (stability-magic-demo)",
                },
                only_in="command line",
            ),
            Argument(
                ("--serve",),
                {
                    "action": "store_true",
                    "help": "keep the simulator for other commands, until Ctrl-C",
                },
                only_in="command line",
            ),
        ),
        formats=(),
        terminal_examples=("", "--serve"),
    ),
)
