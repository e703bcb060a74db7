"""What was told is claimed once, whoever asks."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest
from sqlite_utils import Database

from stability_magic import BalanceLog, LogError
from stability_magic.analysis.notices import Finding, Key, changes
from stability_magic.log.notices import claim_changes
from stability_magic.log.schema import MIGRATIONS

KEY = Key("org-1", "low_balance", "500.0")


def claim(path, at: int, *, is_happening: bool, key: Key = KEY) -> bool:
    """Whether a change is this caller's to tell."""
    finding = Finding(key, at, is_happening)
    return bool(claim_changes(path, lambda states: changes([finding], states)))


def test_each_change_is_given_out_once(log_path):
    """Also to whoever comes with an older reading."""
    assert not claim(log_path, 1, is_happening=False)
    assert not log_path.exists()
    assert claim(log_path, 2, is_happening=True)
    assert not claim(log_path, 3, is_happening=True)
    assert not claim(log_path, 1, is_happening=False)
    assert claim(log_path, 4, is_happening=False)
    assert not claim(log_path, 3, is_happening=True)
    assert claim(log_path, 5, is_happening=True)
    for other in (KEY._replace(organization="org-2"), KEY._replace(subject="800.0")):
        assert claim(log_path, 5, is_happening=True, key=other)


@pytest.mark.once
def test_of_many_processes_one_gets_it(log_path):
    """Each of them tries each of twenty changes."""
    code = f"""
import sys
from pathlib import Path
from stability_magic.analysis.notices import Finding, Key, changes
from stability_magic.log.notices import claim_changes
for at in range(20):
    finding = Finding(Key("org-1", "low_balance", "500.0"), at, at % 2 == 0)
    if claim_changes(Path({str(log_path)!r}), lambda states: changes([finding], states)):
        print(at)
"""
    processes = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    numbers = [int(line) for each in processes for line in each.communicate(timeout=60)[0].split()]
    # One that is late finds that others have gone further.
    assert len(numbers) == len(set(numbers))
    assert {0, 19} <= set(numbers)


def test_a_log_of_an_older_version_gets_the_table(log_path):
    """It is read as it is, and migrated by the first claim."""
    log_path.parent.mkdir()
    with closing(sqlite3.connect(log_path)) as connection:
        MIGRATIONS.apply(Database(connection), stop_before="m009_notices")
    assert claim(log_path, 1, is_happening=True)
    assert not claim(log_path, 2, is_happening=True)
    assert BalanceLog(log_path).readings().empty


def test_a_log_that_cannot_be_read_claims_nothing(log_path):
    """Who asks decides what to do then."""
    log_path.mkdir(parents=True)
    with pytest.raises(LogError):
        claim(log_path, 1, is_happening=True)
