"""What was paid for what: the commands about costs of cells, prices, and what a job would cost."""

from __future__ import annotations

import argparse
import math
from functools import partial
from typing import TYPE_CHECKING

from ..models import from_microseconds, to_microseconds
from ..when import parse_period
from .log_queries import (
    check_organizations,
    has_told_start,
    note_no_readings,
    own_organizations,
    window_name,
    window_of,
    window_of_periods,
)
from .outcome import Outcome

if TYPE_CHECKING:
    from ..analysis.cell_spending import CellSpending
    from ..analysis.costs import Cost
    from ..analysis.price_frames import Run
    from ..prices import PriceList
    from ..session.session import Session

__all__ = ["costs", "estimate", "prices", "team"]


def costs(session: Session, arguments: argparse.Namespace) -> Outcome:
    from ..analysis.cost_frames import costs_frame, count_doubts, summary_frame
    from ..analysis.spend import sum_doubts
    from ..display.lines import costs_line, elsewhere_phrase

    settings = session.settings
    zone, price = settings.zone(), settings.usd_per_credit
    since, until = window_of(session, arguments)
    begin, end = (None if each is None else to_microseconds(each) for each in (since, until))
    all_costs = session.journal.costs(local_only=arguments.local)

    def is_shown(cost: Cost) -> bool:
        is_in_window = (begin is None or cost.started_at >= begin) and (
            end is None or cost.started_at < end
        )
        return is_in_window and arguments.label in (None, cost.label)

    shown = [each for each in all_costs if is_shown(each)]
    has_told_window = arguments.summary and has_told_start(arguments)
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
    if not has_told_start(arguments) and len(frame):
        start = frame["started_at"].iloc[0].to_pydatetime()
    line = costs_line(
        frame,
        window_name(session, start, until),
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
        window = window_name(session, since, until)
        doubts = sum_doubts((each.series for each in spendings.values()), since, until)
        has_all = arguments.label is None
        phrase = elsewhere_phrase(summary, window, doubts if has_all else None)
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
    since, until = window_of_periods(session, arguments)
    begin, end = (None if each is None else to_microseconds(each) for each in (since, until))
    check_organizations(session, arguments)
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
        note_no_readings(session, arguments)
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


def prices(session: Session, arguments: argparse.Namespace) -> Outcome:
    from ..analysis.price_frames import prices_frame
    from ..display.price_lines import prices_line

    settings = session.settings
    now, zone, price_list = settings.now(), settings.zone(), settings.price_list()
    operations = [price_list.operation(each) for each in arguments.operations]
    since, until = (
        window_of(session, arguments)
        if has_told_start(arguments)
        else parse_period("today", now=now)
    )
    first, end = (each and each.astimezone(zone).date() for each in (since, until))
    runs = _measured_runs(session, arguments, price_list)
    frame = prices_frame(price_list, operations or price_list.operations, (first, end), runs, zone)
    window = "in all" if since is until is None else window_name(session, since, until)
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
    check_organizations(session, arguments)
    organizations = arguments.organization or own_organizations(session)
    histories = forecast_histories(session.journal, organizations, now, local_only=arguments.local)
    if not histories.series:
        note_no_readings(session, arguments, organizations or ())
    now = present(now, histories)
    order = session.journal.organization_order(local_only=arguments.local)
    found = pays(job, histories, now=now, empty_below=empty_below, order=order)
    lines = [estimate_line(job, each, now, price) for each in found]
    lines = lines or [estimate_line(job, None, now, price)]
    return Outcome(tuple(lines), estimate_frame(job, found, price, settings.zone()))
