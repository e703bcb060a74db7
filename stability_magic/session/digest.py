"""The digest of a day or a week that is over: sent once for each."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from ..models import to_microseconds

if TYPE_CHECKING:
    from pathlib import Path

    from ..analysis.notices import Key

__all__ = ["DigestPeriod", "claim_digest", "digest_period", "release_digest"]


class DigestPeriod(NamedTuple):
    """The last period that is over.

    Attributes:
        window: ``yesterday`` or ``last week``.
        name: What it is called, such as ``Wed 25 Nov 2026``.
        key: By which the log remembers that its digest was sent.
    """

    window: str
    name: str
    key: Key


def digest_period(kind: str, now: datetime) -> DigestPeriod:
    """Yesterday or last week.

    Args:
        kind: ``daily`` or ``weekly``.
        now: The present, in the zone of the periods.
    """
    from ..analysis.notices import Key

    today = now.date()
    if kind == "daily":
        first = last = today - timedelta(days=1)
        window = "yesterday"
    else:
        first = today - timedelta(days=today.weekday() + 7)
        last, window = first + timedelta(days=6), "last week"
    name = f"{first:%a} {first.day} {first:%b %Y}"
    if last != first:
        name += f" to {last:%a} {last.day} {last:%b %Y}"
    return DigestPeriod(window, name, Key("", f"digest_{kind}", first.isoformat()))


def claim_digest(path: Path, period: DigestPeriod, now: datetime) -> bool:
    """Whether the digest of a period is this caller's to send; nobody else gets it then.

    Raises:
        LogError: The log could not be read or written.
    """
    return _claim(path, period.key, to_microseconds(now), is_sent=True)


def release_digest(path: Path, period: DigestPeriod, now: datetime) -> None:
    """Lets somebody else, or a later call, send a digest that could not be sent.

    Raises:
        LogError: The log could not be read or written.
    """
    # Later than the claim, whatever the clock says.
    _claim(path, period.key, to_microseconds(now) + 1, is_sent=False)


def _claim(path: Path, key: Key, at: int, *, is_sent: bool) -> bool:
    from ..analysis.notices import Finding, changes
    from ..log.notices import claim_changes

    finding = Finding(key, at, is_sent)
    return bool(claim_changes(path, lambda states: changes([finding], states)))
