"""Usage compared with what the simulated organizations really spent."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pandas as pd
import pytest

from stability_magic import usage
from stability_magic.simulator.ledger import cached_ledger, default_organizations

BERLIN = ZoneInfo("Europe/Berlin")
# Four weeks, with one day of 23 hours, of three organizations with different habits.
START, END = datetime(2026, 3, 9, tzinfo=BERLIN), datetime(2026, 4, 6, tzinfo=BERLIN)
ALL_ORGANIZATIONS = pytest.mark.parametrize(
    "organization", default_organizations(), ids=lambda organization: organization.name
)
PERIODS = pytest.mark.parametrize("by", ["hour", "day", "week"])


def readings_of(ledger, instants):
    """What the service would have answered at these instants."""
    credits = [ledger.balance(at.to_pydatetime()) for at in instants]
    return pd.DataFrame({"organization": "org-a", "credits": credits}, index=instants)


def truth_of(ledger, result, by):
    """What was really spent and bought in each period."""
    step = {"hour": pd.Timedelta(hours=1), "day": pd.DateOffset(days=1)}.get(
        by, pd.DateOffset(weeks=1)
    )
    edges = [(at.to_pydatetime(), (at + step).to_pydatetime()) for at in result.index]
    columns = {
        "spent": [ledger.spent(*each) for each in edges],
        "topped_up": [ledger.topped_up(*each) for each in edges],
    }
    return pd.DataFrame(columns, index=result.index)


@ALL_ORGANIZATIONS
@PERIODS
def test_without_a_top_up_it_is_exact_and_with_one_a_lower_bound(organization, by):
    """With a reading every ten minutes, ``at_least`` marks exactly the periods with a top-up."""
    ledger = cached_ledger(organization, 7)
    instants = pd.date_range(START, END, freq="10min")
    result = usage(readings_of(ledger, instants), by).iloc[:-1]
    truth = truth_of(ledger, result, by)
    no_top_up = truth["topped_up"] == 0
    assert no_top_up.any()
    assert result["spent"][no_top_up].tolist() == pytest.approx(
        truth["spent"][no_top_up].tolist(), abs=1e-6
    )
    assert (result["spent"] <= truth["spent"] + 1e-6).all()
    assert (result["topped_up"] <= truth["topped_up"] + 1e-6).all()
    assert result["at_least"].tolist() == (~no_top_up).tolist()
    net = (result["topped_up"] - result["spent"]) - (truth["topped_up"] - truth["spent"])
    assert net.abs().max() < 1e-6
    assert result["observed"].min() == 1


@ALL_ORGANIZATIONS
@pytest.mark.parametrize("hours", [1, 24])
def test_rarer_readings_are_never_more_than_the_truth(organization, hours):
    """And the days without a top-up are still exact."""
    ledger = cached_ledger(organization, 7)
    step = "h" if hours == 1 else "D"
    result = usage(readings_of(ledger, pd.date_range(START, END, freq=step)), "day").iloc[:-1]
    truth = truth_of(ledger, result, "day")
    no_top_up = truth["topped_up"] == 0
    assert result["spent"][no_top_up].tolist() == pytest.approx(
        truth["spent"][no_top_up].tolist(), abs=1e-6
    )
    assert not result["at_least"][no_top_up].any()
    assert (result["spent"] <= truth["spent"] + 1e-6).all()
    assert (truth["topped_up"][result["at_least"]] > 0).all()


@ALL_ORGANIZATIONS
@pytest.mark.parametrize("seed", range(3))
def test_irregular_readings_add_up_to_the_truth_of_the_time_they_span(organization, seed):
    """Whether a minute or some days apart."""
    ledger = cached_ledger(organization, seed)
    generator = random.Random(seed)
    minutes = {generator.randrange(40_000) for _ in range(60)} | set(range(5000, 5060))
    start = START.astimezone(UTC)
    instants = pd.DatetimeIndex([start + timedelta(minutes=n) for n in sorted(minutes)])
    result = usage(readings_of(ledger, instants.tz_convert(BERLIN)))
    first, last = instants[0].to_pydatetime(), instants[-1].to_pydatetime()
    spent, topped_up = ledger.spent(first, last), ledger.topped_up(first, last)
    assert result["spent"].sum() <= spent + 1e-6
    net = result["topped_up"].sum() - result["spent"].sum()
    assert net == pytest.approx(topped_up - spent, abs=1e-6)
    if topped_up == 0:
        assert result["spent"].sum() == pytest.approx(spent, abs=1e-6)
        assert not result["at_least"].any()
