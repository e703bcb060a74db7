"""What an operation costs, and since when, as far as it is known; pure.

The service tells no price in its answers, and no list of all prices at one address that a program
could ask. So this is a dated table of what was found in public, with its sources; the setting
``StabilityMagic.prices`` overrides it and adds to it. Nothing is ever fetched.
"""

from __future__ import annotations

import contextlib
import difflib
import itertools
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from numbers import Real
from typing import Any, NamedTuple

from .errors import BadArgument, SettingsError
from .text import clean_text, shorten

__all__ = ["UNITS", "Price", "PriceList", "operation_form"]

# What amounts are counted in; no operation can be called so.
UNITS = re.compile(r"(us)?[$€£]|usd|eur|gbp|dollars?|euros?|cents?|credits?", re.IGNORECASE)


class Price(NamedTuple):
    """What one operation costs for a time.

    Attributes:
        operation: Its name.
        credits: For one use of it, at 0.01 US dollars a credit; NaN where that is not known.
        since: The first day on which it was known to cost that; None is for as long as there was
            anything to buy.
        until: The first day on which it no longer did; None where that has not come.
        source: Where that is from, with its date.
    """

    operation: str
    credits: float
    since: date | None
    until: date | None
    source: str

    def holds_on(self, day: date) -> bool:
        """Whether the operation costs that on a day."""
        return (self.since is None or self.since <= day) and (
            self.until is None or day < self.until
        )


# The service's own machine-readable description (served at /v2alpha/openapi of the API's host), in
# copies of two days. The text of each paid operation ends with its flat rate.
_DESCRIPTION = "API description, 2026-09-19"
# The vendor's page "API pricing update", published 9 July 2025, in force from 1 August 2025.
_UPDATE = "API pricing update, 2025-07-09"
# A user's run of every operation against the live service: 23 paid runs cost exactly what they add
# up to by this table (aself101/stability-ai-api, docs/LIVE-BATTERY-2026-09-22.md).
_RUNS = "paid runs, 2026-09-22"
# The types that tadasant/mcp-server-stability-ai generated from the service's description.
_FIRST = "API description, 2024-12-31"
# The vendor's API reference, in a copy without a date that was found on this day.
_REFERENCE = "API reference, found 2026-11-25"
_THIRD_PARTY = "a third party, 2024-12-31"

# The days on which the sources saw the prices; before that, nothing is known.
_FIRST_SEEN = date(2024, 12, 31)
_UPDATED = date(2025, 8, 1)
_DESCRIBED = date(2026, 9, 19)
_REFERRED = date(2026, 11, 25)

_UNKNOWN = "not known"
_SET = "StabilityMagic.prices"


def _unchanged(operation: str, credits: float, *sources: str) -> tuple[Price, ...]:
    source = "; ".join((_FIRST, *sources))
    return (Price(operation, credits, _FIRST_SEEN, None, source),)


def _changed(
    operation: str, before: float, credits: float, *sources: str, first: str = _FIRST
) -> tuple[Price, ...]:
    return (
        Price(operation, before, _FIRST_SEEN, _UPDATED, first),
        Price(operation, credits, _UPDATED, None, "; ".join((_UPDATE, *sources))),
    )


def _seen(operation: str, credits: float, since: date, *sources: str) -> tuple[Price, ...]:
    return (Price(operation, credits, since, None, "; ".join(sources)),)


