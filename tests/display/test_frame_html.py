"""Frames as tables for notebooks."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stability_magic.analysis.forecast import forecast
from stability_magic.analysis.frames import MARK, mark
from stability_magic.analysis.spend import usage
from stability_magic.display.frame_html import frame_html
from stability_magic.display.readings_table import readings_table
from stability_magic.display.usage_table import usage_table

from ..helpers.page_text import Html
from .table_frames import NOW, all_frames, costs_of, readings_of, summary_of

KINDS = tuple(all_frames())
DASH = "\N{EN DASH}"
TEXTS = ("name", "label", "organization", "log", "cell", "role", "host", "operation")
SAFE_TAGS = {"div", "table", "thead", "tbody", "tr", "th", "td", "b", "span", "code"}
SAFE_ATTRIBUTES = {"style", "align", "colspan"}
LARGEST = 8000  # bytes


def shown(frame: pd.DataFrame, now: datetime = NOW) -> Html:
    """The table of a frame of ours."""
    html = frame_html(frame, now, 0.01)
    assert html is not None
    return Html(html)


def body(frame: pd.DataFrame, now: datetime = NOW) -> list[list[str]]:
    """The rows below the head."""
    return shown(frame, now).rows[1:]


def head(frame: pd.DataFrame) -> list[str]:
    """The heads of the columns."""
    return shown(frame).rows[0]


# -- what all tables have in common --


@pytest.mark.parametrize("kind", KINDS)
def test_a_table_is_plain_html_that_inherits_its_colours(kind):
    """No script, class, link or colour: it reads on any page, light or dark."""
    frame = all_frames()[kind]
    page = shown(frame)
    assert set(page.tags) <= SAFE_TAGS
    assert {name for name, _ in page.attributes} <= SAFE_ATTRIBUTES
    declarations = [
        each.split(":", 1)
        for name, value in page.attributes
        if name == "style"
        for each in value.split(";")
    ]
    assert {value for name, value in declarations if name == "color"} == {"inherit"}
    assert {value for name, value in declarations if name == "background"} <= {"none"}
    assert {value for name, value in declarations if name == "opacity"} <= {".72"}
    assert not [value for _, value in declarations if "url" in value or "#" in value]
    # Each cell keeps its side where the styles are stripped.
    assert page.tags.count("td") + page.tags.count("th") == sum(
        name == "align" for name, _ in page.attributes
    )


@pytest.mark.parametrize(
    ("text", "page"),
    [
        ("#212121", "#ffffff"),  # JupyterLab
        ("#ffffff", "#111111"),
        ("#3b3b3b", "#ffffff"),  # VS Code
        ("#cccccc", "#1f1f1f"),
        ("#1f2328", "#ffffff"),  # GitHub
        ("#f0f6fc", "#0d1117"),
    ],
)
def test_faint_text_can_be_read_on_light_and_dark_pages(text, page):
    """As WCAG wants it for small text: 4.5 to 1."""
    html = frame_html(all_frames()["readings"], NOW, 0.01) or ""
    opacity = min(float(each) for each in re.findall(r"opacity:([\d.]+)", html))
    ink, paper = (
        [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)] for colour in (text, page)
    )
    seen = [opacity * own + (1 - opacity) * below for own, below in zip(ink, paper, strict=True)]
    dark, bright = sorted(map(luminance, (seen, paper)))
    assert (bright + 0.05) / (dark + 0.05) >= 4.5


def luminance(colour: list[float]) -> float:
    """From 0 to 1, of red, green and blue from 0 to 1; https://www.w3.org/TR/WCAG21/."""
    red, green, blue = (
        each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in colour
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("kind", KINDS)
def test_the_foot_names_the_columns_as_they_are(kind):
    """All of them, and the index, because the table renames and rounds."""
    frame = all_frames()[kind]
    index = [frame.index.name] if frame.index.name else []
    rows = "1 row" if len(frame) == 1 else f"{len(frame)} rows"
    foot = f"DataFrame of {rows}: {', '.join([*index, *frame.columns])}"
    assert shown(frame).outside.endswith(foot)


@pytest.mark.parametrize("kind", KINDS)
def test_a_table_has_at_most_twelve_rows_and_a_few_kilobytes(kind):
    """However long the frame and the names in it are."""
    frame = all_frames()[kind]
    long = pd.concat([frame] * 60)
    if frame.index.name is None:
        long = long.reset_index(drop=True)
    for each in set(TEXTS).intersection(long):
        texts = [f"<b>{each}-{row}" + "&" * 100 for row in range(len(long))]
        long[each] = pd.Series(texts, dtype=long[each].dtype).array
    mark(long, frame.attrs[MARK])
    html = frame_html(long, NOW, 0.01)
    assert html is not None
    # A list of prices that is cut short is none.
    most, largest = (41, 6 * LARGEST) if kind == "prices" else (13, 2 * LARGEST)
    assert len(Html(html).rows) <= most
    assert len(html.encode()) < largest  # each & is five bytes
    assert not [each for each in TEXTS if f"<b>{each}-" in html]


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_frame_says_what_it_would_have(kind):
    """Without a head over nothing."""
    page = shown(all_frames()[kind].iloc[:0])
    assert not page.rows
    assert "DataFrame of 0 rows: " in page.outside


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "name", ["<script>x</script>", '" onload="x', "a & b", "$x$ $y$", r"\(x\)"]
)
def test_names_are_text(kind, name):
    """Neither markup nor mathematics, which JupyterLab typesets between two dollars."""
    frame = all_frames()[kind]
    for each in set(TEXTS).intersection(frame):
        frame[each] = pd.Series([name] * len(frame), dtype=frame[each].dtype).array
    page = shown(frame)
    assert set(page.tags) <= SAFE_TAGS
    assert {name for name, _ in page.attributes} <= SAFE_ATTRIBUTES
    assert all(each.count("$") < 2 and r"\(" not in each for each in page.texts_to_typeset)
    assert name in " ".join([*(cell for row in page.rows for cell in row), page.outside])


