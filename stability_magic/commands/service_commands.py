"""The commands that use the service: a session and its arguments in, an outcome out."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ApiError, BadArgument, LogError, SettingsError, StabilityMagicError
from ..keys import KEY_IS_HELD, KEY_VARIABLE
from ..when import parse_interval, parse_when
from .outcome import Outcome

if TYPE_CHECKING:
    from ..analysis.budgets import BudgetSpend
    from ..analysis.series import Histories
    from ..log.entries import Entry
    from ..session.session import Session

__all__ = ["account", "balance", "check", "cost", "demo", "login", "watch"]

_FAIL_OPEN_NOTE = "Going on without knowing what is left, as --fail-open says."
_LONGEST_SETTLE = 600  # seconds


def account(session: Session, arguments: argparse.Namespace) -> Outcome:
    from ..analysis.frames import organizations_frame
    from ..display.lines import account_line

    account = session.account()
    frame = organizations_frame(account, show_email=arguments.show_email)
    return Outcome((account_line(account),), frame)


def balance(session: Session, arguments: argparse.Namespace) -> Outcome:
    from ..session.guard import low_balance_error, parse_requirement

    required = None
    if arguments.require is not None:
        settings = session.settings
        required = parse_requirement(
            arguments.require,
            settings.usd_per_credit,
            settings.price_list,
            settings.now().date(),
        )
    elif arguments.fail_open:
        raise BadArgument("--fail-open says what --require does when it cannot tell; add it.")
    try:
        outcome, latest_histories = _read_balances(session, arguments)
    except StabilityMagicError as error:
        if not arguments.fail_open:
            raise
        session.notes.append(f"{type(error).__name__}: {error} {_FAIL_OPEN_NOTE}")
        return Outcome()
    if required is None:
        return outcome
    if outcome.error is not None and arguments.fail_open:
        session.notes.append(f"{type(outcome.error).__name__}: {outcome.error} {_FAIL_OPEN_NOTE}")
        outcome = dataclasses.replace(outcome, error=None)
    usd_per_credit = session.settings.usd_per_credit
    for number, each in enumerate(latest_histories):
        # A low balance is certain, even if another organization could not be read.
        left = float(each.series[0].credits[-1])
        low_error = low_balance_error(
            each.names[0], left, required.credits, usd_per_credit, required.job
        )
        if low_error is not None:
            # The error tells this balance, so that its line is left out.
            lines = outcome.lines[:number] + outcome.lines[number + 1 :]
            return dataclasses.replace(outcome, lines=lines, error=low_error)
    return outcome


def _read_balances(
    session: Session, arguments: argparse.Namespace
) -> tuple[Outcome, list[Histories]]:
    """The outcome, and for each organization its history up to the new reading."""
    from ..analysis.doubtful import doubt_of_newest
    from ..analysis.forecast import forecast_of
    from ..analysis.frames import mark
    from ..analysis.windows import clip_to_window
    from ..display.lines import balance_line

    settings = session.settings
    since = parse_when(arguments.since, now=settings.now())
    # What cannot be used fails here, before anything is asked.
    next_job, low_level = settings.next_job(), settings.low_level()
    should_log = not arguments.no_log
    organizations = _requested_organizations(session, arguments)
    entries, errors = session.take_readings(
        organizations, label=arguments.label, should_log=should_log
    )
    error = _combine_errors(errors, len(organizations))
    if error and not entries:
        raise error
    latest = session.journal.latest(
        entries,
        since,
        should_log=should_log,
        hosts=arguments.host,
        names=session.organization_names,
    )
    mark(latest.readings, "balance with host" if arguments.host else "balance")
    budgets = _budgets(session, entries, should_log)
    lines = tuple(
        balance_line(
            each,
            now=settings.now(),
            usd_per_credit=settings.usd_per_credit,
            low_balance=low_level,
            outlook=forecast_of(each, empty_below=settings.empty_level()),
            doubt=doubt_of_newest(each.series[0].times, each.series[0].credits),
            next_job=next_job,
            budgets=[one for one in budgets if one.organization == each.organizations[0]],
        )
        for each in latest.histories
    )
    outcome = Outcome(
        lines,
        clip_to_window(latest.readings, since),
        error=error,
        card=partial(_make_card, session, entries, should_log),
    )
    return outcome, latest.histories


def _budgets(session: Session, entries: Sequence[Entry], should_log: bool) -> list[BudgetSpend]:
    """What was spent of the budgets of the organizations that were read."""
    from ..session.budgets import spends_of_budgets

    settings = session.settings
    try:
        return spends_of_budgets(
            session.journal,
            [each.organization for each in entries],
            settings.now(),
            settings.zone(),
            extra=() if should_log else entries,
        )
    except LogError:
        # There is a warning already, and the rest of the line says the most important.
        return []


def _make_card(session: Session, entries: Sequence[Entry], should_log: bool) -> str:
    """The HTML of the organizations that were read; empty where the log cannot be read."""
    from ..display.card import balance_card
    from ..session.summary import summarize

    settings = session.settings
    now = settings.now()
    try:
        summaries = summarize(
            session.journal,
            [each.organization for each in entries],
            now,
            settings.zone(),
            usd_per_credit=settings.usd_per_credit,
            # The card tells what was seen alone.
            topup_step=None,
            extra=() if should_log else entries,
            next_job=settings.next_job(),
        )
    except LogError:
        # There is a warning already, and the line says the most important.
        return ""
    return balance_card(
        summaries,
        now,
        usd_per_credit=settings.usd_per_credit,
        low_balance=settings.low_level(),
    )


def _requested_organizations(session: Session, arguments: argparse.Namespace) -> list[str | None]:
    """The organizations to read; None is the key's default."""
    if not arguments.all:
        return list(dict.fromkeys(arguments.organization or [session.organization]))
    if arguments.organization:
        raise BadArgument("-a asks for all organizations; leave out -o, or -a.")
    organizations: list[str | None] = [each.id for each in session.account().organizations]
    if not organizations:
        raise ApiError("The account has no organizations, so there is no balance to read.")
    return organizations


