"""What a person is told, in words and as fields; pure."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from ..analysis.notices import Finding
from ..models import from_microseconds
from ..text import clean_text, shorten
from ..when import time_phrase
from .wording import balance_phrase, bound_words, credits_text, name_text, usd_text

if TYPE_CHECKING:
    from ..analysis.summary import Summary

__all__ = ["EVENTS", "Message", "digest_message", "notice_message", "trial_message"]

_LONGEST_TEXT = 500


class Message(NamedTuple):
    """What a person is told.

    Attributes:
        event: What has happened, as programs tell it apart.
        title: The same in a few words, with whose credits they are.
        text: A sentence or some lines.
        fields: What else a program gets to know: figures, ids, times.
    """

    event: str
    title: str
    text: str
    fields: Mapping[str, object]

    def to_json(self) -> str:
        """One line of JSON. What is not known is null."""
        message = {"event": self.event, "title": self.title, "text": self.text, **self.fields}
        return json.dumps(_without_unknown(message), allow_nan=False)


def _without_unknown(value: object) -> object:
    """The same with None in place of what is no finite number."""
    if isinstance(value, Mapping):
        return {name: _without_unknown(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_without_unknown(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


class _Figures(NamedTuple):
    """A finding's figures as text."""

    finding: Finding
    now: datetime
    usd_per_credit: float

    def number(self, fact: str) -> float:
        """A figure; NaN where it is not known."""
        value = self.finding.facts.get(fact)
        return value if isinstance(value, float) else math.nan

    def credits(self, fact: str) -> str:
        """``120.00``, or ``an unknown number of``."""
        number = self.number(fact)
        return "an unknown number of" if math.isnan(number) else credits_text(number)

    def amount(self, fact: str) -> str:
        """``120.00 credits ($1.20)``."""
        number = self.number(fact)
        usd = "" if math.isnan(number) else f" ({usd_text(number * self.usd_per_credit)})"
        return f"{self.credits(fact)} credits{usd}"

    def text(self, fact: str) -> str:
        """What is told as it is."""
        return str(self.finding.facts.get(fact))

    def moment(self, fact: str) -> str:
        """A time that is told in microseconds since 1970 UTC."""
        return time_phrase(from_microseconds(round(self.number(fact))), self.now)

    @property
    def when(self) -> str:
        """When it set in."""
        return time_phrase(from_microseconds(self.finding.at), self.now)

    @property
    def left(self) -> str:
        """The balance."""
        return f"{self.amount('credits')} left"


def _empty_early(figures: _Figures) -> str:
    return time_phrase(datetime.fromisoformat(figures.text("empty_early")), figures.now)


# What each event is called, and its sentence.
_WORDS: Mapping[str, tuple[str, Callable[[_Figures], str]]] = {
    "low_balance": (
        "low balance",
        lambda of: f"{of.left} at {of.when}, under {of.credits('level')}.",
    ),
    "empty_soon": (
        "empty soon",
        lambda of: (
            f"The balance may be empty as early as {_empty_early(of)}; {of.left} at {of.when}."
        ),
    ),
    "doubtful_balance": (
        "doubtful balance",
        lambda of: f"{of.left} at {of.when}: {of.text('doubt')}. Later readings will tell.",
    ),
    "topped_up": (
        "topped up",
        lambda of: f"The balance rose by {of.amount('more')}; {of.left} at {of.when}.",
    ),
    "leak": (
        "spent elsewhere",
        lambda of: (
            f"{of.amount('spent')} spent elsewhere, by no measured cell, {of.moment('since')} to"
            f" {of.when}; {of.left}."
        ),
    ),
    "watch_failing": (
        "watch failing",
        lambda of: (
            f"The watch could not read or log the balance at {of.when}: {of.text('problem')}"
        ),
    ),
    "watch_well": (
        "watch well again",
        lambda of: f"The watch reads and logs the balance again, since {of.when}.",
    ),
    "budget_passed": (
        "budget passed",
        lambda of: (
            f"{of.amount('spent')} spent since {of.moment('period_start')}; the budget for each"
            f" {of.text('every')} is {of.credits('budget')}."
        ),
    ),
    "budget_projected": (
        "budget will likely be passed",
        lambda of: (
            f"{of.amount('spent')} spent since {of.moment('period_start')}, and"
            f" {of.credits('projected')} expected by the period's end; the budget for each"
            f" {of.text('every')} is {of.credits('budget')}."
        ),
    ),
}
# What a person may be told of.
EVENTS = frozenset(_WORDS)

