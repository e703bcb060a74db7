"""What commands ask of the log: for which organizations, in which window, and what it is called."""

from __future__ import annotations

import argparse
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

from ..errors import BadArgument
from ..models import from_microseconds
from ..when import default_window_start, parse_period, parse_when

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..analysis.cut_points import CutPoints
    from ..analysis.series import Histories
    from ..session.session import Session

__all__ = [
    "check_organizations",
    "compute_from_log",
    "forecast_readings",
    "has_told_start",
    "note_no_readings",
    "own_organizations",
    "shown_start",
    "window_name",
    "window_of",
    "window_of_periods",
]

Result = TypeVar("Result")


def own_organizations(session: Session) -> list[str] | None:
    """The organization of the settings, or the key's default; None, for all, without either."""
    if session.organization is not None:
        return [session.organization]
    default_id = session.logged_default_organization()
    return None if default_id is None else [default_id]


def check_organizations(session: Session, arguments: argparse.Namespace) -> None:
    from ..display.wording import organization_choice

    if not arguments.organization:
        return
    names = session.journal.organizations(local_only=arguments.local)
    for each in arguments.organization:
        if each not in names:
            choice = organization_choice(each, names)
            raise BadArgument(f"the log has no organization {each!r}; it has: {choice}")


def note_no_readings(
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


def window_of(
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


def window_of_periods(
    session: Session, arguments: argparse.Namespace
) -> tuple[datetime | None, datetime | None]:
    """The same for what is told by period: it begins with a whole one, unless --on says where."""
    from ..analysis.periods import period_start

    since, until = window_of(session, arguments)
    if since is not None and arguments.on is None:
        by = getattr(arguments, "by", "day")
        since = period_start(since, by, session.settings.zone())
    return since, until


def has_told_start(arguments: argparse.Namespace) -> bool:
    return arguments.since is not None or arguments.on is not None


def shown_start(
    arguments: argparse.Namespace,
    histories: Histories,
    since: datetime | None,
    end: datetime | None,
) -> datetime | None:
    """Where a window begins: at the first reading where that is later and no start was told."""
    if since is None or has_told_start(arguments) or not histories.series:
        return since
    first = from_microseconds(histories.first_time)
    return first if since < first and (end is None or first < end) else since


def window_name(
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


def forecast_readings(session: Session, arguments: argparse.Namespace) -> Histories:
    from ..session.outlook import forecast_histories

    return forecast_histories(
        session.journal,
        arguments.organization,
        session.settings.now(),
        local_only=arguments.local,
    )


def compute_from_log(
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
    check_organizations(session, arguments)
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
        note_no_readings(session, arguments)
    return result