def _combine_errors(
    errors: list[StabilityMagicError], requested: int
) -> StabilityMagicError | None:
    """One error that names all of them, of so many requested organizations; None for none."""
    if len(errors) < 2:
        return errors[0] if errors else None
    messages = " ".join(str(each) for each in errors)
    return ApiError(f"{len(errors)} of {requested} organizations could not be read. {messages}")


def cost(session: Session, arguments: argparse.Namespace) -> Outcome:
    from ..session.cell_cost import CellCostMeter
    from ..session.guard import parse_cap
    from ..session.spending_cap import SpendingCap, check_can_be_capped

    settle = _parse_settle(arguments.settle)
    cap = None
    if arguments.max is not None:
        cap = parse_cap(arguments.max, session.settings.usd_per_credit)
        check_can_be_capped()
    elif arguments.fail_closed:
        raise BadArgument("--fail-closed says what --max does when it cannot tell; add it.")
    organization = arguments.organization or session.organization
    meter = CellCostMeter(session, organization, label=arguments.label or None, settle=settle)
    if cap is None:
        return Outcome(cost_meter=meter)
    fail_closed = arguments.fail_closed
    return Outcome(
        cost_meter=meter,
        spending_cap=SpendingCap(session, meter, cap, fail_closed=fail_closed),
    )


def _parse_settle(text: str) -> float:
    try:
        seconds = float(text.removesuffix("s"))
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= _LONGEST_SETTLE:
        raise BadArgument(
            f"--settle {text!r} is no number of seconds; use one from 0 to {_LONGEST_SETTLE}."
        )
    return seconds


