"""The pictures, read from their artists."""

from __future__ import annotations

import io
import itertools
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from datetime import timedelta, timezone
from typing import Any

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PathCollection, PolyCollection
from matplotlib.colors import same_color, to_hex
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.figure import Figure
from matplotlib.patches import StepPatch

from stability_magic import _panels, _thinning
from stability_magic._balances import balances
from stability_magic._plot import plot_balance, plot_spend, plot_usage
from stability_magic._spend import usage
from stability_magic._text import clean_text

HOUR = 3_600_000_000
SPANS = {"1 h": 1, "7 h": 7, "1 d": 24, "3 d": 72, "9 d": 216, "31 d": 744, "62 d": 1488}
SPANS |= {"200 d": 4800, "370 d": 8880, "2 y": 17532, "5 y": 43830}
NASTY = (
    "$a_1$ & $\\frac{1}{2$",
    "<b>bold</b> <!-- -- ]]>",
    "team \N{SLIGHTLY SMILING FACE} \N{WOMAN}\u200d\N{PERSONAL COMPUTER}\ufe0f",
    "שלום עולם",
    "_hidden",
    "W" * 200,
    "bell\x07 esc\x1b[31m\nnew\x00line \u202eright to left \ufffe",
    "中文名字",
    "  ",
    "…" * 60,
)


@pytest.fixture(autouse=True)
def _figures() -> Iterator[None]:
    """A backend without windows, and no figure left for the next test."""
    matplotlib.use("Agg")
    with matplotlib.rc_context():
        yield
    plt.close("all")


def readings(
    hours: Sequence[float],
    credits: Sequence[float],
    organization: str = "org-1",
    name: str | None = None,
    zone: Any = "Europe/Berlin",
) -> pd.DataFrame:
    """Readings some hours after a midnight in Berlin."""
    since = pd.Timestamp("2025-11-03", tz="Europe/Berlin").as_unit("us")
    steps = np.round(np.asarray(hours, dtype=float) * HOUR).astype("timedelta64[us]")
    index = pd.DatetimeIndex(since + pd.TimedeltaIndex(steps), name="read_at").tz_convert(zone)
    columns = {"organization": organization, "credits": np.asarray(credits, dtype=float)}
    return pd.DataFrame(columns | {"name": name or organization}, index=index)


def teams(count: int, *, every: float = 12.0, days: int = 20) -> pd.DataFrame:
    """Organizations that spend at different rates and top up now and then."""
    hours = np.arange(0, days * 24, every)
    return pd.concat(
        readings(
            hours,
            900 - (hours * (code + 3)) % 800 + code,
            f"org-{code:02}",
            f"Organization {code}",
        )
        for code in range(count)
    )


