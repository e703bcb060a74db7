"""Summaries of made-up readings, for the tests of what is shown at a glance."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from stability_magic.analysis.series import histories_from_frame
from stability_magic.analysis.summary import summaries

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 25, 9, 28, tzinfo=BERLIN)


def make_readings(count=1, *, days=60, seed=0, scale=1.0, names=None):
    """Readings of so many organizations, every five hours up to an hour before ``NOW``."""
    random = np.random.default_rng(seed)
    parts = []
    for position in range(count):
        times = pd.date_range(end=NOW, periods=max(days * 5, 1), freq="5h") - pd.Timedelta(hours=1)
        steps = random.gamma(0.4, 60.0, len(times)) - 2500.0 * (random.random(len(times)) < 0.02)
        credits = scale * (4000.0 - np.cumsum(steps - steps.mean()))
        parts.append(
            pd.DataFrame(
                {
                    "organization": f"org-{position}",
                    "name": names[position] if names else f"Organization {position}",
                    "credits": np.maximum(credits, 0.0),
                },
                index=times,
            )
        )
    return pd.concat(parts)


def make_summaries(*arguments, now=NOW, **options):
    """Their summaries."""
    histories = histories_from_frame(make_readings(*arguments, **options))
    return summaries(histories, histories, now, usd_per_credit=0.01)
