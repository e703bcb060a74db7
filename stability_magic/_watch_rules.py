"""When a watch reads next, and when it warns; pure."""

from __future__ import annotations

import dataclasses

__all__ = ["Alarm", "next_due", "pause"]

# However long the service is away, its return is noticed after this, or four readings' time.
_LONGEST = 600.0
_LONGEST_READINGS = 4


def pause(every: float, *, failures: int = 0, retry_after: float = 0.0) -> float:
    """Seconds until the next reading.

    Args:
        every: Seconds between readings.
        failures: How many have failed one after the other; from the second on it doubles.
        retry_after: How long the service asked to wait.
    """
    doubled = every * 2.0 ** min(max(failures - 1, 0), 30)
    return max(min(doubled, max(_LONGEST, _LONGEST_READINGS * every)), every, retry_after)


def next_due(due: float, now: float, pause: float) -> float:
    """When to read next: in step with the readings so far, but none is caught up with.

    Args:
        due: When the last reading was due.
        now: The present, when it is over, on the same clock.
        pause: Seconds from reading to reading.
    """
    return due + pause if due + pause > now else now + pause


@dataclasses.dataclass
class Alarm:
    """Rings once when something sets in, and again only after it was over."""

    on: bool = False

    def rings(self, there: bool) -> bool:
        """Whether to warn, now that it is there or not."""
        sets_in = there and not self.on
        self.on = there
        return sets_in
