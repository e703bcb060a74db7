"""The lines above the frames, and the amounts, names and counts in them."""

from __future__ import annotations

import math
import unicodedata
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stability_magic import Account, Organization
from stability_magic.analysis.series import histories_from_frame
from stability_magic.analysis.spend import SumDoubts
from stability_magic.display.lines import account_line, balance_line, history_line, usage_line
from stability_magic.display.wording import count_text, credits_text, name_text, usd_text
from stability_magic.text import Secret, clean_text, mask_email

NOW = datetime(2026, 11, 10, 18, 2, tzinfo=ZoneInfo("Europe/Berlin"))
EXACT = SumDoubts(False, False)
YESTERDAY = NOW - timedelta(days=1)
ALEF, PILE = "\N{HEBREW LETTER ALEF}", "\N{PILE OF POO}"


def readings(*rows, name="My Organization"):
    """A readings frame of (read_at, credits, spent, topped_up)."""
    index = pd.DatetimeIndex([row[0] for row in rows], name="read_at")
    frame = pd.DataFrame(
        [row[1:] for row in rows], index=index, columns=["credits", "spent", "topped_up"]
    )
    return frame.astype("float64").assign(organization="org-1", name=name)


def line_of(*rows, name="My Organization", usd_per_credit=0.01, low_balance=None):
    return balance_line(
        histories_from_frame(readings(*rows, name=name)),
        now=NOW,
        usd_per_credit=usd_per_credit,
        low_balance=low_balance,
    )


def first_reading_line(credits, **options):
    """The line of a first reading."""
    return line_of((NOW, credits, math.nan, math.nan), **options)


def second_reading_line(credits, spent, topped_up=0.0):
    """The line of a reading that follows one of yesterday."""
    yesterday = (YESTERDAY, credits + spent - topped_up, math.nan, math.nan)
    return line_of(yesterday, (NOW, credits, spent, topped_up))


# The balance


def test_the_line_is_the_documented_one():
    """Name, credits, dollars, and what was spent since when."""
    assert second_reading_line(1234.5, 62.3) == (
        "My Organization: 1,234.50 credits ($12.35) · 62.30 spent since yesterday 18:02"
    )


def test_a_first_reading_says_so():
    """It takes two readings to show spending."""
    assert (
        first_reading_line(1234.5) == "My Organization: 1,234.50 credits ($12.35) · first reading"
    )


def test_an_unchanged_balance_says_so():
    """No spending is a result, too."""
    assert second_reading_line(5.0, 0.0) == (
        "My Organization: 5.00 credits ($0.05) · nothing spent since yesterday 18:02"
    )


def test_a_top_up_does_not_claim_that_nothing_was_spent():
    """The line gives the rise, which hides what was spent meanwhile."""
    text = second_reading_line(1005.0, 0.0, 1000.0)
    assert text.endswith(" · topped up, 1,000.00 more than yesterday 18:02")
    assert "spent" not in text


@pytest.mark.parametrize(
    ("credits", "text"),
    [
        (0.0, "0.00 credits ($0.00)"),
        (-0.0, "0.00 credits ($0.00)"),
        (-12.5, "-12.50 credits (-$0.12)"),
        (0.6336833840314097, "0.63 credits ($0.006)"),
        (0.0004, "0.0004 credits ($4e-06)"),
        (5e-324, "5e-324 credits ($0.00)"),
        (1e6, "1,000,000.00 credits ($10,000.00)"),
        (1.5e18, "1.5e+18 credits ($1.5e+16)"),
        (1.7e308, "1.7e+308 credits ($1.7e+306)"),
    ],
)
def test_amounts_of_every_size_can_be_read(credits, text):
    """Small amounts are not shown as zero, nor large ones as a long row of digits."""
    assert first_reading_line(credits) == f"My Organization: {text} · first reading"


def test_the_price_of_a_credit_can_be_another():
    """Dollars follow the setting; a free credit costs nothing."""
    assert "($50.00)" in first_reading_line(1000.0, usd_per_credit=0.05)
    assert "($0.00)" in first_reading_line(1000.0, usd_per_credit=0.0)


