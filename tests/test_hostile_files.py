"""Logs with random bytes changed: a frame, or one line that names the file."""

from __future__ import annotations

import random
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from hypothesis import settings

from stability_magic import Account, Balance, BalanceLog, LogError, Organization, _log_rows, usage
from stability_magic._costs import Cost
from stability_magic._errors import BadArgument
from stability_magic._log import entry
from stability_magic._log_merge import merge
from stability_magic._log_outbox import Outbox

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
EXAMPLES = settings.get_profile("hostile").max_examples


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """The bytes of a log with all that a log can hold, and its size in pages of 4 KiB is small."""
    log = BalanceLog(tmp_path_factory.mktemp("good") / "log.db", timezone=UTC)
    names = [Organization(f"org-{n}", f"Name {n}", "OWNER", is_default=not n) for n in range(2)]
    entries = [
        entry(
            Balance(f"org-{n % 2}" if n % 9 else None, 1000 - n / 7, NOON + timedelta(minutes=n)),
            label={0: None, 1: "a label", 2: "naïve 🎨"}[n % 3],
            host="hub" if n % 2 else None,
        )
        for n in range(400)
    ]
    cost = Cost("org-0", 1, 2, 3.0, 4.0, True, "render", None, b"1" * 16)
    account = Account("user-1", "", tuple(names))
    log.write(entries, account=account, key_fingerprint="f", costs=[cost])
    Outbox(log.path).meet("00000000-0000-0000-0000-000000000000", "postgresql://h/d")
    log.write(entries[:3])
    return log.path.read_bytes()


def read(path):
    """All that can be looked up in it."""
    log = BalanceLog(path, timezone=UTC)
    frame = log.readings(hosts=True)
    assert frame["credits"].dtype == float
    with suppress(BadArgument):
        # Readings thousands of years apart have too many days.
        assert isinstance(usage(frame), pd.DataFrame)
    log.costs(), log.organizations(), log.balances()


def merged(path):
    """It is taken in by another log whole, or not at all."""
    target = path.with_name("target.db")
    target.unlink(missing_ok=True)
    try:
        merge(target, path, lambda done, total: None)
    finally:
        if target.exists():
            read(target)


def to_send(path):
    """What a shared log would be sent."""
    outbox = Outbox(path)
    outbox.lacking("postgresql://h/d")
    outbox.batch(1, 100)


@pytest.mark.parametrize("worth_arrow", [0, 2**40], ids=["arrow", "sqlite"])
@pytest.mark.parametrize("operation", [read, merged, to_send])
def test_a_changed_file_is_read_or_refused(tmp_path, good, monkeypatch, worth_arrow, operation):
    """Whatever bytes were changed, cut off or added."""
    monkeypatch.setattr(_log_rows, "_WORTH_ARROW", worth_arrow)
    path, refused = tmp_path / "log.db", 0
    for seed in range(EXAMPLES):
        chance = random.Random(seed)
        damaged = bytearray(good)
        for _ in range(chance.choice([1, 3, 30, 300])):
            damaged[chance.randrange(len(good))] ^= chance.randrange(1, 256)
        if chance.random() < 0.1:
            damaged = damaged[: chance.randrange(len(damaged))]
        path.write_bytes(damaged)
        told = ""
        try:
            operation(path)
        except LogError as error:
            told = str(error)
        if told:
            assert told.startswith(f"{path} ")
            assert told.isprintable()
            refused += 1
        assert path.read_bytes() == damaged
    assert refused > EXAMPLES / 20
