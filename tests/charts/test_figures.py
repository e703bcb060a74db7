"""Whole figures: their colours, their files, and how they behave in a notebook."""

from __future__ import annotations

import io
import xml.etree.ElementTree as ET
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex, to_rgba
from matplotlib.image import imread

from stability_magic.analysis.series import histories_from_frame
from stability_magic.charts.picture_data import Look
from stability_magic.charts.plots import plot_balance, plot_spend, plot_usage, usage_picture
from stability_magic.charts.style import contrast, style_of
from stability_magic.display.palette import LOW_COLOUR, series_colour

from .pictures import (
    many_organizations,
    new_axes,
    readings,
    readings_of_teams,
    series_of,
    shown_texts,
    svg_bytes,
    texts_of,
)


def test_the_frame_is_not_changed() -> None:
    """Drawing leaves the readings as they were."""
    frame = readings_of_teams(2)
    before = frame.copy(deep=True)
    plot_usage(frame)
    pd.testing.assert_frame_equal(frame, before)


def test_nothing_global_is_changed() -> None:
    """The notebook's settings stay as they were."""
    before = dict(matplotlib.rcParams)
    svg_bytes(plot_usage(readings_of_teams(7, hours_apart=48), forecast=True))
    plot_spend(readings_of_teams(1), ax=plot_balance(readings_of_teams(1), ax=new_axes()))
    assert dict(matplotlib.rcParams) == before


def test_the_figure_is_unknown_to_pyplot_and_sharp() -> None:
    """So a notebook shows it only once, at half of its pixels, with words for it."""
    figure = plot_usage(readings_of_teams(2))
    assert plt.get_fignums() == []
    png, metadata = figure._repr_png_()  # type: ignore[attr-defined]
    assert (metadata["width"], metadata["height"]) == (720, 440)
    assert imread(io.BytesIO(png)).shape[:2] == (880, 1440)
    title, subtitle = (each.get_text() for each in figure.texts[:2])
    assert metadata["alt"] == f"{title}. {subtitle}"
    assert "needs_background" not in metadata
    assert repr(figure) == f"<Figure: {title}. {subtitle}>"


def test_the_users_size_and_resolution_are_respected() -> None:
    """If they are not matplotlib's own."""
    matplotlib.rcParams.update({"figure.figsize": (10, 5), "figure.dpi": 60})
    figure = plot_usage(readings_of_teams(2))
    png, metadata = figure._repr_png_()  # type: ignore[attr-defined]
    assert (metadata["width"], metadata["height"]) == (600, 300)
    assert imread(io.BytesIO(png)).shape[:2] == (600, 1200)


def test_a_picture_in_a_notebook_is_transparent() -> None:
    """On its edges and between its lines."""
    png, _ = plot_usage(series_of("60D", "3h"))._repr_png_()  # type: ignore[attr-defined]
    alpha = imread(io.BytesIO(png))[:, :, 3]
    assert alpha[0, 0] == 0
    assert (alpha == 0).mean() > 0.5


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_a_file_has_a_background(tmp_path: Path, suffix: str) -> None:
    """White, unless it was chosen otherwise; in an SVG text stays text."""
    path = tmp_path / f"credits.{suffix}"
    figure = plot_usage(series_of("60D", "3h"), forecast=True)
    figure.savefig(path)
    if suffix == "png":
        assert imread(path)[0, 0].tolist() == [1, 1, 1, 1]
        figure.savefig(path, transparent=True)
        assert imread(path)[0, 0, 3] == 0
    if suffix == "svg":
        words = "".join(ET.fromstring(path.read_bytes()).itertext())
        assert figure.texts[0].get_text() in words
        assert "ffffff" in path.read_text()


@pytest.mark.parametrize("colour", [*(series_colour(each) for each in range(8)), LOW_COLOUR])
def test_colours_of_lines_are_seen_on_any_page(colour: str) -> None:
    """At least 3:1 on white and on nearly black."""
    assert min(contrast(colour, "white"), contrast(colour, "#111111")) >= 3


