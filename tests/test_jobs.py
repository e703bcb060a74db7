"""Jobs as people write them, and what they cost."""

from __future__ import annotations

import contextlib
import math
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stability_magic import SettingsError
from stability_magic.errors import BadArgument
from stability_magic.jobs import empty_level, low_level, parse_job
from stability_magic.prices import PriceList
from stability_magic.settings import StabilityMagic

TODAY = date(2026, 11, 26)
OWN = {"my-batch": 120, "tiny": 0.1, "free": 0, "later": {"credits": 3, "since": "2030-01-01"}}
PRICES = PriceList(OWN)

# Credits that were added up by hand.
JOBS = {
    "ultra": 8.0,
    "1 ultra": 8.0,
    "40 ultra": 320.0,
    "40 ultra + 12 creative-upscale": 1040.0,
    "40 ultra+12 creative-upscale": 1040.0,
    "  40   ultra  +  12   creative-upscale  ": 1040.0,
    "12 creative-upscale + 40 ultra": 1040.0,
    "40 Ultra + 12 CREATIVE-UPSCALE": 1040.0,
    "40 stable-image/generate/ultra + 12 upscale/creative": 1040.0,
    "ultra + core": 11.0,
    "3 core": 9.0,
    "7 sd3.5-large": 45.5,
    "9 sd3.5-large-turbo": 36.0,
    "11 sd3.5-medium": 38.5,
    "13 sd3.5-flash": 32.5,
    "100 fast-upscale": 200.0,
    "2 conservative-upscale": 80.0,
    "3 creative-upscale": 180.0,
    "5 erase": 25.0,
    "6 inpaint": 30.0,
    "7 outpaint": 28.0,
    "8 search-and-replace": 40.0,
    "9 search-and-recolor": 45.0,
    "10 remove-background": 50.0,
    "11 replace-background-and-relight": 88.0,
    "12 sketch": 60.0,
    "13 structure": 65.0,
    "14 style": 70.0,
    "15 style-transfer": 120.0,
    "16 stable-fast-3d": 160.0,
    "17 stable-point-aware-3d": 68.0,
    "18 stable-audio-2": 360.0,
    "19 stable-audio-2.5": 380.0,
    "20 stable-audio-3": 520.0,
    "333 sdxl": 299.7,
    "1 sdxl + 1 sd3.5-large + 1 sd3.5-flash": 9.9,
    "2 ultra + 3 ultra": 40.0,
    "1000000 ultra": 8_000_000.0,
    "3 my-batch + 7 tiny + 5 free": 360.7,
    "10 core + 10 erase + 10 sketch + 10 outpaint + 10 ultra + 10 sdxl": 259.0,
}


@pytest.mark.parametrize("text", JOBS)
def test_a_job_costs_what_its_parts_cost(text):
    """To the hundredth of a credit; and written out, it is the same job."""
    job = parse_job(text, PRICES, TODAY)
    assert abs(job.credits - JOBS[text]) < 0.01
    assert parse_job(str(job), PRICES, TODAY) == job
    assert not job.unpriced


def test_forty_jobs_are_tried():
    """As many as were promised."""
    assert len(JOBS) == 40


def test_the_price_is_that_of_the_day():
    """Before August 2025 it was another one."""
    assert parse_job("12 creative-upscale", PRICES, date(2025, 7, 31)).credits == 300.0


