"""The lines above the frames, and the text in them."""

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
from stability_magic._balances import balances
from stability_magic._lines import (
    account_line,
    balance_line,
    count,
    credits_text,
    history_line,
    name_text,
    usage_line,
    usd_text,
)
from stability_magic._text import Secret, clean_text, masked_email

NOW = datetime(2026, 11, 10, 18, 2, tzinfo=ZoneInfo("Europe/Berlin"))
YESTERDAY = NOW - timedelta(days=1)
ALEF, PILE = "\N{HEBREW LETTER ALEF}", "\N{PILE OF POO}"


def readings(*rows, name="My Organization"):
    """A readings frame of (read_at, credits, spent, topped_up)."""
    index = pd.DatetimeIndex([row[0] for row in rows], name="read_at")
    frame = pd.DataFrame(
        [row[1:] for row in rows], index=index, columns=["credits", "spent", "topped_up"]
    )
    return frame.astype("float64").assign(organization="org-1", name=name)


def line(*rows, name="My Organization", usd_per_credit=0.01, low_balance=None):
    return balance_line(
        balances(readings(*rows, name=name)),
        now=NOW,
        usd_per_credit=usd_per_credit,
        low_balance=low_balance,
    )


def first(credits, **options):
    return line((NOW, credits, math.nan, math.nan), **options)


def after(credits, spent, topped_up=0.0):
    before = (YESTERDAY, credits + spent - topped_up, math.nan, math.nan)
    return line(before, (NOW, credits, spent, topped_up))


# The balance


def test_the_line_is_the_documented_one():
    """Name, credits, dollars, and what was spent since when."""
    assert after(1234.5, 62.3) == (
        "My Organization: 1,234.50 credits ($12.35) · 62.30 spent since yesterday 18:02"
    )


def test_a_first_reading_says_so():
    """Before there are two nothing is said of spending."""
    assert first(1234.5) == "My Organization: 1,234.50 credits ($12.35) · first reading"


def test_an_unchanged_balance_says_so():
    """Nothing spent is a finding."""
    assert after(5.0, 0.0) == (
        "My Organization: 5.00 credits ($0.05) · nothing spent since yesterday 18:02"
    )


def test_a_top_up_does_not_claim_that_nothing_was_spent():
    """A rise is told as a rise; what was spent under it cannot be seen."""
    told = after(1005.0, 0.0, 1000.0)
    assert told.endswith(" · topped up, 1,000.00 more than yesterday 18:02")
    assert "spent" not in told