# By the route below /v2beta, or by the model where a route has several.
_TABLE: tuple[Price, ...] = (
    *_unchanged("ultra", 8.0, _RUNS),
    *_unchanged("core", 3.0, _RUNS),
    *_unchanged("sd3.5-large", 6.5, _DESCRIPTION, _RUNS),
    *_unchanged("sd3.5-large-turbo", 4.0, _DESCRIPTION, _RUNS),
    *_unchanged("sd3.5-medium", 3.5, _DESCRIPTION, _RUNS),
    *_seen("sd3.5-flash", 2.5, _DESCRIBED, _DESCRIPTION, _RUNS),
    *_changed("fast-upscale", 1.0, 2.0, _RUNS, first=_THIRD_PARTY),
    *_changed("conservative-upscale", 25.0, 40.0, _RUNS),
    *_changed("creative-upscale", 25.0, 60.0, _DESCRIPTION, _RUNS),
    *_changed("erase", 3.0, 5.0, _DESCRIPTION, _RUNS),
    *_changed("inpaint", 3.0, 5.0, _DESCRIPTION, _RUNS),
    *_unchanged("outpaint", 4.0, _RUNS),
    *_changed("search-and-replace", 4.0, 5.0, _DESCRIPTION, _RUNS),
    *_unchanged("search-and-recolor", 5.0, _DESCRIPTION, _RUNS),
    *_changed("remove-background", 2.0, 5.0, _DESCRIPTION, _RUNS),
    *_unchanged("replace-background-and-relight", 8.0, _DESCRIPTION, _RUNS),
    *_changed("sketch", 3.0, 5.0, _RUNS),
    *_changed("structure", 3.0, 5.0, _RUNS),
    *_changed("style", 4.0, 5.0, _RUNS),
    *_seen("style-transfer", 8.0, _DESCRIBED, _DESCRIPTION, _RUNS),
    *_changed("stable-fast-3d", 2.0, 10.0, _DESCRIPTION),
    *_seen("stable-point-aware-3d", 4.0, _DESCRIBED, _DESCRIPTION),
    # 17 + 0.06 credits a step; a job counts uses, so this is the price with the usual 50 steps.
    *_seen("stable-audio-2", 20.0, _REFERRED, _REFERENCE, "17 + 0.06 a step, here for 50"),
    *_seen("stable-audio-2.5", 20.0, _DESCRIBED, _DESCRIPTION),
    *_seen("stable-audio-3", 26.0, _DESCRIBED, _DESCRIPTION),
    # More beyond 30 steps; how much more is not known.
    *_unchanged("sdxl", 0.9, _DESCRIPTION, "for up to 30 steps"),
)

# Other names of an operation: the end of its route, and what people call it.
_ROUTES: Mapping[str, str] = {
    "stable-image/generate/ultra": "ultra",
    "stable-image/generate/core": "core",
    "stable-image/upscale/fast": "fast-upscale",
    "stable-image/upscale/conservative": "conservative-upscale",
    "stable-image/upscale/creative": "creative-upscale",
    "stable-image/edit/erase": "erase",
    "stable-image/edit/inpaint": "inpaint",
    "stable-image/edit/outpaint": "outpaint",
    "stable-image/edit/search-and-replace": "search-and-replace",
    "stable-image/edit/search-and-recolor": "search-and-recolor",
    "stable-image/edit/remove-background": "remove-background",
    "stable-image/edit/replace-background-and-relight": "replace-background-and-relight",
    "stable-image/control/sketch": "sketch",
    "stable-image/control/structure": "structure",
    "stable-image/control/style": "style",
    "stable-image/control/style-transfer": "style-transfer",
    "3d/stable-fast-3d": "stable-fast-3d",
    "3d/stable-point-aware-3d": "stable-point-aware-3d",
}
_ALIASES: Mapping[str, str] = {
    "sdxl-1.0": "sdxl",
    "stable-diffusion-xl-1024-v1-0": "sdxl",
    **_ROUTES,
    # upscale/creative
    **{route.partition("/")[2]: name for route, name in _ROUTES.items() if route.count("/") == 2},
}

_NAME = re.compile(r"(?=[^/]*[a-z])[a-z0-9][a-z0-9._/-]*")
_LONGEST_NAME = 80
# Credits; beyond these, sums and quotients of prices would have no room, and make no sense.
_LEAST_PRICE, _HIGHEST_PRICE = 0.000001, 1e9
_MOST_NEAR = 5
_ALIKE = 0.6


def operation_form(name: str) -> str:
    """A name as names are compared: in small letters, without the slashes around a route."""
    return name.strip().casefold().removeprefix("/v2beta/").strip("/")


