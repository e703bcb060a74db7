"""Times jobs side by side, and prints the results as rows of a table."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Mapping

__all__ = ["print_row", "print_timing", "time_side_by_side"]

_WIDTH = 62


def time_side_by_side(jobs: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """The median seconds of each job.

    The jobs take turns, so that other load on the machine affects all of them alike. An extra
    round at the start warms caches and imports; it does not count.

    Args:
        jobs: The functions to time, by name.
        rounds: How often each job runs.
    """
    durations: dict[str, list[float]] = {name: [] for name in jobs}
    for round_number in range(rounds + 1):
        for name, job in jobs.items():
            gc.collect()
            begin = time.perf_counter()
            job()
            if round_number:
                durations[name].append(time.perf_counter() - begin)
    return {name: statistics.median(seconds) for name, seconds in durations.items()}


def print_timing(
    what: str, seconds: float, reference: float | None = None, aim: float | None = None
) -> None:
    """Prints how long something took as one row of the table, in Markdown.

    Args:
        what: What was timed.
        seconds: How long it took.
        reference: The seconds that it is compared with; None if it is itself a reference.
        aim: The greatest acceptable ratio.
    """
    ratio = "" if reference is None else f"{seconds / reference:.2f}"
    print_row(what, f"{seconds:.4f}", ratio, "" if aim is None else f"{aim:g}")


def print_row(what: str, figure: str, ratio: str = "", aim: str = "") -> None:
    """Prints one row of the table, with a figure of any kind."""
    print(f"| {what:{_WIDTH}} | {figure:>9} | {ratio:>6} | {aim:>5} |", flush=True)
