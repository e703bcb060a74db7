"""Sends messages in the background, so that no channel holds up a reading or another channel."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from ..channels import Address, Channel
from .senders import NEEDS_APPRISE, SEND_SECONDS, lacks_apprise, send

if TYPE_CHECKING:
    from ..display.notice_text import Message

__all__ = ["Messenger"]


class Messenger:
    """Sends the messages of a session, those of each channel one after the other.

    Args:
        secret: Returns the key, which no channel gets to see.
        seconds: How long to try to send a message.
    """

    def __init__(self, secret: Callable[[], str], *, seconds: float = SEND_SECONDS) -> None:
        self._secret = secret
        self._seconds = seconds
        self._condition = threading.Condition()
        self._waiting: dict[Channel, deque[Message]] = {}
        self._dead: set[Channel] = set()
        self._problems: list[str] = []

    def check(self, channels: Sequence[Channel]) -> None:
        """Finds out before there is something to send which channels cannot be used here."""
        for each in channels:
            if isinstance(each, Address) and lacks_apprise():
                with self._condition:
                    self._note(each, NEEDS_APPRISE)

    def send(self, channels: Sequence[Channel], message: Message) -> None:
        """Sends a message by each channel; returns at once."""
        with self._condition:
            for each in channels:
                queue = self._waiting.setdefault(each, deque())
                queue.append(message)
                if len(queue) == 1:
                    # A thread lasts as long as there is something to send, and no process for it.
                    threading.Thread(
                        target=self._send_waiting,
                        args=(each,),
                        name="stability_notify",
                        daemon=True,
                    ).start()

    def deliver(self, channels: Sequence[Channel], message: Message) -> list[str]:
        """Sends a message by all channels at once, and waits.

        Returns:
            For each channel, why it failed; empty if it did not.
        """
        reasons = [""] * len(channels)

        def send_by(place: int) -> None:
            reasons[place] = self._send(channels[place], message)

        threads = [_thread(send_by, place) for place in range(len(channels))]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        return reasons

    def finish(self, seconds: float) -> None:
        """Waits so long for what is still to be sent; what is not is told as a problem.

        Ctrl-C ends the waiting.
        """
        with self._condition:
            with suppress(KeyboardInterrupt):
                self._condition.wait_for(lambda: not self._waiting, seconds)
            if self._waiting:
                count = sum(map(len, self._waiting.values()))
                verb = "was" if count == 1 else "were"
                noun = "message" if count == 1 else "messages"
                self._problems.append(f"{count} {noun} {verb} still on the way at the end.")

    def forget(self) -> None:
        """Leaves what is being sent to the parent, in a process that was forked."""
        self._condition = threading.Condition()
        self._waiting = {}
        self._problems = []

    def take_problems(self) -> list[str]:
        """What to tell the user: each channel that went dead once, until it works again."""
        with self._condition:
            problems, self._problems = self._problems, []
        return problems

    def _note(self, channel: Channel, reason: str) -> None:
        if reason and channel not in self._dead:
            self._problems.append(
                f"No message can be sent to {channel}: {reason}. This is told once."
            )
        (self._dead.add if reason else self._dead.discard)(channel)

    def _send(self, channel: Channel, message: Message) -> str:
        return send(channel, message, seconds=self._seconds, secret=self._secret())

    def _send_waiting(self, channel: Channel) -> None:
        condition, waiting = self._condition, self._waiting
        while True:
            with condition:
                message = waiting[channel][0]
            try:
                reason = self._send(channel, message)
            except Exception as error:
                # Whatever it is, the thread goes on: others wait for what it has to send.
                reason = type(error).__name__
            with condition:
                self._note(channel, reason)
                waiting[channel].popleft()
                if not waiting[channel]:
                    del waiting[channel]
                    condition.notify_all()
                    return


def _thread(function: Callable[..., None], argument: object) -> threading.Thread:
    return threading.Thread(target=function, args=(argument,), name="stability_notify", daemon=True)
