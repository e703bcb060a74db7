"""Sends the shared log what it lacks of the local log, and nothing twice."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from ..log.entries import Entry
from ..log.outbox import Outbox
from .shared_log import SharedLog

__all__ = ["SentCounts", "send", "send_entries"]

_BATCH_SIZE = 20_000


class SentCounts(NamedTuple):
    """What was sent to a shared log.

    Attributes:
        readings: How many readings were new.
        known: How many readings were already in the shared log.
        costs: How many costs of cells were new.
        organizations: How many organizations were new.
    """

    readings: int = 0
    known: int = 0
    costs: int = 0
    organizations: int = 0


def send(
    outbox: Outbox,
    shared: SharedLog,
    report_progress: Callable[[int], None],
    *,
    again: bool = False,
) -> SentCounts:
    """Sends what the shared log lacks, batch by batch.

    If it is interrupted, a batch that was sent but not marked as sent is sent again the next time,
    and the shared log ignores rows that it already holds.

    Args:
        outbox: The outbox of the local log.
        shared: The shared log to send to.
        report_progress: Called after each full batch with the number of readings sent so far.
        again: Whether to send also what was sent before.

    Raises:
        LogError: One of the two logs could not be used.
    """
    if not outbox.has_log:
        return SentCounts()
    log_number = outbox.register(shared.id, shared.address)
    if again:
        outbox.mark_all_unsent(log_number)
    new = total = costs = organizations = 0
    while batch := outbox.next_batch(log_number, _BATCH_SIZE):
        # The names go first, so that readers of the shared log find the organization's readings.
        ids = {row[0] for row in (*batch.readings, *batch.costs)}
        organizations += shared.add_names({each: batch.names.get(each, (0, each)) for each in ids})
        new += shared.add_readings(batch.readings)
        costs += shared.add_costs(batch.costs)
        outbox.mark_sent(log_number, batch)
        total += len(batch.readings)
        if len(batch.readings) == _BATCH_SIZE:
            report_progress(total)
    _send_budgets(outbox, shared, log_number)
    return SentCounts(new, total - new, costs, organizations)


def _send_budgets(outbox: Outbox, shared: SharedLog, log_number: int) -> None:
    """Sends changes of budgets; where this user was not granted that yet, they wait."""
    unsent = outbox.unsent_budgets(log_number)
    # What is not valid is noted as done too, so that it does not come up again and again.
    if unsent and shared.add_budgets(each for each in unsent.values() if each is not None):
        outbox.mark_budgets_sent(log_number, unsent)


def send_entries(shared: SharedLog, entries: Iterable[Entry]) -> None:
    """Sends entries that could not be written to the local log, if their organization is known."""
    rows = [
        (
            each.organization,
            each.read_at,
            each.id.hex(),
            each.credits,
            each.api_url,
            each.source,
            each.label,
            each.host,
        )
        for each in entries
        if not each.organization.startswith("key:")
    ]
    if rows:
        shared.add_names({row[0]: (0, row[0]) for row in rows})
        shared.add_readings(rows)
