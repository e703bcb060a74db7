"""Frames for the tests of tables, one of each kind."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd

from stability_magic.analysis.cost_frames import ELSEWHERE
from stability_magic.analysis.forecast import forecast
from stability_magic.analysis.frames import (
    ReadingRows,
    frame_from_rows,
    organizations_frame,
    readings_frame,
)
from stability_magic.analysis.price_frames import estimate_frame, prices_frame
from stability_magic.analysis.spend import usage
from stability_magic.jobs import parse_job
from stability_magic.models import Account, Organization
from stability_magic.prices import PriceList

__all__ = ["NOW", "all_frames", "costs_of", "readings_of", "summary_of", "team_of"]

NOW = datetime(2026, 11, 25, 9, 30, tzinfo=UTC)
_MINUTE = 60_000_000


def _microseconds(at: datetime) -> int:
    return int(at.timestamp()) * 1_000_000


def readings_of(
    balances: dict[str, Sequence[float]],
    *,
    every: timedelta = timedelta(hours=1),
    end: datetime = NOW,
    names: dict[str, str] | None = None,
    label: str | None = None,
    hosts: bool = False,
) -> pd.DataFrame:
    """A readings frame with the balances of organizations, the last ones at ``end``."""
    times, credits, codes = [], [], []
    for code, values in enumerate(balances.values()):
        for back, value in enumerate(reversed(values)):
            times.append(_microseconds(end - back * every) + code)
            credits.append(value)
            codes.append(code)
    count = len(times)
    rows = ReadingRows(
        np.array(times, np.int64),
        np.array(credits, np.float64),
        np.array(codes, np.int64),
        list(balances),
        ["magic"] * count,
        [label] * count,
        ["laptop"] * count if hosts else None,
    )
    return readings_frame(rows, names or {}, UTC)


def costs_of(
    *spent: float | None,
    labels: Sequence[str | None] | None = None,
    exact: bool = True,
    revised_at: datetime | None = None,
) -> pd.DataFrame:
    """A costs frame with a cell each minute."""
    names = labels or [f"job {each}" for each in range(len(spent))]
    start = _microseconds(NOW) - len(spent) * _MINUTE
    revised = None if revised_at is None else _microseconds(revised_at)
    rows = [
        (
            start + at * _MINUTE,
            label,
            3.1,
            "org-one",
            np.nan if each is None else each,
            np.nan if each is None else each / 100.0,
            exact and each is not None,
            f"cell{at}",
            revised,
            "laptop",
            None,
        )
        for at, (each, label) in enumerate(zip(spent, names, strict=True))
    ]
    return frame_from_rows("costs", rows, UTC)


def summary_of(
    *totals: float, labels: Sequence[str], outside: float = 0.0, exact: bool = True
) -> pd.DataFrame:
    """A summary with two cells to a label, and so many credits spent outside its cells."""
    whole = sum(totals) + outside
    rows = [
        (label, "org-one", 2, each, each / 2, each / 2, each / 100.0, exact, each / whole)
        for each, label in zip(totals, labels, strict=True)
    ]
    nothing = (np.nan, np.nan)
    rows.append(
        (ELSEWHERE, "org-one", 0, outside, *nothing, outside / 100.0, exact, outside / whole)
    )
    return frame_from_rows("summary", rows, UTC)


def team_of(*rows: tuple[str, str | None, str, float], outside: float = 5.0) -> pd.DataFrame:
    """A team frame of members, hosts, labels and amounts."""
    whole = outside + float(np.nansum([spent for *_, spent in rows]))
    organization = ("org-one", "Studio")
    told = [
        (*key, spent, spent / 100.0, spent / whole, *organization, 1, not np.isnan(spent))
        for *key, spent in rows
    ]
    elsewhere = (ELSEWHERE, None, None, outside, outside / 100.0, outside / whole)
    told.append((*elsewhere, *organization, 0, True))
    return frame_from_rows("team", told, UTC)


def all_frames() -> dict[str, pd.DataFrame]:
    """A frame of each kind, by a name for the kind."""
    falling = [1000.0 - 10.0 * each for each in range(200)]
    readings = readings_of({"org-one": falling}, names={"org-one": "Studio"})
    account = Account(
        "user-1", "eva@example.org", [Organization("org-one", "Studio", "owner", True)]
    )
    at = _microseconds(NOW)
    job = parse_job("40 ultra + 12 erase", PriceList(), NOW.date())
    watch = ("org-one", "Studio", at, timedelta(minutes=10), 990.0, 10.0, at, at, 0)
    budget = ("org-one", "Studio", "day", 500.0, at, at + 1, 10.0, 490.0, 0.02, 20.0, 15.0, 30.0)
    return {
        "readings": readings,
        "readings with host": readings_of({"org-one": falling}, hosts=True),
        "usage": usage(readings),
        "forecast": forecast(readings),
        "budget": frame_from_rows("budget", [(*budget, False, 0.0, 0.1, "28.0 days")], UTC),
        "costs": costs_of(24.0, 0.0, None),
        "summary": summary_of(24.0, 8.0, labels=["render", "upscale"], outside=5.0),
        "organizations": organizations_frame(account, show_email=False),
        "counts": frame_from_rows("counts", [("log.db", 12345, 0, 2, 1)], UTC),
        "watch": frame_from_rows("watch", [watch], UTC),
        "prices": prices_frame(PriceList(), ["ultra", "erase"], (None, None), {}, UTC),
        "estimate": estimate_frame(job, [], 0.01, UTC),
        "team": team_of(
            ("ann", "hub", "render", 24.0), ("(no member)", "laptop", "(no label)", 8.0)
        ),
    }
