"""Odd rows in the shared log, which whoever may insert can write, harm nobody else."""

from __future__ import annotations

import math
import secrets
import uuid
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

pytest.importorskip("psycopg")

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stability_magic import Balance, BalanceLog
from stability_magic.analysis.costs import Cost
from stability_magic.analysis.forecast import forecast_cut_points
from stability_magic.analysis.spend import usage_cut_points, usage_of
from stability_magic.log.balance_log import entry_from_balance
from stability_magic.log.outbox import Outbox
from stability_magic.log.validity import (
    FIRST_TIME,
    LAST_TIME,
    MAX_TEXT_LENGTH,
    reading_fault,
)
from stability_magic.models import to_microseconds
from stability_magic.shared_log.sync import send

from .logs import make_readings, open_shared_log, shared_rows

NOW = datetime.now(UTC).replace(microsecond=0)
DAY = 86_400_000_000

# The first and last time that datetime can hold, in microseconds since 1970 UTC.
EARLIEST = -62_135_596_800_000_000
LATEST = 253_402_300_799_999_999

BAD_TIMES = [-(2**63), -(2**62), EARLIEST - 1, LATEST + 1, 2**62, 2**63 - 1]
BAD_AMOUNTS = [math.nan, math.inf, -math.inf]
TOO_LONG = "x" * (MAX_TEXT_LENGTH + 1)


def reading(server, schema, **columns):
    """Inserts a reading with some columns that no client of ours would write."""
    row = {
        "organization": "org-sim-studio",
        "read_at": to_microseconds(NOW) - 2 * DAY,
        "id": uuid.uuid4(),
        "credits": 4000.0,
        "api_url": "https://x",
        "source": "test",
        "label": None,
        "host": None,
    } | columns
    names = ", ".join(row)
    places = ", ".join(["%s"] * len(row))
    server.sql(f'INSERT INTO "{schema}".readings ({names}) VALUES ({places})', *row.values())


def cost(server, schema, **columns):
    """Inserts a cost with some columns that no client of ours would write."""
    row = {
        "organization": "org-sim-studio",
        "started_at": to_microseconds(NOW) - 2 * DAY,
        "id": uuid.uuid4(),
        "ended_at": to_microseconds(NOW) - 2 * DAY + 10**6,
        "seconds": 1.0,
        "spent": 2.0,
        "exact": True,
        "label": None,
        "cell": None,
    } | columns
    names = ", ".join(row)
    places = ", ".join(["%s"] * len(row))
    server.sql(f'INSERT INTO "{schema}".costs ({names}) VALUES ({places})', *row.values())


def organization(server, schema, *row):
    """Inserts a name that no client of ours would write."""
    server.sql(f'INSERT INTO "{schema}".organizations VALUES (%s, %s, %s)', *row)


def recent_readings(organization, count):
    """Readings every ten minutes up to now, with a top-up."""
    return [
        entry_from_balance(
            Balance(
                organization,
                5000.0 - 1.5 * n + (1000.0 if n > count / 2 else 0.0),
                NOW - timedelta(minutes=10 * (count - n)),
                "https://x",
            ),
            source="test",
        )
        for n in range(count)
    ]


# With so many readings the database adds them up.
COUNTS = {"org-sim-studio": 1500, "org-few": 20}

COMMANDS = (
    "history --since all --host",
    "usage --since all",
    "usage --by hour",
    "forecast",
    "costs --since all",
    "costs --since all --summary",
    "team --since all",
)


@pytest.fixture
def shared_with_rows(shared, schema, log_path, api):
    """A shared log with valid rows only."""
    started_at = to_microseconds(NOW) - DAY
    log = BalanceLog(log_path)
    log.write(
        [each for name, count in COUNTS.items() for each in recent_readings(name, count)],
        costs=[
            Cost("org-few", started_at, started_at + 10**8, 9.0, 12.5, True, "a", None, b"1" * 16)
        ],
    )
    with open_shared_log(shared, schema) as opened:
        send(Outbox(log_path), opened, lambda total: None)
    return shared


def run_all(shell):
    """The frame of each command, which does not fail."""
    frames = {}
    for line in COMMANDS:
        result = shell.run_cell(f"%stability_{line}")
        result.raise_error()
        frames[line] = result.result
    shell.run_cell("%stability_plot --since 5d").raise_error()
    return frames


def assert_same(frames, expected_frames):
    """All commands show the same; a forecast depends a little on the time."""
    for line, frame in frames.items():
        pd.testing.assert_frame_equal(frame, expected_frames[line], rtol=1e-2)
        text = "".join(str(each) for each in frame.to_numpy().ravel())
        assert text.isprintable()


