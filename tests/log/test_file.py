"""The log's file: its name, permissions and size, and what is left beside it."""

from __future__ import annotations

import os
import sqlite3
import stat
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from stability_magic import Balance, BalanceLog
from stability_magic.log.balance_log import entry_from_balance

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def balance(hours=0.0, organization="org-a", **more):
    """A reading some hours after noon."""
    at = NOON + timedelta(hours=hours)
    return Balance(organization, 100 - hours / 7, at, **more)


@pytest.fixture
def log(tmp_path):
    return BalanceLog(tmp_path / "log.db")


def test_a_file_without_a_single_reading_is_an_empty_log(log):
    """A writer that is stopped before its first reading leaves such a file."""
    log.path.touch()
    assert log.readings().empty
    log.append(balance())
    assert len(log.readings()) == 1


@pytest.mark.parametrize("name", ["with space.db", "a#b.db", "100%25.db", "ключ-🎨.db", "a&b=c.db"])
def test_a_file_may_have_any_name(tmp_path, name):
    """No part of the name is mistaken for a part of a URI."""
    folder = tmp_path / f"folder of {name}"
    log = BalanceLog(str(folder / name))
    log.append(balance())
    assert len(log.readings()) == 1
    assert [each.name for each in folder.iterdir()] == [name]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
@pytest.mark.parametrize("name", ["what?.db", "log.db?mode=memory", "back\\slash:colon.db"])
def test_a_file_may_have_a_name_that_reads_like_an_option(tmp_path, name):
    """It is still just the file's name."""
    log = BalanceLog(tmp_path / name)
    log.append(balance())
    assert len(log.readings()) == 1
    assert [each.name for each in tmp_path.iterdir() if each.is_file()] == [name]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_the_file_and_its_folder_are_for_their_owner_alone(tmp_path):
    """Whatever the process's umask; an existing folder keeps its mode."""
    umask_before = os.umask(0)
    try:
        log = BalanceLog(tmp_path / "new" / "log.db")
        log.append(balance())
        (tmp_path / "old").mkdir(mode=0o755)
        BalanceLog(tmp_path / "old" / "log.db").append(balance())
    finally:
        os.umask(umask_before)
    assert stat.S_IMODE(log.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(log.path.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "old").stat().st_mode) == 0o755


def test_a_reading_takes_at_most_eighty_bytes(log):
    """With an organization id as in the API's documentation, in a log of some size."""
    url = "https://api.stability.ai"
    log.write(
        [
            entry_from_balance(balance(n, "org-5678", api_url=url), source="balance")
            for n in range(20_000)
        ]
    )
    assert log.path.stat().st_size / 20_000 <= 80


def test_nothing_stays_open_or_lies_beside_the_file(log):
    """No journal and no shared memory are left, and the file can be removed at once."""
    log.append(balance())
    assert len(log.readings()) == 1
    assert [each.name for each in log.path.parent.iterdir() if each.is_file()] == ["log.db"]
    with closing(sqlite3.connect(log.path)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    log.path.unlink()
    assert log.readings().empty
