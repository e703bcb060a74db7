"""How far this machine's clock is from the service's, by the ``Date`` of its answers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from .answers import parse_http_date

__all__ = ["MOST_OFFSET", "ServiceClock", "offset_bounds"]

# A larger difference may as well be a fault of the service or of a proxy.
MOST_OFFSET = timedelta(days=1)
# ``Date`` has whole seconds (RFC 9110, 5.6.7), and a server may be a second behind in renewing it.
_RESOLUTION = timedelta(seconds=1)
_TOLERANCE = timedelta(seconds=1)


class OffsetBounds(NamedTuple):
    """The service's time less this machine's lies between these two."""

    low: timedelta
    high: timedelta

    def contain(self, offset: timedelta) -> bool:
        """Whether the offset may be right."""
        return self.low <= offset <= self.high

    @property
    def middle(self) -> timedelta:
        """What is never wrong by more than half of their distance."""
        return (self.low + self.high) / 2


def offset_bounds(
    headers: Mapping[str, str], sent_at: datetime, received_at: datetime
) -> OffsetBounds | None:
    """What an answer tells of the machine's clock; None where it tells nothing.

    An answer from a cache has a ``Date`` of long ago and says so by an ``Age``.

    Args:
        headers: The headers of the answer; names in any case, or all in lower case.
        sent_at: When the request was sent, by the machine's clock.
        received_at: When the answer had arrived, likewise.
    """
    if "age" in headers or received_at < sent_at:
        return None
    date = parse_http_date(headers.get("date", ""))
    if date is None:
        return None
    bounds = OffsetBounds(
        date - received_at - _TOLERANCE, date + _RESOLUTION - sent_at + _TOLERANCE
    )
    return bounds if abs(bounds.middle) <= MOST_OFFSET else None


class ServiceClock:
    """The offset of the machine's clock, as the answers so far tell it.

    It changes only when an answer shows that it is wrong, so that the second that ``Date`` leaves
    open does not put readings out of their order. A clock that may be right has none.
    """

    def __init__(self) -> None:
        self._offset = timedelta(0)

    def offset(
        self, headers: Mapping[str, str], sent_at: datetime, received_at: datetime
    ) -> timedelta | None:
        """What to add to the machine's time; None where the answer does not tell."""
        bounds = offset_bounds(headers, sent_at, received_at)
        if bounds is None:
            return None
        if not bounds.contain(self._offset):
            self._offset = timedelta(0) if bounds.contain(timedelta(0)) else bounds.middle
        return self._offset
