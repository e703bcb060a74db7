"""What the commands do that look into the log: a session and its arguments in, an outcome out."""

from __future__ import annotations

import argparse
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ._errors import BadArgument, SettingsError
from ._outcome import Outcome
from ._when import first_of, parse_when
from ._windows import around, lookback, within

if TYPE_CHECKING:
    import pandas as pd

    from ._session import Session

__all__ = ["forecast", "history", "plot", "usage"]

_PICTURES = (".png", ".svg", ".pdf")


def history(session: Session, arguments: argparse.Namespace) -> Outcome:
    from ._lines import history_line

    since, until = _window(session, arguments)
    frame = within(_logged(session, arguments, since, until), since, until)
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
        readings, arguments.by, since=since, until=until, forecast=arguments.forecast
    )
    if target is None:
        return Outcome(figure=figure)
    try:
        figure.savefig(target, dpi=150)
    except OSError as error:
        raise SettingsError(f"{target} could not be written: {error.strerror}.") from error
    return Outcome((f"the picture is in {target}",), figure=figure)


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
