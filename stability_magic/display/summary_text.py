"""The summary for a terminal of 80 columns, in Unicode or in ASCII; pure."""

from __future__ import annotations

import textwrap
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from .budget_words import budget_phrase
from .lines import state_phrases
from .price_lines import buys_phrase
from .wording import (
    ABOUT_NOTE,
    AT_LEAST_NOTE,
    NOTHING,
    ascii_text,
    balance_phrase,
    count_text,
    credits_text,
    day_time_text,
    name_text,
    small_usd_text,
    spend_text,
    window_labels,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from ..analysis.summary import Summary, WindowSpend

__all__ = ["summary_text"]

_WIDTH = 80
_BAR_WIDTH = 30
_BAR_GAP = "   "
_BLOCKS = " ▁▂▃▄▅▆▇█"
_BLOCK_DAYS = 14
# Of the figures that follow a name in the table.
_COLUMN_ENDS = (32, 41, 57, 68, _WIDTH)
_PAIRS = (("today", "yesterday"), ("this week", "last week"), ("this month", "last month"))


def summary_text(
    summaries: Sequence[Summary],
    now: datetime,
    *,
    usd_per_credit: float,
    low_balance: float | None = None,
    has_unicode: bool = True,
) -> str:
    """The summary in lines of at most 80 columns; a table where there are several organizations.

    Args:
        summaries: At least one.
        now: The present.
        usd_per_credit: The price of a credit.
        low_balance: Credits below which a balance is low.
        has_unicode: Whether the terminal can show blocks, bars and ``≥``.
    """
    if len(summaries) == 1:
        lines = _one(summaries[0], now, usd_per_credit, low_balance, has_unicode)
    else:
        lines = _several(summaries, now, usd_per_credit, low_balance, has_unicode)
    if not has_unicode:
        lines = [ascii_text(each) for each in lines]
    return "\n".join(each.rstrip() for each in lines) + "\n"


def _one(
    summary: Summary,
    now: datetime,
    usd_per_credit: float,
    low_balance: float | None,
    has_unicode: bool,
) -> list[str]:
    left = balance_phrase(summary.credits, usd_per_credit)
    lines = _between(f"{name_text(summary.name)} · {left}", day_time_text(summary.read_at, now))
    news = []
    if low_balance is not None and summary.credits < low_balance:
        news.append(f"LOW, under {credits_text(low_balance).removesuffix('.00')}")
    news += buys_phrase(summary.credits, summary.next_job)
    news += map(budget_phrase, sorted(summary.budgets, key=lambda each: not each.is_passed))
    news += state_phrases(summary, now)
    lines += [*textwrap.wrap(" · ".join(news), _WIDTH), ""]
    lines.append(f"{'spent':<22}{'credits':>12}{'dollars':>13}")
    lines += _window_lines(summary.windows, window_labels(now), usd_per_credit, has_unicode)
    if has_unicode and np.isfinite(summary.days).any():
        lines += ["", *_blocks(summary, now)]
    if summary.top_ups:
        tops = [
            f"{each.at.day} {each.at:%b} {small_usd_text(each.credits * usd_per_credit)}"
            for each in summary.top_ups[:4]
        ]
        while len(" · ".join(tops)) > _WIDTH - 12:
            tops.pop()
        lines += ["", f"{'top-ups':<12}{' · '.join(tops)}"]
    return lines + _footnotes([summary], now)


def _footnotes(summaries: Sequence[Summary], now: datetime) -> list[str]:
    windows = [each for one in summaries for each in one.windows.values() if each]
    notes = []
    if any(each.is_at_least for each in windows):
        notes.append(AT_LEAST_NOTE)
    if any(each.is_about and not each.is_at_least for each in windows):
        notes.append(ABOUT_NOTE)
    first = min(each.known_since for each in summaries)
    month_before = (now.replace(day=1) - timedelta(days=1)).replace(day=1).date()
    if first.date() > month_before:
        notes.append(f"known from {day_time_text(first, now)} on")
    return notes


def _window_lines(
    windows: Mapping[str, WindowSpend | None],
    labels: Mapping[str, str],
    usd_per_credit: float,
    has_unicode: bool,
) -> list[str]:
    """What was spent in each window, and a bar beside it; the two of a pair have one scale."""
    figures = [
        _window_figures(labels[name], windows[name], usd_per_credit, has_unicode)
        for pair in _PAIRS
        for name in pair
    ]
    # Very large figures take room from the bars, and from all alike.
    widest = max(map(len, figures))
    bar_width = min(_BAR_WIDTH, _WIDTH - widest - len(_BAR_GAP))
    bars = []
    for pair in _PAIRS:
        spent = [window.spent if (window := windows[name]) else 0.0 for name in pair]
        bars += [_bar(each, max(spent), bar_width, has_unicode) for each in spent]
    return [f"{figure:<{widest}}{_BAR_GAP}{bar}" for figure, bar in zip(figures, bars, strict=True)]


def _window_figures(
    label: str, window: WindowSpend | None, usd_per_credit: float, has_unicode: bool
) -> str:
    if window is None:
        return f"{label:<22}{NOTHING:>12}{NOTHING:>13}"
    credits, usd = spend_text(window), spend_text(window, usd_per_credit)
    if not has_unicode:
        # Aligned after it has become ASCII.
        credits, usd = ascii_text(credits), ascii_text(usd)
    # The label gives way to a very large figure.
    line = f"{label} {credits:>{max(33 - len(label), 1)}}"
    return f"{line} {usd:>{max(46 - len(line), 1)}}"


def _bar(spent: float, largest: float, width: int, has_unicode: bool) -> str:
    halves = round(2 * width * spent / largest) if largest > 0 else 0
    full, half = divmod(halves, 2)
    return "━" * full + "╸" * half if has_unicode else "#" * (full + half)


def _blocks(summary: Summary, now: datetime) -> list[str]:
    days, credits = summary.days, summary.day_credits
    most, highest = np.nanmax(days), np.nanmax(credits)
    monday_line = _mondays(now.date(), len(days))
    per_day = f"{'per day':<12}{_block_text(days)}   0 to {_whole(most)}"
    note = ", with likely spending"
    return [
        f"{per_day}{note if len(per_day) + len(note) <= _WIDTH else ''}",
        f"{'':<12}{monday_line}",
        f"{'balance':<12}{_block_text(credits)}   0 to {_whole(highest)}",
    ]


def _whole(credits: float) -> str:
    return f"{credits:,.0f}" if credits >= 10 else credits_text(float(credits))


def _block_text(values: NDArray[np.float64]) -> str:
    most = float(np.nanmax(values)) if np.isfinite(values).any() else 0.0
    texts = []
    for each in values:
        if np.isnan(each):
            texts.append(" ")
        else:
            level = int(np.ceil(8.0 * max(each, 0.0) / most)) if most > 0 else 0
            texts.append(_BLOCKS[max(level, 1)])
    return "".join(texts)


def _mondays(today: date, count: int) -> str:
    line = ""
    for position in range(count):
        day = today - timedelta(days=count - 1 - position)
        # Every block is a day, so a week has room for seven letters.
        if day.weekday() == 0 and len(line) <= position:
            line = f"{line:<{position}}{day.day} {day:%b} "
    return line


def _several(
    summaries: Sequence[Summary],
    now: datetime,
    usd_per_credit: float,
    low_balance: float | None,
    has_unicode: bool,
) -> list[str]:
    total = sum(each.credits for each in summaries)
    count = count_text(len(summaries), "organization")
    latest = max(each.read_at for each in summaries)
    head = f"{count} · {balance_phrase(total, usd_per_credit)}"
    lines = _between(head, day_time_text(latest, now))
    low = [
        name_text(each.name)
        for each in summaries
        if low_balance is not None and each.credits < low_balance
    ]
    if low:
        lines.append(_low_line("LOW", low))
    over = [name_text(each.name) for each in summaries if any(b.is_passed for b in each.budgets)]
    if over:
        lines.append(_low_line("OVER BUDGET", over))
    lines += ["", _row("organization", "credits left", "$", "14 days", "yesterday", "this week")]
    if not has_unicode:
        lines[-1] = lines[-1].replace("14 days", "       ")
    for each in summaries:
        blocks = (
            _block_text(each.day_credits[-_BLOCK_DAYS:])
            if has_unicode and _has_changed(each.day_credits[-_BLOCK_DAYS:])
            else ""
        )
        windows = [each.windows[name] for name in ("yesterday", "this week")]
        texts = [_short_spend(window) if window and window.spent else NOTHING for window in windows]
        if not has_unicode:
            texts = [_ascii_cell(text) for text in texts]
        usd = small_usd_text(each.credits * usd_per_credit)
        name = _shorten(name_text(each.name), 20, "…" if has_unicode else "...")
        lines.append(_row(name, credits_text(each.credits), usd, blocks, *texts))
        lines += [
            f"  {phrase}"[:_WIDTH]
            for phrase in (
                *buys_phrase(each.credits, each.next_job),
                *(state_phrases(each, now) or ["nothing spent"]),
                *map(budget_phrase, each.budgets),
            )
        ]
    totals = [_total(summaries, name) for name in ("yesterday", "this week")]
    if not has_unicode:
        totals = [_ascii_cell(text) for text in totals]
    usd = small_usd_text(total * usd_per_credit)
    lines.append(_row("together", credits_text(total), usd, "", *totals))
    return lines + _footnotes(summaries, now)


def _has_changed(balances: NDArray[np.float64]) -> bool:
    """Whether there is more to see than one balance."""
    known = balances[np.isfinite(balances)]
    return len(known) > 0 and float(np.ptp(known)) > 0.0


def _total(summaries: Sequence[Summary], name: str) -> str:
    windows = [window for each in summaries if (window := each.windows[name])]
    if not windows:
        return NOTHING
    return _short_spend(
        windows[0]._replace(
            spent=sum(each.spent for each in windows),
            is_at_least=any(each.is_at_least for each in windows),
            is_about=any(each.is_about for each in windows),
        )
    )


def _row(name: str, credits: str, usd: str, blocks: str, yesterday: str, week: str) -> str:
    """A row; a long figure takes room from its neighbours, and at last from the name."""
    texts = (credits, usd, f"{blocks:<14}", yesterday, week)
    line = name
    for text, end in zip(texts, _COLUMN_ENDS, strict=True):
        line += text.rjust(max(end - len(line), len(text) + 1))
    excess = len(line) - _WIDTH
    if excess <= 0:
        return line
    return f"{_shorten(name, max(len(name) - excess, 1), '.')}{line[len(name) :]}"


def _short_spend(window: WindowSpend) -> str:
    """As in the full summary, but without decimals where a column has no room for them."""
    text = spend_text(window)
    return text.partition(".")[0] if window.spent >= 10_000.0 else text


def _ascii_cell(text: str) -> str:
    """Aligned after it has become ASCII, and without the space that a column has no room for."""
    return ascii_text(text.replace("≥ ", "≥"))


def _low_line(word: str, names: list[str]) -> str:
    """The organizations of which a word is true; as many of them as fit into a line."""
    for count in range(len(names), 0, -1):
        rest = f" and {len(names) - count} more" if count < len(names) else ""
        line = f"{word}: {', '.join(names[:count])}{rest}"
        if len(line) <= _WIDTH:
            return line
    return f"{word}: {count_text(len(names), 'organization')}"


def _shorten(text: str, length: int, ellipsis: str) -> str:
    return text if len(text) <= length else f"{text[: length - len(ellipsis)]}{ellipsis}"


def _between(left: str, right: str) -> list[str]:
    """Two texts at the ends of a line, or on two lines where they do not fit."""
    gap = _WIDTH - len(left) - len(right)
    return [f"{left}{' ' * gap}{right}"] if gap > 1 else [*textwrap.wrap(left, _WIDTH), right]
