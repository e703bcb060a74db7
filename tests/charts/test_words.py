"""The words on a picture: amounts, dates, its title and what stands below it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from stability_magic.analysis.outlook import Estimate
from stability_magic.analysis.series import histories_from_frame
from stability_magic.analysis.spend import usage
from stability_magic.charts.picture_data import Look
from stability_magic.charts.plots import plot_usage, usage_picture, watch_picture
from stability_magic.charts.words import amount, dollars, empty_words, priced, window_words
from stability_magic.models import to_microseconds

from .pictures import many_organizations, readings, series_of, texts_of

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 25, 12, tzinfo=BERLIN)


@pytest.mark.parametrize(
    ("credits", "text"),
    [
        (22898.4, "22,898"),
        (99.994, "99.99"),
        (100.4, "100"),
        (0.63, "0.63"),
        (0.001, "<0.01"),
        (0, "0"),
        (-20.5, "-20.50"),
        (3e300, "3e+300"),
    ],
)
def test_credits_have_as_many_digits_as_they_need(credits: float, text: str) -> None:
    """None behind the point from 100 on, two below."""
    assert amount(credits) == text


@pytest.mark.parametrize(
    ("usd", "text", "short"),
    [
        (228.98, "$228.98", "$228.98"),
        (2081.4, "$2,081", "$2,081"),
        (50, "$50.00", "$50"),
        (0.001, "<$0.01", "<$0.01"),
        (-7.5, "-$7.50", "-$7.50"),
    ],
)
def test_dollars_are_rounded_as_people_say_them(usd: float, text: str, short: str) -> None:
    """Whole ones from 1000 on, and in labels."""
    assert dollars(usd) == text
    assert dollars(usd, short=True) == short


def test_without_a_price_there_are_no_dollars() -> None:
    """Credits alone are the answer then, also on the axis and at top-ups."""
    assert priced(759, 0, " credits") == "759 credits"
    histories = histories_from_frame(series_of("60D", "3h"))
    figure = usage_picture(histories, "day", recent=histories, look=Look(usd_per_credit=0))
    assert not [each for each in texts_of(figure) if "$" in each]


def window(start: datetime, end: datetime, *, by: str = "day", is_past: bool = False) -> str:
    """The name of a window."""
    return window_words(to_microseconds(start), to_microseconds(end), by, BERLIN, is_past=is_past)


def test_windows_are_named_as_they_are() -> None:
    """By dates, without a year that goes without saying."""
    midnight = datetime(2026, 11, 24, tzinfo=BERLIN)
    assert window(midnight - timedelta(58), NOW) == "since 27 Sep"
    assert window(midnight - timedelta(8), NOW) == "since Mon 16 Nov"
    assert window(NOW - timedelta(hours=1), NOW) == "since 11:00"
    assert window(datetime(2025, 1, 3, tzinfo=BERLIN), NOW, by="month") == "since Jan 2025"
    assert window(midnight, midnight + timedelta(1), is_past=True) == "on Tue 24 Nov"
    assert window(midnight - timedelta(9), midnight, is_past=True) == "from 15 Nov to 23 Nov"


def ending(middle: float | None, early: float | None, late: float | None) -> tuple[str, str]:
    """The words for an end in so many days."""
    now = to_microseconds(NOW)
    at = [None if each is None else now + round(each * 86_400e6) for each in (middle, early, late)]
    return empty_words(Estimate(48.0, *at, "", 48.0), now, BERLIN)


def test_the_end_is_told_as_exactly_as_it_is_known() -> None:
    """From an hour to a part of a month; never as today while credits are left."""
    assert ending(1.2, 0.9, 2.4) == ("empty about Thu 26 Nov", "26\N{EN DASH}27 Nov")
    assert ending(8, 5, 12) == ("empty about 3 Dec", "30 Nov\N{EN DASH}7 Dec")
    assert ending(20, 14, 64) == ("empty about mid-December", "9 Dec to 28 Jan")
    assert ending(20, 8, None) == ("empty about mid-December", "3 Dec or later")
    assert ending(20, 8, 150) == ("empty about mid-December", "3 Dec or later")
    assert ending(None, 8, None) == ("empty 3 Dec or later", "")
    assert ending(9, 1, 25) == ("empty within 4 weeks", "")
    assert ending(30, 1, 90) == ("irregular: cannot tell", "")
    assert ending(0.1, 0.08, 0.2) == ("empty about 14:24", "13:55\N{EN DASH}16:48")
    assert ending(None, None, None) == ("", "")


def test_the_title_answers_and_the_line_below_it_explains() -> None:
    """What is left and when it is empty; what was spent, and bought."""
    frame = series_of("60D", "3h")
    figure = plot_usage(frame, forecast=True)
    title, subtitle = (each.get_text() for each in figure.texts[:2])
    left = frame["credits"].iloc[-1]
    assert title.startswith(f"Fernhill Studio: {left:,.0f} credits (${left / 100:.2f}) left, empty")
    total = usage(frame)["likely_spent"].sum()
    assert subtitle.startswith(f"about {total:,.0f} (${total / 100:.2f}) spent since 27 Sep, ")
    bought = usage(frame)["likely_topped_up"].sum()
    assert f"top-ups, ${bought / 100:,.0f}" in subtitle
    assert len(subtitle) <= 100


def test_what_is_seen_completely_is_not_told_as_about() -> None:
    """Nor are decimals added to what has none."""
    figure = plot_usage(readings([0, 24, 48, 72, 96], [900, 800, 750, 700, 650]))
    assert figure.texts[1].get_text() == "250 ($2.50) spent since Mon 3 Nov, 62.50 a day"
    assert not any("pale" in each for each in texts_of(figure))


def test_a_rise_that_is_no_purchase_makes_a_bound() -> None:
    """Where nobody can say how much it hid."""
    figure = plot_usage(readings([0, 24, 48, 72, 96], [900, 900, 900, 912.25, 912.25]))
    assert figure.texts[1].get_text().startswith("at least 0 ")


def test_a_guess_is_told_as_about_and_what_was_seen_as_at_least() -> None:
    """The same figures as the columns of the usage frame, also where one rise alone is guessed."""
    frame = readings(
        range(0, 240, 24), [900, 860, 820, 1780, 1740, 1700, 1712.25, 1672, 1632, 1592]
    )
    spent = usage(frame)
    assert spent["likely_spent"].sum() > spent["spent"].sum()
    subtitle = plot_usage(frame).texts[1].get_text()
    assert subtitle.startswith(f"about {spent['likely_spent'].sum():,.0f} ")
    # A top-up that hides nothing leaves the same words as in a line.
    steady = readings(range(0, 144, 24), [900, 900, 900, 1900, 1890, 1890])
    assert plot_usage(steady).texts[1].get_text().startswith("at least 10.00 ")


def test_one_reading_tells_what_was_spent_since_the_one_before_the_window() -> None:
    """The first reading of all tells nothing."""
    since = datetime(2025, 11, 4, tzinfo=BERLIN)
    subtitle = plot_usage(readings([0, 48], [900, 880]), since=since).texts[1].get_text()
    assert subtitle.startswith("about 10.00 ($0.10) spent in 24 hours  ·  1 reading ")
    assert plot_usage(readings([36], [900])).texts[1].get_text().startswith("1 reading at 12:00")


def test_a_window_is_not_empty_because_another_organization_begins_later() -> None:
    """What is known of the one that does not spend is shown."""
    idle = readings([0, 72], [900, 900], "org-1")
    later = readings([50, 72], [500, 400], "org-2")
    since, until = (datetime(2025, 11, day, tzinfo=BERLIN) for day in (4, 5))
    figure = plot_usage(pd.concat([idle, later]), since=since, until=until)
    assert figure.texts[0].get_text() == "2 organizations: nothing spent on Tue 4 Nov"


@pytest.mark.parametrize(
    "name", ["W" * 60, "$a_1$ & $\\frac{1}{2$", "_hidden", "  ", "a\x07b\u202e"]
)
def test_a_name_leaves_the_number_whole(name: str) -> None:
    """It is shortened, and never read as mathematics."""
    frame = series_of("60D", "3h", name=name)
    for figure in (plot_usage(frame, forecast=True), plot_usage(frame)):
        text = figure.texts[0]
        assert f"{frame['credits'].iloc[-1]:,.0f} credits" in text.get_text()
        assert text.get_window_extent().x1 <= figure.bbox.x1
        assert not text.get_parse_math()


def test_letters_that_the_font_lacks_are_replaced() -> None:
    """No glyph is missing, and no sign that a PDF cannot hold is left."""
    figure = plot_usage(readings([0, 24], [9, 5], name="Ω 中 \N{SLIGHTLY SMILING FACE}\u200d"))
    assert figure.texts[0].get_text().startswith("Ω \ufffd \ufffd: 5.00")


def test_several_organizations_are_counted_and_named_at_their_ends() -> None:
    """Idle ones are named in the caption; from five on there are rows, most spent first."""
    figure = plot_usage(many_organizations(4), low_balance=1000)
    words = texts_of(figure)
    assert figure.texts[0].get_text().startswith("4 organizations: ")
    assert any("not drawn: Organization number 3" in each for each in words)
    assert "low balance" in words
    figure = plot_usage(many_organizations(8))
    rows = texts_of(figure)
    assert "most spent first" in figure.texts[1].get_text()
    spent = usage(many_organizations(8)).groupby("organization")["likely_spent"].sum()
    assert f"{spent.max():,.0f}" in rows


def test_fifty_organizations_fit_in_thirteen_rows() -> None:
    """The last of which stands for all others."""
    words = texts_of(plot_usage(many_organizations(50, days=20)))
    assert "other (37)" in words
    assert sum(each.startswith("Organiz") for each in words) == 12


def test_a_watch_tells_what_was_spent_since_it_began() -> None:
    """From zero on, with two decimals, and the balance below."""
    index = pd.date_range("2026-11-25 09:36", periods=91, freq="10s", tz=UTC)
    credits = 759.33 - 1.5 * np.arange(91)
    frame = pd.DataFrame({"organization": "a", "name": "Fernhill", "credits": credits}, index)
    histories = histories_from_frame(frame)
    figure = watch_picture(histories, since=index[0], every=timedelta(seconds=10), look=Look())
    assert figure.texts[0].get_text() == "Fernhill: 135.00 credits ($1.35) spent in 15 minutes"
    subtitle = "624.33 ($6.24) left at 09:51  ·  read every 10 s since 09:36  ·  "
    assert figure.texts[1].get_text().startswith(f"{subtitle}at this rate empty in 69 minutes")
    assert figure.axes[0].lines[0].get_ydata()[[0, -1]].tolist() == [0, 135]


def test_where_nothing_was_spent_the_words_say_so() -> None:
    """And not that it was zero credits, or zero a day."""
    words = texts_of(plot_usage(readings(np.arange(0, 200, 7), np.full(29, 100.0))))
    assert any(each.startswith("nothing spent since Mon 3 Nov") for each in words)
    assert not any("0 a day" in each for each in words)


def test_names_at_the_ends_of_lines_have_room() -> None:
    """Up to a third of the picture."""
    names = ("Fernhill Studio (simulated)", "Lantern Pipeline (simulated)")
    frame = pd.concat(
        series_of("20D", "5h", name=name, organization=name, seed=number)
        for number, name in enumerate(names)
    )
    assert set(names) <= set(texts_of(plot_usage(frame)))


def test_a_row_keeps_the_days_and_leaves_out_words() -> None:
    """Where both have no room beside the dollars."""
    figure = plot_usage(many_organizations(8), forecast=True, low_balance=1000)
    notes = [each for each in texts_of(figure) if each.startswith(("LOW,", "empty ", "about "))]
    assert notes
    assert not [each for each in notes if "…" in each and each.startswith("LOW, empty")]
