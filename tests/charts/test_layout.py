"""Nothing on a picture covers anything else or leaves it, whatever it shows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from stability_magic.analysis.series import histories_from_frame
from stability_magic.charts.picture_data import Look
from stability_magic.charts.plots import plot_usage, usage_picture, watch_picture

from .pictures import (
    lines_outside,
    many_organizations,
    many_readings,
    overlapping_pairs,
    readings,
    readings_of_teams,
    series_of,
    texts_outside,
)


def _watch(length: str, every: str) -> Figure:
    frame = series_of(length, every, daily=60_000, start="2026-11-25 09:36:20")
    look = Look(machine_zone="UTC")
    histories = histories_from_frame(frame)
    return watch_picture(histories, since=frame.index[0], every=timedelta(minutes=1), look=look)


def _past_day() -> Figure:
    frame = series_of("20D", "45min")
    since = frame.index[0].normalize() + pd.Timedelta(days=9)
    return usage_picture(
        histories_from_frame(frame),
        "hour",
        since=since,
        until=since + pd.Timedelta(days=1),
        look=Look(machine_zone="UTC"),
    )


def _with_gaps() -> pd.DataFrame:
    frame = series_of("60D", "3h")
    day = (frame.index - frame.index[0]).days
    return frame[~(((day > 20) & (day < 25)) | ((day > 41) & (day < 44)))]


PICTURES: dict[str, Callable[[], Figure]] = {
    "one minute": lambda: plot_usage(series_of("1min", "10s", daily=90_000)),
    "one reading": lambda: plot_usage(readings([5], [1234.5])),
    "no reading": lambda: plot_usage(readings([], [])),
    "three readings": lambda: plot_usage(readings([0, 0.35, 1], [759.33, 746.53, 733.33])),
    "one hour": lambda: plot_usage(series_of("1h", "30s", daily=9000)),
    "two hours by hour": lambda: plot_usage(series_of("2h", "30s", daily=9000), "hour"),
    "a day": lambda: plot_usage(series_of("24h", "10min"), low_balance=1000),
    "a past day": _past_day,
    "two days": lambda: plot_usage(series_of("50h", "10min"), forecast=True),
    "ten days": lambda: plot_usage(series_of("10D", "1h"), low_balance=1000),
    "60 days": lambda: plot_usage(series_of("60D", "3h")),
    "60 days ahead": lambda: plot_usage(series_of("60D", "3h"), forecast=True, low_balance=1000),
    "much left": lambda: plot_usage(series_of("60D", "3h", daily=30), forecast=True),
    "low": lambda: plot_usage(series_of("60D", "3h"), forecast=True, low_balance=5000),
    "gaps": lambda: plot_usage(_with_gaps(), forecast=True),
    "no change": lambda: plot_usage(readings(np.arange(0, 200, 7), np.full(29, 100.0))),
    "new year": lambda: plot_usage(series_of("80D", "5h", start="2025-11-20")),
    "200 days by week": lambda: plot_usage(series_of("200D", "6h"), "week"),
    "two years by month": lambda: plot_usage(series_of("700D", "12h"), "month"),
    "five years": lambda: plot_usage(series_of("1826D", "12h")),
    "five years by month": lambda: plot_usage(series_of("1826D", "12h"), "month"),
    "two": lambda: plot_usage(readings_of_teams(2), low_balance=500),
    "three with an idle one": lambda: plot_usage(many_organizations(3), low_balance=1000),
    "four ahead": lambda: plot_usage(many_organizations(4), forecast=True, low_balance=1000),
    "five": lambda: plot_usage(many_organizations(5)),
    "eight ahead": lambda: plot_usage(many_organizations(8), forecast=True, low_balance=1000),
    "fifty": lambda: plot_usage(many_organizations(50, days=20), low_balance=1000),
    "six by month": lambda: plot_usage(many_organizations(6, days=400), "month"),
    "a watch of a minute": lambda: _watch("50s", "10s"),
    "a watch of a quarter of an hour": lambda: _watch("15min", "10s"),
    "a watch of ten hours": lambda: _watch("10h", "10min"),
    "many readings": lambda: plot_usage(many_readings(50_000, with_topups=False)),
    "huge": lambda: plot_usage(readings([0, 24, 48, 96], [9e300, 8e300, 1e300, 5])),
    "tiny": lambda: plot_usage(readings([0, 24, 48, 96], [0.02, 0.011, 0.0105, 0.001])),
    "negative": lambda: plot_usage(readings([0, 24, 48, 96], [5, -3, -20, -20.5])),
}


def _assert_clean(figure: Figure) -> None:
    assert not overlapping_pairs(figure)
    assert not texts_outside(figure)
    assert not lines_outside(figure)


@pytest.mark.parametrize("name", PICTURES)
def test_no_text_covers_another_and_nothing_leaves_the_picture(name: str) -> None:
    """From a minute to five years, from one organization to fifty."""
    _assert_clean(PICTURES[name]())


@pytest.mark.parametrize("name", ["60 days ahead", "four ahead", "ten days", "eight ahead"])
@pytest.mark.parametrize("size", [(4, 3), (6, 4), (12, 5)])
def test_figures_of_the_users_size_are_as_clean(name: str, size: tuple[float, float]) -> None:
    """Small ones leave out dollars and labels at the ends of lines."""
    matplotlib.rcParams["figure.figsize"] = size
    figure = PICTURES[name]()
    assert tuple(figure.get_size_inches()) == size
    _assert_clean(figure)


@pytest.mark.parametrize("name", ["60 days ahead", "three with an idle one", "eight ahead"])
def test_large_letters_have_room(name: str) -> None:
    """A usual figure grows with the letters of a presentation."""
    matplotlib.rcParams["font.size"] = 16
    _assert_clean(PICTURES[name]())