@pytest.mark.parametrize(
    ("credits", "low", "warns"),
    [(99.99, 100, True), (100, 100, False), (1e9, None, False), (-1, 0, True), (0, 0, False)],
)
def test_a_balance_under_the_limit_warns(credits, low, warns):
    """Below the limit, not at it, and never without one."""
    text = first_reading_line(credits, low_balance=low)
    assert text.endswith(f" · LOW: under {low}.00") is warns
    assert ("LOW" in text) is warns


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Plain", "Plain"),
        ("a\nb\x1b[31m\x07", "a\ufffdb\ufffd[31m\ufffd"),
        ("<b>$x$</b> %s {y}", "<b>$x$</b> %s {y}"),
        (f"{PILE} team", f"{PILE} team"),
        (f"{ALEF} Ltd", f"\u2068{ALEF} Ltd\u2069"),
        (f"\u202e{ALEF}\u2069", f"\u2068\ufffd{ALEF}\ufffd\u2069"),
        ("x" * 60, "x" * 60),
        ("x" * 200, "x" * 59 + "…"),
        (ALEF * 200, f"\u2068{ALEF * 59}…\u2069"),
    ],
    ids=["plain", "control", "markup", "emoji", "rtl", "reordering", "60", "200", "rtl-200"],
)
def test_no_name_harms_the_line(name, text):
    """Whatever the name, the line is printable and its figures stay in place."""
    assert name_text(name) == text
    assert first_reading_line(1.0, name=name) == f"{text}: 1.00 credits ($0.01) · first reading"


@given(st.text(max_size=100))
def test_any_name_is_one_safe_piece_of_text(name):
    """No control characters or line ends, and isolating marks come in pairs."""
    text = name_text(name)
    assert len(text) <= 62
    assert len(text.splitlines()) <= 1
    assert not {unicodedata.category(each) for each in text} & {"Cc", "Cs", "Zl", "Zp"}
    assert text.count("\u2068") == text.count("\u2069") <= 1
    assert not set(text) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u200e\u200f\u061c")
    text.encode()  # what a terminal or a file does with it


# The other lines


@pytest.mark.parametrize(
    ("defaults", "text"),
    [
        ([], "0 organizations; none is the default"),
        ([False], "1 organization; none is the default"),
        ([False, True], "2 organizations; the default is Org 1"),
        ([True, True], "2 organizations; none is the default"),
    ],
)
def test_the_account_line_counts_and_names_the_default(defaults, text):
    """With no default or with two, none is named."""
    organizations = tuple(
        Organization(f"org-{number}", f"Org {number}", "MEMBER", default)
        for number, default in enumerate(defaults)
    )
    assert account_line(Account("user-1", "a@example.com", organizations)) == text


def test_the_history_line_counts_readings_and_organizations():
    """How many of each, and the first and last time."""
    frame = readings((YESTERDAY, 2, 0, 0), (NOW, 1, 1, 0))
    line = history_line(frame, "since yesterday", NOW)
    assert line == "2 readings of 1 organization, yesterday 18:02 to 18:02"
    both = pd.concat([frame, frame.assign(organization="org-2")]).sort_index()
    assert history_line(both, "today", NOW).startswith("4 readings of 2 organizations, ")
    assert history_line(frame.iloc[:0], "on 8 Nov", NOW) == "no readings on 8 Nov"


def usage(*rows):
    """A usage frame of (spent, topped_up, at_least), one row a day until today."""
    days = [NOW.replace(hour=0, minute=0) - timedelta(days=back) for back in range(len(rows))]
    index = pd.DatetimeIndex(days[::-1], name="period")
    frame = pd.DataFrame(rows, index=index, columns=["spent", "topped_up", "at_least"])
    return frame.assign(organization="org-1", usd=frame["spent"] * 0.01)


def test_the_usage_line_says_of_how_many_organizations_it_is():
    """The card, which stands beside it, is of one."""
    frame = usage((1.5, 0.0, False), (2.0, 0.0, False))
    both = pd.concat([frame, frame.assign(organization="org-2")])
    assert usage_line(both, "today", EXACT) == (
        "7.00 credits ($0.07) spent today · 2 organizations together"
    )


