"""The commands that read the log: a session and its arguments in, an outcome out."""

from __future__ import annotations

import argparse
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from ..errors import BadArgument, LogError, SettingsError
from ..models import from_microseconds
from ..settings import expand_path
from ..text import clean_text
from .log_queries import (
    check_organizations,
    compute_from_log,
    forecast_readings,
    note_no_readings,
    own_organizations,
    shown_start,
    window_name,
    window_of,
    window_of_periods,
)
from .outcome import Outcome

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from ..analysis.series import Histories
    from ..charts.picture_data import Look
    from ..session.session import Session
    from ..session.watch import Watch

__all__ = [
    "forecast",
    "history",
    "merge",
    "plot",
    "status",
    "sync",
    "usage",
    "watch_picture",
]

_PICTURE_SUFFIXES = (".png", ".svg", ".pdf")
_FILE_DPI = 200  # as sharp as in a notebook
# Less does no harm: it is corrected, and nobody looks more often.
_WRONG_CLOCK = timedelta(seconds=5)


def history(session: Session, arguments: argparse.Namespace) -> Outcome:
    from ..analysis.windows import clip_to_window
    from ..display.lines import history_line

    since, until = window_of(session, arguments)
    check_organizations(session, arguments)
    readings = session.journal.readings(
        arguments.organization, since, until, hosts=arguments.host, local_only=arguments.local
    )
    session.journal.note_left_out(arguments.organization, since, until, local_only=arguments.local)
    # These include the readings next to the window, so an empty frame means an empty log.
    if readings.empty:
        note_no_readings(session, arguments)
    frame = clip_to_window(readings, since, until)
    window = window_name(session, since, until)
    return Outcome((history_line(frame, window, session.settings.now()),), frame)


def status(session: Session, arguments: argparse.Namespace) -> Outcome:
    from ..display.card import balance_card
    from ..session.summary import summarize

    settings = session.settings
    if arguments.all and arguments.organization:
        raise BadArgument("-a shows all organizations; leave out -o, or -a.")
    check_organizations(session, arguments)
    now = settings.now()
    next_job, low_level = settings.next_job(), settings.low_level()
    organizations = None if arguments.all else arguments.organization or own_organizations(session)
    summaries = summarize(
        session.journal,
        organizations,
        now,
        settings.zone(),
        usd_per_credit=settings.usd_per_credit,
        local_only=arguments.local,
        next_job=next_job,
    )
    if not summaries:
        note_no_readings(session, arguments, organizations or ())
        return Outcome(summaries=())
    card = partial(
        balance_card,
        summaries,
        now,
        usd_per_credit=settings.usd_per_credit,
        low_balance=low_level,
    )
    return Outcome(summaries=tuple(summaries), card=card)


def usage(session: Session, arguments: argparse.Namespace) -> Outcome:
    from ..analysis.periods import period_end
    from ..analysis.spend import doubtful_count, sum_doubts, usage_cut_points, usage_of
    from ..display.lines import usage_line

    settings = session.settings
    zone = settings.zone()
    since, until = window_of_periods(session, arguments)
    order = session.journal.organization_order(local_only=arguments.local)

    def compute(histories: Histories) -> tuple[pd.DataFrame, str]:
        histories, _ = histories.seen_in(order)
        frame = usage_of(
            histories,
            arguments.by,
            since=since,
            until=until,
            usd_per_credit=settings.usd_per_credit,
        )
        start = shown_start(arguments, histories, since, until)
        window = window_name(session, start, until, histories)
        doubts = sum_doubts(histories.series, since, until)
        doubtful = doubtful_count(histories.series, since, until)
        return frame, usage_line(frame, window, doubts, doubtful)

    frame, line = compute_from_log(
        session,
        arguments,
        compute,
        since,
        # How much of a period was observed depends on whether it is over.
        None if until is None else period_end(until, arguments.by, zone),
        cut_points=usage_cut_points(arguments.by, zone, since, until),
    )
    return Outcome((line,), frame)


def forecast(session: Session, arguments: argparse.Namespace) -> Outcome:
    from ..analysis.forecast import forecast_of
    from ..display.lines import forecast_line
    from ..session.outlook import present

    now = session.settings.now()
    check_organizations(session, arguments)
    histories = forecast_readings(session, arguments)
    if not histories.series:
        note_no_readings(session, arguments)
    order = session.journal.organization_order(local_only=arguments.local)
    now = present(now, histories)
    frame = forecast_of(
        histories.seen_in(order)[0], now=now, empty_below=session.settings.empty_level()
    )
    return Outcome(tuple(forecast_line(row, now) for _, row in frame.iterrows()), frame)