def many(count: int, *, rises: bool) -> pd.DataFrame:
    """So many readings over five years."""
    rng = np.random.default_rng(7)
    hours = np.sort(rng.random(count)) * 5 * 365 * 24
    steps = rng.normal(0, 1, count) if rises else -rng.exponential(1, count)
    steps[:: max(1, count // 50)] += 5000
    return readings(hours, steps.cumsum())


def axes(width: float = 6.4, height: float = 4.8) -> Axes:
    """Axes in a figure of their own, in inches."""
    figure = Figure(figsize=(width, height))
    # The canvas of a bare figure would draw it anew for each text that is measured.
    FigureCanvasAgg(figure)
    return figure.subplots()


def days_of(frame: pd.DataFrame) -> Any:
    """The index as matplotlib counts time."""
    return date2num(frame.index.tz_convert("UTC").tz_localize(None).to_numpy())


def legend_texts(ax: Axes) -> list[str]:
    """What the legend names."""
    legend = ax.get_legend()
    return [text.get_text() for text in legend.get_texts()] if legend else []


def shading(ax: Axes) -> list[tuple[float, float]]:
    """Where the shaded stretches begin and end."""
    found = [each for each in ax.collections if each.get_label() == "nobody looked"]
    assert len(found) <= 1
    boxes = [path.get_extents() for each in found for path in each.get_paths()]
    return [(box.x0, box.x1) for box in boxes]


def bars(ax: Axes) -> list[StepPatch]:
    """The bars, one artist for each organization."""
    return [each for each in ax.patches if isinstance(each, StepPatch) and each.get_fill()]


def hatched(ax: Axes) -> list[StepPatch]:
    """The hatches over lower bounds."""
    return [each for each in ax.patches if isinstance(each, StepPatch) and each.get_hatch()]


def heights(patch: StepPatch) -> Any:
    """How high each bar is, without the gaps between them."""
    values, _, base = patch.get_data()
    return (values - base)[~np.isnan(values)]


def svg(figure: Figure) -> bytes:
    """The figure as SVG."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg")
    return buffer.getvalue()


def overlapping(boxes: Sequence[Any]) -> list[tuple[Any, Any]]:
    """Pairs of boxes that lie on each other."""
    return [pair for pair in itertools.combinations(boxes, 2) if pair[0].overlaps(pair[1])]


def assert_dates_fit(ax: Axes, *, inside: bool) -> None:
    """Labels of the time axis lie apart, there are some, and the common date is not cut."""
    figure: Any = ax.figure
    if inside:
        figure.draw_without_rendering()
    else:
        # Places the labels, in a fraction of the time of drawing everything.
        ax.xaxis.get_tightbbox(figure.canvas.get_renderer())
    low, high = ax.get_xlim()
    labels = [
        label.get_window_extent()
        for label, at in zip(ax.get_xticklabels(), ax.get_xticks(), strict=True)
        if label.get_text() and low <= at <= high
    ]
    assert len(labels) >= 2
    assert not overlapping(labels)
    offset = ax.xaxis.get_offset_text().get_window_extent()
    zone = ax.xaxis.label.get_window_extent()
    assert not overlapping([*labels, offset, zone])
    if inside:
        for box in (*labels, offset, zone):
            assert figure.bbox.x0 <= box.x0 <= box.x1 <= figure.bbox.x1
            assert figure.bbox.y0 <= box.y0 <= box.y1 <= figure.bbox.y1


# The balance


def test_balances_are_steps_through_every_reading() -> None:
    """The line holds the readings as they are, and is drawn as steps."""
    frame = readings([0, 5, 30, 31], [100, 90, 80.5, -20])
    (line,) = plot_balance(frame, ax=axes()).lines
    assert line.get_drawstyle() == "steps-post"
    assert np.allclose(line.get_xydata(), np.column_stack([days_of(frame), frame["credits"]]))


def test_the_order_of_rows_and_other_columns_do_not_matter() -> None:
    """A shuffled frame with the two needed columns gives the same line."""
    frame = teams(3)
    expected = [line.get_xydata() for line in plot_balance(frame, ax=axes()).lines]
    shuffled = frame.sample(frac=1, random_state=1)[["credits", "organization"]]
    found = [line.get_xydata() for line in plot_balance(shuffled, ax=axes()).lines]
    assert all(np.array_equal(*pair) for pair in zip(expected, found, strict=True))


def test_the_frame_is_not_changed() -> None:
    """Drawing leaves the readings as they were."""
    frame = teams(2)
    before = frame.copy(deep=True)
    plot_usage(frame)
    pd.testing.assert_frame_equal(frame, before)


def test_axis_labels_name_units() -> None:
    """Both panels say what they count, and the time axis its zone."""
    above, below = plot_usage(teams(1), "week").axes
    assert above.get_ylabel() == "credits left"
    assert below.get_ylabel() == "credits spent per week"
    assert below.get_xlabel() == "Europe/Berlin"


def test_numbers_have_thousands_separators() -> None:
    """A million is easy to read, a fraction is kept."""
    ax = plot_balance(readings([0, 1, 2], [2e6, 1e6, 0.5]), ax=axes())
    labels = [ax.yaxis.get_major_formatter()(value) for value in (1_500_000.0, 0.25, -1000.0)]
    assert labels == ["1,500,000", "0.25", "\N{MINUS SIGN}1,000"]


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kathmandu", timezone(timedelta(hours=-3))])
def test_dates_are_in_the_zone_of_the_index(zone: Any) -> None:
    """The ticks lie on full hours of that zone's clock and the axis names it."""
    figure = plot_usage(readings([0, 8], [5, 4], zone=zone))
    figure.draw_without_rendering()
    below = figure.axes[1]
    assert isinstance(below.xaxis.get_major_locator(), AutoDateLocator)
    assert isinstance(below.xaxis.get_major_formatter(), ConciseDateFormatter)
    ticks = pd.to_datetime(np.round(below.get_xticks() * 86_400), unit="s", utc=True)
    assert set(ticks.tz_convert(zone).minute) == {0}
    assert below.get_xlabel() == str(zone)


def test_a_zone_without_a_name_of_its_own_goes_by_its_abbreviation() -> None:
    """dateutil's zones print as the path of a file, which no axis should say."""
    tz = pytest.importorskip("dateutil.tz")
    ax = plot_balance(readings([0, 8], [5, 4], zone=tz.gettz("Europe/Berlin")), ax=axes())
    assert ax.get_xlabel() == "CET"


def test_zero_is_shown_when_a_balance_has_lost_half() -> None:
    """Near to empty looks near to empty, and a small change is not flattened."""
    assert plot_balance(readings([0, 1], [100, 40]), ax=axes()).get_ylim()[0] <= 0
    assert plot_balance(readings([0, 1], [100, 90]), ax=axes()).get_ylim()[0] > 80


def test_organizations_have_their_own_colours_and_names() -> None:
    """Each line and its bars share a colour of the palette; the legend names them."""
    above, below = plot_usage(teams(3)).axes
    colours = [line.get_color() for line in above.lines]
    assert colours == ["#0072B2", "#D55E00", "#009E73"]
    assert [to_hex(patch.get_facecolor()).upper() for patch in bars(below)] == colours
    names = [f"Organization {code}" for code in range(3)]
    assert legend_texts(above)[:3] == names == [line.get_label() for line in above.lines]


def test_more_organizations_than_colours_differ_in_line_style() -> None:
    """Of thirty lines no two look the same."""
    ax = plot_balance(teams(30, every=60), ax=axes())
    assert len({(line.get_color(), str(line._dash_pattern)) for line in ax.lines}) == 30
    assert not {"#000000", "#F0E442"} & {line.get_color() for line in ax.lines}


@pytest.mark.parametrize("size", [(4, 3), (6.4, 4.8)])
def test_the_legend_of_thirty_organizations_covers_nothing(size: tuple[float, float]) -> None:
    """It names some, says how many more there are, and stays outside of the axes."""
    matplotlib.rcParams["figure.figsize"] = size
    figure = plot_usage(teams(30, every=60))
    figure.draw_without_rendering()
    above = figure.axes[0]
    texts = legend_texts(above)
    named = [text for text in texts if text.startswith("Organization")]
    assert f"… and {30 - len(named)} more" in texts
    assert 1 <= len(named) <= 8
    box = above.get_legend().get_window_extent()
    assert box.y0 >= above.bbox.y1
    assert box.y1 <= figure.bbox.y1 + 1
    assert box.x1 <= figure.bbox.x1 + 1


def test_a_legend_goes_inside_where_a_figure_has_no_room_above() -> None:
    """Small axes without a layout name three organizations all the same."""
    ax = plot_spend(teams(3), ax=axes(4, 3))
    ax.figure.draw_without_rendering()
    assert legend_texts(ax)[:3] == [f"Organization {code}" for code in range(3)]
    box = ax.get_legend().get_window_extent()
    assert ax.bbox.y0 <= box.y0 <= box.y1 <= ax.bbox.y1 + 1


# Top-ups


def test_topups_are_marked_with_their_size() -> None:
    """A mark lies on the reading that showed the rise, its label says by how much."""
    frame = readings([0, 24, 48, 72, 96], [500, 400, 1400, 1300, 1312.25])
    ax = plot_balance(frame, ax=axes())
    (marks,) = (each for each in ax.collections if isinstance(each, PathCollection))
    expected = np.column_stack([days_of(frame), frame["credits"]])[[2, 4]]
    assert np.allclose(np.asarray(marks.get_offsets()), expected)
    assert {text.get_text() for text in ax.texts} == {"+1,000", "+12.25"}
    assert "topped up" in legend_texts(ax)


@pytest.mark.parametrize(("rise", "shown"), [(0.001, "+<0.01"), (0.5, "+0.5"), (912.4, "+912")])
def test_sizes_of_topups_are_short(rise: float, shown: str) -> None:
    """Small ones keep their fraction, large ones do not need it."""
    ax = plot_balance(readings([0, 1], [0.0, rise]), ax=axes())
    assert [text.get_text() for text in ax.texts] == [shown]


@pytest.mark.parametrize(("count", "size"), [(1, (4.0, 3.0)), (5, (8.0, 5.0)), (60, (4.0, 3.0))])
def test_sizes_of_topups_neither_overlap_nor_leave_the_axes(
    count: int, size: tuple[float, float]
) -> None:
    """What is shown can be read, whatever the layout made of the axes."""
    hours = np.arange(2 * count) * 10.0
    rises = np.random.default_rng(count).integers(1, 2000, count)
    matplotlib.rcParams["figure.figsize"] = size
    figure = plot_usage(readings(hours, np.column_stack([rises * 0, rises]).ravel()))
    for width in (size[0], size[0] * 1.5):
        figure.set_size_inches(width, size[1])
        figure.draw_without_rendering()
        above = figure.axes[0]
        boxes = [text.get_window_extent() for text in above.texts if text.get_visible()]
        assert boxes
        assert not overlapping(boxes)
        for box in boxes:
            assert above.bbox.x0 <= box.x0 <= box.x1 <= above.bbox.x1
            assert above.bbox.y0 <= box.y0 <= box.y1 <= above.bbox.y1


def test_of_crowded_topups_the_largest_keeps_its_size() -> None:
    """A label gives way to that of a larger top-up."""
    hours = np.arange(40) * 1.0
    credits = np.cumsum(np.tile([-10.0, 10.0], 20))
    credits[21:] += 5000
    ax = plot_balance(readings(hours, credits), ax=axes(4, 3))
    shown = [text.get_text() for text in ax.texts if text.get_visible()]
    assert "+5,010" in shown
    assert len(shown) < 20


def test_marks_of_topups_are_few_and_keep_the_largest() -> None:
    """Half a million rises give no more marks than lie beside each other."""
    frame = many(100_000, rises=True)
    ax = plot_balance(frame, ax=axes())
    (marks,) = (each for each in ax.collections if isinstance(each, PathCollection))
    assert 10 < len(marks.get_offsets()) <= ax.bbox.width / 6
    largest = frame["credits"].to_numpy()[np.diff(frame["credits"], prepend=np.inf).argmax()]
    assert largest in np.asarray(marks.get_offsets())[:, 1]


# Stretches in which nobody looked


def test_stretches_without_a_reading_are_shaded() -> None:
    """Longer than a period is shaded as one artist, a day apart is not."""
    frame = readings([0, 24, 48, 100, 120, 200], [6, 5, 4, 3, 2, 1])
    ax = plot_balance(frame, ax=axes())
    at = days_of(frame)
    assert np.allclose(shading(ax), [(at[2], at[3]), (at[4], at[5])])
    assert "nobody looked" in legend_texts(ax)
    assert isinstance(ax.collections[0], PolyCollection)


def test_what_counts_as_not_looking_depends_on_the_period() -> None:
    """Readings every five hours are close for days and far apart for hours."""
    frame = readings(np.arange(0, 50, 5), np.arange(10, 0, -1))
    assert not shading(plot_usage(frame, "day").axes[0])
    assert shading(plot_usage(frame, "hour").axes[0])
    assert not shading(plot_balance(frame, ax=axes()))


def test_one_organization_read_is_somebody_who_looked() -> None:
    """Only where none of the organizations was read a stretch is shaded."""
    frame = pd.concat([readings([0, 200], [2, 1], "a"), readings([100, 110, 120], [3, 2, 1], "b")])
    ax = plot_balance(frame, ax=axes())
    edges = days_of(readings([0, 100, 120, 200], [0] * 4))
    assert np.allclose(shading(ax), edges.reshape(2, 2))


def test_stretches_closer_than_a_pixel_are_one() -> None:
    """Five years of readings every second day are no thousand stretches."""
    ax = plot_balance(readings(np.arange(0, 43_800, 48), np.arange(913)[::-1]), ax=axes())
    assert len(shading(ax)) == 1


# The window


def test_a_window_cuts_the_picture_at_its_edges() -> None:
    """The line starts at since, where the balance was known, and ends at until."""
    frame = readings(np.arange(0, 240, 12), np.arange(20, 0, -1))
    since, until = (frame.index[0] + pd.Timedelta(hours=h) for h in (30, 100))
    above, below = plot_usage(frame, since=since, until=until).axes
    edges = days_of(readings([30, 100], [0, 0]))
    assert np.allclose(below.get_xlim(), edges)
    (line,) = above.lines
    assert np.allclose(line.get_xdata()[[0, -1]], edges)
    assert line.get_ydata()[[0, -1]].tolist() == [18, 12]
    dots = line.get_markevery()
    assert line.get_ydata()[dots].tolist() == [17, 16, 15, 14, 13, 12]
    expected = (30, 100) @ np.array([-1, 1]) / 12
    assert sum(heights(bars(below)[0])) == pytest.approx(expected)


def test_a_window_beyond_the_readings_is_unwatched_there() -> None:
    """Nobody looked before the first reading, nor after the last."""
    frame = readings([100, 101], [2, 1])
    since, until = (frame.index[0] + pd.Timedelta(hours=h) for h in (-50, 80))
    ax = plot_balance(frame, ax=axes(), since=since, until=until)
    assert np.allclose(shading(ax), days_of(readings([50, 100, 101, 180], [0] * 4)).reshape(2, 2))


def test_a_window_between_two_readings_shows_the_balance_in_it() -> None:
    """The balance read before it holds until the reading after it."""
    frame = readings([0, 100], [7, 5])
    since, until = (frame.index[0] + pd.Timedelta(hours=h) for h in (10, 20))
    (line,) = plot_balance(frame, ax=axes(), since=since, until=until).lines
    assert line.get_ydata().tolist() == [7, 7]


@pytest.mark.parametrize("side", ["since", "until"])
def test_a_window_without_readings_says_so(side: str) -> None:
    """All readings before or after it leave the picture empty."""
    frame = readings([0, 1], [2, 1])
    hours = 100 if side == "since" else -100
    figure = plot_usage(frame, **{side: frame.index[0] + pd.Timedelta(hours=hours)})
    assert figure.axes[0].get_title() == "no readings in this time"


def test_a_reading_only_after_the_window_leaves_no_line() -> None:
    """What one organization was first seen with later says nothing about the window."""
    frame = pd.concat([readings([0, 10], [2, 1], "a"), readings([90, 99], [4, 3], "b")])
    until = frame.index[0] + pd.Timedelta(hours=50)
    above, below = plot_usage(frame, until=until).axes
    assert [line.get_label() for line in above.lines] == ["a"]
    assert len(bars(below)) == 1


# Spending


@pytest.mark.parametrize("by", ["hour", "day", "week", "month"])
def test_bars_are_the_usage(by: str) -> None:
    """They stand on each other, start with their period and are as high as its spending."""
    frame = teams(3, every=7, days=40 if by == "month" else 6)
    ax = plot_spend(frame, by, ax=axes())
    expected = usage(frame, by)
    base: Any = 0
    for code, patch in enumerate(bars(ax)):
        values, edges, bottom = patch.get_data()
        rows = expected[expected["organization"] == f"org-{code:02}"]
        shown = ~np.isnan(values)
        assert np.allclose(heights(patch), rows["spent"])
        assert np.allclose(edges[:-1][shown], days_of(rows))
        assert np.allclose(bottom[shown], base)
        base = values[shown]
    assert ax.get_ylabel() == f"credits spent per {by}"
    assert ax.get_ylim()[0] == 0
    assert ax.get_ylim()[1] >= max(base)


def test_lower_bounds_are_hatched() -> None:
    """The period in which a top-up hides spending is, and the legend says what that means."""
    frame = readings(np.arange(0, 120, 6) + 3, np.r_[np.arange(10, 0, -1), np.arange(60, 50, -1)])
    ax = plot_spend(frame, ax=axes())
    (patch,) = hatched(ax)
    shown = ~np.isnan(patch.get_data().values)
    rows = usage(frame)
    assert np.allclose(patch.get_data().edges[:-1][shown], days_of(rows[rows["at_least"]]))
    assert legend_texts(ax)[-1] == "at least (a top-up hides spending)"
    assert not hatched(plot_spend(readings([0, 30], [2, 1]), ax=axes()))


def test_a_lower_bound_of_nothing_has_an_outline() -> None:
    """Spent at least 0 does not look like spent 0."""
    ax = plot_spend(readings([0, 12, 40], [5, 50, 50]), ax=axes())
    assert not ax.dataLim.y1 > 1
    (patch,) = hatched(ax)
    assert patch.get_linewidth() > 0


def test_five_years_of_hours_keep_the_highest_bars() -> None:
    """Of 43,800 periods neighbours are combined, and none is higher than it was."""
    hours = np.arange(43_800)
    spent = np.random.default_rng(3).exponential(1, len(hours))
    frame = readings(hours, 1e6 - spent.cumsum())
    ax = plot_spend(frame, "hour", ax=axes())
    shown = heights(bars(ax)[0])
    assert len(shown) <= ax.bbox.width
    best = np.sort(usage(frame, "hour")["spent"])[::-1]
    assert shown.max() == pytest.approx(best[0])
    assert np.isclose(shown[:, None], best[None, :500]).any(axis=1).mean() > 0.5


# Few readings, and wrong ones


def test_no_readings_are_an_empty_titled_picture() -> None:
    """All three say that there are no readings yet, with nothing drawn."""
    empty = readings([], [])
    pictures = [plot_balance(empty, ax=axes()), plot_spend(empty, ax=axes())]
    pictures += plot_usage(empty).axes[:1]
    for ax in pictures:
        assert ax.get_title() == "no readings yet"
        assert not ax.has_data()
        assert not len(ax.get_xticks())
        assert ax.get_ylabel()
    assert svg(plot_usage(empty))


def test_no_readings_leave_what_was_drawn_before() -> None:
    """On axes that show something already nothing is titled or taken away."""
    ax = plot_balance(readings([0, 1], [2, 1]), ax=axes())
    plot_balance(readings([], []), ax=ax)
    assert not ax.get_title()
    assert len(ax.lines) == 1
    assert len(ax.get_xticks())


def test_one_reading_is_a_visible_dot() -> None:
    """It lies in the middle of some minutes."""
    figure = plot_usage(readings([5], [1234.5]))
    (line,) = figure.axes[0].lines
    assert line.get_marker() == "o"
    low, high = figure.axes[0].get_xlim()
    assert low < line.get_xdata()[0] < high < low + 1 / 24
    assert_dates_fit(figure.axes[1], inside=True)


@pytest.mark.parametrize("credits", [[30, 20, 10], [-10, -30, -900], [0, 0, 0]])
def test_equal_times_negative_and_equal_balances_are_drawn(credits: list[float]) -> None:
    """Neither is an error or a warning."""
    for hours in ([1, 1, 1], [0, 1, 2]):
        ax = plot_balance(readings(hours, credits), ax=axes())
        assert ax.lines[0].get_ydata().tolist() == credits
        assert svg(plot_spend(readings(hours, credits), ax=axes()).figure)


@pytest.mark.parametrize(
    ("change", "message"),
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
def test_wrong_arguments_are_errors_in_one_line(change: dict[str, Any], message: str) -> None:
    """Each names the argument, also when there is nothing to draw."""
    for frame in (readings([0, 1], [2, 1]), readings([], [])):
        for plot in (plot_balance, plot_spend, plot_usage):
            with pytest.raises(ValueError, match=message) as caught:
                plot(frame, **change)  # type: ignore[operator]
            assert "\n" not in str(caught.value)


def test_a_frame_without_credits_is_an_error() -> None:
    """The missing column is named."""
    with pytest.raises(ValueError, match="no column 'credits'"):
        plot_usage(readings([0], [1]).drop(columns="credits"))


# Dates


@pytest.mark.parametrize("width", [4, 12])
@pytest.mark.parametrize("span", SPANS)
def test_dates_never_overlap(span: str, width: float) -> None:
    """From an hour to five years, starting at different days, hours and minutes."""
    hours = SPANS[span]
    ax = plot_balance(readings(np.linspace(0, hours, 5), [5, 4, 3, 2, 1]), ax=axes(width, 4))
    low, high = ax.get_xlim()
    for start in (0, 1.37, 27 * 24 + 22.9):
        ax.set_xlim(low + start / 24, high + start / 24)
        assert_dates_fit(ax, inside=False)


@pytest.mark.parametrize(("span", "width"), [("1 h", 4), ("62 d", 4), ("5 y", 12)])
def test_dates_are_not_cut_off(span: str, width: float) -> None:
    """The figure of its own has room for all of them and for the date they share."""
    matplotlib.rcParams["figure.figsize"] = (width, 4)
    figure = plot_usage(readings(np.linspace(0, SPANS[span], 5), [5, 4, 3, 2, 1]))
    assert_dates_fit(figure.axes[1], inside=True)


def test_dates_fit_when_letters_are_large() -> None:
    """A presentation's font leaves fewer dates, not overlapping ones."""
    matplotlib.rcParams["font.size"] = 22
    for hours in SPANS.values():
        ax = plot_balance(readings(np.linspace(0, hours, 5), [5, 4, 3, 2, 1]), ax=axes(6, 4))
        figure: Any = ax.figure
        ax.xaxis.get_tightbbox(figure.canvas.get_renderer())
        labels = [each for each in ax.get_xticklabels() if each.get_text()]
        assert not overlapping([label.get_window_extent() for label in labels])


# A million readings


def test_a_million_readings_are_a_small_picture() -> None:
    """The SVG stays far under a megabyte, and the highest and lowest balance are in it."""
    frame = many(1_000_000, rises=True)
    figure = plot_usage(frame)
    data = figure.axes[0].lines[0].get_ydata()
    assert data.min() == frame["credits"].min()
    assert data.max() == frame["credits"].max()
    assert len(svg(figure)) < 600_000


def test_many_organizations_share_the_room() -> None:
    """A hundred thousand readings of twelve organizations are no twelve large pictures."""
    frame = many(100_000, rises=False)
    frame["organization"] = np.resize([f"org-{code:02}" for code in range(12)], len(frame))
    assert len(svg(plot_usage(frame))) < 700_000


@settings(deadline=None, max_examples=40)
@given(data=st.data(), columns=st.integers(1, 6), count=st.integers(1, 120))
def test_thinning_keeps_every_extreme(data: st.DataObject, columns: int, count: int) -> None:
    """In each column the first, lowest, highest and last value are kept, and few others."""
    times = np.sort(data.draw(st.lists(st.integers(0, 300), min_size=count, max_size=count)))
    values = data.draw(st.lists(st.integers(-5, 5), min_size=count, max_size=count))
    kept = _thinning.extremes(times, np.array(values, dtype=float), columns)
    assert (np.diff(kept) > 0).all()
    assert len(kept) <= max(4 * columns, 0)
    edges = np.linspace(times[0], times[-1], columns + 1)[1:-1]
    column = np.searchsorted(edges, times, side="right")
    for each in np.unique(column):
        there = np.flatnonzero(column == each)
        left = np.intersect1d(there, kept)
        assert {there[0], there[-1]} <= set(left)
        full, thin = np.array(values)[there], np.array(values)[left]
        assert (full.min(), full.max()) == (thin.min(), thin.max())


@settings(deadline=None, max_examples=40)
@given(
    hours=st.lists(st.integers(0, 24 * 40), min_size=1, max_size=60),
    seed=st.integers(0, 9),
    by=st.sampled_from(["hour", "day", "week", "month"]),
)
def test_bars_are_the_usage_of_all_readings(hours: list[int], seed: int, by: str) -> None:
    """Leaving out readings between the turning points changes nothing of what is shown."""
    rng = np.random.default_rng(seed)
    credits = rng.choice([-3.0, -2.0, -1.0, 0.0, 9.0], len(hours)).cumsum()
    frame = readings(np.sort(np.array(hours) / 4), credits)
    found = _panels.bars(_panels.shown(balances(frame), by, None, None), 10**6)
    assert found is not None
    expected = usage(frame, by)
    assert np.allclose(found.spent[0], expected["spent"])
    assert found.at_least[0].tolist() == expected["at_least"].tolist()


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 9)), max_size=30))
def test_the_largest_of_each_column_is_kept(marks: list[tuple[int, int]]) -> None:
    """One mark a column, and none larger left out."""
    places, sizes = np.array(marks, dtype=np.int64).reshape(-1, 2).T
    kept = _thinning.largest(places, sizes.astype(float), 7)
    if marks:
        column = (places - places.min()) // 7
        assert sorted(column[kept]) == sorted(set(column))
        for at in kept:
            assert sizes[at] == sizes[column == column[at]].max()


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.tuples(st.integers(-5, 105), st.integers(-5, 105)), min_size=1, max_size=15),
    st.integers(1, 60),
)
def test_labels_are_placed_apart_and_inside(points: list[tuple[int, int]], wide: int) -> None:
    """The first label whose anchor is in the frame is shown; the others where they fit."""
    anchors = np.array(points, dtype=float)
    sizes = np.tile([wide, 10.0], (len(points), 1))
    found = _thinning.placed(anchors, sizes, np.array([0.0, 0, 100, 100]), 5)
    corners = anchors + found.offsets - [wide / 2, 0]
    inside = ((anchors >= 0) & (anchors <= 100)).all(axis=1)
    assert not (found.shown & ~inside).any()
    if inside.any():
        assert found.shown[inside.argmax()]
    shown = corners[found.shown]
    assert ((shown >= 2 - 1e-9) & (shown + sizes[0] <= 98 + 1e-9)).all()
    for one, other in itertools.combinations(shown, 2):
        assert (np.abs(one - other) >= [wide, 10]).any()


