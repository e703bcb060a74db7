"""What a window of time is called, the same in every line and title; pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo

__all__ = ["window_phrase"]

_MOMENT = timedelta(microseconds=1)
# Every zone can express these, and the days beside them.
_FIRST, _LAST = datetime(1, 1, 4, tzinfo=UTC), datetime(9999, 12, 28, tzinfo=UTC)


def window_phrase(
    since: datetime | None,
    until: datetime | None,
    *,
    known_from: datetime | None = None,
    zone: tzinfo,
    now: datetime | None,
) -> str:
    """A window's name: ``yesterday``, ``on 18 Nov``, ``26 Oct to 1 Nov``, ``since 26 Oct 09:43``.

    What was spent before the first reading is not known. Where that lies in the window, the name
    says from when on it is: ``today, known from 18:55 on``.

    Args:
        since: Where the window begins; None for where the log begins.
        until: Where it ends, which is not part of it; None for no end. A window that reaches the
            present is named by its beginning alone.
        known_from: The time of the first reading; None where there is none.
        zone: The time zone whose days are named.
        now: The present; None where it is not known, so that days have their dates and years.
    """
    since, until, known_from, now = (
        each and min(max(each, _FIRST), _LAST).astimezone(zone)
        for each in (since, until, known_from, now)
    )
    if until and now and until >= now >= (since or now):
        until = None
    if since is None and not (until and known_from and known_from >= until):
        since, known_from = known_from, None
    if since is None:
        return "so far" if until is None else f"until {_end_text(until, now)}"
    phrase = _open_phrase(since, now) if until is None else _closed_phrase(since, until, now)
    if known_from is None or known_from <= since or (until and known_from >= until):
        return phrase
    last = _moment_before(until) if until else now
    is_within_a_day = last is not None and since.date() == last.date()
    known = f"{known_from:%H:%M}" if is_within_a_day else _time_text(known_from, now)
    return f"{phrase}, known from {known} on"


def _open_phrase(since: datetime, now: datetime | None) -> str:
    if not _is_day_start(since):
        return f"since {_time_text(since, now)}"
    name = _day_name(since, now)
    return name if name == "today" else f"since {name or _date_text(since, now)}"


def _closed_phrase(since: datetime, until: datetime, now: datetime | None) -> str:
    last = _moment_before(until)
    if not (_is_day_start(since) and _is_day_start(until)):
        end = _end_text(until, now)
        # One day is named once.
        end = end.rpartition(" ")[2] if since.date() == last.date() else end
        return f"{_time_text(since, now)} to {end}"
    if since.date() == last.date():
        return _day_name(since, now) or f"on {_date_text(since, now)}"
    month_count = 12 * (until.year - since.year) + until.month - since.month
    if since.day == until.day == 1 and month_count == 1:
        return f"in {since:%B}{_other_year(since, now)}"
    if since.day == until.day == since.month == until.month == 1 and month_count == 12:
        return f"in {since.year}"
    year = "" if since.year == last.year else f" {since.year}"
    last_year = f" {last.year}" if year else _other_year(last, now)
    return f"{since.day} {since:%b}{year} to {last.day} {last:%b}{last_year}"


def _is_day_start(at: datetime) -> bool:
    """Whether an instant is the first of a day, whose midnight the clock may skip or repeat."""
    midnight = at.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    return midnight.astimezone(UTC) == at.astimezone(UTC)


def _moment_before(at: datetime) -> datetime:
    # Through UTC: within a zone Python subtracts wall-clock time, and a midnight may be skipped.
    return (at.astimezone(UTC) - _MOMENT).astimezone(at.tzinfo)


def _end_text(until: datetime, now: datetime | None) -> str:
    """Where a window ends: the end of its last day is no time of the day after."""
    if not _is_day_start(until):
        return _time_text(until, now)
    day = _moment_before(until)
    return f"{_day_name(day, now) or _date_text(day, now)} 24:00"


def _time_text(at: datetime, now: datetime | None) -> str:
    clock, name = f"{at:%H:%M}", _day_name(at, now)
    return clock if name == "today" else f"{name or _date_text(at, now)} {clock}"


def _date_text(day: datetime, now: datetime | None) -> str:
    return f"{day.day} {day:%b}{_other_year(day, now)}"


def _other_year(day: datetime, now: datetime | None) -> str:
    return "" if now is not None and now.year == day.year else f" {day.year}"


def _day_name(day: datetime, now: datetime | None) -> str:
    """``today`` or ``yesterday``; empty for other days."""
    days = None if now is None else (now.date() - day.date()).days
    return "today" if days == 0 else "yesterday" if days == 1 else ""