class PriceList:
    """The prices of all operations that are known, on all days.

    Args:
        overrides: For each operation what it costs: credits, or a mapping of ``credits`` and, if
            it does not hold for ever, ``since`` and ``until`` (the first day on which it no
            longer holds), or a list of such mappings. At other times the dated table holds.

    Raises:
        SettingsError: A price is no finite number or negative, two prices of one operation overlap
            in time, or a day or a name cannot be read.
    """

    def __init__(self, overrides: Mapping[str, Any] | None = None) -> None:
        own = _own_prices(overrides or {})
        names = dict.fromkeys(each.operation for each in (*_TABLE, *own))
        self._prices = {
            name: _in_order(
                [each for each in own if each.operation == name],
                [each for each in _TABLE if each.operation == name],
            )
            for name in names
        }

    @property
    def operations(self) -> tuple[str, ...]:
        """The names of the operations, those of the table first."""
        return tuple(self._prices)

    def find(self, name: str) -> str | None:
        """The operation of a name, of a route or of its end; None where there is none."""
        form = _canonical(name)
        return form if form in self._prices else None

    def operation(self, name: str) -> str:
        """The same.

        Raises:
            BadArgument: There is none; the error lists those whose names come near.
        """
        found = self.find(name)
        if found is not None:
            return found
        near = self.near(name)
        shown = repr(shorten(clean_text(operation_form(name) or name), _LONGEST_NAME))
        hint = (
            "; %stability_prices lists them all."
            if not near
            else f"; did you mean {near[0]}?"
            if len(near) == 1
            else f"; near to it are {', '.join(near)}."
        )
        raise BadArgument(f"{shown} is no operation that is known{hint}")

    def near(self, name: str) -> list[str]:
        """The operations whose names come near to one that is not known, the nearest first."""
        form = operation_form(name)
        if not form:
            return []
        forms = {each: each for each in self._prices} | {
            alias: each for alias, each in _ALIASES.items() if "/" not in alias
        }
        alike = difflib.get_close_matches(form, forms, n=_MOST_NEAR, cutoff=_ALIKE)
        end = form.rpartition("/")[2]
        # ``upscale`` is in three names, and ``sd3`` begins four.
        around = [each for each in forms if len(end) > 2 and end in each]
        return list(dict.fromkeys(forms[each] for each in (*around, *alike)))[:_MOST_NEAR]

    def on(self, operation: str, day: date) -> Price:
        """The price of an operation on a day; its credits are NaN where it is not known."""
        (price,) = (each for each in self._prices[operation] if each.holds_on(day))
        return price

    def between(self, operation: str, first: date | None, end: date | None) -> list[Price]:
        """The prices of an operation from a day on and before another; None is no limit.

        What is not known has a price of NaN credits. So each of these days has one price.
        """
        return [
            each
            for each in self._prices[operation]
            if (first is None or each.until is None or first < each.until)
            and (end is None or each.since is None or each.since < end)
        ]


def _canonical(name: str) -> str:
    form = operation_form(name)
    return _ALIASES.get(form, form)


def _in_order(own: Sequence[Price], table: Sequence[Price]) -> list[Price]:
    """The prices of one operation on all days: one's own, else the table's, else none.

    Each of the two has no overlaps.
    """
    days = {day for each in (*own, *table) for day in (each.since, each.until) if day is not None}
    edges = [None, *sorted(days), None]
    operation = (*own, *table)[0].operation
    prices: list[Price] = []
    last: Price | None = None
    for since, until in itertools.pairwise(edges):
        found = next((each for each in (*own, *table) if _covers(each, since, until)), None)
        if prices and found is last:
            prices[-1] = prices[-1]._replace(until=until)
        elif found is None:
            prices.append(Price(operation, math.nan, since, until, _UNKNOWN))
        else:
            prices.append(found._replace(since=since, until=until))
        last = found
    return prices


