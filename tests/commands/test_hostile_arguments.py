"""Any arguments of a magic give an answer, a usage error, or a documented error."""

from __future__ import annotations

import contextlib
import io
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from IPython.core.error import UsageError

from stability_magic import StabilityMagicError
from stability_magic.commands.declarations import COMMANDS
from stability_magic.errors import BadArgument
from stability_magic.session.guard import parse_amount
from stability_magic.when import parse_interval, parse_when

HOSTILE = settings(
    settings.get_profile("hostile"), deadline=None, suppress_health_check=list(HealthCheck)
)
NOW = datetime(2026, 3, 29, 3, 30, tzinfo=UTC)

_WORDS = (
    "7d today all 2026-11-01 2026-02-30 24:00 0001-01-01 9999-12-31 99999999w 5usd 500 -1 0 1e400"
    " ultra + 40 erase nan day hour org-sim-studio nobody ' \" \\ ; -- - $x {x} x.png /dev/null ~"
)
WORDS = st.text(max_size=20) | st.sampled_from([*_WORDS.split(), "'2026-11-01 18:00'"])
# These would go on running, ask for input or take long; other tests cover them.
EXCLUDED = ("watch", "login", "demo", "cost", "plot")
FLAGS = {
    command.name: [flag for argument in command.arguments for flag in argument.flags]
    for command in COMMANDS
    if command.name not in EXCLUDED
}


@st.composite
def lines(draw):
    """A command and its arguments, sensible or not."""
    name = draw(st.sampled_from(sorted(FLAGS)))
    word = st.sampled_from(FLAGS[name] or ["--none"]) | WORDS
    return name, " ".join(draw(st.lists(word, max_size=6)))


@HOSTILE
@given(line=lines())
@example(line=("history", "--since 0001-01-01 --until 9999-12-31"))
@example(line=("usage", "--since 99999999w"))
@example(line=("balance", "--require nan --fail-open"))
@example(line=("merge", "/dev/null ~ ."))
@example(line=("merge", "~nobody-of-that-name ~\0"))
def test_any_line_is_an_answer_or_an_error_in_one_line(shell, api, log_path, line):
    """The key appears nowhere."""
    output = io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
        try:
            answer = shell.run_line_magic(f"stability_{line[0]}", line[1])
        except (UsageError, StabilityMagicError) as error:
            answer = str(error)
            assert len(answer.splitlines()) <= 1
    assert api.api_key not in f"{output.getvalue()} {answer!r}"


@HOSTILE
@given(text=st.text(max_size=30) | WORDS, end=st.booleans())
@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kathmandu"])
def test_any_when_is_a_time_or_is_refused(zone, text, end):
    """A time can be shown, logged and compared."""
    from zoneinfo import ZoneInfo

    from stability_magic.models import to_microseconds

    now = NOW.astimezone(ZoneInfo(zone))
    with contextlib.suppress(BadArgument):
        at = parse_when(text, now=now, is_window_end=end)
        if at is not None:
            assert abs(to_microseconds(at)) < 2**63
            assert at.tzinfo is not None


@HOSTILE
@given(text=st.text(max_size=30) | WORDS)
def test_any_amount_and_any_interval_is_valid_or_is_refused(text):
    """A valid one is finite, and within the documented limits."""
    with contextlib.suppress(BadArgument):
        assert 0 <= parse_amount(text, 0.01) < float("inf")
    with contextlib.suppress(BadArgument):
        assert 10 <= parse_interval(text).total_seconds() <= 7 * 86_400
