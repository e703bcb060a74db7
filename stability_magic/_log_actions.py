"""What the commands do that look into the log: a session and its arguments in, an outcome out."""

from __future__ import annotations

import argparse
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from ._errors import BadArgument, LogError, SettingsError
from ._outcome import Outcome
from ._readings import instant, microseconds
from ._settings import placed
from ._when import first_of, parse_when
from ._windows import around, lookback, within

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.figure import Figure

    from ._balances import Balances, Marks
    from ._session import Session
    from ._watch import Watch

__all__ = ["costs", "forecast", "history", "merge", "plot", "sync", "usage", "watch_picture"]

Result = TypeVar("Result")

_PICTURES = (".png", ".svg", ".pdf")


def history(session: Session, arguments: argparse.Namespace) -> Outcome:
    from ._lines import history_line

    since, until = _window(session, arguments)
    _check_organizations(session, arguments)
    readings = session.journal.readings(
        arguments.organization, since, until, hosts=arguments.host, local=arguments.local
    )
    # A window holds the readings next to it too, so nothing means that nothing is there.
    if readings.empty:
        _say_that_there_are_none(session, arguments)
    frame = within(readings, since, until)
    return Outcome((history_line(frame, session.settings.now()),), frame)


def usage(session: Session, arguments: argparse.Namespace) -> Outcome:
    from ._lines import usage_line
    from ._spend import usage_marks, usage_of

    settings = session.settings
    since, until = _window(session, arguments)
    frame = _computed(
        session,
        arguments,
        partial(
            usage_of,
            by=arguments.by,
            since=since,
            until=until,
            usd_per_credit=settings.usd_per_credit,
        ),
        # What is usual around the window tells what a top-up in it likely hid.
        *around(since, until),
        marks=usage_marks(arguments.by, settings.zone(), since, until),
    )
    return Outcome((usage_line(frame, settings.now()),), frame)


def forecast(session: Session, arguments: argparse.Namespace) -> Outcome:
    from ._forecast import forecast_marks, forecast_of
    from ._lines import forecast_line

    now = session.settings.now()
    frame = _computed(
        session,
        arguments,
        partial(forecast_of, now=now),
        lookback(now),
        now + timedelta(microseconds=1),
        marks=forecast_marks,
        after=False,
    )
    return Outcome(tuple(forecast_line(row, now) for _, row in frame.iterrows()), frame)


def plot(session: Session, arguments: argparse.Namespace) -> Outcome:
    from ._panels import picture_marks

    target = placed(arguments.output) if arguments.output else None
    if target is None and session.source == "cli":
        raise BadArgument("where to? Add --output FILE.png, .svg or .pdf.")
    if target and target.suffix.lower() not in _PICTURES:
        raise BadArgument(f"a picture's name ends in {', '.join(_PICTURES)}; {target} does not.")
    since, until = _window(session, arguments)
    zone = session.settings.zone()
    figure = _computed(
        session,
        arguments,
        partial(_drawn, session, arguments, since, until),
        since,
        until,
        marks=picture_marks(arguments.by, zone, since, until, forecast=arguments.forecast),
    )
    if target is None:
        return Outcome(figure=figure)
    try:
        figure.savefig(target, dpi=150)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise SettingsError(f"{target} could not be written: {why}.") from error
    return Outcome((f"the picture is in {target}",), figure=figure)


def _drawn(
    session: Session,
    arguments: argparse.Namespace,
    since: datetime | None,
    until: datetime | None,
    whole: Balances,
) -> Figure:
    from ._plot import usage_picture

    now = session.settings.now()
    if until is not None and (since is None or since < now):
        # In the future nobody could look; that is no gap.
        until = min(until, now)
    if arguments.since is None and whole.series:
        # Nor did anybody ask for the time before the first reading.
        first = instant(whole.first).astimezone(now.tzinfo)
        since = first if since is not None and since < first < (until or now) else since
    return usage_picture(
        whole,
        arguments.by,
        since=since,
        until=until,
        forecast=arguments.forecast,
        low_balance=session.settings.low_balance,
    )


def costs(session: Session, arguments: argparse.Namespace) -> Outcome:
    from ._costs import cell_marks, costs_frame, overlapped, summary_frame
    from ._lines import costs_line

    settings = session.settings
    since, _ = _window(session, arguments)
    every = session.journal.costs(local=arguments.local)
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
    window = (_LONG_AGO if since is None else microseconds(since), microseconds(settings.now()))
    summary = session.journal.computed(
        lambda whole: summary_frame(frame, whole, every, window, settings.usd_per_credit),
        everywhere or None,
        since,
        marks=cell_marks(every, window),
        local=arguments.local,
    )
    return Outcome(lines, summary)


def merge(session: Session, arguments: argparse.Namespace) -> Outcome:
    from ._frames import frame_of_rows
    from ._lines import counts_line

    rows, errors = [], []
    for path in map(placed, arguments.paths):
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


def sync(session: Session, arguments: argparse.Namespace) -> Outcome:
    from ._frames import frame_of_rows
    from ._lines import count, counts_line

    address, sent, lacking = session.sync(again=arguments.again)
    frame = frame_of_rows("counts", [(address, *sent)], session.settings.zone())
    if lacking.unknown:
        session.notes.append(
            f"{count(lacking.unknown, 'reading')} cannot be sent: whose they are is not known yet."
            " %stability_account tells, with the key that took them."
        )
    return Outcome((counts_line(frame, f"sent to {address}"),), frame)


def watch_picture(session: Session, watch: Watch) -> Figure:
    """The balances of what is watched, from a day before the watch began."""
    from ._panels import picture_marks
    from ._plot import usage_picture

    settings = session.settings
    zone = settings.zone()
    since = min(each.since for each in watch.watched) - timedelta(days=1)

    def drawn(whole: Balances) -> Figure:
        begin = max(since, instant(whole.first)) if whole.series else since
        return usage_picture(
            whole, "hour", since=begin.astimezone(zone), low_balance=settings.low_balance
        )

    return session.journal.computed(
        drawn,
        [each.organization or "" for each in watch.watched],
        since,
        marks=picture_marks("hour", zone, since, None, forecast=False),
    )


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


def _computed(
    session: Session,
    arguments: argparse.Namespace,
    compute: Callable[[Balances], Result],
    since: datetime | None,
    until: datetime | None,
    *,
    marks: Marks,
    after: bool = True,
) -> Result:
    """What is computed of the readings of the organizations that were named, or of all."""
    _check_organizations(session, arguments)
    empty = False

    def told(whole: Balances) -> Result:
        nonlocal empty
        empty = not whole.series
        return compute(whole)

    result = session.journal.computed(
        told,
        arguments.organization,
        since,
        until,
        marks=marks,
        after=after,
        local=arguments.local,
    )
    if empty:
        _say_that_there_are_none(session, arguments)
    return result


def _check_organizations(session: Session, arguments: argparse.Namespace) -> None:
    if not arguments.organization:
        return
    known = session.journal.organizations(local=arguments.local)
    for each in arguments.organization:
        if each not in known:
            there = ", ".join(known) or "none yet"
            raise BadArgument(f"the log has no organization {each!r}; it has: {there}.")


def _say_that_there_are_none(session: Session, arguments: argparse.Namespace) -> None:
    asked = session.journal.asked(local=arguments.local)
    session.notes.append(f"There are no readings in {asked} yet; %stability_balance takes one.")