@pytest.mark.parametrize("kind", KINDS)
def test_the_frame_stays_as_it_is(kind):
    """Showing it changes nothing, and the mark is one short text."""
    frame = all_frames()[kind]
    before = frame.copy(deep=True)
    frame_html(frame, NOW, 0.01)
    pd.testing.assert_frame_equal(frame, before)
    assert type(frame) is pd.DataFrame
    assert frame.attrs == before.attrs
    assert list(frame.attrs) == [MARK]
    assert len(frame.attrs[MARK]) < 30


@given(
    st.lists(st.floats(-1e300, 1e300), min_size=1, max_size=30),
    st.text(max_size=30),
    st.sampled_from(["hour", "day", "week", "month"]),
)
@settings(settings.get_profile("hostile"))
def test_any_balances_and_names_can_be_shown(balances, name, by):
    """Nothing fails, and nothing is markup."""
    readings = readings_of({"org-one": balances, "org-two": [1.0]}, names={"org-one": name})
    for frame in (readings, usage(readings, by), forecast(readings)):
        page = shown(frame)
        assert set(page.tags) <= SAFE_TAGS
        assert len(page.rows) <= 13


# -- which frames --


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "change",
    [
        lambda frame: frame.head(3),
        lambda frame: frame[frame[next(each for each in TEXTS if each in frame)] != "x"],
        lambda frame: frame.copy(),
        lambda frame: frame.iloc[::2],
        lambda frame: frame.sort_values(next(each for each in TEXTS if each in frame)),
        lambda frame: pd.concat([frame, frame]),
    ],
)
def test_what_keeps_the_rows_keeps_the_look(kind, change):
    """The rows still mean what they did."""
    assert frame_html(change(all_frames()[kind]), NOW, 0.01) is not None


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "change",
    [
        lambda frame: frame.assign(more=1),
        lambda frame: frame.drop(columns=frame.columns[-1]),
        lambda frame: frame[frame.columns[::-1]],
        lambda frame: frame.rename(columns={frame.columns[0]: "firm"}),
        lambda frame: frame.rename_axis("at"),
        lambda frame: frame.rename_axis("what", axis=1),
        lambda frame: frame.reset_index(),
        lambda frame: frame.set_index(frame.columns[0]),
        lambda frame: frame.isna(),
        lambda frame: frame.astype(str),
        lambda frame: frame.describe(),
        lambda frame: frame.T,
        lambda frame: frame.groupby(frame.columns[0]).sum(numeric_only=True),
        lambda frame: frame.groupby(frame.columns[0]).agg(["count"]),
        lambda frame: frame.merge(frame, on=frame.columns[0]),
        lambda frame: frame.convert_dtypes(),
        lambda frame: pd.DataFrame(frame.to_dict("list"), index=frame.index),
        type("OwnFrame", (pd.DataFrame,), {}),
    ],
)
def test_what_changes_the_meaning_loses_the_look(kind, change):
    """Also where pandas keeps the mark."""
    changed = change(all_frames()[kind])
    assert frame_html(changed, NOW, 0.01) is None


