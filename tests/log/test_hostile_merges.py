"""Merging the log of somebody who means harm: what is not valid is left out, told, and harmless."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from stability_magic import Account, Balance, BalanceLog, LogError, Organization
from stability_magic.analysis.costs import Cost
from stability_magic.log.balance_log import entry_from_balance
from stability_magic.log.merging import merge
from stability_magic.log.outbox import Outbox
from stability_magic.log.validity import left_out_text

from ..helpers.errors import assert_is_clear_error

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
ESCAPE = "\x1b]0;owned\x07\x1b[31m\u202e"


def entries(count, organization="org-a"):
    """Readings a minute apart."""
    return [
        entry_from_balance(
            Balance(organization, 1000.0 - n, NOON + timedelta(minutes=n), "https://x", "f1"),
            label=f"n{n}",
            host="hub",
        )
        for n in range(count)
    ]


def write_log(path, count=5):
    """A log with some of everything."""
    log = BalanceLog(path, timezone=UTC)
    account = Account("user-1", "", (Organization("org-a", "Alpha", "OWNER", is_default=True),))
    cost = Cost(
        "org-a", 1_700_000_000_000_000, 1_700_000_000_000_009, 1.0, 2.0, True, "l", "c", b"c" * 16
    )
    log.write(entries(count), account=account, key_fingerprint="f1", costs=[cost])
    return log


@pytest.fixture
def other(tmp_path):
    """The other log, to be spoiled."""
    return write_log(tmp_path / "hostile.db")


def spoil(log, *statements):
    """Changes a log as anyone can who has the file."""
    with closing(sqlite3.connect(log.path, isolation_level=None)) as connection:
        for each in statements:
            connection.execute(each)


def run_command(*arguments):
    """Runs the command line to its end."""
    command = [sys.executable, "-m", "stability_magic", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, encoding="utf-8", timeout=120)


def assert_log_works(path, shell):
    """Every way to read the log gives an answer."""
    for command in ("history --since all", "costs --since all", "usage --since all", "forecast"):
        shell.run_cell(f"%stability_{command}").raise_error()
    log = BalanceLog(path, timezone=UTC)
    assert log.readings(hosts=True)["credits"].notna().all()
    log.costs(), log.histories(), log.organizations()
    outbox = Outbox(path)
    number = outbox.register("00000000-0000-0000-0000-000000000000", "postgresql://h/d")
    while batch := outbox.next_batch(number, 1000):
        outbox.mark_sent(number, batch)
    assert outbox.count_unsent("postgresql://h/d")[:2] == (0, 0)


INVALID_ROWS = {
    "infinite": ("UPDATE readings SET credits = 9e999 WHERE label = 'n1'", "no finite balance"),
    "minus infinite": (
        "UPDATE readings SET credits = -9e999 WHERE label = 'n1'",
        "no finite balance",
    ),
    "far future": (f"UPDATE readings SET read_at = {2**62} WHERE label = 'n1'", "no time"),
    "far past": (f"UPDATE readings SET read_at = -{2**62} WHERE label = 'n1'", "no time"),
    "end of the calendar": (
        "UPDATE readings SET read_at = 253402300799999999 WHERE label = 'n1'",
        "no time",
    ),
    "short id": ("UPDATE readings SET id = x'00' WHERE label = 'n1'", "no id of 16 bytes"),
    "empty id": ("UPDATE readings SET id = x'' WHERE label = 'n1'", "no id of 16 bytes"),
    "long id": ("UPDATE readings SET id = zeroblob(99) WHERE label = 'n1'", "no id of 16 bytes"),
    "no organization": ("UPDATE readings SET organization = '' WHERE label = 'n1'", "no id of an"),
    "blank organization": (
        "UPDATE readings SET organization = '  ' WHERE label = 'n1'",
        "no id of an",
    ),
    "long organization": (
        "UPDATE readings SET organization = printf('%.*c', 5000, 'x') WHERE label = 'n1'",
        "no id of an",
    ),
    "long label": (
        "UPDATE readings SET label = printf('%.*c', 99999, 'x') WHERE label = 'n1'",
        "a text that is too long",
    ),
    "infinite cost": ("UPDATE costs SET spent = 9e999", "no finite amount"),
    "infinite duration": ("UPDATE costs SET seconds = 9e999", "no finite duration"),
    "cost of the far future": (
        f"UPDATE costs SET started_at = {2**62}, ended_at = {2**62}",
        "no time between",
    ),
    "cost that ends before": (
        "UPDATE costs SET ended_at = started_at - 1",
        "ended before it began",
    ),
    "cost without id": ("UPDATE costs SET id = x'0102'", "no id of 16 bytes"),
    "half exact cost": ("UPDATE costs SET exact = 7", "neither exact nor not"),
    "name of the far future": (f"UPDATE organizations SET seen_at = {2**62}", "no time between"),
    "name of nobody": ("UPDATE organizations SET organization = ''", "no id of an"),
    "key of a key": ("UPDATE keys SET organization = 'key:f2'", "no id of an"),
    "key without fingerprint": ("UPDATE keys SET fingerprint = ''", "no fingerprint"),
}


@pytest.mark.parametrize("name", INVALID_ROWS)
def test_a_row_that_is_not_valid_is_left_out_and_named(log_path, other, name, shell, capsys):
    """The others are taken, a note counts, and again is harmless."""
    change, reason = INVALID_ROWS[name]
    spoil(other, change)
    shell.run_cell(f"%stability_merge {other.path}").raise_error()
    errors = capsys.readouterr().err
    assert "1 row of hostile.db is not valid and was left out (1 " in errors
    assert reason in errors
    log = BalanceLog(log_path, timezone=UTC)
    is_reading = change.startswith("UPDATE readings")
    assert len(log.readings()) == 5 - is_reading
    assert len(log.costs()) == 1 - change.startswith("UPDATE costs")
    shell.run_cell(f"%stability_merge {other.path}").raise_error()
    assert len(log.readings()) == 5 - is_reading
    assert_log_works(log_path, shell)


@pytest.mark.parametrize("name", INVALID_ROWS)
def test_a_log_that_took_in_such_a_row_before_can_be_used(log_path, name, shell):
    """Earlier versions took in what they did not check; the other rows are what counts."""
    log = write_log(log_path)
    change, _ = INVALID_ROWS[name]
    spoil(log, change)
    assert 4 <= len(log.readings()) <= 5
    log.append(Balance("org-a", 1.0, NOON - timedelta(hours=1)))
    assert_log_works(log_path, shell)


def test_the_command_line_takes_the_rest_and_ends_with_0(log_path, other):
    """The note goes to standard error; data keep their columns."""
    spoil(other, INVALID_ROWS["infinite"][0])
    result = run_command("merge", other.path)
    assert result.returncode == 0
    assert "1 row of hostile.db is not valid and was left out (1 reading: no" in result.stderr
    assert result.stdout.splitlines()[0] == "log,readings,known,costs,organizations"
    assert result.stdout.splitlines()[1].endswith(",4,0,1,1")


def test_several_faults_are_counted_by_kind(log_path, other, capsys, shell):
    """In one note, with the figures."""
    spoil(
        other,
        "UPDATE readings SET credits = 9e999 WHERE label IN ('n1', 'n2')",
        "UPDATE costs SET spent = 9e999",
    )
    shell.run_cell(f"%stability_merge {other.path}").raise_error()
    assert (
        "3 rows of hostile.db are not valid and were left out (1 cost: no finite amount;"
        " 2 readings: no finite balance)." in capsys.readouterr().err
    )


def test_many_rows_are_counted_in_one_sentence():
    """Numbers have separators."""
    text = left_out_text({("reading", "no finite balance"): 1200}, "a\x1bb")
    assert text == (
        "1,200 rows of a�b are not valid and were left out (1,200 readings: no finite balance)."
    )


def test_a_key_named_like_an_organization_renames_nothing(log_path, other):
    """Only ids that stand for keys are looked up among the keys."""
    log = write_log(log_path)
    spoil(other, "INSERT INTO keys VALUES ('org-a', 'org-evil', 1800000000000000)")
    assert run_command("merge", other.path).returncode == 0
    assert set(log.readings()["organization"]) == {"org-a"}
    assert set(log.organizations()) == {"org-a"}
    assert {each.organization for each in log.costs()} == {"org-a"}


def test_text_of_others_comes_out_without_its_escapes(log_path, tmp_path, other):
    """Organization, name, role, host, source, label, cell, and the name of the file."""
    name = "evil\x1b[31m\u202e.db" if os.name != "nt" else "evil\u202e.db"
    for table, columns in {
        "readings": ("organization", "source", "label"),
        "hosts": ("name",),
        "apis": ("url",),
        "organizations": ("organization", "name", "role"),
        "costs": ("organization", "label", "cell"),
        "keys": ("organization",),
    }.items():
        changes = ", ".join(f"{each} = {each} || '{ESCAPE}'" for each in columns)
        spoil(other, f"UPDATE {table} SET {changes}")
    path = other.path.rename(tmp_path / name)
    result = run_command("merge", path)
    assert result.returncode == 0
    assert "evil" in result.stdout
    with closing(sqlite3.connect(log_path)) as connection:
        stored = "\n".join(connection.iterdump())
    assert "owned" in stored
    outputs = [result, run_command("history", "--since", "all", "--host", "--format", "csv")]
    outputs.append(run_command("costs", "--since", "all", "--format", "csv"))
    texts = [stored, *(each.stdout + each.stderr for each in outputs)]
    for each in texts:
        assert not set("\x1b\x07\u202e") & set(each)


def test_what_an_earlier_version_took_in_raw_comes_out_clean(log_path):
    """Names, organizations, labels and cells of costs."""
    log = write_log(log_path)
    spoil(
        log,
        f"UPDATE organizations SET organization = 'org-{ESCAPE}', name = '{ESCAPE}'",
        f"UPDATE readings SET organization = 'org-{ESCAPE}'",
        f"UPDATE costs SET organization = 'org-{ESCAPE}', label = '{ESCAPE}', cell = '{ESCAPE}'",
    )
    (organization,) = set(log.readings()["organization"])
    assert organization.isprintable()
    assert log.readings(organization)["name"].iloc[0].isprintable()
    assert len(log.readings(organization)) == 5
    (cost,) = log.costs()
    assert f"{cost.organization}{cost.label}{cost.cell}".isprintable()
    assert cost.organization == organization


def test_the_name_in_the_bar_is_clean(shell, log_path, other, tmp_path, capsys, monkeypatch):
    """The bar goes to the terminal by itself."""
    from stability_magic.log import merging
    from stability_magic.session import progress

    for each in ("_DELAY", "_INTERVAL"):
        monkeypatch.setattr(progress, each, 0)
    monkeypatch.setattr(merging, "_BATCH_SIZE", 2)
    path = other.path.rename(tmp_path / "evil\u202e.db")
    shell.run_cell(f"%stability_merge '{path}'").raise_error()
    errors = capsys.readouterr().err
    assert "merging evil\N{REPLACEMENT CHARACTER}.db:" in errors
    assert "\u202e" not in errors


ENDLESS = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
NO_TABLES = {
    "readings as a view": [
        "DROP TABLE readings",
        f"CREATE VIEW readings AS {ENDLESS} SELECT 'org-a' AS organization, i AS read_at,"
        " zeroblob(16) AS id, 1.0 AS credits, 1 AS api, 's' AS source, NULL AS label, NULL AS host"
        " FROM n",
    ],
    "READINGS as a view": [
        "DROP TABLE readings",
        f"CREATE VIEW READINGS AS {ENDLESS} SELECT i FROM n",
    ],
    "migrations as a view": [
        "DROP TABLE _sqlite_migrations",
        f"CREATE VIEW _sqlite_migrations AS {ENDLESS}"
        " SELECT 'm001_readings' AS name, 'stability_magic' AS migration_set FROM n",
    ],
    "keys as a view": [
        "DROP TABLE keys",
        f"CREATE VIEW keys AS {ENDLESS} SELECT i AS fingerprint, 'x' AS organization,"
        " 1 AS seen_at FROM n",
    ],
    "hosts as a table of an extension": [
        "DROP TABLE hosts",
        "CREATE VIRTUAL TABLE hosts USING rtree(id, a, b, +name TEXT)",
    ],
    "a computed column": [
        "DROP TABLE apis",
        "CREATE TABLE apis (id INTEGER PRIMARY KEY, url TEXT AS (hex(zeroblob(100000000))))",
        "INSERT INTO apis (id) VALUES (1)",
    ],
}


@pytest.mark.parametrize("name", NO_TABLES)
def test_what_is_no_table_is_refused_at_once(tmp_path, other, name):
    """It could run for ever; nothing is taken in."""
    try:
        spoil(other, *NO_TABLES[name])
    except sqlite3.OperationalError as error:
        pytest.skip(str(error))
    path = tmp_path / "mine.db"
    begin = time.monotonic()
    with pytest.raises(LogError, match="is no ordinary table; check the name") as caught:
        merge(path, other.path, lambda done, total: None)
    assert time.monotonic() - begin < 30
    assert_is_clear_error(caught.value)
    assert not path.exists()


def test_triggers_and_own_indexes_of_the_other_log_do_nothing(tmp_path, other):
    """Reading runs none of them, and conditions of columns neither."""
    spoil(
        other,
        "CREATE TRIGGER harm AFTER INSERT ON readings BEGIN DELETE FROM readings; END",
        "CREATE VIEW harmless AS SELECT 1",
        "CREATE INDEX own ON readings (label)",
    )
    log = BalanceLog(tmp_path / "mine.db", timezone=UTC)
    assert merge(log.path, other.path, lambda done, total: None) == (5, 0, 1, 1)
    assert len(log.readings()) == 5


@pytest.mark.skipif(os.name == "nt", reason="Windows has other signals")
def test_a_pipe_in_place_of_a_log_is_refused(tmp_path):
    """Opening it would wait for ever."""
    path = tmp_path / "pipe.db"
    os.mkfifo(path)
    for operation in (
        lambda: merge(tmp_path / "mine.db", path, lambda done, total: None),
        lambda: BalanceLog(path).readings(),
        lambda: BalanceLog(path).append(Balance("org-a", 1.0, NOON)),
    ):
        with pytest.raises(LogError, match="a pipe or a device"):
            operation()


ASK_FOR_EVER = f"""
import sys
from pathlib import Path
from stability_magic.log.file import open_for_reading
path = Path(sys.argv[1])
print("begun", flush=True)
try:
    with open_for_reading(path, error_path=path) as connection:
        connection.execute("{ENDLESS} SELECT count(*) FROM n").fetchone()
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has other signals")
def test_ctrl_c_ends_a_long_look_into_the_other_log(other):
    """SQLite itself would not notice it before the end of its query."""
    command = [sys.executable, "-c", ASK_FOR_EVER, str(other.path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8") as process:
        try:
            assert process.stdout.readline() == "begun\n"
            time.sleep(1.0)
            process.send_signal(signal.SIGINT)
            assert process.communicate(timeout=20)[0] == "interrupted\n"
        finally:
            process.kill()
