"""What the commands do that look into the log: a session and its arguments in, an outcome out."""

from __future__ import annotations

import argparse
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from ._errors import BadArgument, LogError, SettingsError
from ._outcome import Outcome
from ._readings import microseconds
from ._when import first_of, parse_when
from ._windows import around, lookback, within

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from ._session import Session
    from ._watch import Watch

__all__ = ["costs", "forecast", "history", "merge", "plot", "usage", "watch_picture"]

_PICTURES = (".png", ".svg", ".pdf")


def history(session: Session, arguments: argparse.Namespace) -> Outcome:
    from ._lines import history_line

    since, until = _window(session, arguments)
    readings = _logged(session, arguments, since, until, hosts=arguments.host)
    frame = within(readings, since, until)
    return Outcome((history_line(frame, session.settings.now()),), frame)


def usage(session: Session, arguments: argparse.Namespace) -> Outcome:
    from ._lines import usage_line
    from ._spend import usage_between

    since, until = _window(session, arguments)
    # What is usual around the window tells what a top-up in it likely hid.
    frame = usage_between(
        _logged(session, arguments, *around(since, until)),
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
    frame = run_out(_logged(session, arguments, lookback(now), None), now=now)
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
        readings,
        arguments.by,
        since=since,
        until=until,
        forecast=arguments.forecast,
        low_balance=session.settings.low_balance,
    )
    if target is None:
        return Outcome(figure=figure)
    try:
        figure.savefig(target, dpi=150)
    except OSError as error:
        raise SettingsError(f"{target} could not be written: {error.strerror}.") from error
    return Outcome((f"the picture is in {target}",), figure=figure)


def costs(session: Session, arguments: argparse.Namespace) -> Outcome:
    from ._balances import balances
    from ._costs import costs_frame, overlapped, summary_frame
    from ._lines import costs_line

    settings = session.settings
    since, _ = _window(session, arguments)
    every = session.journal.costs()
    frame = costs_frame(every, overlapped(every), settings.zone(), settings.usd_per_credit)
    if since is not None:
        frame = frame[frame["started_at"] >= since]
    everywhere = list(frame["organization"].unique())
    if arguments.label is not None:
        frame = frame[frame["label"] == arguments.label]
    frame = frame.reset_index(drop=True)
    lines = (costs_line(frame, settings.now()),)
    if not arguments.summary:
        return Outcome(lines, frame)
    readings = balances(session.journal.readings(everywhere or None, since))
    window = (_LONG_AGO if since is None else microseconds(since), microseconds(settings.now()))
    return Outcome(lines, summary_frame(frame, readings, every, window, settings.usd_per_credit))


def merge(session: Session, arguments: argparse.Namespace) -> Outcome:
    from ._frames import frame_of_rows
    from ._lines import counts_line

    rows, errors = [], []
    for path in (Path(each).expanduser() for each in arguments.paths):
        try:
            rows.append((str(path), *session.merge(path)))
        except LogError as error:
            # A file that cannot be used keeps no other one from being taken in.
            errors.append(error)
    frame = frame_of_rows("counts", rows, session.settings.zone())
    lines = (counts_line(frame, "merged"),) if rows else ()
    if len(errors) > 1:
        told = " ".join(str(each) for each in errors)
        errors = [LogError(f"{len(errors)} files could not be merged. {told}", path=errors[0].path)]
    if errors and not rows:
        raise errors[0]
    return Outcome(lines, frame, error=errors[0] if errors else None)


def watch_picture(session: Session, watch: Watch) -> Figure:
    """The balances of what is watched, from a day before the watch began."""
    from ._plot import plot_usage

    since = min(each.since for each in watch.watched) - timedelta(days=1)
    since = since.astimezone(session.settings.zone())
    readings = session.journal.readings([each.organization or "" for each in watch.watched], since)
    if len(readings):
        since = max(since, readings.index[0].to_pydatetime())
    return plot_usage(readings, "hour", since=since, low_balance=session.settings.low_balance)


# Before any reading, in microseconds.
_LONG_AGO = -(2**62)


def _window(
    session: Session, arguments: argparse.Namespace
) -> tuple[datetime | None, datetime | None]:
    """Since and until, of which either can be open; a screenful where no since is given."""
    now = session.settings.now()
    said = getattr(arguments, "until", None)
    until = None if said is None else parse_when(said, now=now, end=True)
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
    *,
    hosts: bool = False,
) -> pd.DataFrame:
    """The log's readings of the organizations that were named, or of all."""
    if arguments.organization:
        known = session.log().organizations()
        for each in arguments.organization:
            if each not in known:
                there = ", ".join(known) or "none yet"
                raise BadArgument(f"the log has no organization {each!r}; it has: {there}.")
    readings = session.journal.readings(arguments.organization, since, until, hosts=hosts)
    # A window holds the readings next to it too, so nothing means that nothing is there.
    if readings.empty:
        session.notes.append(
            f"There are no readings in {session.log().path} yet; %stability_balance takes one."
        )
    return readings