@pytest.mark.parametrize("kind", ["readings", "usage"])
def test_sums_by_a_frequency_are_no_rows_of_ours(kind):
    """Even where pandas keeps the mark, the columns, their types and the name of the index."""
    frame = all_frames()[kind]
    for changed in (
        frame.resample("2D").last(),
        frame.groupby(pd.Grouper(freq="2D")).first(),
    ):
        assert frame_html(changed.infer_objects(), NOW, 0.01) is None


@pytest.mark.parametrize("mark_text", ["usage", "readings", "nothing", "", " ", None, 5, ["usage"]])
def test_a_mark_alone_makes_no_frame_ours(mark_text):
    """Whatever somebody else has put there."""
    frame = pd.DataFrame({"a": [1]})
    frame.attrs[MARK] = mark_text
    assert frame_html(frame, NOW, 0.01) is None


def test_hosts_are_a_column_only_where_they_were_asked_for():
    """One that somebody added is not ours."""
    assert "host" in head(all_frames()["readings with host"])
    readings = all_frames()["readings"]
    assert frame_html(readings.assign(host=readings["source"]), NOW, 0.01) is None


# -- readings --


def test_readings_say_when_how_much_is_left_and_what_was_spent():
    """The answer first: time, credits, dollars."""
    frame = readings_of({"org-one": [1243.03, 1243.03, 1184.13]}, every=timedelta(hours=13))
    assert head(frame) == ["read", "credits left", "spent"]
    assert body(frame) == [
        ["yesterday 07:30", "1,243.03", "$12.43", DASH],
        ["yesterday 20:30", "1,243.03", "$12.43", DASH],
        ["today 09:30", "1,184.13", "$11.84", "58.90"],
    ]
    assert shown(frame).outside.startswith("org-one · DataFrame of 3 rows")


def test_beyond_twelve_readings_the_last_ten_are_shown():
    """The first line says how many there were before."""
    rows = body(readings_of({"org-one": [100.0 - each for each in range(30)]}))
    assert rows[0] == ["… 20 earlier rows, from yesterday 04:30"]
    assert len(rows) == 11
    assert rows[-1][0] == "today 09:30"


def test_unchanged_readings_stand_in_one_line():
    """But for the last one, which is the balance now."""
    rows = body(readings_of({"org-one": [100.0, 90.0, *[80.0] * 40]}))
    assert [each[0] for each in rows] == [
        "Mon 23 Nov 16:30",
        "Mon 23 Nov 17:30",
        "Mon 23 Nov 18:30",
        "… 38 readings unchanged, from Mon 23 Nov 19:30",
        "today 09:30",
    ]


