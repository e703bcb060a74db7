"""The magics that read the log, in a real shell."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from IPython.core.error import UsageError
from matplotlib.figure import Figure
from matplotlib.text import Text

from stability_magic import Balance, BalanceLog, usage
from stability_magic.analysis.frames import COLUMNS
from stability_magic.log.balance_log import entry_from_balance

from .magic_calls import magic_error, run_magic


@pytest.mark.usefixtures("api", "log_path")
def test_history_usage_and_plot_send_no_request(shell, api):
    """They read the log."""
    run_magic(shell, "%stability_balance -a")
    request_count = len(api.requests)
    history = run_magic(shell, "%stability_history")
    usage = run_magic(shell, "%stability_usage --by hour")
    figure = run_magic(shell, "%stability_plot")
    assert len(api.requests) == request_count
    assert len(history) == 3
    assert usage.index.name == "period"
    assert list(usage.columns) == list(COLUMNS["usage"])
    assert isinstance(figure, Figure)


@pytest.mark.usefixtures("api")
def test_an_empty_log_gives_empty_frames_of_the_same_shape(shell, capsys, log_path):
    """Reading creates no file, and a note says how to take a reading."""
    empty_frame = run_magic(shell, "%stability_history")
    assert "no readings in" in capsys.readouterr().err.lower()
    assert not log_path.exists()
    run_magic(shell, "%stability_balance")
    full_frame = run_magic(shell, "%stability_history")
    assert empty_frame.empty
    assert empty_frame.dtypes.to_dict() == full_frame.dtypes.to_dict()
    assert empty_frame.index.dtype == full_frame.index.dtype
    assert isinstance(run_magic(shell, "%stability_plot"), Figure)


@pytest.mark.usefixtures("api", "log_path")
def test_the_error_for_an_unknown_organization_lists_those_in_the_log(shell, capsys):
    """A wrong id is a wrong argument."""
    logged_id = run_magic(shell, "%stability_balance")["organization"].iloc[0]
    capsys.readouterr()
    for each in ("history", "usage", "plot", "forecast"):
        assert isinstance(magic_error(shell, f"%stability_{each} -o org-none"), UsageError)
        error_text = capsys.readouterr().err
        assert "'org-none'" in error_text
        assert logged_id in error_text


def log_of_steps(log_path, days_ago, *steps):
    """A log of readings so many hours apart, between each two of which a credit is spent."""
    start = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    times = start - timedelta(days=days_ago) + np.cumsum([0, *steps]) * timedelta(hours=1)
    log = BalanceLog(log_path, timezone=UTC)
    log.write(
        [
            entry_from_balance(Balance("org-a", 900.0 - number, each))
            for number, each in enumerate(times)
        ]
    )
    return log.readings()


def test_what_was_spread_over_the_border_of_the_window_is_told_as_about(shell, capsys, log_path):
    """A night's job that ran into the window; all of it is in the sum of a wider one."""
    readings = log_of_steps(log_path, 5, *[12] * 3, 11, 14, *[1] * 23)
    first, second = (f"{readings.index[0] + pd.Timedelta(days=n):%Y-%m-%d}" for n in (0, 2))
    frame = run_magic(shell, f"%stability_usage --since {first}")
    assert not capsys.readouterr().out.startswith("about")
    assert frame["estimated"].sum() == pytest.approx(1)
    frame = run_magic(shell, f"%stability_usage --since {second}")
    assert capsys.readouterr().out.startswith("about 23.93 credits")
    assert frame["estimated"].iloc[0] == pytest.approx(13 / 14)
    for start, is_about in ((second, True), (first, False)):
        figure = run_magic(shell, f"%stability_plot --since {start}")
        texts = {each.get_text() for each in figure.findobj(Text)}
        (words,) = (each for each in texts if re.search(r"\$[\d.]+\) spent ", each))
        assert ("about " in words) == is_about, words


def test_a_gap_is_judged_by_the_whole_log_in_every_window(shell, log_path):
    """A window of short steps alone does not make a gap of what is usual elsewhere."""
    readings = log_of_steps(log_path, 9, *[2] * 60, *[0.1] * 100, 2, 40, *[0.1] * 50)
    expected = usage(readings)["observed"]
    assert 0 < (expected < 1).sum() < 4
    for days in (2, 3, 4, 7):
        start = f"{readings.index[-1].normalize() - pd.Timedelta(days=days):%Y-%m-%d}"
        frame = run_magic(shell, f"%stability_usage --since {start}")
        pd.testing.assert_series_equal(
            frame["observed"], expected.loc[frame.index[0] :], check_freq=False
        )
        axes = run_magic(shell, f"%stability_plot --since {start} --by hour").axes[0]
        assert "grey: no readings" in axes.get_title(loc="left") + " ".join(
            each.get_text() for each in axes.figure.findobj(Text)
        )


@pytest.mark.usefixtures("log_path")
def test_times_are_in_the_zone_of_the_settings(shell, api, monkeypatch):
    """One zone for the index of every frame."""
    shell.run_cell("%config StabilityMagic.timezone = 'Asia/Kolkata'")
    assert str(run_magic(shell, "%stability_balance").index.tz) == "Asia/Kolkata"
    assert str(run_magic(shell, "%stability_usage").index.tz) == "Asia/Kolkata"
