"""The commands that read the log: a session and its arguments in, an outcome out."""

from __future__ import annotations

import argparse
import math
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from ..errors import BadArgument, LogError, SettingsError
from ..models import from_microseconds, to_microseconds
from ..settings import expand_path
from ..text import clean_text
from ..when import default_window_start, parse_period, parse_when
from .outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd
    from matplotlib.figure import Figure

    from ..analysis.cell_spending import CellSpending
    from ..analysis.costs import Cost
    from ..analysis.cut_points import CutPoints
    from ..analysis.price_frames import Run
    from ..analysis.series import Histories
    from ..charts.picture_data import Look
    from ..prices import PriceList
    from ..session.session import Session
    from ..session.watch import Watch

__all__ = [
    "budget",
    "costs",
    "estimate",
    "forecast",
    "history",
    "merge",
    "own_organizations",
    "plot",
    "prices",
    "status",
    "sync",
    "team",
    "usage",
    "watch_picture",
]

Result = TypeVar("Result")

_PICTURE_SUFFIXES = (".png", ".svg", ".pdf")


_FILE_DPI = 200  # as sharp as in a notebook


def history(session: Session, arguments: argparse.Namespace) -> Outcome:
    from ..analysis.windows import clip_to_window
    from ..display.lines import history_line

    since, until = _window(session, arguments)
    _check_organizations(session, arguments)
    readings = session.journal.readings(
        arguments.organization, since, until, hosts=arguments.host, local_only=arguments.local
    )
    session.journal.note_left_out(arguments.organization, since, until, local_only=arguments.local)
    # These include the readings next to the window, so an empty frame means an empty log.
    if readings.empty:
        _note_no_readings(session, arguments)
    frame = clip_to_window(readings, since, until)
    window = _window_name(session, since, until)
    return Outcome((history_line(frame, window, session.settings.now()),), frame)


def status(session: Session, arguments: argparse.Namespace) -> Outcome:
    from ..display.card import balance_card
    from ..session.summary import summarize

    settings = session.settings
    if arguments.all and arguments.organization:
        raise BadArgument("-a shows all organizations; leave out -o, or -a.")
    _check_organizations(session, arguments)
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
        _note_no_readings(session, arguments, organizations or ())
        return Outcome(summaries=())
    card = partial(
        balance_card,
        summaries,
        now,
        usd_per_credit=settings.usd_per_credit,
        low_balance=low_level,
    )
    return Outcome(summaries=tuple(summaries), card=card)


def own_organizations(session: Session) -> list[str] | None:
    """The organization of the settings, or the key's default; None, for all, without either."""
    if session.organization is not None:
        return [session.organization]
    default_id = session.logged_default_organization()
    return None if default_id is None else [default_id]