# Names


def test_nasty_names_do_no_harm() -> None:
    """The SVG is XML, each name is there in forty letters, nothing is taken for mathematics."""
    frame = pd.concat(
        readings([0, 24, 48], [9, 5, 3], f"org-{at}", name) for at, name in enumerate(NASTY)
    )
    figure = plot_usage(frame)
    ET.fromstring(svg(figure))
    with matplotlib.rc_context({"svg.fonttype": "none"}):
        ET.fromstring(svg(figure))
    names = [line.get_label() for line in figure.axes[0].lines]
    assert len(names) == len(NASTY)
    assert all(len(name) <= 41 and clean_text(name) == name for name in names)
    assert names[:2] == [NASTY[0], NASTY[1]]
    assert names[3] == NASTY[3]
    assert names[5] == "W" * 39 + "…"
    assert names[8] == "org-8"
    for text in figure.axes[0].get_legend().get_texts():
        assert not text.get_parse_math()


@pytest.mark.parametrize("name", [NASTY[0], "_hidden", "W" * 200])
def test_a_nasty_name_is_in_the_legend(name: str) -> None:
    """Also one that begins with an underscore, and one that is wider than the axes."""
    figure = plot_usage(readings([0, 24], [9, 5], name=name))
    figure.draw_without_rendering()
    (text,) = figure.axes[0].get_legend().get_texts()
    assert text.get_text().strip()
    assert text.get_window_extent().x1 <= figure.bbox.x1
    if name == "_hidden":
        assert text.get_text() == " _hidden"