def test_a_reading_with_a_label_is_always_shown():
    """Somebody wanted to remember it."""
    frame = readings_of({"org-one": [100.0] * 8}, label="before the batch")
    assert head(frame)[-1] == "label"
    assert len(body(frame)) == 8


def test_idle_organizations_are_named_below_and_not_listed():
    """Unless all are."""
    balances = {"org-one": [100.0, 90.0], "org-two": [5.0] * 9, "org-three": [1.0] * 9}
    names = {"org-one": "Studio", "org-two": "Old", "org-three": "Older"}
    page = shown(readings_of(balances, names=names))
    assert len(page.rows) == 3
    assert page.outside.startswith("Studio · idle: Old at 5.00 and Older at 1.00 · ")
    only_idle = shown(readings_of({"org-two": [5.0] * 2, "org-three": [1.0] * 2}, names=names))
    assert len(only_idle.rows) == 5
    assert "idle: " not in only_idle.outside


def test_first_readings_of_several_organizations_are_not_idle():
    """There is nothing to compare them with."""
    balances = {f"org-{each}": [float(each)] for each in range(3)}
    assert len(body(readings_of(balances))) == 3


def test_equal_names_are_told_apart():
    """By the end of the id."""
    names = dict.fromkeys(("org-abc1", "org-xyz2"), "My Organization")
    rows = body(readings_of({"org-abc1": [5.0, 4.0], "org-xyz2": [5.0, 4.0]}, names=names))
    assert {each[4] for each in rows} == {
        "My Organization (…abc1)",
        "My Organization (…xyz2)",
    }


def test_below_the_answer_stand_the_latest_five():
    """The answer says the most important."""
    frame = mark(readings_of({"org-one": [100.0 - each for each in range(30)]}), "balance")
    rows = body(frame)
    assert len(rows) == 6
    assert rows[0][0].startswith("… 25 earlier rows, from ")


def test_a_doubtful_reading_says_why():
    """Where the frame has such a column."""
    frame = readings_of({"org-one": [100.0] * 6})
    frame["doubtful"] = [None] * 4 + ["fell back", None]
    page = Html(readings_table(frame, NOW, 0.01, is_below_answer=False))
    assert page.rows[0][-1] == "doubtful"
    assert [each[-1] for each in page.rows[1:]][-2:] == ["fell back", ""]


# -- usage --


def week_readings(**balances: list[float]) -> pd.DataFrame:
    """A reading a day, the last one now."""
    return readings_of(dict(balances), every=timedelta(days=1))


def test_usage_has_one_row_a_period_and_a_column_an_organization():
    """With the total first."""
    readings = week_readings(one=[100.0, 90.0, 80.0], two=[50.0, 50.0, 45.0], idle=[7.0] * 3)
    frame = usage(readings, "week")
    assert head(frame) == ["week from", "spent", "one", "two"]
    assert body(frame) == [["23 Nov so far", "25.00", "$0.25", "20.00", "5.00"]]
    assert shown(frame).outside.startswith("idle: idle · DataFrame of 3 rows: period, ")


def test_with_more_than_three_organizations_usage_shows_the_total_alone():
    """Wider than a page would hide the money."""
    balances = {f"org-{each}": [100.0, 90.0] for each in range(6)}
    frame = usage(week_readings(**balances), "month")
    assert head(frame) == ["month", "spent"]
    assert body(frame) == [["November so far", "60.00", "$0.60"]]
    assert "org-0, org-1, org-2, org-3, org-4 and 1 more together" in shown(frame).outside


