"""Taking times side by side."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Mapping

__all__ = ["side_by_side"]


def side_by_side(jobs: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """The median seconds of each job.

    The jobs take turns, so that whatever else the machine does meets them alike. A round
    before the first warms caches and imports and does not count.

    Args:
        jobs: What to time, by name.
        rounds: How often each runs.
    """
    taken: dict[str, list[float]] = {name: [] for name in jobs}
    for turn in range(rounds + 1):
        for name, job in jobs.items():
            gc.collect()
            begin = time.perf_counter()
            job()
            if turn:
                taken[name].append(time.perf_counter() - begin)
    return {name: statistics.median(seconds) for name, seconds in taken.items()}
