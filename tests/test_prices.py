"""What operations cost, on which day, and what is set beside that."""

from __future__ import annotations

import math
import re
from datetime import date, datetime

import numpy as np
import pytest

from stability_magic import SettingsError
from stability_magic.errors import BadArgument
from stability_magic.prices import PriceList
from stability_magic.settings import StabilityMagic

from .helpers.errors import assert_is_clear_error

UNKNOWN = math.nan
DAYS = (date(2024, 12, 31), date(2025, 7, 31), date(2025, 8, 1), date(2026, 11, 26))

# On each of these days.
PRICES = {
    "ultra": (8, 8, 8, 8),
    "core": (3, 3, 3, 3),
    "sd3.5-large": (6.5, 6.5, 6.5, 6.5),
    "sd3.5-large-turbo": (4, 4, 4, 4),
    "sd3.5-medium": (3.5, 3.5, 3.5, 3.5),
    "sd3.5-flash": (UNKNOWN, UNKNOWN, UNKNOWN, 2.5),
    "fast-upscale": (1, 1, 2, 2),
    "conservative-upscale": (25, 25, 40, 40),
    "creative-upscale": (25, 25, 60, 60),
    "erase": (3, 3, 5, 5),
    "inpaint": (3, 3, 5, 5),
    "outpaint": (4, 4, 4, 4),
    "search-and-replace": (4, 4, 5, 5),
    "search-and-recolor": (5, 5, 5, 5),
    "remove-background": (2, 2, 5, 5),
    "replace-background-and-relight": (8, 8, 8, 8),
    "sketch": (3, 3, 5, 5),
    "structure": (3, 3, 5, 5),
    "style": (4, 4, 5, 5),
    "style-transfer": (UNKNOWN, UNKNOWN, UNKNOWN, 8),
    "stable-fast-3d": (2, 2, 10, 10),
    "stable-point-aware-3d": (UNKNOWN, UNKNOWN, UNKNOWN, 4),
    "stable-audio-2": (UNKNOWN, UNKNOWN, UNKNOWN, 20),
    "stable-audio-2.5": (UNKNOWN, UNKNOWN, UNKNOWN, 20),
    "stable-audio-3": (UNKNOWN, UNKNOWN, UNKNOWN, 26),
    "sdxl": (0.9, 0.9, 0.9, 0.9),
}


def test_these_are_the_operations():
    """Twenty-five of the second version of the API, and SDXL."""
    assert PriceList().operations == tuple(PRICES)


@pytest.mark.parametrize("operation", PRICES)
def test_each_price_is_right_on_each_of_the_days(operation):
    """What is not known is NaN and never 0; what is known has a source with its date."""
    prices = [PriceList().on(operation, day) for day in DAYS]
    np.testing.assert_array_equal([each.credits for each in prices], PRICES[operation])
    for each in prices:
        if math.isnan(each.credits):
            assert each.source == "not known"
        else:
            assert re.search(r"\b202[456]-\d\d-\d\d\b", each.source)
    assert math.isnan(PriceList().on(operation, date(2024, 12, 30)).credits)


@pytest.mark.parametrize("operation", PRICES)
def test_each_day_has_one_price(operation):
    """From the first day to the last, without an overlap or a day between."""
    prices = PriceList().between(operation, None, None)
    assert prices[0].since is prices[-1].until is None
    assert [each.until for each in prices[:-1]] == [each.since for each in prices[1:]]


@pytest.mark.parametrize(
    ("name", "operation"),
    [
        ("Ultra", "ultra"),
        (" core ", "core"),
        ("stable-image/upscale/creative", "creative-upscale"),
        ("/v2beta/stable-image/edit/erase", "erase"),
        ("upscale/fast", "fast-upscale"),
        ("3d/stable-fast-3d", "stable-fast-3d"),
        ("stable-diffusion-xl-1024-v1-0", "sdxl"),
    ],
)
def test_routes_and_capitals_are_understood(name, operation):
    """Whatever stands in the code that is to be run."""
    assert PriceList().operation(name) == operation


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("utlra", "did you mean ultra?"),
        ("sd3", "sd3.5-large, sd3.5-large-turbo, sd3.5-medium, sd3.5-flash"),
        ("upscale", "fast-upscale, conservative-upscale, creative-upscale"),
        ("creative", "did you mean creative-upscale?"),
        ("stable-audio", "stable-audio-2, stable-audio-2.5, stable-audio-3"),
        ("kg", "%stability_prices lists them all"),
        ("", "%stability_prices lists them all"),
        ("ultra\n\x1b[31m", "did you mean ultra?"),
    ],
)
def test_an_unknown_operation_lists_those_that_come_near(name, told):
    """In one line that can be printed."""
    with pytest.raises(BadArgument) as caught:
        PriceList().operation(name)
    assert told in str(caught.value)
    assert str(caught.value).isprintable()


