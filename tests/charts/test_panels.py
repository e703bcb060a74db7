"""The panels, read from their artists."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.colors import to_rgba

from stability_magic.analysis.series import histories_from_frame
from stability_magic.analysis.spend import usage
from stability_magic.charts.picture_data import prepare_picture, spending_bars
from stability_magic.charts.plots import plot_balance, plot_spend, plot_usage

from .pictures import (
    bar_heights,
    bars_of,
    matplotlib_days,
    new_axes,
    readings,
    readings_of_teams,
    series_of,
    shaded_stretches,
    texts_of,
)

# Every hour for two days, then two days of nothing, a reading, four days of nothing, and a day.
HOURS = np.r_[0:49, 96, 192:217]


def falling(hours: Any, organization: str = "org-1") -> pd.DataFrame:
    """Readings of a balance that falls by a credit from one to the next."""
    return readings(hours, np.arange(len(hours))[::-1] + 1.0, organization)


def test_balances_are_steps_through_every_reading() -> None:
    """The line has exactly the points of the readings."""
    frame = readings([0, 5, 30, 31], [100, 90, 80.5, 20])
    line = plot_balance(frame, ax=new_axes()).lines[0]
    assert line.get_drawstyle() == "steps-post"
    expected = np.column_stack([matplotlib_days(frame), frame["credits"]])
    assert np.allclose(line.get_xydata(), expected)


def test_the_order_of_rows_and_other_columns_do_not_matter() -> None:
    """A shuffled frame with only the two required columns gives the same lines."""
    frame = readings_of_teams(3)
    expected = [line.get_xydata() for line in plot_balance(frame, ax=new_axes()).lines]
    shuffled = frame.sample(frac=1, random_state=1)[["credits", "organization"]]
    actual = [line.get_xydata() for line in plot_balance(shuffled, ax=new_axes()).lines]
    assert all(np.array_equal(*pair) for pair in zip(expected, actual, strict=True))


@pytest.mark.parametrize("by", ["hour", "day", "week", "month"])
def test_bars_are_the_usage(by: str) -> None:
    """Stacked in the order of the colours; certain, then pale, as the frame has it."""
    frame = readings_of_teams(3, hours_apart=5, days=40 if by in ("week", "month") else 6)
    picture = prepare_picture(histories_from_frame(frame), by, None, None, exact=True)
    bars = spending_bars(picture, 10**6)
    assert bars is not None
    expected = usage(frame, by)
    ax = plot_spend(frame, by, ax=new_axes(20, 5))
    top: Any = 0
    for code in range(3):
        # A reading at the very end of a period begins the next one in the frame alone.
        rows = expected[expected["organization"] == f"org-{code:02}"][: len(bars.is_open)]
        assert np.allclose(bars.seen[code], rows["spent"] - rows["estimated"])
        hidden = rows["likely_spent"] - rows["spent"]
        assert np.allclose(bars.pale[code], rows["estimated"] + hidden)
        solid = ~bars.is_open
        if solid.any():
            values, _, base = bars_of(ax)[code].get_data()
            is_bar = ~np.isnan(values)
            assert np.allclose((values - base)[is_bar], bars.seen[code][solid])
            assert np.allclose(base[is_bar], np.broadcast_to(top, len(solid))[solid])
        top = top + bars.seen[code] + bars.pale[code]
    assert ax.get_ylim()[0] == 0
    assert ax.get_ylim()[1] >= max(top)


@settings(deadline=None, max_examples=40)
@given(
    hours=st.lists(st.integers(0, 24 * 40), min_size=1, max_size=60),
    seed=st.integers(0, 9),
    by=st.sampled_from(["hour", "day", "week", "month"]),
)
def test_bars_are_the_usage_of_all_readings(hours: list[int], seed: int, by: str) -> None:
    """Condensing the readings first changes nothing in the bars."""
    rng = np.random.default_rng(seed)
    credits = rng.choice([-3.0, -2.0, -1.0, 0.0, 9.0], len(hours)).cumsum()
    frame = readings(np.sort(np.array(hours) / 4), credits)
    picture = prepare_picture(histories_from_frame(frame), by, None, None, exact=True)
    bars = spending_bars(picture, 10**6)
    assert bars is not None
    expected = usage(frame, by)
    count = len(bars.is_open)
    # A reading at the very end of a period begins the next one in the frame alone.
    assert np.allclose(bars.seen[0], (expected["spent"] - expected["estimated"])[:count])
    assert np.allclose(bars.totals, expected["likely_spent"][:count])
    assert np.allclose(expected["likely_spent"][count:], 0)


def test_what_is_likely_is_pale_and_what_is_not_complete_is_open() -> None:
    """In the organization's colour, without an edge or with one."""
    ax = plot_usage(series_of("10D", "7h")).axes[1]
    (solid,), (pale,), (opened,) = (bars_of(ax, each) for each in ("solid", "pale", "open"))
    assert to_rgba(pale.get_facecolor()) == to_rgba(solid.get_facecolor(), 0.42)
    assert to_rgba(opened.get_facecolor()) == to_rgba(solid.get_facecolor(), 0.18)
    assert (solid.get_linewidth(), pale.get_linewidth(), opened.get_linewidth()) == (0, 0, 1.1)
    assert len(bar_heights(opened)) == 2