def test_the_usage_line_adds_up():
    """The total in credits and dollars, and in which time."""
    assert usage_line(usage((1.5, 0.0, False), (1000.0, 0.0, False)), "since yesterday", EXACT) == (
        "1,001.50 credits ($10.02) spent since yesterday"
    )
    assert (
        usage_line(usage((0.0, 0.0, False)), "today", EXACT) == "0.00 credits ($0.00) spent today"
    )


def test_the_usage_line_says_what_is_a_lower_bound():
    """A top-up hides spending, so both figures are lower bounds."""
    frame = usage((1.5, 0.0, False), (2.0, 500.0, True), (0.0, 0.0, False))
    assert usage_line(frame, "since 8 Nov", SumDoubts(False, True)) == (
        "at least 3.50 credits ($0.04) spent since 8 Nov · at least 500.00 topped up"
    )


def test_the_usage_line_says_what_is_an_estimate():
    """What was spread over the border of the window may belong outside; a rise may hide more."""
    days = usage((1.5, 0.0, False), (2.0, 0.0, False))
    assert usage_line(days, "today", SumDoubts(True, False)).startswith(
        "about 3.50 credits ($0.04) spent "
    )
    risen = usage((1.5, 0.0, False), (2.0, 500.0, True))
    assert usage_line(risen, "today", SumDoubts(True, True)).startswith(
        "at least about 3.50 credits "
    )


def test_the_usage_line_of_nothing_says_so():
    """An empty frame does not mean zero."""
    assert usage_line(usage().astype({"at_least": bool}), "today", EXACT) == "no readings today"


def test_the_usage_line_survives_an_overflow():
    """A sum that is too large for a float is infinite."""
    frame = usage((1e308, 0.0, False), (1e308, 0.0, False))
    assert usage_line(frame, "today", EXACT).startswith("inf cr")


@pytest.mark.parametrize(("number", "text"), [(0, "0 days"), (1, "1 day"), (1500, "1,500 days")])
def test_counts_agree_with_their_noun(number, text):
    """One is singular."""
    assert count_text(number, "day") == text


@pytest.mark.parametrize(
    ("amount", "credits", "usd"),
    [
        (0.01, "0.01", "$0.01"),
        (0.0099, "0.01", "$0.01"),
        (-0.004, "-0.004", "-$0.004"),
        (1234567.891, "1,234,567.89", "$1,234,567.89"),
        (math.nan, "nan", "$nan"),
    ],
)
def test_amounts_have_two_decimals(amount, credits, usd):
    """Thousands are separated, and the sign stands before the dollar."""
    assert (credits_text(amount), usd_text(amount)) == (credits, usd)


# Text


@pytest.mark.parametrize(
    ("address", "masked"),
    [
        ("emad@stability.ai", "e***@stability.ai"),
        ("a@b", "a***@b"),
        ("@example.com", "***@example.com"),
        ('"a@b"@example.com', '"***@example.com'),
        ("no address", "***"),
        ("", "***"),
    ],
)
def test_an_address_is_masked(address, masked):
    """One letter and the domain stay readable; anything but an address is masked."""
    assert mask_email(address) == masked


@given(st.text())
def test_clean_text_keeps_the_length_and_everything_harmless(text):
    """Each character stays, or becomes one replacement; cleaning again changes nothing."""
    cleaned = clean_text(text)
    assert len(cleaned) == len(text)
    assert clean_text(cleaned) == cleaned
    assert all(new in (old, "\ufffd") for old, new in zip(text, cleaned, strict=True))
    assert all(old == new for old, new in zip(text, cleaned, strict=True) if old.isprintable())


def test_a_secret_is_text_that_is_not_shown():
    """It compares and formats as its text, but its repr is stars, even inside other objects."""
    secret = Secret("sk-1")
    assert secret == "sk-1"
    assert f"Bearer {secret}" == "Bearer sk-1"
    assert repr(secret) == "'***'"
    assert repr({"Authorization": [secret]}) == "{'Authorization': ['***']}"
