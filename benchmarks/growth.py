"""How times grow from ten thousand readings to ten million: no worse than linearly."""

from __future__ import annotations

import io
import itertools
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from stability_magic import Balance, BalanceLog, forecast, plot_usage, usage

from .logs import ORGANIZATION, create_log
from .timing import time_side_by_side

__all__ = ["run"]


def run(root: Path, max_readings: int) -> None:
    """Prints microseconds per reading, with one column for each length of a log."""
    lengths = [each for each in (10_000, 100_000, 1_000_000, 10_000_000) if each <= max_readings]
    print(f"\n| microseconds a reading, of {' | '.join(f'{each:,}' for each in lengths)} |")
    print(f"|---|{'---:|' * len(lengths)}")
    figures: dict[str, list[float]] = {}
    for count in lengths:
        log = create_log(root / f"growth-{count}.db", count)
        for what, seconds in _times(log, rounds=5).items():
            figures.setdefault(what, []).append(seconds * 1e6 / count)
        log.path.unlink()
    for what, row in figures.items():
        print(f"| {what} | {' | '.join(f'{figure:.3g}' for figure in row)} |", flush=True)


def _times(log: BalanceLog, rounds: int) -> dict[str, float]:
    readings = log.readings()
    offsets = itertools.count()

    def append() -> None:
        at = datetime.now(UTC) + timedelta(microseconds=next(offsets))
        log.append(Balance(ORGANIZATION, 1.0, at, "https://x"))

    return time_side_by_side(
        {
            "history": log.readings,
            "usage by day": partial(usage, readings),
            "forecast": partial(forecast, readings),
            "picture": lambda: plot_usage(readings, "week").savefig(io.BytesIO(), format="png"),
            "one append": append,
        },
        rounds,
    )