def test_five_years_of_hours_keep_the_highest_bars() -> None:
    """Neighbours among 43,800 periods are combined; no bar becomes higher by that."""
    hours = np.arange(43_800)
    spent = np.random.default_rng(3).exponential(1, len(hours))
    frame = readings(hours, 1e6 - spent.cumsum())
    ax = plot_spend(frame, "hour", ax=new_axes())
    heights = bar_heights(bars_of(ax)[0])
    assert len(heights) <= ax.bbox.width
    assert heights.max() == pytest.approx(usage(frame, "hour")["spent"].max())


def test_few_periods_become_shorter_ones_or_the_time_between_readings() -> None:
    """With the values of the latter above them."""
    figure = plot_usage(readings([0, 0.35, 1], [759.33, 746.53, 733.33]))
    assert {"12.80", "13.20", "credits spent between readings"} <= set(texts_of(figure))
    assert any(
        each.startswith("credits spent per hour")
        for each in texts_of(plot_usage(series_of("50h", "10min")))
    )
    assert any(
        each.startswith("credits spent per minute")
        for each in texts_of(plot_usage(series_of("1h", "30s")))
    )


def test_the_axis_begins_and_ends_with_whole_periods() -> None:
    """Also where the readings do not, or the window does not."""
    frame = falling(np.arange(5, 240, 3))
    midnights = matplotlib_days(readings([0, 240], [0, 0]))
    for figure in (plot_usage(frame), plot_usage(frame, since=frame.index[1])):
        assert np.allclose(figure.axes[0].get_xlim(), midnights)
        assert figure.axes[0].get_xlim() == figure.axes[1].get_xlim()


def test_gaps_are_shaded_in_both_panels_from_reading_to_reading() -> None:
    """Steps that are long for the log; never over the lonely reading; the line is dotted there."""
    figure = plot_usage(falling(HOURS))
    expected = matplotlib_days(readings([48, 96, 96, 192], [0] * 4)).reshape(2, 2)
    for ax in figure.axes:
        assert np.allclose(shaded_stretches(ax), expected)
    assert any("grey: no readings" in each for each in texts_of(figure))
    dotted = [
        each
        for each in figure.axes[0].collections
        if getattr(each, "get_linestyle", list)() not in ([], [(0, None)])
    ]
    assert any(len(each.get_paths()) == 2 for each in dotted)
    shaded = [shaded_stretches(plot_usage(falling(HOURS), by).axes[0]) for by in ("hour", "week")]
    assert all(np.allclose(each, expected) for each in shaded)


def test_gaps_too_narrow_to_be_seen_are_not_shaded() -> None:
    """Five years with a gap each week do not give hundreds of stretches."""
    hours = (np.arange(0, 260 * 168, 168)[:, None] + np.arange(100)).ravel()
    assert not shaded_stretches(plot_balance(falling(hours), ax=new_axes()))


def test_a_window_without_readings_says_so() -> None:
    """In the figure's title, and in that of the user's own axes."""
    frame = readings([0, 1], [2, 1])
    since = frame.index[0] + pd.Timedelta(hours=100)
    assert "no readings in this time" in plot_usage(frame, since=since).texts[0].get_text()
    many = pd.concat([readings([0, 1], [2, 1], f"org-{each}") for each in range(6)])
    assert "no readings in this time" in plot_usage(many, since=since).texts[0].get_text()
    ax = plot_balance(frame, ax=new_axes(), since=since)
    assert ax.get_title() in ("", "no readings in this time")


def test_top_ups_are_labelled_all_or_not_at_all() -> None:
    """With what was bought; where they have no room, triangles mark them."""
    few = plot_usage(readings([0, 24, 48, 72, 96, 120], [900, 400, 5400, 5000, 4900, 4800]))
    assert [each.get_text() for each in few.axes[0].texts if "+" in each.get_text()] == [
        "+5,000 ($50)"
    ]
    many = plot_usage(series_of("700D", "12h"), "month").axes[0]
    assert not [each for each in many.texts if "+" in each.get_text()]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"by": "year"}, "by is 'year'; use one of hour, day, week, month"),
        ({"since": pd.Timestamp("2026-01-01")}, "`since` is 2026-01-01 00:00:00, without a time"),
        ({"until": pd.Timestamp("2026-01-01")}, "`until` is 2026-01-01 00:00:00, without a time"),
        (
            dict.fromkeys(("since", "until"), pd.Timestamp("2026-01-01", tz="UTC")),
            "which is not before `until`",
        ),
    ],
)
def test_wrong_arguments_are_errors_in_one_line(arguments: dict[str, Any], message: str) -> None:
    """Each error names the argument, even if there is nothing to draw."""
    for frame in (readings([0, 1], [2, 1]), readings([], [])):
        for plot in (plot_balance, plot_spend, plot_usage):
            with pytest.raises(ValueError, match=message) as raised:
                plot(frame, **arguments)  # type: ignore[operator]
            assert "\n" not in str(raised.value)