@pytest.mark.parametrize(
    ("credits", "told"),
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
def test_amounts_of_every_size_can_be_read(credits, told):
    """Small amounts are not shown as nothing, large ones not as a row of digits."""
    assert first(credits) == f"My Organization: {told} · first reading"


def test_the_price_of_a_credit_can_be_another():
    """Dollars follow the setting; a free credit costs nothing."""
    assert "($50.00)" in first(1000.0, usd_per_credit=0.05)
    assert "($0.00)" in first(1000.0, usd_per_credit=0.0)


@pytest.mark.parametrize(
    ("credits", "low", "warns"),
    [(99.99, 100, True), (100, 100, False), (1e9, None, False), (-1, 0, True), (0, 0, False)],
)
def test_a_balance_under_the_limit_warns(credits, low, warns):
    """Under the limit, not at it, and never without one."""
    told = first(credits, low_balance=low)
    assert told.endswith(f" · LOW: under {low}.00") is warns
    assert ("LOW" in told) is warns


@pytest.mark.parametrize(
    ("name", "shown"),
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
def test_no_name_harms_the_line(name, shown):
    """Any name leaves one printable line, in which the figures stand where they belong."""
    assert name_text(name) == shown
    assert first(1.0, name=name) == f"{shown}: 1.00 credits ($0.01) · first reading"


@given(st.text(max_size=100))
def test_any_name_is_one_safe_piece_of_text(name):
    """No control characters, no line ends, and every mark that isolates is closed again."""
    shown = name_text(name)
    assert len(shown) <= 62
    assert len(shown.splitlines()) <= 1
    assert not {unicodedata.category(each) for each in shown} & {"Cc", "Cs", "Zl", "Zp"}
    assert shown.count("\u2068") == shown.count("\u2069") <= 1
    assert not set(shown) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u200e\u200f\u061c")
    shown.encode()  # what a terminal or a file does with it


# The other lines


@pytest.mark.parametrize(
    ("defaults", "told"),
    [
        ([], "0 organizations; none is the default"),
        ([False], "1 organization; none is the default"),
        ([False, True], "2 organizations; the default is Org 1"),
        ([True, True], "2 organizations; none is the default"),
    ],
)
def test_the_account_line_counts_and_names_the_default(defaults, told):
    """One default is named; none and two are none."""
    organizations = tuple(
        Organization(f"org-{number}", f"Org {number}", "MEMBER", default)
        for number, default in enumerate(defaults)
    )
    assert account_line(Account("user-1", "a@example.com", organizations)) == told


def test_the_history_line_counts_readings_and_organizations():
    """How many, of how many, from when to when."""
    frame = readings((YESTERDAY, 2, 0, 0), (NOW, 1, 1, 0))
    assert history_line(frame, NOW) == ("2 readings of 1 organization, yesterday 18:02 to 18:02")
    both = pd.concat([frame, frame.assign(organization="org-2")]).sort_index()
    assert history_line(both, NOW).startswith("4 readings of 2 organizations, ")
    assert history_line(frame.iloc[:0], NOW) == "no readings in this time"


def usage(*rows):
    """A usage frame of (spent, topped_up, at_least), one row a day until today."""
    days = [NOW.replace(hour=0, minute=0) - timedelta(days=back) for back in range(len(rows))]
    index = pd.DatetimeIndex(days[::-1], name="period")
    frame = pd.DataFrame(rows, index=index, columns=["spent", "topped_up", "at_least"])
    return frame.assign(usd=frame["spent"] * 0.01)


def test_the_usage_line_adds_up():
    """What was spent in all, in credits and dollars, since the first day."""
    assert usage_line(usage((1.5, 0.0, False), (1000.0, 0.0, False)), NOW) == (
        "1,001.50 credits ($10.02) spent since yesterday"
    )
    assert usage_line(usage((0.0, 0.0, False)), NOW) == "0.00 credits ($0.00) spent since 00:00"


def test_the_usage_line_says_what_is_a_lower_bound():
    """A top-up hides spending, so both figures are at least that."""
    assert usage_line(usage((1.5, 0.0, False), (2.0, 500.0, True), (0.0, 0.0, False)), NOW) == (
        "at least 3.50 credits ($0.04) spent since 8 Nov · 500.00 or more topped up"
    )


def test_the_usage_line_of_nothing_says_so():
    """An empty frame is no zero."""
    assert usage_line(usage().astype({"at_least": bool}), NOW) == "no readings in this time"


def test_the_usage_line_survives_amounts_past_every_number():
    """Sums that no number can hold are told as such."""
    assert usage_line(usage((1e308, 0.0, False), (1e308, 0.0, False)), NOW).startswith("inf cr")


@pytest.mark.parametrize(("number", "text"), [(0, "0 days"), (1, "1 day"), (1500, "1,500 days")])
def test_counts_agree_with_their_noun(number, text):
    """One is singular."""
    assert count(number, "day") == text


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
    """Thousands are parted, and the sign stands before the dollar."""
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
    """One letter and the domain stay readable; what is no address does not."""
    assert masked_email(address) == masked


@given(st.text())
def test_clean_text_keeps_the_length_and_everything_harmless(text):
    """Each character stays, or becomes one replacement; cleaning again changes nothing."""
    cleaned = clean_text(text)
    assert len(cleaned) == len(text)
    assert clean_text(cleaned) == cleaned
    assert all(new in (old, "\ufffd") for old, new in zip(text, cleaned, strict=True))
    assert all(old == new for old, new in zip(text, cleaned, strict=True) if old.isprintable())


def test_a_secret_is_text_that_is_not_shown():
    """It equals and formats as its text, and shows as stars, alone and inside others."""
    secret = Secret("sk-1")
    assert secret == "sk-1"
    assert f"Bearer {secret}" == "Bearer sk-1"
    assert repr(secret) == "'***'"
    assert repr({"Authorization": [secret]}) == "{'Authorization': ['***']}"
