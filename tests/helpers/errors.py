"""What every error must be: one line that says what to do, and shows no key."""

from __future__ import annotations

import re
import traceback
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import stability_magic

# A made-up key, distinctive enough that no other text contains it.
KEY = "sk-made-up-0123456789abcdefghijklmnopqrstuvwxyz"

_TESTS = Path(__file__).parent.parent

_ADVICE = re.compile(
    r"\b([Cc]heck|[Rr]un|[Ss]et|[Uu]se|[Tt]ry|Upgrade|ask(ing)? again|copy|give|install|lists"
    r"|wait until)\b"
)


def assert_is_clear_error(error: BaseException, key: str = KEY) -> None:
    """The error is this package's, is one line, says what to do, and hides the key."""
    assert isinstance(error, stability_magic.StabilityMagicError)
    message = str(error)
    assert len(message.splitlines()) == 1
    # Control characters, lone surrogates and line ends harm terminals and logs.
    assert not {unicodedata.category(each) for each in message} & {"Cc", "Cs", "Zl", "Zp"}
    assert len(message) < 800
    assert _ADVICE.search(message), message
    assert_hides_key(error, key)


def assert_hides_key(error: BaseException, key: str = KEY) -> None:
    """The key is neither in the error nor in a traceback that shows every variable.

    The variables of the tests themselves do not count.
    """
    trace = traceback.TracebackException.from_exception(
        error, capture_locals=True, lookup_lines=False
    )
    texts = [str(error), repr(error), repr(error.args), repr(vars(error)), *_traceback_texts(trace)]
    assert key not in "\n".join(texts)


def _traceback_texts(trace: traceback.TracebackException | None) -> Iterator[str]:
    while trace is not None:
        yield from trace.format_exception_only()
        for frame in trace.stack:
            if not Path(frame.filename).is_relative_to(_TESTS):
                yield from (frame.locals or {}).values()
        # Also what ``from None`` hides, because error trackers show it anyway.
        trace = trace.__cause__ or trace.__context__
