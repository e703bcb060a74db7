"""Taking times side by side, and telling them."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Mapping

__all__ = ["report", "side_by_side", "tell"]

_WIDTH = 62


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


def report(
    what: str, seconds: float, reference: float | None = None, aim: float | None = None
) -> None:
    """One line of the table, in Markdown.

    Args:
        what: What was timed.
        seconds: How long it took.
        reference: What it is compared with; None where it is itself a reference.
        aim: The greatest ratio that was aimed at.
    """
    ratio = "" if reference is None else f"{seconds / reference:.2f}"
    tell(what, f"{seconds:.4f}", ratio, "" if aim is None else f"{aim:g}")


def tell(what: str, figure: str, ratio: str = "", aim: str = "") -> None:
    """A line of the table with figures of another kind."""
    print(f"| {what:{_WIDTH}} | {figure:>9} | {ratio:>6} | {aim:>5} |", flush=True)
