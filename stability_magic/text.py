"""Makes text from outside safe to show, and keeps secret text from being shown."""

from __future__ import annotations

import itertools
import re
import string
import textwrap
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import NoReturn, Self, SupportsIndex

__all__ = [
    "DatabaseAddress",
    "Secret",
    "SecretHolder",
    "clean_line",
    "clean_text",
    "did_you_mean",
    "distinct_names",
    "mask_email",
    "nearest",
    "shorten",
    "strike_out",
    "unquote",
    "wrap_text",
]

# What follows the userinfo in an address of a database: hosts with their ports, and the database;
# then options, which may hold a password.
_LOCATION = re.compile(
    r"((?:[\w.%-]*|\[[\w:.%]*\])(?::\d+)?(?:,(?:[\w.%-]*|\[[\w:.%]*\])(?::\d+)?)*(?:/[\w.%-]*)?)"
    r"(?:\?.*)?",
    re.DOTALL,
)

# What looks like options: then an @ may be in one of them, and what follows it secret.
_OPTIONS = re.compile(r"[?\s]|/.*=")

# Characters that reorder the text after them, in terminals and on web pages.
_REORDERING_MARKS = frozenset(
    "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)

# The pairs of quotes that keys and settings are pasted with, also out of a document.
_QUOTES = frozenset({'""', "''", "``", "\u201c\u201d", "\u2018\u2019"})

# What keys begin with that is no secret: the service's prefix, and that of simulated keys.
_KEY_PREFIX = re.compile(r"sk-(simulated-)?")
# So many characters of a secret in a row are found in other text only if it repeats the secret.
_TELLING_LENGTH = 8
# The same, where other signs stand between them; in enumerations, letters and digits follow too.
_SCATTERED_LENGTH = 12
_SMALL_LETTERS = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)

# Text whose direction has no effect on the text around it.
_ISOLATED = re.compile("(\u2068[^\u2066-\u2069]*\u2069)")

# The least likeness, from 0 to 1, of a word and what it was probably meant for: "weak" and "week"
# have 0.75, "next week" and "last week" 0.67.
_ALIKE = 0.7

# Lines, tables and legends shorten names to this length or to a greater one.
_SHOWN_LENGTH = 40


class SecretHolder:
    """What cannot be pickled or copied, because that would carry its secret along in clear."""

    __slots__ = ()

    def __reduce_ex__(self, protocol: SupportsIndex, /) -> NoReturn:
        raise TypeError(
            f"{type(self).__name__} holds a secret and cannot be pickled or copied; make a new one"
            " where it is needed."
        )


