"""Usage against what the simulated organizations really spent."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pandas as pd
import pytest

from stability_magic import usage
from stability_magic._simulation import default_organizations, shared_ledger

BERLIN = ZoneInfo("Europe/Berlin")
# Four weeks, with a day of 23 hours among them, of three organizations that live differently.
START, END = datetime(2026, 3, 9, tzinfo=BERLIN), datetime(2026, 4, 6, tzinfo=BERLIN)
EVERYONE = pytest.mark.parametrize(
    "organization", default_organizations(), ids=lambda organization: organization.name
)
PERIODS = pytest.mark.parametrize("by", ["hour", "day", "week"])


def readings_of(ledger, instants):
    """What the service would have answered at these instants."""
    credits = [ledger.balance(at.to_pydatetime()) for at in instants]
    return pd.DataFrame({"organization": "org-a", "credits": credits}, index=instants)


def truth_of(ledger, found, by):
    """What was really spent and bought in each period."""
    step = {"hour": pd.Timedelta(hours=1), "day": pd.DateOffset(days=1)}.get(
        by, pd.DateOffset(weeks=1)
    )
    edges = [(at.to_pydatetime(), (at + step).to_pydatetime()) for at in found.index]
    columns = {
        "spent": [ledger.spent(*each) for each in edges],
        "topped_up": [ledger.topped_up(*each) for each in edges],
    }
    return pd.DataFrame(columns, index=found.index)


@EVERYONE
@PERIODS
def test_without_a_top_up_it_is_exact_and_with_one_a_lower_bound(organization, by):
    """Read every ten minutes; a period with a top-up says that its figure is one."""
    ledger = shared_ledger(organization, 7)
    instants = pd.date_range(START, END, freq="10min")
    found = usage(readings_of(ledger, instants), by).iloc[:-1]
    truth = truth_of(ledger, found, by)
    plain = truth["topped_up"] == 0
    assert plain.any()
    assert found["spent"][plain].tolist() == pytest.approx(truth["spent"][plain].tolist(), abs=1e-6)
    assert (found["spent"] <= truth["spent"] + 1e-6).all()
    assert (found["topped_up"] <= truth["topped_up"] + 1e-6).all()
    assert found["at_least"].tolist() == (~plain).tolist()
    net = (found["topped_up"] - found["spent"]) - (truth["topped_up"] - truth["spent"])
    assert net.abs().max() < 1e-6
    assert found["observed"].min() == 1


@EVERYONE
@pytest.mark.parametrize("hours", [1, 24])
def test_rarer_readings_are_never_more_than_the_truth(organization, hours):
    """Where nothing rose and nothing was bought, each day is exact all the same."""
    ledger = shared_ledger(organization, 7)
    step = "h" if hours == 1 else "D"
    found = usage(readings_of(ledger, pd.date_range(START, END, freq=step)), "day").iloc[:-1]
    truth = truth_of(ledger, found, "day")
    plain = truth["topped_up"] == 0
    assert found["spent"][plain].tolist() == pytest.approx(truth["spent"][plain].tolist(), abs=1e-6)
    assert not found["at_least"][plain].any()
    assert (found["spent"] <= truth["spent"] + 1e-6).all()
    assert (truth["topped_up"][found["at_least"]] > 0).all()


@EVERYONE
@pytest.mark.parametrize("seed", range(3))
def test_irregular_readings_add_up_to_the_truth_of_the_time_they_span(organization, seed):
    """Whenever somebody looked: every minute, or not for days."""
    ledger = shared_ledger(organization, seed)
    chance = random.Random(seed)
    minutes = {chance.randrange(40_000) for _ in range(60)} | set(range(5000, 5060))
    start = START.astimezone(UTC)
    instants = pd.DatetimeIndex([start + timedelta(minutes=n) for n in sorted(minutes)])
    found = usage(readings_of(ledger, instants.tz_convert(BERLIN)))
    first, last = instants[0].to_pydatetime(), instants[-1].to_pydatetime()
    spent, bought = ledger.spent(first, last), ledger.topped_up(first, last)
    assert found["spent"].sum() <= spent + 1e-6
    net = found["topped_up"].sum() - found["spent"].sum()
    assert net == pytest.approx(bought - spent, abs=1e-6)
    if bought == 0:
        assert found["spent"].sum() == pytest.approx(spent, abs=1e-6)
        assert not found["at_least"].any()
