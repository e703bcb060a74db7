"""The ways in which a person is told, as the setting names them: commands and addresses; pure.

They may hold passwords and tokens, so what is shown of them is the name of a program, or the scheme
of an address and at most its host.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Sequence

from .text import Secret

__all__ = ["Address", "Channel", "Channels", "Command", "channels_from_setting"]

_SETTING = "StabilityMagic.notify"
_FORMS = (
    'use a list of its words for a command, such as ["notify-send", "credits"], or an address of'
    " Apprise, such as mailto://me:password@example.org"
)
_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]*)://[^\s\x00-\x1f\x7f]+", re.IGNORECASE)

# Addresses in which a host stands where a host is expected. In others it is a token or a topic.
_SCHEMES_WITH_HOST = frozenset(
    each + end
    for each in ("form", "http", "json", "mailto", "xml", "gotify", "matrix", "mmost")
    for end in ("", "s")
)
_HOST = re.compile(r"(?:[\w.-]+|\[[0-9a-f:.]+\])(?::\d+)?", re.IGNORECASE)


class Address(Secret):
    """An address of Apprise, shown as its scheme and at most its host."""

    __slots__ = ()

    def __new__(cls, value: str) -> Address:
        # str(value) would give only the part that may be shown.
        return value if isinstance(value, Address) else super().__new__(cls, value)

    def __repr__(self) -> str:
        return repr(str(self))

    def __str__(self) -> str:
        scheme, _, rest = self.reveal().partition("://")
        host = _host(rest) if scheme.lower() in _SCHEMES_WITH_HOST else ""
        return f"{scheme}://***@{host}" if "@" in rest and host else f"{scheme}://{host or '***'}"

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)

    def reveal(self) -> str:
        """The complete address, for sending to it."""
        return "".join(self)


def _host(rest: str) -> str:
    """The host and port in what follows a scheme; empty where it is not certain what they are."""
    place, _, options = rest.partition("?")
    userinfo, _, location = place.rpartition("@")
    # A password that is not encoded may hold any of these.
    if "@" in options or set(userinfo) & set("/#@"):
        return ""
    host = location.partition("/")[0]
    return host if _HOST.fullmatch(host) else ""


@dataclasses.dataclass(frozen=True, slots=True, repr=False)
class Command:
    """A program and its arguments, shown as the program's name.

    Attributes:
        words: The program, and what it is called with.
    """

    words: tuple[Secret, ...]

    def __repr__(self) -> str:
        return repr([self._name, *("***" for _ in self.words[1:])])

    def __str__(self) -> str:
        return f"the command {self._name}"

    @property
    def _name(self) -> str:
        return re.split(r"[/\\]", "".join(self.words[0]).rstrip("/\\"))[-1]


Channel = Address | Command


class Channels(tuple[Channel, ...]):
    """The channels of a setting, in its order.

    Attributes:
        fault: What is wrong with the setting, as the end of a sentence; empty for most. It repeats
            nothing of it.
    """

    fault: str

    def __new__(cls, channels: Sequence[Channel] = (), *, fault: str = "") -> Channels:
        made = super().__new__(cls, channels)
        made.fault = fault
        return made

    def __repr__(self) -> str:
        return f"<{_SETTING} that cannot be used>" if self.fault else repr(list(self))


def channels_from_setting(value: object) -> Channels:
    """The channels that a setting names; those of one that cannot be used have a fault.

    Args:
        value: Addresses in a text, with spaces between them, or what follows as JSON; a list that
            is one command; or a list of addresses and of commands, which are lists themselves.
    """
    if isinstance(value, Channels):
        return value
    if value is None or (isinstance(value, str | list | tuple) and not value):
        return Channels()
    if isinstance(value, str):
        return _from_text(value)
    if not isinstance(value, list | tuple):
        return Channels(fault=f"it is neither a list nor a text; {_FORMS}")
    first = value[0]
    if isinstance(first, str) and "://" not in first:
        value = [value]
    channels: list[Channel] = []
    for number, each in enumerate(value, 1):
        channel = _channel(each)
        if isinstance(channel, str) and not isinstance(channel, Address):
            return Channels(fault=f"its item {number} {channel}; {_FORMS}")
        channels.append(channel)
    return Channels(list(dict.fromkeys(channels)))


def _from_text(text: str) -> Channels:
    if text.lstrip().startswith("["):
        try:
            value = json.loads(text)
        except ValueError:
            return Channels(fault=f"it begins as a list of JSON, and is none; {_FORMS}")
        return channels_from_setting(value)
    words = text.split()
    if words and not all(_ADDRESS.fullmatch(each) for each in words):
        return Channels(fault=f"it is a text without an address; {_FORMS}")
    return channels_from_setting(words)


def _channel(item: object) -> Channel | str:
    """The channel, or what is wrong with it."""
    if isinstance(item, str):
        return Address(item) if _ADDRESS.fullmatch(item) else "is no address"
    if not isinstance(item, list | tuple):
        return "is neither an address nor a command"
    if not item or not all(isinstance(each, str) and "\0" not in each for each in item):
        return "is a command whose words are not all texts"
    if not item[0].strip():
        return "is a command without a program"
    return Command(tuple(map(Secret, item)))
