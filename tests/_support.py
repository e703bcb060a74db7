"""What the tests of several modules share: what every error has to be, and what is required."""

from __future__ import annotations

import re
import tomllib
import traceback
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement

import stability_magic

# A made-up key that nothing but a key can be.
KEY = "sk-made-up-0123456789abcdefghijklmnopqrstuvwxyz"

_ADVICE = re.compile(
    r"\b([Cc]heck|[Rr]un|[Ss]et|[Uu]se|[Tt]ry|Upgrade|ask(ing)? again|copy|give|install|lists"
    r"|wait until)\b"
)


def assert_is_told_well(error: BaseException, key: str = KEY) -> None:
    """The error is ours, one line, says what to do, and bears the key nowhere."""
    assert isinstance(error, stability_magic.StabilityMagicError)
    message = str(error)
    assert len(message.splitlines()) == 1
    # Control characters, lone surrogates and line ends harm terminals and logs.
    assert not {unicodedata.category(each) for each in message} & {"Cc", "Cs", "Zl", "Zp"}
    assert len(message) < 800
    assert _ADVICE.search(message), message
    assert_hides(error, key)


def assert_hides(error: BaseException, key: str = KEY) -> None:
    """The key is not in the error, nor in a traceback that shows every variable.

    The variables of the tests themselves do not count.
    """
    trace = traceback.TracebackException.from_exception(
        error, capture_locals=True, lookup_lines=False
    )
    told = [str(error), repr(error), repr(error.args), repr(vars(error)), *_shown(trace)]
    assert key not in "\n".join(told)


def _shown(trace: traceback.TracebackException | None) -> Iterator[str]:
    while trace is not None:
        yield from trace.format_exception_only()
        for frame in trace.stack:
            if Path(frame.filename).parent != Path(__file__).parent:
                yield from (frame.locals or {}).values()
        # Also what a ``from None`` hides: error trackers show it all the same.
        trace = trace.__cause__ or trace.__context__


def requirements() -> list[Requirement]:
    """What is installed along, and with the extras that are for users."""
    path = Path(__file__).parent.parent / "pyproject.toml"
    project = tomllib.loads(path.read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    asked = [*project["dependencies"], *extras["fast"], *extras["keyring"], *extras["postgres"]]
    return [Requirement(each) for each in asked]
