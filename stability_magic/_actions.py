"""What each command does: a session and its arguments in, an outcome out."""

from __future__ import annotations

import argparse
import dataclasses
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from ._errors import ApiError, BadArgument, SettingsError, StabilityMagicError
from ._settings import KEY_VARIABLE
from ._when import first_of, parse_when

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from ._log import Entry
    from ._session import Session

__all__ = ["Outcome", "account", "balance", "demo", "forecast", "history", "login", "plot", "usage"]


_PICTURES = (".png", ".svg", ".pdf")


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a command answers.

    Attributes:
        lines: The answer in a line, or one for each organization.
        frame: The table.
        figure: The picture.
        error: What went wrong with a part of it; raised when the rest has been shown.
    """

    lines: tuple[str, ...] = ()
    frame: pd.DataFrame | None = None
    figure: Figure | None = None
    error: StabilityMagicError | None = None


def account(session: Session, arguments: argparse.Namespace) -> Outcome:
    from ._frames import organizations_frame
    from ._lines import account_line

    account = session.account()
    frame = organizations_frame(account, show_email=arguments.show_email)
    return Outcome((account_line(account),), frame)


def balance(session: Session, arguments: argparse.Namespace) -> Outcome:
    from ._forecast import forecast as run_out
    from ._lines import balance_line

    settings = session.settings
    since = parse_when(arguments.since, now=settings.now())
    wanted = _asked_for(session, arguments)
    entries, errors = session.take(wanted, label=arguments.label, logged=not arguments.no_log)
    error = _one_error(errors, len(wanted))
    if error and not entries:
        raise error
    # The forecast looks further back than the frame may.
    back = _lookback(settings.now())
    begin = None if since is None else min(since, back)
    readings = session.readings_with(entries, begin, logged=not arguments.no_log)
    lines = tuple(
        balance_line(
            _of_one(readings, each),
            now=settings.now(),
            usd_per_credit=settings.usd_per_credit,
            low_balance=settings.low_balance,
            outlook=run_out(_of_one(readings.iloc[_begin(readings, back) :], each)),
        )
        for each in entries
    )
    return Outcome(lines, _from(readings, since), error=error)


def _of_one(readings: pd.DataFrame, last: Entry) -> pd.DataFrame:
    """One organization's readings up to an entry; a clock that was set back hides none."""
    import pandas as pd

    at = pd.Timestamp(last.read_at, unit="us", tz="UTC")
    until = readings.iloc[: readings.index.searchsorted(at, side="right")]
    return until[until["organization"] == last.organization]


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


def history(session: Session, arguments: argparse.Namespace) -> Outcome:
    from ._lines import history_line

    since, until = _window(session, arguments)
    frame = _from(_logged(session, arguments, since, until), since, until)
    return Outcome((history_line(frame, session.settings.now()),), frame)


def usage(session: Session, arguments: argparse.Namespace) -> Outcome:
    from ._lines import usage_line
    from ._spend import usage_between

    since, until = _window(session, arguments)
    # What is usual around the window tells what a top-up in it likely hid.
    frame = usage_between(
        _logged(session, arguments, *_around(since, until)),
        arguments.by,
        since=since,
        until=until,
        usd_per_credit=session.settings.usd_per_credit,
    )
    return Outcome((usage_line(frame, session.settings.now()),), frame)


def forecast(session: Session, arguments: argparse.Namespace) -> Outcome:
    from ._forecast import forecast as run_out
    from ._lines import forecast_line

    now = session.settings.now()
    frame = run_out(_logged(session, arguments, _lookback(now), None), now=now)
    return Outcome(tuple(forecast_line(row, now) for _, row in frame.iterrows()), frame)


def plot(session: Session, arguments: argparse.Namespace) -> Outcome:
    from ._plot import plot_usage

    target = Path(arguments.output) if arguments.output else None
    if target is None and session.source == "cli":
        raise BadArgument("where to? Add --output FILE.png, .svg or .pdf.")
    if target and target.suffix.lower() not in _PICTURES:
        raise BadArgument(f"a picture's name ends in {', '.join(_PICTURES)}; {target} does not.")
    since, until = _window(session, arguments)
    readings = _logged(session, arguments, since, until)
    now = session.settings.now()
    if until is not None and (since is None or since < now):
        # In the future nobody could look; that is no gap.
        until = min(until, now)
    if arguments.since is None and len(readings):
        # Nor did anybody ask for the time before the first reading.
        first = readings.index[0].to_pydatetime()
        since = first if since < first < (until or now) else since
    figure = plot_usage(
        readings, arguments.by, since=since, until=until, forecast=arguments.forecast
    )
    if target is None:
        return Outcome(figure=figure)
    try:
        figure.savefig(target, dpi=150)
    except OSError as error:
        raise SettingsError(f"{target} could not be written: {error.strerror}.") from error
    return Outcome((f"the picture is in {target}",), figure=figure)


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


def _window(
    session: Session, arguments: argparse.Namespace
) -> tuple[datetime | None, datetime | None]:
    """Since and until, of which either can be open; a screenful where no since is given."""
    now = session.settings.now()
    until = None if arguments.until is None else parse_when(arguments.until, now=now, end=True)
    if arguments.since is None:
        end = now if until is None else min(until, now)
        since: datetime | None = first_of(getattr(arguments, "by", "day"), end)
    else:
        since = parse_when(arguments.since, now=now)
    if since is not None and until is not None and since >= until:
        raise BadArgument(
            f"since ({since:%Y-%m-%d %H:%M}) is not before until ({until:%Y-%m-%d %H:%M})."
        )
    return since, until


def _logged(
    session: Session,
    arguments: argparse.Namespace,
    since: datetime | None,
    until: datetime | None,
) -> pd.DataFrame:
    """The log's readings of the organizations that were named, or of all."""
    if arguments.organization:
        known = session.log().organizations()
        for each in arguments.organization:
            if each not in known:
                there = ", ".join(known) or "none yet"
                raise BadArgument(f"the log has no organization {each!r}; it has: {there}.")
    readings = session.readings(arguments.organization, since, until)
    # A window holds the readings next to it too, so nothing means that nothing is there.
    if readings.empty:
        session.notes.append(
            f"There are no readings in {session.log().path} yet; %stability_balance takes one."
        )
    return readings


def _lookback(now: datetime) -> datetime:
    """How far back readings are fetched for a forecast: four weeks, and some without readings."""
    return now - timedelta(days=60)


def _around(
    since: datetime | None, until: datetime | None
) -> tuple[datetime | None, datetime | None]:
    """A window with four weeks more on either side."""
    weeks = timedelta(weeks=4)
    try:
        return since and since - weeks, until and until + weeks
    except OverflowError:
        return None, None


def _begin(readings: pd.DataFrame, since: datetime) -> int:
    return int(readings.index.searchsorted(since))


def _from(
    readings: pd.DataFrame, since: datetime | None, until: datetime | None = None
) -> pd.DataFrame:
    """A readings frame without the readings next to the window."""
    begin = 0 if since is None else _begin(readings, since)
    end = len(readings) if until is None else readings.index.searchsorted(until)
    return readings.iloc[begin:end]