@pytest.mark.parametrize(
    ("theme", "pages"),
    [("auto", ["white", "#111111"]), ("light", ["white"]), ("dark", ["#111111"])],
)
def test_all_text_can_be_read(theme: str, pages: list[str]) -> None:
    """At least 4.3:1 in ink; names in their own colours are bold, and 3:1 is enough for them."""
    histories = histories_from_frame(many_organizations(4))
    for each in (histories, histories_from_frame(many_organizations(7))):
        figure = usage_picture(each, "day", recent=each, low_balance=900, look=Look(theme=theme))
        for text in shown_texts(figure):
            least = 3 if text.get_weight() == "bold" else 4.25
            assert all(contrast(text.get_color(), page) >= least for page in pages)
            assert text.get_fontsize() >= 7.3


def test_dark_styles_are_noticed() -> None:
    """Those of matplotlib, as VS Code sets them; the background that they chose stays."""
    assert style_of("auto").ink == "#74787F"
    with plt.style.context("dark_background"):
        assert style_of("auto").ink == "#E6EDF3"
        figure = plot_usage(readings_of_teams(1))
        assert to_hex(figure.get_facecolor()) == "#000000"
        assert to_hex(figure.texts[0].get_color()) == "#e6edf3"
    with plt.rc_context({"figure.facecolor": (1, 1, 1, 0)}):
        assert to_rgba(style_of("auto").background)[3] == 0


def test_panels_in_the_users_axes_have_no_words_around_them() -> None:
    """No title and no ends; names are the labels of lines and bars, for the user's own legend."""
    _, (first, second) = plt.subplots(2)
    assert plot_balance(readings_of_teams(3)) is second
    plt.sca(first)
    assert plot_spend(readings_of_teams(3)) is first
    for ax in (first, second):
        assert not ax.get_title()
        assert not ax.figure.texts
        assert ax.get_legend() is None
        labels = ax.get_legend_handles_labels()[1]
        assert labels == [f"Organization {code}" for code in range(3)]
    assert second.get_ylabel() == "credits left"
    assert first.get_ylabel() == "credits spent per day"


def test_there_is_no_legend_no_halo_and_no_hatching() -> None:
    """And no word that is not understood at once."""
    figure = plot_usage(many_organizations(4), forecast=True, low_balance=1000)
    assert not any(ax.get_legend() for ax in figure.axes)
    assert not any(each.get_path_effects() for each in shown_texts(figure))
    assert not any(patch.get_hatch() for ax in figure.axes for patch in ax.patches)
    words = " ".join(texts_of(figure))
    assert not any(each in words for each in ("nobody looked", "Etc/UTC", "2026-"))


def test_a_colour_is_for_life() -> None:
    """It goes by the order in which the log saw the organizations, whatever is shown."""
    frame = readings_of_teams(3)
    last = frame[frame["organization"] == "org-02"]
    look = Look(order=("org-00", "org-01", "org-02"))
    (line,) = usage_picture(histories_from_frame(last), "day", look=look).axes[0].lines
    assert line.get_color() == series_colour(2)


def test_no_readings_say_how_to_begin() -> None:
    """With three commands, in a low figure."""
    histories = histories_from_frame(readings([], []))
    figure = usage_picture(histories, "day", look=Look(log_name="~/log.db"))
    words = texts_of(figure)
    assert words[:2] == ["No readings yet", "The log at ~/log.db is empty."]
    assert {"%stability_balance", "%stability_watch", "%stability_demo"} <= set(words)
    assert figure.get_size_inches().tolist() == [7.2, 1.5]
    for ax in (
        plot_balance(readings([], []), ax=new_axes()),
        plot_spend(readings([], []), ax=new_axes()),
    ):
        assert ax.get_title() == "no readings yet"


def test_equal_times_and_negative_balances_are_drawn() -> None:
    """Nothing is below zero; the title tells what it really is."""
    for hours in ([1, 1, 1], [0, 1, 2]):
        figure = plot_usage(readings(hours, [-10, -30, -900]))
        assert svg_bytes(figure)
        assert figure.axes[0].get_ylim()[0] == 0
        assert "-900 credits" in figure.texts[0].get_text()
        assert np.isfinite(figure.axes[0].lines[0].get_ydata()).all()
