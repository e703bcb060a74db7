"""The answer of a balance as HTML, for notebooks; pure.

Inline styles only: no class, script or outside resource, so that a notebook looks the same on
another page and stays readable where a host strips the styles. Text takes the page's own colour,
light or dark; secondary text is fainter, never grey.
"""

from __future__ import annotations

from datetime import datetime
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from .budget_words import budget_phrase
from .lines import state_phrases
from .palette import LOW_COLOUR, series_colour
from .price_lines import buys_phrase
from .wording import (
    NOTHING,
    balance_phrase,
    credits_text,
    day_time_text,
    name_text,
    small_usd_text,
    spend_text,
    usd_text,
    window_labels,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..analysis.summary import Summary, WindowSpend

__all__ = ["MAX_CARD_BYTES", "balance_card"]

MAX_CARD_BYTES = 6000

_FONT = (
    "font:13px/1.45 system-ui,-apple-system,'Segoe UI',Roboto,sans-serif;"
    "font-variant-numeric:tabular-nums;color:inherit"
)
_FAINT = "opacity:.72"
_CELL = "padding:.2em 1em .2em 0"
_NBSP = "\N{NO-BREAK SPACE}"


def balance_card(
    summaries: Sequence[Summary],
    now: datetime,
    *,
    usd_per_credit: float,
    low_balance: float | None = None,
) -> str:
    """HTML of at most 6,000 bytes: one organization's facts, or a table of several.

    Where there are too many organizations for that, the outlines of the balances go first, and
    then the rows of those that spent least.

    Args:
        summaries: At least one.
        now: The present.
        usd_per_credit: The price of a credit.
        low_balance: Credits below which a balance is low.
    """
    if len(summaries) == 1:
        return _one(summaries[0], now, usd_per_credit, low_balance)
    html = ""
    by_spending = sorted(summaries, key=_month_spend, reverse=True)
    for width in (96, 48, 0):
        html = _several(summaries, summaries, now, usd_per_credit, low_balance, width)
        if len(html.encode()) <= MAX_CARD_BYTES:
            return html
    for count in range(len(summaries) - 1, 0, -1):
        shown = [each for each in summaries if each in by_spending[:count]]
        html = _several(shown, summaries, now, usd_per_credit, low_balance, 0)
        if len(html.encode()) <= MAX_CARD_BYTES:
            break
    return html


def _month_spend(summary: Summary) -> float:
    window = summary.windows["this month"]
    return window.spent if window else 0.0


def _one(summary: Summary, now: datetime, usd_per_credit: float, low_balance: float | None) -> str:
    figure, _, rest = balance_phrase(summary.credits, usd_per_credit).partition(" ")
    name = escape(name_text(summary.name))
    head = (
        f'<div><div><b>{name}</b> <span style="{_FAINT}">· read {_read_text(summary, now)}</span>'
        f'</div><div><b style="font-size:26px;line-height:1.25">{_fixed(figure)}</b>'
        f' <span style="font-size:16px">{rest}</span></div></div>'
    )
    news = []
    if low_balance is not None and summary.credits < low_balance:
        low = credits_text(low_balance).removesuffix(".00")
        news.append(f'<b style="color:{LOW_COLOUR}">LOW: under {low}</b>')
    news += [escape(each) for each in buys_phrase(summary.credits, summary.next_job)]
    for each in summary.budgets:
        colour = f' style="color:{LOW_COLOUR}"' if each.is_passed else ""
        news.append(f"<b{colour}>{escape(budget_phrase(each))}</b>")
    news += [f"<b>{escape(each)}</b>" for each in state_phrases(summary, now)]
    labels = window_labels(now)
    facts = "".join(
        _fact(labels[name], window, usd_per_credit)
        for name, window in summary.windows.items()
        if window is not None
    )
    return (
        f'<div style="{_FONT};padding:2px 0 4px">'
        f'<div style="display:flex;flex-wrap:wrap;gap:2px 36px;align-items:flex-end">{head}'
        f"{_outline(summary, now, series_colour(summary.place), 220, 40)}</div>"
        f"<div>{' · '.join(news)}</div>"
        f'<div style="display:flex;flex-wrap:wrap;gap:6px 26px;padding-top:8px">'
        f'<div style="{_FAINT}">spent</div>{facts}</div></div>'
    )


def _read_text(summary: Summary, now: datetime) -> str:
    at = summary.read_at
    return f"at {at:%H:%M}" if at.date() == now.date() else day_time_text(at, now)


def _fact(label: str, window: WindowSpend, usd_per_credit: float) -> str:
    return (
        f'<div><span style="display:block;{_FAINT}">{label}</span>'
        f" {_fixed(spend_text(window))}"
        f' <span style="display:block;{_FAINT}">{_fixed(spend_text(window, usd_per_credit))}'
        "</span></div>"
    )


def _fixed(text: str) -> str:
    """A figure that is not broken at its end of line."""
    return escape(text.replace(" ", _NBSP))


def _outline(summary: Summary, now: datetime, colour: str, width: int, height: int) -> str:
    """The balance of the last 30 days as steps, in whole pixels."""
    times, credits = summary.outline_times, summary.outline_credits
    highest = float(credits.max(initial=0.0))
    if len(times) < 2 or highest <= 0.0 or not np.isfinite(highest) or width == 0:
        return ""
    end = now.timestamp() * 1e6
    start = end - 30 * 86_400e6
    x = np.clip((times - start) / (end - start) * width, 0, width).astype(int)
    y = (height + 4 - np.maximum(credits, 0.0) / highest * height).astype(int)
    # Of readings in one pixel the last one counts, and of equal steps the first.
    last = np.append(x[1:] != x[:-1], True)
    x, y = x[last], y[last]
    steps = [f"M{x[0]} {y[0]}"]
    changes = np.flatnonzero(np.diff(y)) + 1
    steps += [f"H{x[each]}V{y[each]}" for each in changes]
    path = f"{''.join(steps)}H{width}"
    name, now_text = escape(name_text(summary.name)), credits_text(summary.credits)
    label = f"{name}: balance of the last 30 days, now {now_text} credits"
    return (
        f'<svg style="min-width:{width + 4}px" role="img" aria-label="{label}"'
        f' width="{width + 4}" height="{height + 6}" viewBox="0 0 {width + 4} {height + 6}">'
        f'<path d="{path}V{height + 5}H{x[0]}Z" fill="{colour}" opacity=".15"/>'
        f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>'
        f'<path d="M0 {height + 5}H{width}" stroke="currentColor" opacity=".4"/>'
        f'<circle cx="{width}" cy="{y[-1]}" r="3" fill="{colour}"/></svg>'
    )


def _several(
    shown: Sequence[Summary],
    summaries: Sequence[Summary],
    now: datetime,
    usd_per_credit: float,
    low_balance: float | None,
    width: int,
) -> str:
    """A table of the organizations that are shown, with the total of all."""
    heads = ["organization", "left", *(["30 days"] if width else []), "spent today", "yesterday"]
    rows = ["".join(_head_cell(each) for each in [*heads, "this week"])]
    for each in summaries:
        if not any(each is one for one in shown):
            continue
        is_low = low_balance is not None and each.credits < low_balance
        is_over = any(one.is_passed for one in each.budgets)
        words = " ".join(["LOW"] * is_low + ["OVER BUDGET"] * is_over)
        low = f' <b style="color:{LOW_COLOUR}">{words}</b>' if words else ""
        phrases = buys_phrase(each.credits, each.next_job)
        phrases.append((state_phrases(each, now) or ["nothing spent"])[0])
        outlook = escape(" · ".join(phrases))
        left = usd_text(each.credits * usd_per_credit)
        if 0.0 < each.credits * usd_per_credit < 0.01:
            left = small_usd_text(each.credits * usd_per_credit)
        cells = [
            _cell(f"<b>{escape(name_text(each.name))}</b>{low}", outlook, is_text=True),
            _cell(f"<b>{_fixed(credits_text(each.credits))}</b>", escape(left)),
        ]
        if width:
            cells.append(
                _cell(_outline(each, now, series_colour(each.place), width, 22), is_text=True)
            )
        cells += [
            _cell(_fixed(spend_text(window)) if window and window.spent else NOTHING)
            for window in (each.windows[name] for name in ("today", "yesterday", "this week"))
        ]
        rows.append("".join(cells))
    hidden = len(summaries) - len(shown)
    total = sum(each.credits for each in summaries)
    together = f"together, with {hidden} more" if hidden else "together"
    cells = [
        _cell(together, is_text=True),
        _cell(f"<b>{_fixed(credits_text(total))}</b>", usd_text(total * usd_per_credit)),
        *([_cell("")] if width else []),
    ]
    for name in ("today", "yesterday", "this week"):
        window = _total(summaries, name)
        cells.append(
            _cell(_fixed(spend_text(window)), _fixed(spend_text(window, usd_per_credit)))
            if window
            else _cell(NOTHING)
        )
    rows.append("".join(cells))
    line = "border-top:1px solid rgba(128,128,128,.3)"
    body = "".join(
        f'<tr style="background:none{f";{line}" if position else ""}">{each}</tr>'
        for position, each in enumerate(rows)
    )
    return (
        f'<div style="{_FONT};overflow-x:auto;padding:2px 0 4px"><table style="border-collapse:'
        'collapse;border:0;margin:0;table-layout:auto;font:inherit;color:inherit;width:auto">'
        f"{body}</table></div>"
    )


def _head_cell(text: str) -> str:
    side = "left" if text in ("organization", "30 days") else "right"
    return (
        f'<th align={side} style="{_CELL};font-weight:400;{_FAINT};text-align:{side}">{text}</th>'
    )


def _cell(first: str, second: str = "", *, is_text: bool = False) -> str:
    below = f'<br><span style="{_FAINT}">{second}</span>' if second else ""
    side = "left" if is_text else "right"
    return f'<td align={side} style="{_CELL};text-align:{side}">{first}{below}</td>'


def _total(summaries: Sequence[Summary], name: str) -> WindowSpend | None:
    windows = [window for each in summaries if (window := each.windows[name])]
    if not windows:
        return None
    return windows[0]._replace(
        spent=sum(each.spent for each in windows),
        is_at_least=any(each.is_at_least for each in windows),
        is_about=any(each.is_about for each in windows),
    )
