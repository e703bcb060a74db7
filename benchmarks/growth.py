"""How everything grows, from ten thousand readings to ten million: nothing worse than linearly."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from stability_magic import Balance, BalanceLog, forecast, plot_usage, usage

from ._logs import ORGANIZATION, made
from ._timing import side_by_side

__all__ = ["run"]


def run(root: Path, most: int) -> None:
    """Microseconds a reading at each length; the last column tells how they grew."""
    lengths = [each for each in (10_000, 100_000, 1_000_000, 10_000_000) if each <= most]
    print(f"\n| microseconds a reading, of {' | '.join(f'{each:,}' for each in lengths)} |")
    print(f"|---|{'---:|' * len(lengths)}")
    figures: dict[str, list[float]] = {}
    for count in lengths:
        log = made(root / f"growth-{count}.db", count)
        for what, seconds in _times(log, rounds=5).items():
            figures.setdefault(what, []).append(seconds * 1e6 / count)
        log.path.unlink()
    for what, each in figures.items():
        print(f"| {what} | {' | '.join(f'{figure:.3g}' for figure in each)} |", flush=True)


def _times(log: BalanceLog, rounds: int) -> dict[str, float]:
    readings = log.readings()
    moments = iter(range(10**6))

    def append() -> None:
        at = datetime.now(UTC) + timedelta(microseconds=next(moments))
        log.append(Balance(ORGANIZATION, 1.0, at, "https://x"))

    return side_by_side(
        {
            "history": log.readings,
            "usage by day": partial(usage, readings),
            "forecast": partial(forecast, readings),
            "picture": lambda: plot_usage(readings, "week").savefig(io.BytesIO(), format="png"),
            "one append": append,
        },
        rounds,
    )