class Secret(SecretHolder, str):
    """Text that tracebacks and debuggers show as ``***``, and that is not pickled."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"

    def __copy__(self) -> Self:
        # Nothing can change it, so that a copy in memory is the same object.
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self


class DatabaseAddress(Secret):
    """The address of a database, shown without its user, password and options."""

    __slots__ = ()

    def __new__(cls, value: str) -> DatabaseAddress:
        # str(value) would give only the part that may be shown.
        return value if isinstance(value, DatabaseAddress) else super().__new__(cls, value)

    def __repr__(self) -> str:
        return repr(str(self))

    def __str__(self) -> str:
        scheme, separator, rest = self.reveal().partition("://")
        # A password may hold any character, so everything up to the last @ may belong to it.
        userinfo, at, location = rest.rpartition("@")
        match = _LOCATION.fullmatch(location)
        is_certain = match and re.fullmatch(r"\w+", scheme) and not _OPTIONS.search(userinfo)
        if not separator or not is_certain or match is None:
            return "***" if self else ""
        return f"{scheme}://{'***@' if at else ''}{match[1]}"

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)

    @property
    def has_certain_password(self) -> bool:
        """Whether it is certain where a password in the address ends, if there is one."""
        match = re.match(r"postgres(?:ql)?://", self.reveal())
        rest = self.reveal()[match.end() :] if match else ""
        # Without a password in front of them, options may hold an @.
        user, _, location = rest.partition("?")[0].rpartition("@")
        if _LOCATION.fullmatch(location) and not set(user) & set(":/@"):
            return True
        return not set(rest.rpartition("@")[0]) & set("/@")

    def reveal(self) -> str:
        """The complete address, for connecting to it."""
        return "".join(self)


def clean_text(value: str) -> str:
    """Text that is safe to print: control characters and reordering marks become U+FFFD."""
    if value.isascii() and value.isprintable():
        return value
    return "".join(
        "\N{REPLACEMENT CHARACTER}"
        if each in _REORDERING_MARKS or unicodedata.category(each) in ("Cc", "Cs", "Zl", "Zp")
        else each
        for each in value
    )


def clean_line(value: str) -> str:
    """A line that is safe to print whatever it quotes; the isolation of a name's direction stays.

    A line break within it came from outside, too: whoever prints more lines cleans each of them.
    """
    if value.isascii() and value.isprintable():
        return value
    return "".join(
        each if _is_isolated_name(each) else clean_text(each) for each in _ISOLATED.split(value)
    )


def _is_isolated_name(value: str) -> bool:
    """Whether it is a name that only stays in its own direction, as ``name_text`` writes it."""
    inside = value[1:-1]
    return (
        _ISOLATED.fullmatch(value) is not None
        and clean_text(inside) == inside
        and any(unicodedata.bidirectional(each) in ("R", "AL", "AN") for each in inside)
    )


def distinct_names(names: Mapping[str, str]) -> dict[str, str]:
    """Names by id, where those that several ids have in common end with the end of the id.

    The service calls an organization that nobody has named "My Organization", so they are many.
    Names that are alike as far as a line or a legend shows them count as the same.
    """
    shown_forms = {
        key: " ".join(name.casefold().split())[:_SHOWN_LENGTH] for key, name in names.items()
    }
    counts = Counter(shown_forms.values())
    return {
        key: name
        if counts[shown_forms[key]] == 1
        else f"{shorten(name, _SHOWN_LENGTH - 10)} ({_id_end(key, names)})"
        for key, name in names.items()
    }


def _id_end(key: str, keys: Iterable[str]) -> str:
    """The last characters of an id, as many as no other id ends with."""
    others = [each for each in keys if each != key]
    for length in range(4, len(key)):
        end = key[-length:]
        if not any(each.endswith(end) for each in others):
            return f"…{end}"
    return key


def did_you_mean(word: str, candidates: Iterable[str]) -> str:
    """``; did you mean week?`` where one candidate is near to a word; empty where none is."""
    candidate = nearest(word, candidates)
    return "" if candidate is None else f"; did you mean {clean_text(candidate)}?"


def nearest(word: str, candidates: Iterable[str]) -> str | None:
    """The candidate that a mistyped word was probably meant for; None where none is near.

    One that alone begins with the word is nearest, whatever its length; then one that is spelled
    alike; then one that alone has the word in it.
    """
    import difflib

    by_form = {each.casefold(): each for each in candidates}
    form = word.strip().casefold()
    is_telling = len(form.strip("-")) > 2
    begun = [each for each in by_form if form.strip("-") and each.startswith(form)]
    alike = difflib.get_close_matches(form, by_form, n=1, cutoff=_ALIKE)
    around = [each for each in by_form if is_telling and form in each]
    for near in (begun, alike, around):
        if len(near) == 1:
            return by_form[near[0]]
    return None


def mask_email(address: str) -> str:
    """An email address with only its first letter and its domain left readable."""
    local, separator, domain = address.rpartition("@")
    return f"{local[:1]}***@{domain}" if separator else "***"


def shorten(value: str, max_length: int) -> str:
    """The text cut to at most ``max_length`` characters, with an ellipsis if it was longer."""
    return value if len(value) <= max_length else value[: max_length - 1].rstrip("…") + "…"


def strike_out(text: str, secret: str) -> str:
    """The text with ``***`` in place of whatever it repeats of a key.

    That is every run of 8 or more characters of it, in capitals or not, and every longer run with
    spaces, hyphens or other signs between them. A shorter key is not a real one, and would be
    found in ordinary words.
    """
    if min(len(secret), len(text)) < _TELLING_LENGTH:
        return text
    text = text.replace(secret, "***")
    is_repeated = bytearray(len(text))
    runs = _telling_runs(secret)
    for places, length in _ways_to_read(text):
        letters = _small_letters(text, places)
        for begin in range(len(letters) - length + 1):
            if letters[begin : begin + length] in runs:
                first, last = places[begin], places[begin + length - 1]
                is_repeated[first : last + 1] = b"\1" * (last + 1 - first)
    if not any(is_repeated):
        return text
    pieces = itertools.groupby(zip(is_repeated, text, strict=True), key=lambda each: each[0])
    return "".join("***" if hit else "".join(each for _, each in piece) for hit, piece in pieces)


def _ways_to_read(text: str) -> Iterator[tuple[Sequence[int], int]]:
    """The places of the characters to compare, and how many in a row tell of a secret."""
    yield range(len(text)), _TELLING_LENGTH
    yield [place for place, each in enumerate(text) if each.isalnum()], _SCATTERED_LENGTH


def _small_letters(text: str, places: Sequence[int]) -> str:
    return "".join(text[each] for each in places).translate(_SMALL_LETTERS)


@lru_cache(maxsize=2)  # an answer may hold very many texts
def _telling_runs(secret: str) -> frozenset[str]:
    """The runs of a secret that tell of it; those of its prefix alone do not."""
    prefix = _KEY_PREFIX.match(secret)
    prefix_length = prefix.end() if prefix else 0
    return frozenset(
        _small_letters(secret, places[begin : begin + length])
        for places, length in _ways_to_read(secret)
        for begin in range(len(places) - length + 1)
        if places[begin + length - 1] >= prefix_length
    )


def unquote(value: str) -> str:
    """The text without white space and a pair of quotes around it, if it has such a pair."""
    bare_value = value.strip()
    if len(bare_value) > 1 and bare_value[0] + bare_value[-1] in _QUOTES:
        return bare_value[1:-1]
    return value


def wrap_text(value: str, width: int) -> str:
    """The text wrapped between words to lines of ``width`` characters; long words stay whole."""
    return textwrap.fill(
        value, width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
    )
