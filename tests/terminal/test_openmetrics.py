"""``stability-magic status --format openmetrics``: what Prometheus and its kin read."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from stability_magic import Account, Balance, BalanceLog, Organization
from stability_magic.analysis.summary import Summary
from stability_magic.display.openmetrics import summary_openmetrics
from stability_magic.log.balance_log import entry_from_balance
from stability_magic.terminal.command_line import main

openmetrics_parser = pytest.importorskip("prometheus_client.openmetrics.parser")
text_parser = pytest.importorskip("prometheus_client.parser")

NAME = 'Studio "\u00dc" \\ (simulated)'

WINDOWS = {"today", "yesterday", "this_week", "last_week", "this_month", "last_month"}


def samples(text: str) -> dict[str, dict[tuple[str, str], float]]:
    """The values by family, and by organization and window; read by both parsers alike."""
    families = list(openmetrics_parser.text_string_to_metric_families(text))
    older = list(text_parser.text_string_to_metric_families(text))
    assert {each.name: each.samples for each in families} == {
        each.name: each.samples for each in older
    }
    assert {each.type for each in families} <= {"gauge"}
    for each in families:
        # node_exporter skips a file with times.
        assert not [sample for sample in each.samples if sample.timestamp is not None]
        assert each.documentation
        assert each.name.endswith(f"_{each.unit}") or not each.unit
    return {
        each.name: {
            (sample.labels.get("organization", ""), sample.labels.get("window", "")): sample.value
            for sample in each.samples
        }
        for each in families
    }


@pytest.fixture
def log(log_path) -> BalanceLog:
    """Forty days of readings of two organizations, one with a name that needs care."""
    log = BalanceLog(log_path)
    now = datetime.now(UTC)
    entries = [
        entry_from_balance(Balance(each, 1000.0 + number * hours, now - timedelta(hours=hours)))
        for hours in range(0, 40 * 24, 6)
        for number, each in enumerate(("org-1", "org-2"), start=1)
    ]
    organizations = (
        Organization("org-1", NAME, "OWNER", is_default=True),
        Organization("org-2", "Other", "OWNER", is_default=False),
    )
    log.write(entries, account=Account("user-1", "", organizations), key_fingerprint="f")
    return log


def test_it_tells_what_the_log_knows(log, capsys):
    """For each organization; both formats of Prometheus have the same figures."""
    assert main(["status", "-a", "--format", "openmetrics"]) == 0
    text = capsys.readouterr().out
    assert text.endswith("\n# EOF\n")
    told = samples(text)
    readings = log.readings()
    assert told["stability_balance_credits"] == {("org-1", ""): 1000.0, ("org-2", ""): 1000.0}
    last = readings.index[-1].timestamp()
    assert told["stability_balance_read_timestamp_seconds"][("org-1", "")] == pytest.approx(
        last, abs=1e-5
    )
    assert set(told["stability_balance_is_doubtful"].values()) == {0.0}
    spent = told["stability_spent_credits"]
    assert {window for _, window in spent} == WINDOWS
    assert spent["org-1", "yesterday"] == pytest.approx(24.0)
    assert spent["org-2", "yesterday"] == pytest.approx(48.0)
    assert told["stability_likely_spent_credits"].keys() == spent.keys()
    assert told["stability_expected_spend_per_day_credits"]["org-2", ""] == pytest.approx(
        48, rel=0.2
    )
    early, empty, late = (
        told[f"stability_empty{each}_timestamp_seconds"]["org-1", ""]
        for each in ("_early", "", "_late")
    )
    assert last < early <= empty <= late
    assert "stability_low_balance_credits" not in told


def test_names_are_labels_with_whatever_they_hold(log, capsys):
    """Quotes, backslashes and letters beyond ASCII, in a pipe of any encoding."""
    done = subprocess.run(
        [sys.executable, "-m", "stability_magic", "status", "-a", "--format", "openmetrics"],
        capture_output=True,
        timeout=60,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )
    families = openmetrics_parser.text_string_to_metric_families(done.stdout.decode())
    names = {sample.labels["name"] for each in families for sample in each.samples}
    assert names == {NAME, "Other"}


def test_what_is_low_is_a_figure(log, capsys, monkeypatch):
    """To be compared with in an alert."""
    monkeypatch.setenv("STABILITY_LOW_BALANCE", "2500.5")
    assert main(["--format", "openmetrics"]) == 0
    assert samples(capsys.readouterr().out)["stability_low_balance_credits"] == {("", ""): 2500.5}


def test_what_is_not_known_is_left_out(log_path, capsys):
    """Rather than a 0 or NaN: no forecast and no spending after the first reading."""
    BalanceLog(log_path).append(Balance("org-1", 0.1 + 0.2, datetime.now(UTC)))
    assert main(["status", "--format", "openmetrics"]) == 0
    text = capsys.readouterr().out
    told = samples(text)
    assert told["stability_balance_credits"] == {("org-1", ""): 0.1 + 0.2}
    assert not [each for each in told if "empty" in each]
    assert "nan" not in text.lower()


def test_an_empty_log_is_a_document_without_figures(log_path, capsys):
    """The note goes to the other stream."""
    assert main(["status", "--format", "openmetrics"]) == 0
    captured = capsys.readouterr()
    assert captured.out == "# EOF\n"
    assert samples(captured.out) == {}
    assert "takes one" in captured.err


def test_a_broken_line_in_a_name_breaks_no_line():
    """The parsers get back what was put in."""
    times = np.zeros(0, dtype=np.int64)
    floats = np.zeros(0)
    at = datetime(2026, 1, 5, 12, tzinfo=UTC)
    name = 'a\nb"c\\n'
    summary = Summary(
        "org-1", name, 1.5, at, at, {}, floats, floats, (), times, floats, pd.DataFrame()
    )
    families = openmetrics_parser.text_string_to_metric_families(summary_openmetrics([summary]))
    assert {sample.labels["name"] for each in families for sample in each.samples} == {name}