def insert_odd_rows(server, schema):
    """Inserts every kind of odd row that we can think of, and returns how many are readings."""
    odd_readings = [
        *({"read_at": each} for each in BAD_TIMES),
        *({"credits": each} for each in BAD_AMOUNTS),
        *({"organization": "org-few", "credits": each} for each in BAD_AMOUNTS),
        {"label": TOO_LONG},
        {"host": "\N{PILE OF POO}" * (MAX_TEXT_LENGTH + 1)},
        {"credits": math.nan, "read_at": to_microseconds(NOW) + 1},
    ]
    for each in odd_readings:
        reading(server, schema, **each)
    for each in ("", " "):
        reading(server, schema, organization=each)
        organization(server, schema, each, 1, "nobody")
        cost(server, schema, organization=each)
    for each in BAD_TIMES:
        organization(server, schema, "org-few", each, "Renamed")
        cost(server, schema, started_at=each)
        cost(server, schema, ended_at=each)
    for each in BAD_AMOUNTS:
        cost(server, schema, seconds=each)
        cost(server, schema, spent=each)
    cost(server, schema, ended_at=to_microseconds(NOW) - 3 * DAY)
    cost(server, schema, label=TOO_LONG)
    organization(server, schema, "org-few", to_microseconds(NOW), TOO_LONG)
    return len(odd_readings)


def test_odd_rows_change_no_figure_of_any_command(shared_with_rows, schema, shell, capsys):
    """Nothing fails, every valid row counts as before, and what is left out is told."""
    expected_frames = run_all(shell)
    balance = shell.run_cell("%stability_balance --no-log --since all").result
    capsys.readouterr()
    count = insert_odd_rows(shared_with_rows, schema)
    assert_same(run_all(shell), expected_frames)
    errors = capsys.readouterr().err
    assert f"{count} rows of the shared log postgresql://owner@" in errors
    assert (
        "(2 readings: a text that is too long; 7 readings: no finite balance; 6 readings: no time"
        " between 1970 and 2200)."
    ) in errors
    assert "the local log is used" not in errors
    again = shell.run_cell("%stability_balance --no-log --since all").result
    assert len(again) == len(balance)
    shell.run_cell("%stability_balance").raise_error()
    frame = shell.run_cell("%stability_sync").result
    assert frame["readings"].tolist() == [0]
    errors = capsys.readouterr().err
    assert "2 readings: a text that is too long" in errors
    assert "costs: no finite amount" in errors


def test_the_window_of_history_counts_only_its_own_odd_rows(
    shared_with_rows, schema, shell, capsys
):
    """And it says nothing where there are none, or where the local log is read."""
    shell.run_cell("%stability_history --since 1d").raise_error()
    reading(shared_with_rows, schema, credits=math.nan)
    shell.run_cell("%stability_history --since 1d").raise_error()
    shell.run_cell("%stability_history --since all --local").raise_error()
    shell.run_cell("%stability_history --since all --organization org-few").raise_error()
    assert capsys.readouterr().err == ""
    shell.run_cell("%stability_history --since 5d").raise_error()
    (note,) = capsys.readouterr().err.splitlines()
    assert "1 row of the shared log" in note
    assert note.endswith("is not valid and was left out (1 reading: no finite balance).")


def test_texts_with_escapes_are_shown_harmless(shared_with_rows, schema, shell, capsys):
    """They are no fault; what they would do to a terminal is taken from them."""
    texts = {"source": "\x1b[31m", "label": "\r\n\u202e", "host": "\x9b2J", "api_url": "\x07"}
    reading(shared_with_rows, schema, **texts)
    cost(shared_with_rows, schema, label="\x1b[2J", cell="\x1b]0;")
    for each in ("org-\x1b", "org-\x07"):
        reading(shared_with_rows, schema, organization=each)
        organization(shared_with_rows, schema, each, 1, "\x1b]0;title\x07")
        cost(shared_with_rows, schema, organization=each)
    frames = run_all(shell)
    assert_same(frames, frames)
    # Ids that are not clean would be shown as one and the same, so they are nobody's.
    assert len(frames["history --since all --host"]) == sum(COUNTS.values()) + 1
    assert not set("\x1b\x9b\x07\u202e") & set(capsys.readouterr().out)


# What numpy says of such sums is no matter here.
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("balances", [(1e308,), (1e308, -1e308), (-1.7e308, 1.7e308), (5e-324,)])
def test_finite_balances_that_no_sum_can_hold_break_nothing(
    shared_with_rows, schema, balances, shell
):
    """The other organization's figures are as before."""
    expected_frames = run_all(shell)
    for number, each in enumerate(balances):
        at = to_microseconds(NOW) - 2 * DAY + number
        reading(shared_with_rows, schema, credits=each, read_at=at)
    with open_shared_log(shared_with_rows, schema) as opened:
        readings = opened.readings_with_neighbours(None, None, None)
        assert len(readings) == sum(COUNTS.values()) + len(balances)
        histories = opened.histories(None, None, None, usage_cut_points("day", UTC, None, None))
        frame = usage_of(histories, "day")
        histories = opened.histories(None, None, None, forecast_cut_points)
        assert [int(each.counts.sum()) for each in histories.series] == [
            COUNTS["org-few"],
            COUNTS["org-sim-studio"] + len(balances),
        ]
    expected = expected_frames["usage --since all"]
    pd.testing.assert_frame_equal(
        frame[frame["organization"] == "org-few"],
        expected[expected["organization"] == "org-few"],
    )


