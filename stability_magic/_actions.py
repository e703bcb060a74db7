"""What the commands do that ask the service: a session and its arguments in, an outcome out."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from ._errors import ApiError, BadArgument, SettingsError, StabilityMagicError
from ._outcome import Outcome
from ._settings import KEY_VARIABLE
from ._when import parse_every, parse_when
from ._windows import within

if TYPE_CHECKING:
    from ._balances import Balances
    from ._session import Session

__all__ = ["account", "balance", "cost", "demo", "login", "watch"]


def account(session: Session, arguments: argparse.Namespace) -> Outcome:
    from ._frames import organizations_frame
    from ._lines import account_line

    account = session.account()
    frame = organizations_frame(account, show_email=arguments.show_email)
    return Outcome((account_line(account),), frame)


def balance(session: Session, arguments: argparse.Namespace) -> Outcome:
    from ._guard import required_credits, shortfall

    required = None
    if arguments.require is not None:
        required = required_credits(arguments.require, session.settings.usd_per_credit)
    elif arguments.fail_open:
        raise BadArgument("--fail-open says what --require does when it cannot tell; add it.")
    try:
        outcome, latest = _balance(session, arguments)
    except StabilityMagicError as error:
        if not arguments.fail_open:
            raise
        session.notes.append(f"{type(error).__name__}: {error} {_FAILED_OPEN}")
        return Outcome()
    if required is None:
        return outcome
    if outcome.error is not None and arguments.fail_open:
        session.notes.append(f"{type(outcome.error).__name__}: {outcome.error} {_FAILED_OPEN}")
        outcome = dataclasses.replace(outcome, error=None)
    usd_per_credit = session.settings.usd_per_credit
    for each in latest:
        # That one has too little is certain, whatever could not be read of another.
        left = float(each.series[0].credits[-1])
        if low := shortfall(each.names[0], left, required, usd_per_credit):
            return dataclasses.replace(outcome, error=low)
    return outcome


_FAILED_OPEN = "Going on without knowing what is left, as --fail-open says."


def _balance(session: Session, arguments: argparse.Namespace) -> tuple[Outcome, list[Balances]]:
    """The answer, and of each organization its readings up to the latest."""
    from ._forecast import forecast_of
    from ._lines import balance_line

    settings = session.settings
    since = parse_when(arguments.since, now=settings.now())
    wanted = _asked_for(session, arguments)
    entries, errors = session.take(wanted, label=arguments.label, logged=not arguments.no_log)
    error = _one_error(errors, len(wanted))
    if error and not entries:
        raise error
    latest = session.journal.latest(
        entries,
        since,
        logged=not arguments.no_log,
        hosts=arguments.host,
        names=session.whose.names,
    )
    lines = tuple(
        balance_line(
            each,
            now=settings.now(),
            usd_per_credit=settings.usd_per_credit,
            low_balance=settings.low_balance,
            outlook=forecast_of(each),
        )
        for each in latest.balances
    )
    return Outcome(lines, within(latest.readings, since), error=error), latest.balances


def _asked_for(session: Session, arguments: argparse.Namespace) -> list[str | None]:
    """The organizations whose balance is wanted; None is the key's default."""
    if not arguments.all:
        return list(dict.fromkeys(arguments.organization or [session.organization]))
    if arguments.organization:
        raise BadArgument("-a asks for all organizations; leave out -o, or -a.")
    organizations: list[str | None] = [each.id for each in session.account().organizations]
    if not organizations:
        raise ApiError("The account has no organizations, so there is no balance to read.")
    return organizations


def _one_error(errors: list[StabilityMagicError], asked: int) -> StabilityMagicError | None:
    if len(errors) < 2:
        return errors[0] if errors else None
    told = " ".join(str(each) for each in errors)
    return ApiError(f"{len(errors)} of {asked} organizations could not be read. {told}")


def cost(session: Session, arguments: argparse.Namespace) -> Outcome:
    from ._cell_cost import CellCost

    settle = _settle_seconds(arguments.settle)
    organization = arguments.organization or session.organization
    return Outcome(
        cost=CellCost(session, organization, label=arguments.label or None, settle=settle)
    )


def _settle_seconds(text: str) -> float:
    try:
        seconds = float(text.removesuffix("s"))
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= _LONGEST_SETTLE:
        raise BadArgument(
            f"--settle {text!r} is no number of seconds; use one from 0 to {_LONGEST_SETTLE}."
        )
    return seconds


_LONGEST_SETTLE = 600


def watch(session: Session, arguments: argparse.Namespace) -> Outcome:
    from ._watch import Watch, status_frame

    stop, status = (getattr(arguments, each, False) for each in ("stop", "status"))
    if stop and status:
        raise BadArgument("--status tells how the watch stands and --stop ends it; use one.")
    if stop or status:
        running = session.watch if session.watch and session.watch.running else None
        if stop:
            session.watch = None
        frame = status_frame(session.watch, session.settings.zone())
        return Outcome(
            ("no watch is running",) if running is None else tuple(running.lines()), frame
        )
    every = parse_every(arguments.every)
    # What is set up wrongly is told here, and not by a watch that never succeeds.
    session.client(), session.log()
    wanted = _asked_for(session, arguments)
    session.watch = Watch(session, wanted, every, plot=getattr(arguments, "plot", False))
    return Outcome(watch=session.watch)


def login(session: Session, arguments: argparse.Namespace) -> Outcome:
    from ._checks import checked_key

    if session.source == "cli" and not arguments.save:
        raise BadArgument("a key held for the session ends with this command; add --save.")
    key = checked_key(_ask_for_key())
    session.keys.hold(key)
    if arguments.save:
        session.keys.save(key)
    if session.keys.find() != key:
        session.notes.append(f"{KEY_VARIABLE} is set in the environment and goes before this key.")
    return Outcome(("the key is saved in the keyring" if arguments.save else "the key is held",))


def _ask_for_key() -> str:
    import getpass
    import warnings

    try:
        with warnings.catch_warnings():
            # It warns when it cannot hide what is typed; then nothing shall be typed.
            warnings.simplefilter("error", getpass.GetPassWarning)
            return getpass.getpass("Stability AI API key: ")
    except (EOFError, NotImplementedError, getpass.GetPassWarning):
        raise SettingsError(
            f"The key cannot be asked for here without showing it; set {KEY_VARIABLE} instead."
        ) from None


def demo(session: Session, arguments: argparse.Namespace) -> Outcome:
    from ._demo import DAYS, Demo

    if getattr(arguments, "spend", None) is not None:
        return _spend(session, arguments.spend)
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


def _spend(session: Session, text: str) -> Outcome:
    from ._lines import credits_text

    if session.demo is None:
        raise BadArgument("--spend spends simulated credits; start the demo first.")
    try:
        credits = float(text)
        session.demo.spend(credits)
    except ValueError as error:
        raise BadArgument(f"--spend {text!r} cannot be spent: {error}.") from None
    return Outcome((f"SIMULATED: {credits_text(credits)} credits spent",))