def test_letters_that_the_font_lacks_are_replaced() -> None:
    """No glyph is missing, with the fonts there are as with one that is not installed."""
    for family in (["sans-serif"], ["No Such Font", "DejaVu Serif"]):
        matplotlib.rcParams["font.family"] = family
        ax = plot_balance(readings([0, 24], [9, 5], name="Ω 中 🙂"), ax=axes())
        assert ax.lines[0].get_label() == "Ω \ufffd \ufffd"


# Manners


def test_the_current_axes_are_used_when_none_are_given() -> None:
    """As with seaborn, and the axes drawn on are returned."""
    _, (first, second) = plt.subplots(2)
    assert plot_balance(teams(1)) is second
    plt.sca(first)
    assert plot_spend(teams(1)) is first


def test_the_figure_is_unknown_to_pyplot() -> None:
    """So a notebook shows it once, as a value, and nothing keeps it alive."""
    figure = plot_usage(teams(2))
    assert plt.get_fignums() == []
    assert figure._repr_png_().startswith(b"\x89PNG")  # type: ignore[attr-defined]


def test_nothing_global_is_changed() -> None:
    """Settings and figures of the notebook stay as they were."""
    before = dict(matplotlib.rcParams)
    svg(plot_usage(teams(7, every=48)))
    plot_spend(teams(1), ax=plot_balance(teams(1), ax=axes()))
    assert dict(matplotlib.rcParams) == before


