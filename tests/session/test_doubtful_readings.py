"""A balance that is wrong for a while, from the service to every answer."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from stability_magic import Balance, BalanceLog
from stability_magic.analysis.spend import doubtful_count, usage_cut_points, usage_of
from stability_magic.log.balance_log import entry_from_balance
from stability_magic.log.outbox import Outbox
from stability_magic.shared_log.connection import target_from_address
from stability_magic.shared_log.shared_log import SharedLog
from stability_magic.shared_log.sync import send
from stability_magic.terminal.command_line import main
from stability_magic.text import DatabaseAddress

START = datetime(2026, 3, 2, tzinfo=UTC)


def output_of(shell, capsys, cell):
    """What a cell prints, and its result."""
    capsys.readouterr()
    result = shell.run_cell(cell)
    result.raise_error()
    return capsys.readouterr().out, result.result


@pytest.mark.usefixtures("log_path")
def test_a_wrong_balance_is_told_and_then_counts_nowhere(shell, api, capsys):
    """First it may be a refund; once it has fallen back, it is in no sum."""
    output, frame = output_of(shell, capsys, "%stability_balance")
    true = float(frame["credits"].iloc[-1])
    api.tell_wrongly(true + 953.5)
    doubt = "DOUBTFUL: a rise by 953.50, which is no purchase of whole dollars; later readings will"
    output, frame = output_of(shell, capsys, "%stability_balance")
    assert doubt in output
    assert frame["doubtful"].isna().all()
    assert doubt in " ".join(output_of(shell, capsys, "%stability")[0].split())
    main(["status", "--json"])
    (record,) = json.loads(capsys.readouterr().out)["organizations"]
    assert record["doubt"] == "a rise by 953.50, which is no purchase of whole dollars"
    api.tell_wrongly(None)
    api.spend(206.0)
    output, frame = output_of(shell, capsys, "%stability_balance")
    assert "DOUBTFUL" not in output
    assert "206.00 spent" in output
    reasons = frame["doubtful"].tolist()
    assert reasons[1] == "rose by 953.50, which is no purchase, and fell back"
    assert pd.isna([reasons[0], reasons[2]]).all()
    output, frame = output_of(shell, capsys, "%stability_usage")
    assert output.startswith("206.00 credits ($2.06) spent")
    assert " · 1 doubtful reading left out\n" in output
    assert frame["spent"].sum() == pytest.approx(206.0)
    assert frame["topped_up"].sum() == 0.0
    output, _ = output_of(shell, capsys, "%stability_history")
    assert " · 1 doubtful reading, in no sum\n" in output
    main(["status", "--json"])
    (record,) = json.loads(capsys.readouterr().out)["organizations"]
    assert record["doubt"] is None
    assert record["spent"]["today"]["credits"] == pytest.approx(206.0)


@pytest.mark.usefixtures("log_path")
def test_a_sudden_zero_is_told(shell, api, capsys):
    """Nobody need buy at once."""
    output_of(shell, capsys, "%stability_balance")
    api.tell_wrongly(0.0)
    assert "DOUBTFUL: a sudden 0, which may be" in output_of(shell, capsys, "%stability_balance")[0]


@pytest.mark.parametrize("minutes", [1, 10])
def test_a_shared_log_leaves_the_same_readings_out(postgres, tmp_path, minutes):
    """Also where the database adds readings up, and for a window that begins in their midst."""
    log = BalanceLog(tmp_path / "log.db", timezone=UTC)
    credits = 9000.0 - 0.37 * np.arange(4000)
    for first in (500, 1700, 2900):
        credits[first : first + 30] = credits[first - 1] + 953.5
    instants = [START + timedelta(minutes=minutes * each) for each in range(len(credits))]
    log.write(
        entry_from_balance(Balance("org-a", float(left), at))
        for at, left in zip(instants, credits, strict=True)
    )
    target = target_from_address(DatabaseAddress(postgres.address()), f"doubtful{minutes}")
    with closing(SharedLog(target, UTC)) as shared:
        send(Outbox(log.path), shared, lambda total: None)
        pd.testing.assert_frame_equal(
            shared.readings_with_neighbours(None, None, None), log.readings()
        )
        for since in (None, instants[515]):
            cut_points = usage_cut_points("day", UTC, since, None)
            told = shared.histories(None, since, None, cut_points)
            expected = log.histories(since=since)
            count = doubtful_count(expected.series, since, None)
            assert count == (75 if since else 90)
            assert doubtful_count(told.series, since, None) == count
            pd.testing.assert_frame_equal(
                usage_of(told, "day", since=since), usage_of(expected, "day", since=since)
            )