def usage(session: Session, arguments: argparse.Namespace) -> Outcome:
    from ..analysis.periods import period_end
    from ..analysis.spend import doubtful_count, sum_doubts, usage_cut_points, usage_of
    from ..display.lines import usage_line

    settings = session.settings
    zone = settings.zone()
    since, until = _window_of_periods(session, arguments)
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
        start = _shown_start(arguments, histories, since, until)
        window = _window_name(session, start, until, histories)
        doubts = sum_doubts(histories.series, since, until)
        doubtful = doubtful_count(histories.series, since, until)
        return frame, usage_line(frame, window, doubts, doubtful)

    frame, line = _compute_from_log(
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
    _check_organizations(session, arguments)
    histories = _forecast_histories(session, arguments)
    if not histories.series:
        _note_no_readings(session, arguments)
    order = session.journal.organization_order(local_only=arguments.local)
    now = present(now, histories)
    frame = forecast_of(
        histories.seen_in(order)[0], now=now, empty_below=session.settings.empty_level()
    )
    return Outcome(tuple(forecast_line(row, now) for _, row in frame.iterrows()), frame)


def prices(session: Session, arguments: argparse.Namespace) -> Outcome:
    from ..analysis.price_frames import prices_frame
    from ..display.price_lines import prices_line

    settings = session.settings
    now, zone, price_list = settings.now(), settings.zone(), settings.price_list()
    operations = [price_list.operation(each) for each in arguments.operations]
    since, until = (
        _window(session, arguments)
        if _has_told_start(arguments)
        else parse_period("today", now=now)
    )
    first, end = (each and each.astimezone(zone).date() for each in (since, until))
    runs = _measured_runs(session, arguments, price_list)
    frame = prices_frame(price_list, operations or price_list.operations, (first, end), runs, zone)
    window = "in all" if since is until is None else _window_name(session, since, until)
    return Outcome((prices_line(frame, window),), frame)


def _measured_runs(
    session: Session, arguments: argparse.Namespace, price_list: PriceList
) -> dict[str, list[Run]]:
    """What each operation cost, by cells that used it once, as their label says."""
    from ..analysis.price_frames import Run, one_operation

    zone = session.settings.zone()
    all_costs = session.journal.costs(local_only=arguments.local)
    runs: dict[str, list[Run]] = {}

    def operation_of(cost: Cost) -> str | None:
        day = from_microseconds(cost.started_at).astimezone(zone).date()
        return one_operation(cost.label, price_list, day)

    organizations = {each.organization for each in all_costs if operation_of(each)}
    if not organizations:
        return runs
    window = (min(each.started_at for each in all_costs), None)
    spendings = _cell_spendings(session, arguments, all_costs, organizations, window)
    for each in spendings.values():
        for cost, spent, exact in zip(each.costs, each.spent, each.exact, strict=True):
            operation = operation_of(cost)
            if operation is not None and exact and not math.isnan(spent):
                day = from_microseconds(cost.started_at).astimezone(zone).date()
                runs.setdefault(operation, []).append(Run(day, float(spent)))
    return runs


def estimate(session: Session, arguments: argparse.Namespace) -> Outcome:
    from ..analysis.price_frames import estimate_frame, pays
    from ..display.price_lines import estimate_line
    from ..jobs import parse_job
    from ..session.outlook import forecast_histories, present

    settings = session.settings
    now, price = settings.now(), settings.usd_per_credit
    empty_below = settings.empty_level()
    job = parse_job(" ".join(arguments.job), settings.price_list(), now.date())
    _check_organizations(session, arguments)
    organizations = arguments.organization or own_organizations(session)
    histories = forecast_histories(session.journal, organizations, now, local_only=arguments.local)
    if not histories.series:
        _note_no_readings(session, arguments, organizations or ())
    now = present(now, histories)
    order = session.journal.organization_order(local_only=arguments.local)
    found = pays(job, histories, now=now, empty_below=empty_below, order=order)
    lines = [estimate_line(job, each, now, price) for each in found]
    lines = lines or [estimate_line(job, None, now, price)]
    return Outcome(tuple(lines), estimate_frame(job, found, price, settings.zone()))


def budget(session: Session, arguments: argparse.Namespace) -> Outcome:
    from ..analysis.budgets import budget_frame
    from ..display.budget_words import budget_line
    from ..session.budgets import passed_error, standings_of_budgets

    settings = session.settings
    if arguments.all and arguments.organization:
        raise BadArgument("-a shows the budgets of all organizations; leave out -o, or -a.")
    _check_organizations(session, arguments)
    lines = _change_budgets(session, arguments)
    organizations = None if arguments.all else arguments.organization or own_organizations(session)
    now, zone, price = settings.now(), settings.zone(), settings.usd_per_credit
    standings = [
        each
        for each in standings_of_budgets(
            session.journal, organizations, now, zone, local_only=arguments.local
        )
        if arguments.every in (None, each.spend.every)
    ]
    if not standings and arguments.check:
        # A check that checks nothing must not let a job start.
        raise BadArgument(f"there is no budget to check; {_SET_A_BUDGET}")
    if not standings and not lines:
        session.notes.append(f"There is no budget yet; {_SET_A_BUDGET}")
    passed = [each for each in standings if each.spend.is_passed] if arguments.check else []
    # The error tells this budget, so that its line is left out.
    lines += [budget_line(each, now, price) for each in standings if each not in passed[:1]]
    error = passed_error(passed[0].spend, price) if passed else None
    return Outcome(tuple(lines), budget_frame(standings, zone, price), error=error)


_SET_A_BUDGET = "%stability_budget 500 --every week sets one."


def _change_budgets(session: Session, arguments: argparse.Namespace) -> list[str]:
    """Sets or removes the budgets that the arguments tell; a line for each."""
    from ..analysis.budgets import budgets_in_force
    from ..display.budget_words import change_line
    from ..session.budgets import change_budget, parse_budget

    if arguments.amount is None and not arguments.remove:
        return []
    if arguments.amount is not None and arguments.remove:
        raise BadArgument("--remove takes a budget away; leave out the amount, or --remove.")
    if arguments.all:
        raise BadArgument("-a shows all budgets; to change one, say whose it is: -o ID.")
    if arguments.local:
        raise BadArgument("a budget is for all who use the log; leave out --local, or the amount.")
    price = session.settings.usd_per_credit
    credits = None if arguments.remove else parse_budget(arguments.amount, price)
    organizations = _organizations_of_budget(session, arguments)
    names = session.journal.organizations()
    lines = []
    for each in organizations:
        every = arguments.every
        if credits is None:
            known = [one.every for one in budgets_in_force(session.journal.budgets(), [each])]
            if not known or every not in (None, *known):
                kind = f"budget for each {every}" if every else "budget"
                raise BadArgument(f"{clean_text(names.get(each, each))} has no {kind} to remove.")
            if every is None and len(known) > 1:
                raise BadArgument(f"say which budget to remove: --every {' or '.join(known)}.")
            every = every or known[0]
        elif every is None:
            raise BadArgument("say how often so much may be spent: --every day, week or month.")
        before = change_budget(session.journal, each, every, credits, session.settings.now())
        lines.append(change_line(names.get(each, each), every, credits, before, price))
    return lines


def _organizations_of_budget(session: Session, arguments: argparse.Namespace) -> list[str]:
    """Whose budget is changed: the organization of the settings, the key's, or the only one."""
    from ..display.wording import organization_choice

    names = session.journal.organizations()
    chosen = arguments.organization or own_organizations(session) or list(names)
    if not names:
        raise BadArgument(
            "whose budget it is, is not known before the first reading; %stability_balance takes"
            " one."
        )
    unknown = [each for each in chosen if each not in names]
    if unknown:
        choice = organization_choice(unknown[0], names)
        raise BadArgument(f"the log has no organization {unknown[0]!r}; it has: {choice}")
    if len(chosen) > 1 and not arguments.organization:
        choice = organization_choice("", names)
        raise BadArgument(f"say whose budget it is: -o ID; the log has: {choice}")
    return list(dict.fromkeys(chosen))


def plot(session: Session, arguments: argparse.Namespace) -> Outcome:
    from ..charts.picture_data import picture_cut_points

    path = expand_path(arguments.output) if arguments.output else None
    if path is None and session.source == "cli":
        raise BadArgument("say where to: add --output FILE.png, .svg or .pdf.")
    if path and path.suffix.lower() not in _PICTURE_SUFFIXES:
        raise BadArgument(
            f"a picture's name ends in {', '.join(_PICTURE_SUFFIXES)}; {path} does not."
        )
    since, until = _window_of_periods(session, arguments)
    zone = session.settings.zone()
    recent = _forecast_histories(session, arguments) if arguments.forecast else None
    look = _look(session, is_file=path is not None, local_only=arguments.local)
    figure = _compute_from_log(
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
        since=_shown_start(arguments, histories, since, until or now),
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


def costs(session: Session, arguments: argparse.Namespace) -> Outcome:
    from ..analysis.cost_frames import costs_frame, count_doubts, summary_frame
    from ..analysis.spend import sum_doubts
    from ..display.lines import costs_line, elsewhere_phrase

    settings = session.settings
    zone, price = settings.zone(), settings.usd_per_credit
    since, until = _window(session, arguments)
    begin, end = (None if each is None else to_microseconds(each) for each in (since, until))
    all_costs = session.journal.costs(local_only=arguments.local)

    def is_shown(cost: Cost) -> bool:
        is_in_window = (begin is None or cost.started_at >= begin) and (
            end is None or cost.started_at < end
        )
        return is_in_window and arguments.label in (None, cost.label)

    shown = [each for each in all_costs if is_shown(each)]
    has_told_window = arguments.summary and _has_told_start(arguments)
    if not has_told_window:
        # What was spent before the first cell says nothing about the cells.
        begin = min((each.started_at for each in shown), default=begin)
    spendings = {}
    if shown or has_told_window:
        # All that was spent, whoever's cells there are; with a label the others are left out.
        has_all = arguments.summary and arguments.label is None
        organizations = set() if has_all else {each.organization for each in shown}
        spendings = _cell_spendings(session, arguments, all_costs, organizations, (begin, end))
    frame = costs_frame(spendings.values(), is_shown, zone, price)
    estimates, waiting = count_doubts(spendings.values(), is_shown)
    start = since
    if not _has_told_start(arguments) and len(frame):
        start = frame["started_at"].iloc[0].to_pydatetime()
    line = costs_line(
        frame,
        _window_name(session, start, until),
        is_estimate=estimates > 0,
        waiting=waiting,
    )
    if not arguments.summary:
        return Outcome((line,), frame)
    summary = summary_frame(spendings, is_shown, (begin, end), zone, price)
    firsts = [int(each.series.times[0]) for each in spendings.values() if len(each.series.times)]
    if firsts:
        # Before its first reading, the log knows nothing.
        since = from_microseconds(max(min(firsts), min(firsts) if begin is None else begin))
        window_name = _window_name(session, since, until)
        doubts = sum_doubts((each.series for each in spendings.values()), since, until)
        has_all = arguments.label is None
        phrase = elsewhere_phrase(summary, window_name, doubts if has_all else None)
        line = f"{line} · {phrase}"
    return Outcome((line,), summary)


def _cell_spendings(
    session: Session,
    arguments: argparse.Namespace,
    all_costs: list[Cost],
    organizations: set[str],
    window: tuple[int | None, int | None],
) -> dict[str, CellSpending]:
    """What the cells of some organizations spent in a window, with all that bears on it.

    Args:
        session: Looks up the readings.
        arguments: Say whether the shared log is asked.
        all_costs: All cells of the log.
        organizations: Ids; none are all.
        window: In microseconds since 1970 UTC; None for no limit.
    """
    from ..analysis.cell_spending import LONGEST_WAIT, cell_cut_points, spending_by_organization

    begin, _ = window
    # Cells that ran shortly before may have spent what was seen in the window.
    related = [
        each
        for each in all_costs
        if (not organizations or each.organization in organizations)
        and (begin is None or each.ended_at >= begin - LONGEST_WAIT)
    ]
    first = None if begin is None else min([begin, *(each.started_at for each in related)])
    return session.journal.compute(
        partial(spending_by_organization, costs=related),
        organizations or None,
        None if first is None else from_microseconds(first),
        cut_points=cell_cut_points(related, [each for each in window if each is not None]),
        local_only=arguments.local,
    )


def team(session: Session, arguments: argparse.Namespace) -> Outcome:
    from ..analysis.cell_spending import LONGEST_WAIT
    from ..analysis.spend import sum_doubts
    from ..analysis.team import team_spending
    from ..display.team import team_line
    from ..display.window_words import window_phrase

    settings, local_only = session.settings, arguments.local
    zone = settings.zone()
    # As usage by day does, to whose sum the rows add up.
    since, until = _window_of_periods(session, arguments)
    begin, end = (None if each is None else to_microseconds(each) for each in (since, until))
    _check_organizations(session, arguments)
    all_costs = session.journal.costs(
        None if begin is None else from_microseconds(max(begin - LONGEST_WAIT, 0)),
        local_only=local_only,
    )
    organizations = set(arguments.organization or ())
    spendings = _cell_spendings(session, arguments, all_costs, organizations, (begin, end))
    known_from = min(
        (int(each.series.times[0]) for each in spendings.values() if len(each.series.times)),
        default=None,
    )
    if known_from is None:
        _note_no_readings(session, arguments)
    names = session.journal.organizations(local_only=local_only)
    spent = team_spending(spendings, names, (begin, end), zone, settings.usd_per_credit)
    window = window_phrase(
        since,
        until,
        known_from=None if known_from is None else from_microseconds(known_from),
        zone=zone,
        now=settings.now(),
    )
    doubts = sum_doubts((each.series for each in spendings.values()), since, until)
    return Outcome((team_line(spent, window, doubts),), spent.frame)


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


# Less does no harm: it is corrected, and nobody looks more often.
_WRONG_CLOCK = timedelta(seconds=5)


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


def _window(
    session: Session, arguments: argparse.Namespace
) -> tuple[datetime | None, datetime | None]:
    """Since and until, None where open; without --since, as many periods as fit on a screen."""
    now = session.settings.now()
    if arguments.on is not None:
        if arguments.since is not None or getattr(arguments, "until", None) is not None:
            raise BadArgument(
                "--on is a window of its own; leave out --since and --until, or --on."
            )
        return parse_period(arguments.on, now=now)
    until_text = getattr(arguments, "until", None)
    until = None if until_text is None else parse_when(until_text, now=now, is_window_end=True)
    if arguments.since is None:
        end = now if until is None else min(until, now)
        since: datetime | None = default_window_start(getattr(arguments, "by", "day"), end)
    else:
        since = parse_when(arguments.since, now=now)
    if since is not None and until is not None and since >= until:
        raise BadArgument(
            f"since ({since:%Y-%m-%d %H:%M}) is not before until ({until:%Y-%m-%d %H:%M})."
        )
    return since, until


def _window_of_periods(
    session: Session, arguments: argparse.Namespace
) -> tuple[datetime | None, datetime | None]:
    """The same for what is told by period: it begins with a whole one, unless --on says where."""
    from ..analysis.periods import period_start

    since, until = _window(session, arguments)
    if since is not None and arguments.on is None:
        by = getattr(arguments, "by", "day")
        since = period_start(since, by, session.settings.zone())
    return since, until


def _has_told_start(arguments: argparse.Namespace) -> bool:
    return arguments.since is not None or arguments.on is not None


def _shown_start(
    arguments: argparse.Namespace,
    histories: Histories,
    since: datetime | None,
    end: datetime | None,
) -> datetime | None:
    """Where a window begins: at the first reading where that is later and no start was told."""
    if since is None or _has_told_start(arguments) or not histories.series:
        return since
    first = from_microseconds(histories.first_time)
    return first if since < first and (end is None or first < end) else since


def _window_name(
    session: Session,
    since: datetime | None,
    until: datetime | None,
    histories: Histories | None = None,
) -> str:
    """What a window is called; with histories also from when on they know what was spent."""
    from ..display.window_words import window_phrase

    settings = session.settings
    known_from = None
    if histories is not None and histories.series:
        known_from = from_microseconds(histories.first_time)
    return window_phrase(
        since, until, known_from=known_from, zone=settings.zone(), now=settings.now()
    )


def _forecast_histories(session: Session, arguments: argparse.Namespace) -> Histories:
    from ..session.outlook import forecast_histories

    return forecast_histories(
        session.journal,
        arguments.organization,
        session.settings.now(),
        local_only=arguments.local,
    )


def _compute_from_log(
    session: Session,
    arguments: argparse.Namespace,
    computation: Callable[[Histories], Result],
    since: datetime | None,
    until: datetime | None,
    *,
    cut_points: CutPoints,
    after: bool = True,
) -> Result:
    """The result of a computation on the readings of the organizations in the arguments."""
    _check_organizations(session, arguments)
    is_empty = False

    def compute(histories: Histories) -> Result:
        nonlocal is_empty
        is_empty = not histories.series
        return computation(histories)

    result = session.journal.compute(
        compute,
        arguments.organization,
        since,
        until,
        cut_points=cut_points,
        after=after,
        local_only=arguments.local,
    )
    if is_empty:
        _note_no_readings(session, arguments)
    return result


def _check_organizations(session: Session, arguments: argparse.Namespace) -> None:
    from ..display.wording import organization_choice

    if not arguments.organization:
        return
    names = session.journal.organizations(local_only=arguments.local)
    for each in arguments.organization:
        if each not in names:
            choice = organization_choice(each, names)
            raise BadArgument(f"the log has no organization {each!r}; it has: {choice}")


def _note_no_readings(
    session: Session, arguments: argparse.Namespace, organizations: Sequence[str] = ()
) -> None:
    """Notes that the log is empty, or that others than these organizations are in it."""
    from ..display.wording import organization_choice

    log_name = session.journal.source_name(local_only=arguments.local)
    names = session.journal.organizations(local_only=arguments.local) if organizations else {}
    others = {each: name for each, name in names.items() if each not in organizations}
    if others:
        one = organizations[0]
        session.notes.append(
            f"There are no readings of {one!r} in {log_name} yet; it has:"
            f" {organization_choice(one, others)}"
        )
    else:
        session.notes.append(
            f"There are no readings in {log_name} yet; %stability_balance takes one."
        )