@pytest.mark.parametrize("at", [FIRST_TIME, LAST_TIME])
def test_times_at_the_ends_of_the_calendar_break_nothing(shared_with_rows, schema, at, shell):
    """They are valid; what is shown of the present does not change."""
    reading(shared_with_rows, schema, organization="org-few", read_at=at, credits=5000.0)
    cost(shared_with_rows, schema, organization="org-few", started_at=at, ended_at=at)
    for line in (
        "history --since all",
        "usage --by month --since 40d --until 2030-01-01",
        "forecast",
    ):
        shell.run_cell(f"%stability_{line}").raise_error()
    for line in ("costs --since all", "costs --since all --summary", "balance"):
        shell.run_cell(f"%stability_{line}").raise_error()


any_reading = st.fixed_dictionaries(
    {
        "organization": st.sampled_from(
            ["org-few", "org-sim-studio", "", "\t", "key:f1", "x" * 600]
        ),
        "read_at": st.sampled_from([*BAD_TIMES, to_microseconds(NOW) - DAY])
        | st.integers(-(2**63), 2**63 - 1),
        "credits": st.floats(),
        "api_url": st.sampled_from(["", "https://x", TOO_LONG]),
        "source": st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
        "label": st.none() | st.sampled_from(["", TOO_LONG, "\x1b[31m"]),
        "host": st.none() | st.sampled_from(["", TOO_LONG, "\u202ehub"]),
    }
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(any_reading, min_size=1, max_size=4))
def test_the_database_and_the_definition_agree_on_what_is_valid(shared, schema, rows):
    """A row is read if, and only if, ``reading_fault`` finds none; no other row is lost."""
    with open_shared_log(shared, schema) as opened:
        shared.sql(f'DELETE FROM "{schema}".readings')
        opened.add_names({"org-few": (0, "org-few"), "org-sim-studio": (0, "org-sim-studio")})
        opened.add_names({"key:f1": (0, "key:f1")})
        for each in rows:
            # An index of PostgreSQL does not take an id that long; it refuses such a row itself.
            reading(shared, schema, **each)
        known_ids = opened.organizations()
        valid_rows = [
            each
            for each in rows
            if each["organization"] in known_ids
            and reading_fault(
                *(each[name] for name in ("organization", "read_at")),
                bytes(16),
                each["credits"],
                [each[name] for name in ("api_url", "source", "label", "host")],
            )
            is None
        ]
        frame = opened.readings_with_neighbours(None, None, None)
        assert sorted(frame["credits"]) == sorted(each["credits"] for each in valid_rows)
        assert sum(opened.count_left_out(known_ids).values()) == len(
            [each for each in rows if each["organization"] in known_ids]
        ) - len(valid_rows)


def test_what_is_not_valid_is_not_sent_and_stops_nothing(shared, schema):
    """However the row came about, the others of its batch arrive."""
    good = [
        (
            each.organization,
            each.read_at,
            each.id.hex(),
            each.credits,
            "https://x",
            "test",
            None,
            None,
        )
        for each in make_readings(3)
    ]
    columns = (
        ("organization", ""),
        ("read_at", 2**62),
        ("read_at", 2**70),
        ("id", secrets.token_hex(15)),
        ("id", "no id"),
        ("credits", math.nan),
        ("credits", math.inf),
        ("label", TOO_LONG),
    )
    names = ("organization", "read_at", "id", "credits", "api_url", "source", "label", "host")
    bad = [
        tuple({**dict(zip(names, good[0], strict=True)), name: value}.values())
        for name, value in columns
    ]
    with open_shared_log(shared, schema) as opened:
        assert opened.add_names({"": (0, "x"), "org-a": (0, "org-a"), "org-b": (2**62, "b")}) == 1
        assert opened.add_readings([*bad, *good]) == 3
        bad_costs = [
            ("org-a", 2**62, secrets.token_hex(16), 2**62, 1.0, 1.0, True, *[None] * 4),
            ("org-a", 1, secrets.token_hex(16), 2, math.inf, 1.0, True, *[None] * 4),
            ("org-a", 1, secrets.token_hex(16), 0, 1.0, 1.0, True, *[None] * 4),
        ]
        texts = ("a", None, "hub", "ann")
        good_cost = ("org-a", 1, secrets.token_hex(16), 2, 1.0, None, False, *texts)
        assert opened.add_costs([*bad_costs, good_cost]) == 1
        assert len(opened.costs(None, None)) == 1
        assert opened.organizations() == {"org-a": "org-a"}
    assert len(shared_rows(shared, schema)) == 3


def test_many_rows_with_an_odd_one_are_sent_by_copy(shared, schema):
    """Long logs too are sent but for the row that is not valid."""
    rows = [
        (each.organization, each.read_at, each.id.hex(), each.credits, "https://x", "t", None, None)
        for each in make_readings(900)
    ]
    rows[500] = (*rows[500][:3], math.nan, *rows[500][4:])
    with open_shared_log(shared, schema) as opened:
        assert opened.add_readings(rows) == 899
    assert len(shared_rows(shared, schema)) == 899