def test_a_top_up_makes_spending_a_lower_bound_with_a_likely_figure():
    """``≥`` what was seen, ``≈`` what is likely, and the dollars that were bought."""
    readings = readings_of({"one": [100.0, 90.0, 80.0, 1070.0, 1060.0]})
    frame = usage(readings, "day")
    (row,) = body(frame)
    assert head(frame) == ["day", "spent", "likely", "topped up"]
    assert row[:3] == ["Wed 25 Nov so far", "≥ 30.00", "≥ $0.30"]
    assert row[3].startswith("≈ ")
    assert row[4].startswith("≈ +$")
    assert shown(frame).outside.startswith("≥: at least, a top-up hid a part · one · ")


def test_an_estimated_share_says_about():
    """Where the frame tells how much of it was spread; a lower bound stays one."""
    frame = usage(readings_of({"one": [100.0, 90.0]}, every=timedelta(hours=30)), "day")
    frame["estimated"] = [0.0, *frame["spent"].iloc[1:]]
    page = Html(usage_table(frame, NOW, 0.01, by="day"))
    assert [each[1].startswith("≈ ") for each in page.rows[1:]] == [False, True]
    assert page.rows[2][2].startswith("≈ $")
    assert page.outside.startswith("≈: about, a part is estimated · one · ")
    frame["at_least"] = True
    page = Html(usage_table(frame, NOW, 0.01, by="day"))
    assert {each[1][:2] for each in page.rows[1:]} == {"≥ "}


def test_hours_with_nothing_spent_stand_in_one_line():
    """A night does not take up the table."""
    readings = readings_of({"one": [100.0, *[90.0] * 20, 80.0]})
    rows = body(usage(readings, "hour"))
    assert ["… 18 hours with nothing spent, from yesterday 14:00"] in rows
    assert len(rows) == 5


def test_usage_beyond_twelve_periods_shows_the_last_ten():
    """Counted in periods, not in rows of the frame."""
    balances = [1000.0 - 10.0 * each for each in range(30)]
    rows = body(usage(week_readings(one=balances, two=balances), "day"))
    assert rows[0] == ["… 20 earlier days, from Tue 27 Oct"]
    assert len(rows) == 11


def test_another_year_is_named():
    """A month of last year is not this year's."""
    readings = readings_of({"one": [100.0, 90.0, 50.0]}, every=timedelta(days=170))
    rows = body(usage(readings, "month"))
    assert rows[0][0].startswith("December 2025")
    assert rows[-1][0] == "November so far"


# -- forecast, costs, summary and the others --


def test_a_forecast_says_when_and_how_much_and_names_who_spends_nothing():
    """In the words of the line."""
    rng = np.random.default_rng(1)
    falling = list(5000.0 - np.cumsum(rng.uniform(5.0, 6.0, 24 * 20)))
    readings = readings_of({"one": falling, "idle": [0.63] * (24 * 20)})
    frame = forecast(readings, now=NOW)
    page = shown(frame)
    assert page.rows[0][:3] == ["organization", "empty", "credits left"]
    (row,) = page.rows[1:]
    assert row[0] == "one"
    assert row[1].startswith(("about ", "in "))
    assert "a day in the last 7 days" in row[-1]
    assert page.outside.startswith("idle: idle at 0.63 · ")


def test_too_little_to_tell_is_told():
    """In the place of a rate."""
    (row,) = body(forecast(readings_of({"one": [100.0, 90.0]}), now=NOW))
    assert row[1] == DASH
    assert row[-1].startswith("too little to tell")


def test_less_than_a_cent_is_no_zero():
    """It is not nothing."""
    (row,) = body(forecast(readings_of({"one": [0.63]}), now=NOW))
    assert row[2:4] == ["0.63", "<$0.01"]