def plot(session: Session, arguments: argparse.Namespace) -> Outcome:
    from ..charts.picture_data import picture_cut_points

    path = expand_path(arguments.output) if arguments.output else None
    if path is None and session.source == "cli":
        raise BadArgument("say where to: add --output FILE.png, .svg or .pdf.")
    if path and path.suffix.lower() not in _PICTURE_SUFFIXES:
        raise BadArgument(
            f"a picture's name ends in {', '.join(_PICTURE_SUFFIXES)}; {path} does not."
        )
    since, until = window_of_periods(session, arguments)
    zone = session.settings.zone()
    recent = forecast_readings(session, arguments) if arguments.forecast else None
    look = _look(session, is_file=path is not None, local_only=arguments.local)
    figure = compute_from_log(
        session,
        arguments,
        partial(_draw_picture, session, arguments, since, until, recent, look),
        since,
        until,
        cut_points=picture_cut_points(arguments.by, zone, since, until),
    )
    if path is None:
        return Outcome(figure=figure)
    try:
        figure.savefig(path, dpi=_FILE_DPI)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SettingsError(f"{path} could not be written: {reason}.") from error
    return Outcome((f"the picture is in {path}",), figure=figure)


def _draw_picture(
    session: Session,
    arguments: argparse.Namespace,
    since: datetime | None,
    until: datetime | None,
    recent: Histories | None,
    look: Look,
    histories: Histories,
) -> Figure:
    from ..charts.plots import usage_picture

    settings = session.settings
    now = settings.now()
    if until is not None and (since is None or since < now):
        # The future has no readings yet, which must not look like a gap in them; a clock that is
        # ahead may have taken some all the same.
        after_last = from_microseconds(histories.last_time + 1)
        until = min(until, max(now, after_last))
    return usage_picture(
        histories,
        arguments.by,
        since=shown_start(arguments, histories, since, until or now),
        until=until,
        recent=recent,
        low_balance=settings.low_level(),
        empty_below=settings.empty_level(),
        budgets=session.journal.budgets(local_only=arguments.local),
        look=look,
    )


def _look(session: Session, *, is_file: bool = False, local_only: bool = False) -> Look:
    """How pictures are drawn: by the settings, and in the colours that the log gives."""
    from ..charts.picture_data import Look

    settings, log = session.settings, session.journal.log()
    return Look(
        # A file has a white background of its own.
        theme="light" if is_file and settings.theme == "auto" else settings.theme,
        usd_per_credit=settings.usd_per_credit,
        order=tuple(session.journal.organization_order(local_only=local_only)),
        machine_zone=settings.machine_zone_name(),
        log_name="" if settings.shared_log else clean_text(str(log.path)),
    )


def merge(session: Session, arguments: argparse.Namespace) -> Outcome:
    from ..analysis.frames import frame_from_rows
    from ..display.lines import counts_line

    rows, errors = [], []
    for path in map(expand_path, arguments.paths):
        try:
            rows.append((clean_text(str(path)), *session.merge(path)))
        except LogError as error:
            # A file that cannot be used does not stop the others.
            errors.append(error)
    frame = frame_from_rows("counts", rows, session.settings.zone())
    lines = (counts_line(frame, "merged"),) if rows else ()
    if rows:
        _note_wrong_clocks(session)
    if len(errors) > 1:
        messages = " ".join(str(each) for each in errors)
        errors = [
            LogError(f"{len(errors)} files could not be merged. {messages}", path=errors[0].path)
        ]
    if errors and not rows:
        raise errors[0]
    return Outcome(lines, frame, error=errors[0] if errors else None)


def sync(session: Session, arguments: argparse.Namespace) -> Outcome:
    from ..analysis.frames import frame_from_rows
    from ..display.lines import counts_line
    from ..display.wording import count_text

    address, sent, unsent = session.sync(resend_all=arguments.again)
    frame = frame_from_rows("counts", [(address, *sent)], session.settings.zone())
    if unsent.without_organization:
        session.notes.append(
            f"{count_text(unsent.without_organization, 'reading')} cannot be sent: whose they are"
            " is not known yet. %stability_account tells, with the key that took them."
        )
    if unsent.invalid:
        session.notes.append(
            f"{count_text(unsent.invalid, 'row')} of the log cannot be sent: no valid time, amount,"
            " id or organization."
        )
    _note_wrong_clocks(session)
    return Outcome((counts_line(frame, f"sent to {address}"),), frame)


def _note_wrong_clocks(session: Session) -> None:
    from ..display.lines import clock_line

    for host, offset in session.log().clock_offsets().items():
        if abs(offset) >= _WRONG_CLOCK:
            session.notes.append(clock_line(host, offset))


def watch_picture(session: Session, watch: Watch) -> Figure:
    """What the watched organizations spent since the watch began."""
    from ..charts.picture_data import watch_cut_points
    from ..charts.plots import watch_picture as draw_watch

    since = min(each.since for each in watch.states)
    look, empty_below = _look(session), session.settings.empty_level()

    def draw(histories: Histories) -> Figure:
        return draw_watch(
            histories, since=since, every=watch.interval, empty_below=empty_below, look=look
        )

    return session.journal.compute(
        draw,
        [each.organization or "" for each in watch.states],
        since,
        cut_points=watch_cut_points(since),
    )
