"""The command that tries and uses the ways in which a person is told."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ..errors import BadArgument, SettingsError
from .outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..channels import Channels
    from ..session.session import Session

__all__ = ["notify"]

_NOBODY = (
    "Nobody is told: StabilityMagic.notify is not set. Set it to a command, such as"
    ' ["notify-send", "credits"], or to an address of Apprise, such as'
    " mailto://me:password@example.org."
)


def notify(session: Session, arguments: argparse.Namespace) -> Outcome:
    """Lists the channels, tries them, or sends a digest by them."""
    from ..display.notice_text import trial_message

    if arguments.test and arguments.digest:
        raise BadArgument("--test tries the channels and --digest uses them; use one.")
    channels = session.settings.channels()
    if not channels:
        raise SettingsError(_NOBODY)
    if arguments.test:
        message = trial_message(session.settings.now())
        return _outcome(channels, session.messenger.deliver(channels, message))
    if arguments.digest:
        return _send_digest(session, channels, arguments.digest)
    return Outcome(tuple(f"{number}. {each}" for number, each in enumerate(channels, 1)))


def _outcome(channels: Channels, reasons: Sequence[str]) -> Outcome:
    """What became of a message.

    Args:
        channels: Where it was to be sent.
        reasons: For each, why it was not; empty where it was.
    """
    lines = tuple(
        f"{number}. {each}: {f'not delivered: {reason}' if reason else 'delivered'}"
        for number, (each, reason) in enumerate(zip(channels, reasons, strict=True), 1)
    )
    failed = sum(map(bool, reasons))
    which = "The channel" if len(reasons) == 1 else f"{failed} of {len(reasons)} channels"
    error = SettingsError(f"{which} did not take the message; check StabilityMagic.notify.")
    return Outcome(lines, error=error if failed else None)


def _send_digest(session: Session, channels: Channels, kind: str) -> Outcome:
    from ..display.notice_text import digest_message
    from ..session.digest import claim_digest, digest_period, release_digest
    from ..session.summary import summarize
    from .log_queries import own_organizations

    if session.demo is not None:
        raise BadArgument("the demo's figures are told to nobody; run %stability_demo --stop first")
    settings = session.settings
    now = settings.now()
    period = digest_period(kind, now)
    summaries = summarize(
        session.journal,
        own_organizations(session),
        now,
        settings.zone(),
        usd_per_credit=settings.usd_per_credit,
    )
    if not summaries:
        session.notes.append("There are no readings to tell of yet; %stability_balance takes one.")
        return Outcome()
    path = session.log().path
    if not claim_digest(path, period, now):
        return Outcome((f"the digest of {period.name} was sent before",))
    message = digest_message(
        summaries, period.window, period.name, now=now, usd_per_credit=settings.usd_per_credit
    )
    reasons = session.messenger.deliver(channels, message)
    if all(reasons):
        release_digest(path, period, now)
    return _outcome(channels, reasons)