def test_what_is_not_known_makes_no_sum():
    """Its parts keep their prices, and the job says which is missing."""
    job = parse_job("2 ultra + 3 later", PRICES, TODAY)
    assert math.isnan(job.credits)
    assert job.unpriced == ("later",)
    assert job.tasks[0].credits == 16.0
    assert math.isnan(job.times(1e6))
    assert empty_level(job) == 0.0
    assert low_level(5.0, job) == 5.0


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "there is no job"),
        ("  ", "there is no job"),
        ("+", "there is no job"),
        ("40 ultra +", "lacks an operation"),
        ("+ 40 ultra", "lacks an operation"),
        ("ultra ++ core", "lacks an operation"),
        ("0 ultra", "'0' does not say how often"),
        ("00 ultra", "'00' does not say how often"),
        ("-1 ultra", "'-1' does not say how often"),
        ("1e9 ultra", "'1e9' does not say how often"),
        ("1000000000 ultra", "'1000000000' does not say how often"),
        ("9" * 400 + " ultra", "does not say how often"),
        ("1000000 ultra + 1 ultra", "'1000001' does not say how often"),
        ("2.5 ultra", "'2.5' does not say how often"),
        ("1,000 ultra", "'1,000' does not say how often"),
        ("nan ultra", "'nan' does not say how often"),
        ("inf ultra", "'inf' does not say how often"),
        ("\u0664 ultra", "does not say how often"),
        ("ultra ultra", "use a + between operations"),
        ("40 ultra 12 erase", "use a + between operations"),
        ("ultra 40", "use a + between operations"),
        ("forty ultra", "use a + between operations"),
        ("40", "names no operation"),
        ("40 credits", "names no operation"),
        ("$5", "names no operation"),
        ("5usd", "names no operation"),
        ("5 usd", "names no operation"),
        ("2 ultra + 5 dollars", "names no operation"),
        ("-1", "names no operation"),
        ("3 kg", "%stability_prices lists them all"),
        ("40 utlra", "did you mean ultra?"),
        ("40ultra", "did you mean ultra?"),
        ("40 ultra, 12 erase", "use a + between operations"),
        ("x" * 1000, "is no operation that is known"),
    ],
)
def test_what_is_no_job_is_refused(text, told):
    """In one line that says how to write it."""
    with pytest.raises(BadArgument) as caught:
        parse_job(text, PRICES, TODAY)
    assert told in str(caught.value)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 250
    settings = StabilityMagic(next_operation=text)
    if text.strip():
        with pytest.raises(SettingsError, match=r"^StabilityMagic\.next_operation: ") as refused:
            settings.next_job()
        assert str(caught.value) in str(refused.value)
    else:
        assert settings.next_job() is None


@given(st.text(alphabet="0123456789+- .,eultracore/\u0664$", max_size=30) | st.text(max_size=30))
def test_any_text_is_a_job_or_is_refused(text):
    """A job has a cost that is finite, and a number of at least one of everything."""
    with contextlib.suppress(BadArgument):
        job = parse_job(text, PRICES, TODAY)
        assert 0.0 <= job.credits < math.inf or job.unpriced
        assert all(1 <= each.count <= 1_000_000 for each in job.tasks)


@pytest.mark.parametrize(
    ("text", "balance", "times"),
    [
        ("ultra", 1719.99, 214.0),
        ("ultra", 8.0, 1.0),
        ("ultra", 7.999999, 0.0),
        ("ultra", 0.0, 0.0),
        ("ultra", -20.0, 0.0),
        ("sdxl", 36.0, 40.0),
        ("3 sdxl", 0.9 * 3 * 7, 7.0),
        ("6 ultra + 1 erase", 530.0, 10.0),
        ("tiny", 0.3, 3.0),
        ("free", 5.0, math.inf),
        ("tiny", 1e308, math.inf),
    ],
)
def test_a_balance_pays_for_a_whole_number_of_times(text, balance, times):
    """Rounding errors neither give nor take one."""
    assert parse_job(text, PRICES, TODAY).times(balance) == times


def test_low_is_the_higher_of_the_two_levels():
    """One's own level, and the price of what is done next."""
    job = parse_job("2 ultra", PRICES, TODAY)
    assert low_level(None, None) is None
    assert low_level(500.0, None) == 500.0
    assert low_level(None, job) == empty_level(job) == 16.0
    assert low_level(10.0, job) == 16.0
    assert low_level(500.0, job) == 500.0
    assert low_level(None, parse_job("free", PRICES, TODAY)) is None