def watch(session: Session, arguments: argparse.Namespace) -> Outcome:
    from ..session.watch import Watch, status_frame

    stop, status = (getattr(arguments, each, False) for each in ("stop", "status"))
    if stop and status:
        raise BadArgument("--status tells how the watch stands and --stop ends it; use one.")
    if stop or status:
        running_watch = session.watch if session.watch and session.watch.is_running else None
        if stop:
            session.watch = None
        frame = status_frame(session.watch, session.settings.zone())
        if running_watch is None:
            return Outcome(("no watch is running",), frame)
        return Outcome(tuple(running_watch.lines()), frame)
    interval = parse_interval(arguments.every)
    # Unusable settings fail here, and not in a watch that could never succeed.
    session.client(), session.log(), session.settings.low_level()
    organizations = _requested_organizations(session, arguments)
    has_picture = getattr(arguments, "plot", False)
    session.watch = Watch(session, organizations, interval, has_picture=has_picture)
    return Outcome(watch=session.watch)


def check(session: Session, arguments: argparse.Namespace) -> Outcome:  # noqa: ARG001
    from ..session.check import run_checks

    return Outcome(checks=tuple(run_checks(session)))


def login(session: Session, arguments: argparse.Namespace) -> Outcome:
    from ..api.validation import validate_key
    from ..session.namespace import key_of_variable

    if arguments.words:
        raise BadArgument(
            "a key is not written here, where a notebook or a shell would keep it; without words"
            " after the command it is asked for."
        )
    if session.source == "cli" and not arguments.save:
        raise BadArgument("a key held for the session ends with this command; add --save.")
    if arguments.plain_file and not arguments.save:
        raise BadArgument("--plain-file says where --save may keep the key; add --save.")
    name = getattr(arguments, "variable", None)
    if name is None:
        key = validate_key(_ask_for_key())
        session.keys.hold(key)
        line = "the key is held"
    else:
        key = validate_key(key_of_variable(session.namespace, name))
        session.keys.hold(key, f"%stability_login --from {name}")
        line = f"the key in {name} is held"
    if arguments.save:
        try:
            keeper = session.keys.save(key, in_plain_file=arguments.plain_file)
        except SettingsError as error:
            if session.source != "cli":
                raise
            # A command's session ends with it.
            raise SettingsError(str(error).removesuffix(KEY_IS_HELD)) from None
        line = f"the key is saved in the keyring ({keeper})"
    if session.keys.find() != key:
        first = next(iter(session.keys.environment_keys()))
        session.notes.append(f"{first} is set in the environment and goes before this key.")
    return Outcome((line,))


def _ask_for_key() -> str:
    import getpass
    import warnings

    try:
        with warnings.catch_warnings():
            # It warns when it cannot hide the input; then the key must not be typed.
            warnings.simplefilter("error", getpass.GetPassWarning)
            return getpass.getpass("Stability AI API key: ")
    except (EOFError, NotImplementedError, getpass.GetPassWarning):
        raise SettingsError(
            f"The key cannot be asked for here without showing it; set {KEY_VARIABLE} instead."
        ) from None


def demo(session: Session, arguments: argparse.Namespace) -> Outcome:
    from ..session.demo import DAYS, Demo

    if getattr(arguments, "spend", None) is not None:
        return _spend_simulated_credits(session, arguments.spend)
    if getattr(arguments, "stop", False) and session.demo is None:
        return Outcome(("no demo is running; the service and the log are the real ones",))
    if session.watch is not None:
        session.watch = None
        session.notes.append("The watch was stopped: its readings were of another service.")
    session.end_demo()
    if getattr(arguments, "stop", False):
        return Outcome(("the demo has ended; the service and the log are the real ones again",))
    folder = getattr(arguments, "folder", None)
    session.demo = Demo(None if folder is None else Path(folder))
    return Outcome(
        (
            "SIMULATED: from here on all figures are made up by a simulator on this machine.",
            f"A log of its own holds {DAYS} days of simulated readings.",
        )
    )


def _spend_simulated_credits(session: Session, text: str) -> Outcome:
    from ..display.wording import credits_text

    if session.demo is None:
        raise BadArgument("--spend spends simulated credits; start the demo first.")
    try:
        credits = float(text)
        session.demo.spend(credits)
    except ValueError as error:
        raise BadArgument(f"--spend {text!r} cannot be spent: {error}.") from None
    return Outcome((f"SIMULATED: {credits_text(credits)} credits spent",))
