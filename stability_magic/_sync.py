"""From the local log to the shared one: what that one lacks, and nothing twice."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from ._log_entries import Entry
from ._log_outbox import Outbox
from ._shared import SharedLog

__all__ = ["Sent", "add_entries", "send"]

_BATCH = 20_000


class Sent(NamedTuple):
    """What was sent.

    Attributes:
        readings: Readings that were new there.
        known: Readings that were there already.
        costs: Costs of cells that were new there.
        organizations: Organizations that were new there.
    """

    readings: int = 0
    known: int = 0
    costs: int = 0
    organizations: int = 0


def send(
    outbox: Outbox,
    shared: SharedLog,
    told: Callable[[int], None],
    *,
    again: bool = False,
) -> Sent:
    """Sends what the shared log lacks, batch by batch.

    Whenever it is cut off, what was sent and not noted is sent once more the next time, and is
    there already.

    Args:
        outbox: Of the local log.
        shared: Where to send it.
        told: Called after each full batch with how many readings have been sent.
        again: Whether to send also what was sent before.

    Raises:
        LogError: One of the two logs could not be used.
    """
    if not outbox.exists:
        return Sent()
    number = outbox.meet(shared.id, shared.address)
    if again:
        outbox.again(number)
    new = done = costs = organizations = 0
    while batch := outbox.batch(number, _BATCH):
        # First, so that nobody looks for readings of an organization that is not listed.
        ids = {row[0] for row in (*batch.readings, *batch.costs)}
        organizations += shared.add_names({each: batch.names.get(each, (0, each)) for each in ids})
        new += shared.add_readings(batch.readings)
        costs += shared.add_costs(batch.costs)
        outbox.sent(number, batch)
        done += len(batch.readings)
        if len(batch.readings) == _BATCH:
            told(done)
    return Sent(new, done - new, costs, organizations)


def add_entries(shared: SharedLog, entries: Iterable[Entry]) -> None:
    """Sends entries that no local log would take, those whose organization is known."""
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