def test_dark_notebooks_have_light_marks() -> None:
    """Background and ink are the style's, in labels, hatches and the halo of sizes."""
    plt.style.use("dark_background")
    figure = plot_usage(teams(2))
    above, below = figure.axes
    assert same_color(figure.get_facecolor(), "black")
    assert same_color(above.texts[0].get_color(), "white")
    assert same_color(hatched(below)[0].get_edgecolor(), "white")
    assert same_color(above.texts[0].get_path_effects()[0]._gc["foreground"], "black")


def test_the_panels_share_the_time_axis() -> None:
    """The balance is the taller one, and its dates are not repeated."""
    figure = plot_usage(teams(1))
    figure.draw_without_rendering()
    above, below = figure.axes
    assert above.get_xlim() == below.get_xlim()
    assert above.bbox.height > below.bbox.height
    assert above.bbox.x0 == below.bbox.x0
    assert not any(label.get_visible() for label in above.get_xticklabels())


def test_a_low_panel_breaks_its_label() -> None:
    """Labels of both panels lie apart in a small figure."""
    matplotlib.rcParams["figure.figsize"] = (4, 3)
    figure = plot_usage(teams(1), "month")
    figure.draw_without_rendering()
    assert not overlapping([ax.yaxis.label.get_window_extent() for ax in figure.axes])


def test_drawing_again_changes_nothing() -> None:
    """A figure that is drawn twice is not marked as changed by its own labels."""
    figure = plot_usage(teams(1))
    figure.draw_without_rendering()
    changed: list[Any] = []
    for text in figure.axes[0].texts:
        text.stale = False
        text.stale_callback = lambda *each: changed.append(each)
    figure.axes[0].artists[0].place()  # type: ignore[attr-defined]
    assert not changed