def test_costs_say_what_a_cell_cost_and_how_sure_that_is():
    """Cells that cost nothing in a row stand in one line."""
    frame = costs_of(24.0, 0.0, 0.0, 0.0, None, 22.5)
    rows = body(frame)
    assert head(frame) == ["started", "cell", "credits", "took", "how sure"]
    assert rows[0] == ["today 09:24", "job 0", "24.00", "$0.24", "3.1 s", "exact"]
    assert rows[1] == ["… 3 cells that cost nothing, from today 09:25"]
    assert rows[2][2:] == [DASH, DASH, "3.1 s", "unknown"]
    unconfirmed = shown(costs_of(22.5, 0.0, exact=False))
    assert unconfirmed.rows[1][2:] == ["≈ 22.50", "≈ $0.23", "3.1 s", "about"]
    assert unconfirmed.rows[2][2:] == [DASH, DASH, "3.1 s", "no change seen yet"]
    assert unconfirmed.outside.startswith("≈: ")


def test_a_cost_that_was_revised_says_when():
    """A reading after the cell corrected it."""
    assert body(costs_of(24.0, revised_at=NOW))[0][-1] == "exact, revised today 09:30"


def test_a_cell_without_a_label_goes_by_its_id():
    """A dash where it has none."""
    frame = costs_of(1.0, labels=[None])
    assert body(frame)[0][1] == "cell cell0"


def test_a_summary_has_shares_and_what_was_spent_outside_cells():
    """Named below where that is nothing."""
    rows = body(summary_of(48.0, 12.0, labels=["render", "upscale"], outside=40.0))
    assert rows == [
        ["render", "2", "48.00", "$0.48", "24.00", "24.00", "48 %"],
        ["upscale", "2", "12.00", "$0.12", "6.00", "6.00", "12 %"],
        ["(elsewhere)", "", "40.00", "$0.40", "", "", "40 %"],
    ]
    rows = body(summary_of(1.0, labels=["render"], outside=999.0, exact=False))
    assert [each[-1] for each in rows] == ["<1 %", "100 %"]
    assert [each[2] for each in rows] == ["≈ 1.00", "≈ 999.00"]
    quiet = shown(summary_of(24.0, labels=["render"]))
    assert len(quiet.rows) == 2
    assert quiet.outside.startswith("nothing spent elsewhere · ")


def test_many_labels_leave_room_for_what_was_spent_outside_cells():
    """Which is the last row."""
    rows = body(summary_of(*[5.0] * 30, labels=[f"job {at}" for at in range(30)], outside=7.0))
    assert len(rows) == 12
    assert rows[-2] == ["… 20 more rows"]
    assert rows[-1][0] == "(elsewhere)"


def test_counts_have_thousands_and_dashes():
    """As numbers people read."""
    assert body(all_frames()["counts"]) == [["log.db", "12,345", DASH, "2", "1"]]


def test_a_watch_says_when_it_reads():
    """And how often it failed."""
    assert body(all_frames()["watch"])[0][4:] == [
        "today 09:30",
        "10 min",
        "today 09:30",
        "today 09:30",
        DASH,
    ]


def test_times_are_those_of_the_frame():
    """Whatever zone the present is told in."""
    frame = readings_of({"one": [5.0, 4.0]}).tz_convert("Asia/Tokyo")
    assert body(frame, NOW.astimezone(UTC))[-1][0] == "today 18:30"


def test_a_rise_that_is_no_whole_number_of_dollars_is_a_bound():
    """Something was spent at the same time, so more was bought."""
    readings = readings_of({"one": [100.0, 5000.0, 4990.0, 7490.0]})
    assert [row[-1] for row in body(readings)[1:]] == ["+$49", "\N{EN DASH}", "+$25"]
    odd = readings_of({"one": [100.0, 4998.3]})
    assert body(odd)[-1][-1] == "≥ +$48.98"


def test_an_estimate_of_one_organization_is_explained_beside_a_bound():
    """Each sign in the table has its words below it."""
    frame = usage(
        week_readings(one=[100.0, 90.0, 1070.0], two=[50.0, 40.0, 30.0]),
        "day",
    )
    page = shown(frame)
    assert "≈ " in " ".join(each for row in body(frame) for each in row)
    assert "≈: about, a part is estimated" in page.outside
