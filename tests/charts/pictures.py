"""Readings to draw, and functions that read a picture from its artists."""

from __future__ import annotations

import io
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.dates import date2num
from matplotlib.figure import Figure
from matplotlib.patches import StepPatch
from matplotlib.text import Text

HOUR = 3_600_000_000  # microseconds


def readings(
    hours: Sequence[float],
    credits: Sequence[float],
    organization: str = "org-1",
    name: str | None = None,
    zone: Any = "Europe/Berlin",
) -> pd.DataFrame:
    """A readings frame, with times given in hours after a midnight in Berlin."""
    midnight = pd.Timestamp("2025-11-03", tz="Europe/Berlin").as_unit("us")
    offsets = np.round(np.asarray(hours, dtype=float) * HOUR).astype("timedelta64[us]")
    index = pd.DatetimeIndex(midnight + pd.TimedeltaIndex(offsets), name="read_at").tz_convert(zone)
    columns = {"organization": organization, "credits": np.asarray(credits, dtype=float)}
    return pd.DataFrame(columns | {"name": name or organization}, index=index)


def readings_of_teams(count: int, *, hours_apart: float = 12.0, days: int = 20) -> pd.DataFrame:
    """Organizations that spend at different rates and top up now and then."""
    hours = np.arange(0, days * 24, hours_apart)
    return pd.concat(
        readings(
            hours,
            900 - (hours * (code + 3)) % 800 + code,
            f"org-{code:02}",
            f"Organization {code}",
        )
        for code in range(count)
    )


def many_readings(count: int, *, with_topups: bool) -> pd.DataFrame:
    """Readings over five years; about half of them show a top-up, or only fifty."""
    rng = np.random.default_rng(7)
    hours = np.sort(rng.random(count)) * 5 * 365 * 24
    changes = rng.normal(0, 1, count) if with_topups else -rng.exponential(1, count)
    changes[:: max(1, count // 50)] += 5000
    return readings(hours, changes.cumsum())


def new_axes(width: float = 6.4, height: float = 4.8) -> Axes:
    """Axes in a figure of their own; its size is in inches."""
    figure = Figure(figsize=(width, height))
    # Without this canvas, a figure draws itself anew for each text that is measured.
    FigureCanvasAgg(figure)
    return figure.subplots()


def matplotlib_days(frame: pd.DataFrame) -> Any:
    """The index in matplotlib's days."""
    return date2num(frame.index.tz_convert("UTC").tz_localize(None).to_numpy())


def series_of(
    length: pd.Timedelta | str,
    every: pd.Timedelta | str,
    *,
    start: str = "2026-09-27 09:00",
    zone: str = "Europe/Berlin",
    daily: float = 400.0,
    name: str = "Fernhill Studio",
    organization: str = "org-1",
    seed: int = 1,
) -> pd.DataFrame:
    """Readings of somebody who spends irregularly and buys 25 to 75 dollars when low."""
    rng = np.random.default_rng(seed)
    begin = pd.Timestamp(start, tz=zone).as_unit("us")
    index = pd.date_range(begin, begin + pd.Timedelta(length), freq=every, name="read_at")
    share = pd.Timedelta(every) / pd.Timedelta(days=1)
    spent = rng.gamma(0.4, daily * share / 0.4, len(index))
    balance, balances = 4000.0, []
    for each in spent:
        balance -= each
        if balance < 300:
            balance += rng.choice([2500.0, 5000.0, 7500.0])
        balances.append(max(balance, 0.0))
    return pd.DataFrame({"organization": organization, "name": name, "credits": balances}, index)


def many_organizations(count: int, *, days: int = 60) -> pd.DataFrame:
    """Organizations of very different sizes; the last of them is idle."""
    frames = [
        series_of(
            f"{days}D",
            "5h",
            daily=20.0 * 1.6 ** (code % 7),
            name=f"Organization number {code} of the whole company",
            organization=f"org-{code:02}",
            seed=code,
        )
        for code in range(count)
    ]
    frames[-1]["credits"] = 0.63
    return pd.concat(frames)


def texts_of(figure: Figure) -> list[str]:
    """Everything that is written on a picture."""
    return [each.get_text() for each in shown_texts(figure)]


def shown_texts(figure: Figure) -> list[Text]:
    """The texts that can be seen, once the figure is drawn."""
    figure.draw_without_rendering()
    hidden: set[int] = set()
    for ax in figure.axes:
        for axis in (ax.xaxis, ax.yaxis):
            low, high = sorted(axis.get_view_interval())
            shown = {
                id(tick.label1) for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high
            }
            every = {id(each) for each in axis.findobj(Text)}
            hidden |= every - (shown if axis.get_visible() else set())
            hidden -= {id(axis.label)} if axis.get_visible() else set()
    return [
        each
        for each in figure.findobj(Text)
        if isinstance(each, Text)
        and each.get_visible()
        and each.get_text().strip()
        and id(each) not in hidden
    ]


def shaded_stretches(ax: Axes) -> list[tuple[float, float]]:
    """Where the shaded stretches begin and end."""
    artists = [each for each in ax.collections if each.get_label() == "no readings"]
    assert len(artists) <= 1
    boxes = [path.get_extents() for artist in artists for path in artist.get_paths()]
    return [(box.x0, box.x1) for box in boxes]


def bars_of(ax: Axes, kind: str = "solid") -> list[StepPatch]:
    """The ``solid``, ``pale`` or ``open`` bars, one artist for each organization that has any."""
    patches = [each for each in ax.patches if isinstance(each, StepPatch)]
    is_kind = {"_pale": "pale", "_open": "open"}
    return [each for each in patches if is_kind.get(str(each.get_label()), "solid") == kind]


def bar_heights(patch: StepPatch) -> Any:
    """How high each bar is, without the gaps between them."""
    values, _, base = patch.get_data()
    return (values - base)[~np.isnan(values)]


def svg_bytes(figure: Figure) -> bytes:
    """The figure as SVG."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg")
    return buffer.getvalue()


def overlapping_pairs(figure: Figure) -> list[tuple[str, str]]:
    """The pairs of texts that overlap by more than the room that letters leave around them."""
    boxes = [(each.get_text(), each.get_window_extent().padded(-1)) for each in shown_texts(figure)]
    return [
        (first[0], second[0])
        for first, second in itertools.combinations(boxes, 2)
        if first[1].overlaps(second[1])
    ]


def texts_outside(figure: Figure) -> list[str]:
    """The texts that are cut off at the edges of the picture."""
    bounds = figure.bbox.padded(0.5)
    return [
        each.get_text()
        for each in shown_texts(figure)
        if not (
            bounds.contains(*each.get_window_extent().min)
            and bounds.contains(*each.get_window_extent().max)
        )
    ]


def lines_outside(figure: Figure) -> list[Any]:
    """The points of lines, bars and bands that lie outside of their panel."""
    outside = []
    for ax in figure.axes:
        bounds = ax.bbox.padded(1)
        for line in ax.lines:
            points = line.get_transform().transform(line.get_xydata())
            outside += [(line.get_label(), *each) for each in points if not bounds.contains(*each)]
        for collection in ax.collections:
            for path in collection.get_paths():
                if collection.get_offset_transform() is not ax.transData and len(path.vertices):
                    points = collection.get_transform().transform(path.vertices)
                    outside += [each for each in points if not bounds.contains(*each)]
        for patch in ax.patches:
            vertices = patch.get_path().vertices
            points = patch.get_transform().transform(vertices[np.isfinite(vertices).all(axis=1)])
            outside += [each for each in points if not bounds.contains(*each)]
    return outside