# What is set


def test_a_price_that_is_set_goes_before_the_table_and_adds_to_it():
    """Also under another name of the operation, and at 0, which somebody says then."""
    prices = PriceList({"stable-image/generate/Ultra": 7, "my-batch": 120.5, "core": 0})
    assert prices.operations == (*PRICES, "my-batch")
    for day in (*DAYS, date(1999, 1, 1)):
        found = [prices.on(each, day).credits for each in ("ultra", "my-batch", "core")]
        assert found == [7.0, 120.5, 0.0]
    assert prices.on("ultra", DAYS[0]).source == "StabilityMagic.prices"
    assert prices.on("erase", DAYS[0]).credits == 3.0


def test_a_price_that_is_set_for_a_time_leaves_the_others():
    """It begins with ``since`` and ends before ``until``."""
    own = {"credits": 9, "since": "2025-07-31", "until": date(2025, 8, 2)}
    prices = PriceList({"erase": own, "new": {"credits": 1, "since": datetime(2026, 1, 1, 12)}})
    days = [date(2025, 7, 30), date(2025, 7, 31), date(2025, 8, 1), date(2025, 8, 2)]
    assert [prices.on("erase", each).credits for each in days] == [3.0, 9.0, 9.0, 5.0]
    assert len(prices.between("erase", None, None)) == 4
    assert math.isnan(prices.on("new", date(2025, 12, 31)).credits)
    assert prices.on("new", date(2026, 1, 1)).credits == 1.0


def test_prices_that_follow_each_other_do_not_overlap():
    """One ends where the next begins."""
    own = [{"credits": 8, "until": "2027-01-01"}, {"credits": 9, "since": "2027-01-01"}]
    prices = PriceList({"ultra": own})
    days = (date(2026, 12, 31), date(2027, 1, 1))
    assert [prices.on("ultra", each).credits for each in days] == [8.0, 9.0]


@pytest.mark.parametrize(
    ("own", "told"),
    [
        ({"ultra": -1}, "-1 for ultra"),
        ({"ultra": math.nan}, "nan for ultra"),
        ({"ultra": math.inf}, "inf for ultra"),
        ({"ultra": 10**400}, "for ultra, which is no price"),
        ({"ultra": 5e-324}, "use 0, or credits from 0.000001 to 1,000,000,000"),
        ({"ultra": 1e308}, "1e+308 for ultra, which is no price"),
        ({"ultra": True}, "True for ultra"),
        ({"ultra": np.True_}, "for ultra, which is no price"),
        ({"ultra": None}, "None for ultra"),
        ({"ultra": "8"}, "'8' for ultra"),
        ({"ultra": [8, 9]}, "two prices of ultra that overlap in time, 8 and 9"),
        ({"ultra": 8, "stable-image/generate/ultra": 8}, "two prices of ultra that overlap"),
        (
            {
                "ultra": [
                    {"credits": 8, "since": "2026-01-01", "until": "2026-06-02"},
                    {"credits": 9, "since": "2026-06-01"},
                ]
            },
            "8 since 2026-01-01 until 2026-06-02 and 9 since 2026-06-01",
        ),
        ({"ultra": {"credits": 8, "since": "2026-02-30"}}, "'2026-02-30' for 'since' of ultra"),
        ({"ultra": {"credits": 8, "since": 2026}}, "2026 for 'since' of ultra"),
        ({"ultra": {"credits": 8, "until": "0001-01-01"}}, "which is no day"),
        ({"x": {"credits": 8, "since": "2026-01-02", "until": "2026-01-02"}}, "which is no time"),
        ({"ultra": {"price": 8}}, "a word that is not known, 'price'"),
        ({"ultra": {}}, "no credits"),
        ({"two words": 8}, "which no job could name"),
        ({"a+b": 8}, "which no job could name"),
        ({"40": 8}, "which no job could name"),
        ({"credits": 8}, "which no job could name"),
        ({"": 8}, "which no job could name"),
        ({8: 8}, "which no job could name"),
        ({"\x1b[31m\n": 8}, "which no job could name"),
    ],
)
def test_a_price_that_cannot_be_used_is_refused(own, told):
    """By whoever needs it, in one line that names the setting and what to do."""
    settings = StabilityMagic(prices=own)
    with pytest.raises(SettingsError, match=r"^StabilityMagic\.prices has ") as caught:
        settings.price_list()
    assert told in str(caught.value)
    assert_is_clear_error(caught.value)


def test_other_kinds_of_numbers_are_numbers():
    """As pandas and numpy give them."""
    prices = PriceList({"a": np.float64(2.5), "b": np.int64(3)})
    assert [prices.on(each, DAYS[0]).credits for each in "ab"] == [2.5, 3.0]
