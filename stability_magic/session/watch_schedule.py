"""When a watch takes its next reading; pure."""

from __future__ import annotations

__all__ = ["next_due", "seconds_until_next"]

# However long the service was away, a watch notices its return within the longer of these two.
_LONGEST_PAUSE = 600.0
_LONGEST_PAUSE_IN_INTERVALS = 4


def seconds_until_next(interval: float, *, failures: int = 0, retry_after: float = 0.0) -> float:
    """Seconds until the next reading.

    Args:
        interval: Seconds between readings.
        failures: How many have failed in a row; from the second on, each doubles the pause.
        retry_after: Seconds that the service asked to wait.
    """
    doubled = interval * 2.0 ** min(max(failures - 1, 0), 30)
    longest = max(_LONGEST_PAUSE, _LONGEST_PAUSE_IN_INTERVALS * interval)
    return max(min(doubled, longest), interval, retry_after)


def next_due(last_due: float, now: float, wait: float) -> float:
    """When the next reading is due: in step with those before it, skipping those missed.

    Args:
        last_due: When the last reading was due.
        now: When the last reading ended, on the same clock.
        wait: Seconds from one reading to the next.
    """
    return last_due + wait if last_due + wait > now else now + wait