_IN_DOUBT_BY_THE_BALANCE = ("low_balance", "empty_soon", "topped_up")
# They are microseconds in a finding, and ISO 8601 in a message.
_MOMENTS = ("since", "period_start")


def notice_message(
    finding: Finding, name: str, *, now: datetime, usd_per_credit: float, doubt: str | None = None
) -> Message | None:
    """The message for what has set in; None for most of what is over.

    Args:
        finding: What has changed.
        name: The organization's name.
        now: The present, which decides how days are named.
        usd_per_credit: The price of a credit.
        doubt: Why the balance may be wrong; None for nearly all.
    """
    event = finding.key.event
    if not finding.is_happening:
        if event != "watch_failing":
            return None
        event = "watch_well"
    figures = _Figures(finding, now, usd_per_credit)
    title, sentence = _WORDS[event]
    text = sentence(figures)
    if doubt is not None and event in _IN_DOUBT_BY_THE_BALANCE:
        text = f"{text} DOUBTFUL: {doubt}."
    fields: dict[str, object] = {
        "organization": finding.key.organization or None,
        "name": clean_text(name),
        "at": _iso(from_microseconds(finding.at), now),
        **finding.facts,
    }
    for each in _MOMENTS:
        if each in fields:
            fields[each] = _iso(from_microseconds(round(figures.number(each))), now)
    return Message(
        event, f"{name_text(name)}: {title}", shorten(clean_text(text), _LONGEST_TEXT), fields
    )


def _iso(at: datetime, now: datetime) -> str:
    return at.astimezone(now.tzinfo).isoformat(timespec="seconds")


def trial_message(now: datetime) -> Message:
    """The message by which a person sees that a channel works."""
    return Message(
        "test",
        "stability_magic: test",
        f"A test at {time_phrase(now, now)}: messages about your credits come this way.",
        {"at": _iso(now, now)},
    )


def digest_message(
    summaries: Sequence[Summary],
    window: str,
    period: str,
    *,
    now: datetime,
    usd_per_credit: float,
) -> Message:
    """What is left, what was spent in a window that is over, and when it is empty.

    Args:
        summaries: Of each organization.
        window: ``yesterday`` or ``last week``.
        period: What that is called, such as ``Wed 25 Nov``.
        now: The present.
        usd_per_credit: The price of a credit.
    """
    from .lines import state_phrases

    lines = []
    for each in summaries:
        spent = each.windows.get(window)
        if spent is None:
            spent_phrase = f"what was spent {window} is not known"
        else:
            bound = bound_words(spent.is_about, spent.is_at_least)
            usd = usd_text(spent.spent * usd_per_credit)
            spent_phrase = f"{bound}{credits_text(spent.spent)} credits ({usd}) spent {window}"
        left = balance_phrase(each.credits, usd_per_credit)
        parts = [
            f"{left}, read {time_phrase(each.read_at, now)}",
            spent_phrase,
            *state_phrases(each, now),
        ]
        lines.append(f"{name_text(each.name)}: {' · '.join(parts)}")
    fields = {
        "at": _iso(now, now),
        "period": period,
        "organizations": [_digest_fields(each, window, now) for each in summaries],
    }
    kind = "daily" if window == "yesterday" else "weekly"
    return Message(f"digest_{kind}", f"Stability AI credits: {period}", "\n".join(lines), fields)


def _digest_fields(summary: Summary, window: str, now: datetime) -> dict[str, object]:
    spent = summary.windows.get(window)
    times = summary.outlook["empty_at"].dropna()
    return {
        "organization": summary.organization,
        "name": clean_text(summary.name),
        "credits": summary.credits,
        "read_at": _iso(summary.read_at, now),
        "spent": None if spent is None else spent.spent,
        "at_least": None if spent is None else spent.is_at_least,
        "estimated": None if spent is None else spent.is_about,
        "empty_at": None if times.empty else _iso(times.iloc[0].to_pydatetime(), now),
    }
