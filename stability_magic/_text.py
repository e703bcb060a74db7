"""Text that comes from outside, made safe to show; and text that is not to be shown."""

from __future__ import annotations

import re
import textwrap
import unicodedata

__all__ = ["Address", "Secret", "clean_text", "folded", "masked_email", "shortened"]

# An address of a database that holds nothing secret but what stands before the @.
_ADDRESS = re.compile(r"(\w+://)([^@/?#\s]*@)?([\w.,:%\[\]-]*(?:/[\w.%-]*)?)(\?.*)?")

# Marks that reorder the text after them, in a terminal as in a page.
_REORDERING = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


class Secret(str):
    """Text that tracebacks and debuggers show as ``***``."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


class Address(Secret):
    """The address of a database, which is shown without what may be a password."""

    __slots__ = ()

    def __new__(cls, value: str) -> Address:
        # What an address shows of itself is not the address.
        return value if isinstance(value, Address) else super().__new__(cls, value)

    def __repr__(self) -> str:
        return repr(str(self))

    def __str__(self) -> str:
        found = _ADDRESS.fullmatch(self)
        if found is None or ("@" in self and not found[2]):
            return "***" if self else ""
        return f"{found[1]}{'***@' if found[2] else ''}{found[3]}"

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)

    def revealed(self) -> str:
        """The whole address, for those who connect to it."""
        return "".join(self)


def clean_text(value: str) -> str:
    """Text that is safe to print: control characters and reordering marks become U+FFFD."""
    if value.isascii() and value.isprintable():
        return value
    return "".join(
        "\N{REPLACEMENT CHARACTER}"
        if each in _REORDERING or unicodedata.category(each) in ("Cc", "Cs", "Zl", "Zp")
        else each
        for each in value
    )


def masked_email(address: str) -> str:
    """An address of which only the first letter and the domain are readable."""
    local, at, domain = address.rpartition("@")
    return f"{local[:1]}***{at}{domain}" if at else "***"


def shortened(value: str, longest: int) -> str:
    """Text of so many characters at most, with an ellipsis where it was cut."""
    return value if len(value) <= longest else value[: longest - 1].rstrip("…") + "…"


def folded(value: str, width: int) -> str:
    """Text broken between words into lines of so many characters; a longer word stays whole."""
    return textwrap.fill(
        value, width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
    )
