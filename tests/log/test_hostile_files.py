"""Logs with random changes give a frame, or an error of one line that names the file."""

from __future__ import annotations

import random
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from hypothesis import settings

from stability_magic import Account, Balance, BalanceLog, LogError, Organization, usage
from stability_magic.analysis.costs import Cost
from stability_magic.errors import BadArgument
from stability_magic.log import rows
from stability_magic.log.balance_log import entry_from_balance
from stability_magic.log.merging import merge
from stability_magic.log.outbox import Outbox

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
EXAMPLES = settings.get_profile("hostile").max_examples


@pytest.fixture(scope="module")
def intact_log(tmp_path_factory):
    """The bytes of a small log with everything that a log can hold."""
    log = BalanceLog(tmp_path_factory.mktemp("intact") / "log.db", timezone=UTC)
    organizations = [
        Organization(f"org-{n}", f"Name {n}", "OWNER", is_default=not n) for n in range(2)
    ]
    entries = [
        entry_from_balance(
            Balance(f"org-{n % 2}" if n % 9 else None, 1000 - n / 7, NOON + timedelta(minutes=n)),
            label={0: None, 1: "a label", 2: "naïve 🎨"}[n % 3],
            host="hub" if n % 2 else None,
        )
        for n in range(400)
    ]
    cost = Cost("org-0", 1, 2, 3.0, 4.0, True, "render", None, b"1" * 16)
    account = Account("user-1", "", tuple(organizations))
    log.write(entries, account=account, key_fingerprint="f", costs=[cost])
    Outbox(log.path).register("00000000-0000-0000-0000-000000000000", "postgresql://h/d")
    log.write(entries[:3])
    return log.path.read_bytes()


def read(path):
    """Reads everything that a log can return."""
    log = BalanceLog(path, timezone=UTC)
    frame = log.readings(hosts=True)
    assert frame["credits"].dtype == float
    with suppress(BadArgument):
        # Readings thousands of years apart have too many days.
        assert isinstance(usage(frame), pd.DataFrame)
    log.costs(), log.organizations(), log.histories()


def merge_into_new_log(path):
    """Merges the file into another log, which can be read afterwards."""
    target = path.with_name("target.db")
    target.unlink(missing_ok=True)
    try:
        merge(target, path, lambda count, total: None)
    finally:
        if target.exists():
            read(target)


def collect_unsent(path):
    """Collects what would be sent to a shared log."""
    outbox = Outbox(path)
    outbox.count_unsent("postgresql://h/d")
    outbox.next_batch(1, 100)


@pytest.mark.parametrize("worth_arrow", [0, 2**40], ids=["arrow", "sqlite"])
@pytest.mark.parametrize("operation", [read, merge_into_new_log, collect_unsent])
def test_a_changed_file_is_read_or_refused(
    tmp_path, intact_log, monkeypatch, worth_arrow, operation
):
    """Whatever bytes are changed or cut off."""
    monkeypatch.setattr(rows, "_ARROW_MIN_BYTES", worth_arrow)
    path, refusals = tmp_path / "log.db", 0
    for seed in range(EXAMPLES):
        generator = random.Random(seed)
        content = bytearray(intact_log)
        for _ in range(generator.choice([1, 3, 30, 300])):
            content[generator.randrange(len(content))] ^= generator.randrange(1, 256)
        if generator.random() < 0.1:
            content = content[: generator.randrange(len(content))]
        path.write_bytes(content)
        message = ""
        try:
            operation(path)
        except LogError as error:
            message = str(error)
        if message:
            assert message.startswith(f"{path} ")
            assert message.isprintable()
            refusals += 1
        assert path.read_bytes() == content
    assert refusals > EXAMPLES / 20
