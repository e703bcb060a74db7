"""One spend for a time, whoever tells it, held together on random logs.

What is certain is the same figure wherever it is told (exactly, or with "at least"), and so is what
is likely ("likely", or "about" on a picture whose window has a top-up in it).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from stability_magic import BalanceLog, plot_usage, usage
from stability_magic.analysis.costs import Cost
from stability_magic.commands.declarations import COMMANDS, add_arguments
from stability_magic.commands.outcome import Outcome
from stability_magic.commands.parser import CommandParser
from stability_magic.display.wording import NOTHING, window_labels
from stability_magic.log.balance_log import Entry
from stability_magic.session.session import Session
from stability_magic.settings import StabilityMagic
from stability_magic.terminal.command_line import main
from stability_magic.when import PERIODS, parse_period

from .session.service import answer_with_balances

ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "UTC")
NAMED_PERIODS = ("today", "yesterday", "this week", "last week", "this month", "last month")
MINUTE, DAY = 60_000_000, 86_400_000_000  # microseconds
# Credits: half of the last digit that a line tells, and of the last one on a picture from 100 on.
LINE_DIGIT, PICTURE_DIGIT = 0.0051, 0.51


class Window(NamedTuple):
    """A window of time: the arguments that tell it to a command, and the period."""

    arguments: tuple[str, ...]
    by: str = "day"

    @property
    def period(self) -> str | None:
        """The word after ``--on``."""
        return self.arguments[1] if self.arguments[0] == "--on" else None


class Spend(NamedTuple):
    """What the usage frame tells of a window."""

    rows: list[dict[str, Any]]
    line: str

    def total(self, column: str, organization: str | None = None) -> float:
        """The sum of a column, over all organizations or of one."""
        rows = (each for each in self.rows if organization in (None, each["organization"]))
        return math.fsum(each[column] for each in rows)

    @property
    def words(self) -> tuple[bool, bool]:
        """Whether the line says ``at least``, and ``about``, of what is certain."""
        return words_before(self.line)


def words_before(text: str) -> tuple[bool, bool]:
    """Which of ``at least`` and ``about`` a text begins with."""
    match = re.match(r"(at least )?(about )?", text)
    return bool(match[1]), bool(match[2])


def number(text: str) -> float:
    """``1,234.50`` or ``<0.01`` as a number."""
    return 0.0 if text.startswith("<") else float(text.replace(",", ""))


# What the logs are


def write_random_log(path: Path, seed: int, zone: ZoneInfo) -> list[str]:
    """Writes a log of a few hours to two years up to now; returns its organizations.

    It has readings at midnights and pairs of readings at one instant, pauses, falls over midnight,
    top-ups of round and odd amounts, refunds, and cells with known and unknown costs.
    """
    rng = np.random.default_rng(seed)
    now = datetime.now(zone) - timedelta(seconds=1)
    span = float(rng.choice([0.3, 3, 20, 100, 700])) * DAY
    organizations = [f"org-{letter}" for letter in "abcdef"[: rng.choice([1, 2, 3, 6])]]
    entries: list[Entry] = []
    costs: list[Cost] = []
    for organization in organizations:
        times = random_times(rng, now, span)
        credits = random_balances(rng, len(times))
        order = np.lexsort((-credits, times))
        times, credits = times[order], credits[order]
        for at, each in zip(times, credits, strict=True):
            entries.append(
                Entry(organization, int(at), float(each), "https://x", "test", None, None)
            )
        costs += random_costs(rng, organization, times, credits)
    BalanceLog(path).write(entries, costs=costs)
    return organizations


def random_times(rng: np.random.Generator, now: datetime, span: float) -> np.ndarray:
    count, last = int(rng.integers(2, 140)), now.timestamp() * 1e6
    kind = rng.choice(["even", "random", "bursts"])
    if kind == "even":
        back = np.linspace(span, 0.0, count)
    elif kind == "random":
        back = rng.random(count) * span
    else:
        bursts = rng.random(max(1, count // 12)) * span
        back = np.abs(rng.choice(bursts, count) + rng.exponential(20 * MINUTE, count))
    times = (last - back - rng.choice([0.0, 0.0, 2.0 * DAY])).astype(np.int64)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    for days in rng.integers(0, max(2, int(span / DAY)), int(rng.integers(0, 6))):
        at = int((midnight - timedelta(days=int(days))).timestamp()) * 1_000_000
        times[rng.integers(0, count)] = at
    times.sort()
    for each in rng.integers(1, count, int(rng.integers(0, 3))):
        times[each] = times[each - 1]
    return times


def random_balances(rng: np.random.Generator, count: int) -> np.ndarray:
    credits = np.full(count, 3000.0)
    spent = rng.choice([0.0, 0.0, 0.5, 7.1, 24.0, 130.25], count)
    for each in range(1, count):
        credits[each] = credits[each - 1] - spent[each]
        if rng.random() < 0.04 or credits[each] < 0:
            credits[each] += rng.choice([1000.0, 2500.0, 10_000.0, 1700.0, 123.45])
    return credits


def random_costs(
    rng: np.random.Generator, organization: str, times: np.ndarray, credits: np.ndarray
) -> list[Cost]:
    """Cells that began and ended with a reading; the cost of some is not known."""
    costs = []
    for begin in rng.integers(0, len(times) - 1, int(rng.integers(0, 7))):
        end = min(len(times) - 1, int(begin) + int(rng.integers(1, 4)))
        if times[begin] < times[end]:
            falls = -np.diff(credits[begin : end + 1])
            spent = None if rng.random() < 0.2 else float(falls[falls > 0].sum())
            label = random_choice(rng, "render", "training", "")
            exact = bool(rng.random() < 0.7)
            span = int(times[begin]), int(times[end])
            who = random_choice(rng, "hub", "laptop", ""), random_choice(rng, "ann", "bob", "")
            identity = rng.bytes(16)
            costs.append(Cost(organization, *span, 1.0, spent, exact, label, None, identity, *who))
    return costs


def random_choice(rng: np.random.Generator, *words: str) -> str | None:
    """One of the words; None for the empty one."""
    return str(rng.choice(words)) or None


def windows_of(seed: int, zone: ZoneInfo) -> list[Window]:
    """Named periods, a day, a month in which clocks change, spans, times, and everything."""
    rng = np.random.default_rng(seed)
    now = datetime.now(zone)
    start = now - timedelta(days=int(rng.integers(3, 40)))
    end = now - timedelta(days=int(rng.integers(0, 3)), hours=1)
    times = ("--since", f"{start:%Y-%m-%d %H}:17", "--until", f"{end:%Y-%m-%d %H}:41")
    some_day = now.date() - timedelta(days=int(rng.integers(2, 40)))
    october = date(now.year - (now.month < 11), 10, 1)
    return [
        *(Window(("--on", each)) for each in NAMED_PERIODS),
        Window(("--on", some_day.isoformat()), "hour"),
        Window(("--on", f"{october:%Y-%m}")),
        *(Window(("--since", "7d"), each) for each in PERIODS),
        *(Window(times, each) for each in ("hour", "day", "week")),
        Window(("--since", "all")),
        Window(("--since", "all"), "month"),
    ]


# Who tells it


def ask(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[Any, str]:
    """What the command line writes as JSON, and the last line beside it."""
    assert main([*words, "--json"]) == 0
    captured = capsys.readouterr()
    return json.loads(captured.out or "null"), (captured.err.splitlines() or [""])[-1]


def run(name: str, *words: str) -> Outcome:
    """What a command comes to, before a front end shows it."""
    (command,) = (each for each in COMMANDS if each.name == name)
    parser = CommandParser(name)
    add_arguments(parser, command, "magic")
    session = Session(StabilityMagic(), source="magic")
    try:
        with session.command():
            return command.run(session, parser.parse_args(words))
    finally:
        session.close()


def picture_words(*words: str) -> list[str]:
    """The title of a picture, and the line below it."""
    return [each.get_text() for each in run("plot", *words).figure.texts[:2]]


def usage_spend(capsys: pytest.CaptureFixture[str], window: Window, *words: str) -> Spend:
    return Spend(*ask(capsys, "usage", *window.arguments, "--by", window.by, *words))


def while_the_hour_lasts(zone: ZoneInfo, ask_everybody: Callable[[], None]) -> None:
    """Asks again where the hour ended meanwhile, and with it a window that ends now."""
    while True:
        began = datetime.now(zone)
        try:
            ask_everybody()
        except AssertionError:
            if f"{datetime.now(zone):%F %H}" == f"{began:%F %H}":
                raise
        else:
            return


@pytest.fixture
def zone(seed: int, monkeypatch: pytest.MonkeyPatch) -> ZoneInfo:
    """The time zone of the settings."""
    name = ZONES[seed % len(ZONES)]
    monkeypatch.setenv("TZ", name)
    return ZoneInfo(name)


@pytest.mark.once
@pytest.mark.parametrize("seed", range(8))
def test_everybody_tells_the_same(seed, zone, log_path, capsys):
    """The usage frame and its line, costs, status, card, pictures, JSON and Python."""
    organizations = write_random_log(log_path, seed, zone)

    def ask_everybody() -> None:
        readings = BalanceLog(log_path).readings()
        status, _ = ask(capsys, "status", "-a")
        named_spends = {}
        for window in windows_of(seed, zone):
            spend = usage_spend(capsys, window)
            if spend.rows:
                check_line(spend)
            check_costs(capsys, window, spend, zone)
            check_team(capsys, window, spend)
            check_picture(picture_words(*window.arguments, "--by", window.by), spend)
            check_python(window, spend, readings, zone)
            if window.period in NAMED_PERIODS:
                check_status(status, window.period, spend)
                named_spends[window.period] = spend
        check_summaries(capsys, organizations, named_spends, zone)

    while_the_hour_lasts(zone, ask_everybody)


def check_line(spend: Spend) -> None:
    pattern = r"(?:at least )?(?:about )?(\S+) credits \(\$(\S+)\) spent [^·]+(?: · (.+))?"
    credits, usd, rest = re.fullmatch(pattern, spend.line).groups()
    certain, likely = spend.total("spent"), spend.total("likely_spent")
    assert number(credits) == pytest.approx(certain, abs=LINE_DIGIT)
    assert number(usd) == pytest.approx(spend.total("usd"), abs=LINE_DIGIT)
    told = re.search(r"likely about ([\d,.]+)", rest or "")
    assert number(told[1] if told else credits) == pytest.approx(likely, abs=2 * LINE_DIGIT)
    assert spend.words[0] == any(each["at_least"] for each in spend.rows)


def check_costs(
    capsys: pytest.CaptureFixture[str], window: Window, spend: Spend, zone: ZoneInfo
) -> None:
    """Of cells and elsewhere; costs begin where they are told, usage with the whole period."""
    if "--until" in window.arguments:
        return
    arguments = window.arguments
    if arguments == ("--since", "7d"):
        began = datetime.now(zone) - timedelta(days=7)
        began = began.replace(minute=0, second=0, microsecond=0)
        days = {"week": began.weekday(), "month": began.day - 1}.get(window.by, 0)
        began = began if window.by == "hour" else began.replace(hour=0) - timedelta(days=days)
        arguments = ("--since", began.isoformat())
    rows, line = ask(capsys, "costs", "--summary", *arguments)
    certain = spend.total("spent")
    assert math.fsum(each["total"] or 0.0 for each in rows) == pytest.approx(certain, abs=1e-6)
    if certain > 1e-6:
        assert math.fsum(each["share"] or 0.0 for each in rows) == pytest.approx(1.0)
    if rows:
        in_all = line.rpartition(" · ")[2]
        credits = re.fullmatch(r"(?:at least )?(?:about )?(\S+) in all", in_all)[1]
        assert number(credits) == pytest.approx(certain, abs=LINE_DIGIT)
        assert not spend.rows or words_before(in_all) == spend.words


def check_team(capsys: pytest.CaptureFixture[str], window: Window, spend: Spend) -> None:
    """By member and elsewhere, in all and of each organization; it begins with a whole day."""
    if window.by != "day" and window.arguments[0] != "--on":
        return
    rows, line = ask(capsys, "team", *window.arguments)
    certain = spend.total("spent")
    assert math.fsum(each["spent"] or 0.0 for each in rows) == pytest.approx(certain, abs=1e-6)
    for organization in {each["organization"] for each in rows}:
        own = (each["spent"] or 0.0 for each in rows if each["organization"] == organization)
        assert math.fsum(own) == pytest.approx(spend.total("spent", organization), abs=1e-6)
    if certain > 1e-6:
        assert math.fsum(each["share"] or 0.0 for each in rows) == pytest.approx(1.0)
    if rows:
        in_all = re.search(r"((?:at least )?(?:about )?)(\S+) in all", line)
        assert number(in_all[2]) == pytest.approx(certain, abs=LINE_DIGIT)
        assert not spend.rows or words_before(in_all[1]) == spend.words


def check_picture(words: list[str], spend: Spend) -> None:
    """Its words say which of the two figures it tells."""
    told = re.search(
        r"((?:at least )?(?:about )?)([<\d,.]+)(?: credits)?(?: \(<?\$[^)]+\))? spent",
        " ".join(words),
    )
    if told is None:
        # A single reading, or none, tells nothing of spending.
        assert spend.total("likely_spent") == 0.0
        return
    credits = number(told[2])
    certain, likely = spend.total("spent"), spend.total("likely_spent")
    digit = PICTURE_DIGIT if credits >= 99 else 2 * LINE_DIGIT
    if likely - certain > 1e-6:
        assert told[1] == "about "
        assert credits == pytest.approx(likely, abs=digit)
    else:
        assert credits == pytest.approx(certain, abs=digit)
        assert not spend.rows or words_before(told[1]) == spend.words


def check_status(status: Any, period: str, spend: Spend) -> None:
    windows = [each["spent"][period.replace(" ", "_")] for each in status["organizations"]]
    told = [each for each in windows if each is not None]
    for key, column in (("credits", "spent"), ("likely", "likely_spent"), ("usd", "usd")):
        total = math.fsum(each[key] for each in told)
        assert total == pytest.approx(spend.total(column), abs=1e-6)
    if spend.rows:
        at_least, about = (any(each[key] for each in told) for key in ("at_least", "about"))
        assert (at_least, about) == spend.words


def check_python(window: Window, spend: Spend, readings: pd.DataFrame, zone: ZoneInfo) -> None:
    """``usage`` of the whole log, in the periods of a window, and its picture."""
    if "--until" in window.arguments or window.arguments == ("--since", "7d"):
        return
    frame = usage(readings, window.by)
    if window.period is not None:
        since, until = parse_period(window.period, now=datetime.now(zone))
        frame = frame[(frame.index >= since) & (frame.index < until)]
    else:
        since = until = None
        assert spend.total("spent") == pytest.approx(readings["spent"].sum(), abs=1e-6)
    if window.period in (None, "yesterday", "last month"):
        figure = plot_usage(readings, window.by, since=since, until=until)
        check_picture([each.get_text() for each in figure.texts[:2]], spend)
    for column in ("spent", "likely_spent", "topped_up", "likely_topped_up"):
        assert frame[column].sum() == pytest.approx(spend.total(column), abs=1e-6)


def check_summaries(
    capsys: pytest.CaptureFixture[str],
    organizations: list[str],
    spends: dict[str, Spend],
    zone: ZoneInfo,
) -> None:
    """The summary in a terminal, and the card in a notebook."""
    labels = window_labels(datetime.now(zone))
    for organization in organizations:
        card = run("status", "-o", organization).card().replace("\N{NO-BREAK SPACE}", " ")
        assert main(["status", "-o", organization]) == 0
        text = capsys.readouterr().out
        for period, spend in spends.items():
            label = re.escape(labels[period])
            in_text = re.search(rf"^{label} +(?:\S+ )?(\S+) +(?:\S+ )?\S+(?:   .*)?$", text, re.M)
            in_card = re.search(rf">{label}</span> (?:\D )?([^ <]+)", card)
            if organization in (each["organization"] for each in spend.rows):
                for each in (in_text, in_card):
                    total = spend.total("spent", organization)
                    assert number(each[1]) == pytest.approx(total, abs=LINE_DIGIT)
            else:
                assert in_text[1] == NOTHING
                assert in_card is None


@pytest.mark.once
@pytest.mark.parametrize("seed", range(100, 103))
def test_the_shared_log_tells_the_same(seed, zone, shared, log_path, capsys):
    """As the local one, to the last row and word."""
    write_random_log(log_path, seed, zone)
    assert main(["sync"]) == 0
    capsys.readouterr()

    def ask_both() -> None:
        for window in windows_of(seed, zone)[seed % 2 :: 2]:
            spend, local = (usage_spend(capsys, window, *each) for each in ((), ("--local",)))
            assert_close(spend.rows, local.rows)
            assert spend.line == local.line
            words = [*window.arguments, "--by", window.by]
            assert picture_words(*words) == picture_words(*words, "--local")
            if window.period is not None:
                told, local_told = (
                    ask(capsys, "costs", "--summary", *window.arguments, *each)
                    for each in ((), ("--local",))
                )
                assert_close(told, local_told)
            if window.by == "day":
                told, local_told = (
                    ask(capsys, "team", *window.arguments, *each) for each in ((), ("--local",))
                )
                assert_close(told, local_told)
                check_team(capsys, window, spend)
        status, local_status = (
            ask(capsys, "status", "-a", *each)[0]["organizations"] for each in ((), ("--local",))
        )
        for each, local_each in zip(status, local_status, strict=True):
            assert_close(each["spent"], local_each["spent"])

    while_the_hour_lasts(zone, ask_both)


def assert_close(told: Any, expected: Any) -> None:
    """That two answers are the same, but for the rounding of sums."""
    if isinstance(expected, dict):
        assert told.keys() == expected.keys()
        for key, value in expected.items():
            assert_close(told[key], value)
    elif isinstance(expected, list | tuple):
        assert len(told) == len(expected)
        for each, value in zip(told, expected, strict=True):
            assert_close(each, value)
    elif isinstance(expected, float) and isinstance(told, float):
        assert told == pytest.approx(expected, rel=1e-7, abs=1e-6)
    else:
        assert told == expected


def test_the_balance_line_tells_what_everybody_tells_since_then(shell, api, log_path, capsys):
    """Since the reading before: in the line, the readings, the summary of costs, and Python."""
    now = datetime.now(UTC)
    ages = (50, 20)
    BalanceLog(log_path).write(
        Entry("org-sim-studio", int((now.timestamp() - 60 * age) * 1e6), credits, "x", "t", None)
        for age, credits in zip(ages, (900.0, 700.25), strict=True)
    )
    answer_with_balances(api, 640.0)
    frame = shell.run_cell("%stability_balance").result
    line = capsys.readouterr().out.splitlines()[0]
    before = frame.index[-2]
    assert (
        f" · 60.25 spent since {'yesterday ' * (before.date() < now.date())}{before:%H:%M}" in line
    )
    assert frame["spent"].iloc[-1] == 60.25
    summary = shell.run_cell(f"%stability_costs --summary --since {before.isoformat()}").result
    assert summary["total"].sum() == pytest.approx(60.25)
    assert "60.25 in all" in capsys.readouterr().out
    history = shell.run_cell("%stability_history --since all").result
    assert history["spent"].sum() == pytest.approx(usage(history)["spent"].sum()) == 260.0
