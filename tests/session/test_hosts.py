"""The host that took a reading: logged with it, shown on request."""

from __future__ import annotations

import platform
import sqlite3
from contextlib import closing
from datetime import UTC, datetime

import pandas as pd
import pytest
from sqlite_utils import Database

from stability_magic import Balance, BalanceLog
from stability_magic.analysis.frames import COLUMNS
from stability_magic.log.balance_log import entry_from_balance
from stability_magic.log.schema import MIGRATIONS
from stability_magic.settings import StabilityMagic

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
HERE = platform.node().partition(".")[0]


def test_a_reading_has_the_short_name_of_the_machine(log_path):
    """In a column that is there only on request."""
    log = BalanceLog(log_path)
    log.append(Balance("org-a", 5.0, NOON))
    assert log.readings(hosts=True)["host"].tolist() == [HERE]
    assert list(log.readings().columns) == list(COLUMNS["readings"])


def test_the_name_can_be_set_and_switched_off(log_path, monkeypatch):
    """``off`` leaves the host unknown, as in readings of an older version."""
    log = BalanceLog(log_path)
    for minute, name in enumerate(("hub", "off", "a" * 200, "tab\there")):
        monkeypatch.setenv("STABILITY_MAGIC_HOST", name)
        log.append(Balance("org-a", 5.0, NOON.replace(minute=minute)))
    hosts = log.readings(hosts=True)["host"]
    assert hosts.iloc[0] == "hub"
    assert pd.isna(hosts.iloc[1])
    assert len(hosts.iloc[2]) == 63
    assert hosts.iloc[3] == "tab\N{REPLACEMENT CHARACTER}here"


def test_a_setting_names_the_machine(shell, api, log_path):
    """Set by %config, it is used for the next readings."""
    shell.run_cell("%config StabilityMagic.host = 'desk'").raise_error()
    frame = shell.run_cell("%stability_balance --host").result
    assert list(frame.columns) == [*list(COLUMNS["readings"])[:-1], "host", "doubtful"]
    assert frame["host"].tolist() == ["desk"]
    assert StabilityMagic().host_name() == HERE
    history = shell.run_cell("%stability_history --host").result
    pd.testing.assert_frame_equal(history, frame)


def test_a_reading_that_cannot_be_logged_has_it_too(shell, api, log_path):
    """The frame looks the same, wherever its rows come from."""
    log_path.parent.mkdir()
    log_path.write_text("no log")
    frame = shell.run_cell("%stability_balance --host").result
    assert frame["host"].tolist() == [HERE]


@pytest.mark.parametrize("version", ["m002_costs", "m003_hosts"])
def test_an_older_log_has_no_hosts(log_path, version):
    """It is read as it is, and gets them with the next reading."""
    log_path.parent.mkdir()
    with closing(sqlite3.connect(log_path)) as connection:
        MIGRATIONS.apply(Database(connection), stop_before=version)
    first = entry_from_balance(Balance("org-a", 5.0, NOON))
    with closing(sqlite3.connect(log_path)) as connection, connection:
        connection.execute("INSERT INTO apis VALUES (1, '')")
        values = (first.organization, first.read_at, first.id, first.credits, 1, "cli", None)
        connection.execute("INSERT INTO readings VALUES (?, ?, ?, ?, ?, ?, ?)", values)
    log = BalanceLog(log_path)
    assert log.readings(hosts=True)["host"].isna().tolist() == [True]
    log.append(Balance("org-a", 4.0, NOON.replace(minute=1)))
    assert log.readings(hosts=True)["host"].fillna("?").tolist() == ["?", HERE]
