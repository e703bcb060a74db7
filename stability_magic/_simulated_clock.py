"""The simulator's time, and the limit on requests that goes by it."""

from __future__ import annotations

import math
import threading
from collections import deque
from datetime import UTC, datetime, timedelta
from typing import Final

__all__ = ["RateLimit", "SimulatedClock"]

# More than 150 requests in 10 seconds are answered with 429 for the next 60 seconds (v2beta
# reference; stabilityplatform.freshdesk.com, 150000186026). No Retry-After is documented.
_BLOCK: Final = timedelta(seconds=60)


class SimulatedClock:
    """A clock that can be set, and that may run faster than real time.

    Args:
        start: What it shows now, an aware datetime; None for the present.
        speed: Simulated seconds in a real second; 0 stops it.

    Raises:
        ValueError: ``start`` has no time zone, or ``speed`` is negative or not finite.
    """

    def __init__(self, start: datetime | None = None, speed: float = 1.0) -> None:
        if not (math.isfinite(speed) and speed >= 0):
            raise ValueError(f"speed is {speed}; it must be finite and not negative")
        self._speed = speed
        self.set(datetime.now(UTC) if start is None else start)

    @property
    def speed(self) -> float:
        """Simulated seconds in a real second."""
        return self._speed

    def now(self) -> datetime:
        """The simulated time, in UTC."""
        # The machine's wall clock counts on while a laptop sleeps; a monotonic one may not,
        # and a demo that was left open would fall behind the present.
        shown, since = self._anchor
        return shown + (datetime.now(UTC) - since) * self._speed

    def set(self, at: datetime) -> None:
        """Show ``at``, an aware datetime, and run on from there.

        Raises:
            ValueError: ``at`` has no time zone.
        """
        if at.tzinfo is None:
            raise ValueError(f"{at} has no time zone")
        # One assignment, so that no thread sees half of a change.
        self._anchor = (at.astimezone(UTC), datetime.now(UTC))


class RateLimit:
    """Admits so many requests in a window, and after one too many none for a while."""

    def __init__(self, limit: int, window: timedelta) -> None:
        self._limit = limit
        self._window = window
        self._seen: deque[datetime] = deque()
        self._blocked_since: datetime | None = None
        self._lock = threading.Lock()

    def admits(self, now: datetime) -> bool:
        with self._lock:
            # Also when somebody set the clock back, what lies ahead does not count.
            since = self._blocked_since
            if since is not None and since <= now < since + _BLOCK:
                return False
            self._blocked_since = None
            while self._seen and not now - self._window < self._seen[0] <= now:
                self._seen.popleft()
            if len(self._seen) < self._limit:
                self._seen.append(now)
                return True
            self._seen.clear()
            self._blocked_since = now
            return False