def _covers(price: Price, since: date | None, until: date | None) -> bool:
    begins = price.since is None or (since is not None and price.since <= since)
    ends = price.until is None or (until is not None and until <= price.until)
    return begins and ends


def _own_prices(overrides: Mapping[str, Any]) -> list[Price]:
    prices = [
        _own_price(name, each)
        for name, value in overrides.items()
        for each in (value if isinstance(value, list | tuple) else [value])
    ]
    for number, each in enumerate(prices):
        for other in prices[:number]:
            if each.operation == other.operation and _overlap(each, other):
                raise SettingsError(
                    f"{_SET} has two prices of {each.operation} that overlap in time,"
                    f" {_text(other)} and {_text(each)}; set the end of one ('until') to"
                    " the beginning of the other ('since')."
                )
    return prices


def _own_price(name: Any, value: Any) -> Price:
    operation = _canonical(name) if isinstance(name, str) else ""
    shown = shorten(clean_text(str(name)), _LONGEST_NAME)
    is_name = len(operation) <= _LONGEST_NAME and _NAME.fullmatch(operation)
    if not is_name or UNITS.fullmatch(operation.lstrip("0123456789.")):
        raise SettingsError(
            f"{_SET} has the name {shown!r}, which no job could name; use letters, digits and"
            " hyphens, such as 'my-model'."
        )
    entry = value if isinstance(value, Mapping) else {"credits": value}
    unknown = [str(each) for each in entry if each not in ("credits", "since", "until")]
    if unknown or "credits" not in entry:
        raise SettingsError(
            f"{_SET} has for {operation} {_entry_fault(unknown)}; use credits, such as 8, or"
            " {'credits': 8, 'since': '2026-12-01'}."
        )
    credits = entry["credits"]
    is_number = isinstance(credits, Real) and not isinstance(credits, bool)
    amount = _as_float(credits) if is_number else math.nan
    if amount != 0.0 and not _LEAST_PRICE <= amount <= _HIGHEST_PRICE:
        raise SettingsError(
            f"{_SET} has {shorten(clean_text(repr(credits)), 40)} for {operation}, which is no"
            f" price; use 0, or credits from {_LEAST_PRICE:f} to {_HIGHEST_PRICE:,.0f}, such as 8,"
            " or leave it out where it is not known."
        )
    since, until = (_day(operation, each, entry.get(each)) for each in ("since", "until"))
    if since is not None and until is not None and since >= until:
        raise SettingsError(
            f"{_SET} has for {operation} a price since {since} until {until}, which is no time;"
            " set 'until' to the first day on which it no longer holds."
        )
    return Price(operation, amount, since, until, _SET)


def _entry_fault(unknown: Sequence[str]) -> str:
    if not unknown:
        return "no credits"
    return f"a word that is not known, {shorten(clean_text(unknown[0]), 40)!r}"


def _as_float(number: Real) -> float:
    try:
        return float(number)
    except OverflowError:
        return math.inf


def _day(operation: str, word: str, value: Any) -> date | None:
    if value is None:
        return None
    day = value.date() if isinstance(value, datetime) else value
    if isinstance(value, str):
        with contextlib.suppress(ValueError):
            day = date.fromisoformat(value.strip())
    # Other years are slips, and not every zone can express their days.
    if isinstance(day, date) and 1970 <= day.year <= 9990:
        return day
    raise SettingsError(
        f"{_SET} has {shorten(clean_text(repr(value)), 40)} for {word!r} of {operation}, which is"
        " no day; use one such as '2026-12-01'."
    )


def _overlap(one: Price, other: Price) -> bool:
    def ends_before(first: Price, second: Price) -> bool:
        return first.until is not None and second.since is not None and first.until <= second.since

    return not ends_before(one, other) and not ends_before(other, one)


def _text(price: Price) -> str:
    parts: Iterable[str] = (
        f"{price.credits:g}",
        f"since {price.since}" if price.since else "",
        f"until {price.until}" if price.until else "",
    )
    return " ".join(each for each in parts if each)
