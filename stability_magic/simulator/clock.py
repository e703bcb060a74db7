"""The simulator's clock, and the rate limit that runs on it."""

from __future__ import annotations

import math
import threading
from collections import deque
from datetime import UTC, datetime, timedelta
from typing import Final

__all__ = ["RateLimit", "SimulatedClock"]

# More than 150 requests in 10 seconds are answered with 429 for the next 60 seconds (v2beta
# reference; stabilityplatform.freshdesk.com, 150000186026). No Retry-After is documented.
_BLOCK_DURATION: Final = timedelta(seconds=60)


class SimulatedClock:
    """A clock that can be set, and that can run faster than real time.

    Args:
        start: The time it shows at first, an aware datetime; None for the present.
        speed: Simulated seconds per real second; 0 stops the clock.

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
        """Simulated seconds per real second."""
        return self._speed

    def now(self) -> datetime:
        """The simulated time, in UTC."""
        # The wall clock keeps counting while a laptop sleeps. A monotonic clock may not, and a
        # demo that was left open would fall behind the present.
        simulated_start, real_start = self._anchor
        return simulated_start + (datetime.now(UTC) - real_start) * self._speed

    def set(self, at: datetime) -> None:
        """Sets the clock to ``at``, an aware datetime; it runs on from there.

        Raises:
            ValueError: ``at`` has no time zone.
        """
        if at.tzinfo is None:
            raise ValueError(f"{at} has no time zone")
        # One assignment, so that no thread sees half of a change.
        self._anchor = (at.astimezone(UTC), datetime.now(UTC))


class RateLimit:
    """Admits a limited number of requests per window; one too many blocks all for a while."""

    def __init__(self, limit: int, window: timedelta) -> None:
        self._limit = limit
        self._window = window
        self._admitted_at: deque[datetime] = deque()
        self._blocked_since: datetime | None = None
        self._lock = threading.Lock()

    def admits(self, now: datetime) -> bool:
        """Whether a request that arrives now is admitted; it counts towards the limit."""
        with self._lock:
            # After the clock was set back, times that now lie in the future do not count.
            blocked_since = self._blocked_since
            if blocked_since is not None and (
                blocked_since <= now < blocked_since + _BLOCK_DURATION
            ):
                return False
            self._blocked_since = None
            while self._admitted_at and not now - self._window < self._admitted_at[0] <= now:
                self._admitted_at.popleft()
            if len(self._admitted_at) < self._limit:
                self._admitted_at.append(now)
                return True
            self._admitted_at.clear()
            self._blocked_since = now
            return False
