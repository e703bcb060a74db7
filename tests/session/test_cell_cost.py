"""What a cell cost: in a real shell, on real HTTP and a real log."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from IPython.core.error import UsageError

from stability_magic import Balance, BalanceLog, LogError, StatusError
from stability_magic.analysis.frames import COLUMNS
from stability_magic.log.balance_log import entry_from_balance
from stability_magic.simulator.simulator import FAULTS

from .service import answer_with_balances

pytestmark = pytest.mark.usefixtures("log_path")


def costs_frame(shell, arguments: str = ""):
    """The costs frame, or the summary frame."""
    result = shell.run_cell(f"_costs = %stability_costs {arguments}")
    result.raise_error()
    return shell.user_ns["_costs"]


def read_later(log_path, minutes: float, credits: float) -> None:
    """Logs a balance that is read so many minutes from now."""
    at = datetime.now(UTC) + timedelta(minutes=minutes)
    BalanceLog(log_path).append(Balance("org-sim-studio", credits, at))


def cell_error(shell, cell: str) -> BaseException:
    """The error that a cell raises."""
    result = shell.run_cell(cell)
    error = result.error_in_exec or result.error_before_exec
    assert error is not None
    return error


def test_the_cost_of_a_cell_is_printed_in_a_line_and_logged(shell, api, capsys):
    """With its label and the cell's id; readings are taken after the cell until two agree."""
    answer_with_balances(api, 100.0, 80.0, 76.0, 76.0)
    shell.run_cell("%%stability_cost render --settle 0\nx = 1", cell_id="abc").raise_error()
    out = capsys.readouterr().out
    assert out.startswith("render: 24.00 credits ($0.24) in ")
    assert out.endswith(" s\n")
    frame = costs_frame(shell)
    assert list(frame.columns) == list(COLUMNS["costs"])
    (row,) = frame.to_dict("records")
    assert (row["label"], row["spent"], row["cell"]) == ("render", 24.0, "abc")
    # No reading some minutes later has agreed yet.
    assert not row["exact"]
    assert row["revised_at"] is pd.NaT
    assert row["usd"] == pytest.approx(0.24)
    assert row["organization"] == "org-sim-studio"
    assert shell.user_ns["x"] == 1


def test_the_cell_runs_as_without_the_magic(shell, api, capsys):
    """Assignments persist, the last expression is the result, and errors are the cell's own."""
    result = shell.run_cell("%%stability_cost --settle 0\ny = 20\ny + 1")
    assert result.result == 21
    assert shell.user_ns["y"] == 20
    capsys.readouterr()
    result = shell.run_cell("%%stability_cost boom --settle 0\ndef f():\n    1 / 0\nf()")
    assert isinstance(result.error_in_exec, ZeroDivisionError)
    trace = result.error_in_exec.__traceback__
    lines = []
    while trace is not None:
        lines.append((trace.tb_frame.f_code.co_name, trace.tb_lineno))
        trace = trace.tb_next
    # The lines are those of the cell, and there is no frame of this package in between.
    assert lines[-2:] == [("<module>", 4), ("f", 3)]
    assert "boom: no change seen yet, in " in capsys.readouterr().out
    assert costs_frame(shell)["label"].iloc[-1] == "boom"


def test_an_interrupted_cell_is_logged_all_the_same(shell, api):
    """Ctrl-C ends the cell, not the cost."""
    error = cell_error(shell, "%%stability_cost stopped --settle 0\nraise KeyboardInterrupt")
    assert isinstance(error, KeyboardInterrupt)
    assert costs_frame(shell)["label"].tolist() == ["stopped"]


@pytest.mark.parametrize(
    ("body", "name", "value"),
    [("%%time\nz = 5", "z", 5), ("%%capture got\nprint(3)", "got", None), ("  a = 4", "a", 4)],
)
def test_another_magic_or_an_indent_below_works_as_without(shell, api, body, name, value):
    """Another cell magic takes the rest of the cell."""
    shell.run_cell(f"%%stability_cost inner --settle 0\n{body}").raise_error()
    assert value is None or shell.user_ns[name] == value
    assert value is not None or shell.user_ns[name].stdout == "3\n"
    assert len(costs_frame(shell)) == 1


def test_a_cell_run_within_the_cell_does_not_end_it(shell, api):
    """There is one cost, that of the outer cell."""
    shell.run_cell("%%stability_cost outer --settle 0\nget_ipython().run_cell('1')\nw = 2")
    assert shell.user_ns["w"] == 2
    assert costs_frame(shell)["label"].tolist() == ["outer"]


def test_a_cell_run_within_the_cell_may_have_a_cost_of_its_own(shell, api, capsys):
    """Each ends with its own cell; what the inner one spent is its own."""
    answer_with_balances(api, 100.0, 100.0, 90.0, 90.0, 80.0, 80.0)
    inner = "%%stability_cost inner --settle 0\\npass"
    cell = f'%%stability_cost outer --settle 0\nget_ipython().run_cell("{inner}")\nw = 2'
    shell.run_cell(cell).raise_error()
    assert shell.user_ns["w"] == 2
    inner_line, outer_line = capsys.readouterr().out.splitlines()
    assert inner_line.startswith("inner: 10.00 credits")
    assert outer_line.startswith("outer: about 10.00 credits")


def test_a_program_can_call_the_cell_magic(shell, api):
    """Errors in the cell reach the program."""
    shell.run_cell("get_ipython().run_cell_magic('stability_cost', 'p --settle 0', 'q = 1')")
    assert shell.user_ns["q"] == 1
    with pytest.raises(ZeroDivisionError):
        shell.run_cell_magic("stability_cost", "fails --settle 0", "1 / 0")
    assert costs_frame(shell)["label"].tolist() == ["p", "fails"]


def test_a_reading_that_fails_before_keeps_the_cell_from_running(shell, api):
    """Nothing is run, and nothing is logged."""
    api.fail(FAULTS["500"], path="/user/balance")
    assert isinstance(cell_error(shell, "%%stability_cost\nran = True"), StatusError)
    assert "ran" not in shell.user_ns
    assert costs_frame(shell).empty
    shell.run_cell("%%stability_cost --settle 0\nran = True").raise_error()
    assert len(costs_frame(shell)) == 1


def test_a_reading_that_fails_after_leaves_the_cost_unknown(shell, api, capsys):
    """With a warning, and without an invented figure."""
    answer_with_balances(api, 100.0)
    api.fail(FAULTS["500"], path="/user/balance")
    shell.run_cell("%%stability_cost lost --settle 0\nran = True").raise_error()
    captured = capsys.readouterr()
    assert captured.out.startswith("lost: cost unknown, in ")
    assert "StatusError" in captured.err or "HTTP 500" in captured.err
    assert captured.err.count("\n") == 1
    (row,) = costs_frame(shell).to_dict("records")
    assert np.isnan(row["spent"])
    assert np.isnan(row["usd"])
    assert not row["exact"]


@pytest.mark.parametrize(
    ("credits_after", "spent_text", "exact"),
    [
        ((60.0, 60.0), "40.00", True),
        ((96.0, 95.0, 94.0, 93.0, 92.0), "about 8.00", False),
        ((90.0, 1090.0, 1088.0, 1088.0), "at least 12.00", False),
        ((1060.0, 1060.0), "at least 0.00", False),
    ],
)
def test_an_inexact_cost_says_so(shell, api, log_path, capsys, credits_after, spent_text, exact):
    """A top-up during the cell, and a balance that does not settle within five readings."""
    answer_with_balances(api, 100.0, *credits_after)
    shell.run_cell("%%stability_cost job --settle 0\npass").raise_error()
    assert f"job: {spent_text} credits" in capsys.readouterr().out
    assert costs_frame(shell)["exact"].tolist() == [False]
    read_later(log_path, 15, credits_after[-1])
    assert costs_frame(shell)["exact"].tolist() == [exact]


def test_five_readings_are_taken_after_a_cell_at_the_most(shell, api):
    """However long the balance keeps changing."""
    answer_with_balances(api, *(100.0 - each for each in range(20)))
    shell.run_cell("%%stability_cost --settle 0\npass").raise_error()
    assert [each.path for each in api.requests].count("/v1alpha/user/balance") == 6


def test_spending_before_the_cell_makes_it_inexact(shell, api, capsys):
    """Somebody else who has just spent credits may have gone on during the cell."""
    answer_with_balances(api, 120.0, 110.0, 100.0, 100.0)
    shell.run_cell("%stability_balance").raise_error()
    capsys.readouterr()
    shell.run_cell("%%stability_cost shared --settle 0\npass").raise_error()
    assert capsys.readouterr().out.startswith("shared: about 10.00 credits")


def test_spending_by_the_cell_before_does_not(shell, api, log_path):
    """That cell has ended, so it cannot have spent anything during this one."""
    answer_with_balances(api, 100.0, 90.0, 90.0, 90.0, 85.0, 85.0)
    for _ in range(2):
        shell.run_cell("%%stability_cost one --settle 0\npass").raise_error()
    read_later(log_path, 15, 85.0)
    assert costs_frame(shell)["exact"].tolist() == [True, True]
    assert costs_frame(shell)["spent"].tolist() == [10.0, 5.0]


def test_cells_that_ran_at_the_same_time_are_not_exact(shell, api, log_path):
    """Not even the one that ended before the other was logged; and no credit counts twice."""
    answer_with_balances(api, 100.0, 100.0, 90.0, 90.0, 80.0, 80.0)
    shell.run_cell(
        "%%stability_cost outer --settle 0\n"
        "from stability_magic.session.session import Session\n"
        "from stability_magic.settings import StabilityMagic\n"
        "from stability_magic.session.cell_cost import CellCostMeter\n"
        "second = CellCostMeter(Session(StabilityMagic(), source='magic'), None, label='second',"
        " settle=0)\n"
        "second.finish(None)\n"
    ).raise_error()
    frame = costs_frame(shell).set_index("label")
    assert frame["exact"].tolist() == [False, False]
    assert frame.loc["second", "spent"] == 10.0
    assert frame.loc["outer", "spent"] == 10.0
    read_later(log_path, 15, 80.0)
    assert costs_frame(shell)["exact"].tolist() == [False, False]


@pytest.mark.parametrize(
    "cell",
    [
        "%%stability_cost a\n",
        "%%stability_cost a\n \n",
        "%%stability_cost a\n%%stability_cost b\nx = 1",
        "%%stability_cost two words\nx = 1",
        "%%stability_cost --settle soon\nx = 1",
        "%%stability_cost --settle -1\nx = 1",
        "%%stability_cost --settle nan\nx = 1",
        "%%stability_cost --sum\nx = 1",
    ],
)
def test_a_cell_that_cannot_be_measured_is_refused_before_any_request(shell, api, capsys, cell):
    """In one line, and the next cell is measured as usual."""
    assert isinstance(cell_error(shell, cell), UsageError)
    assert "x" not in shell.user_ns
    assert not api.requests
    assert "%%stability_cost: " in capsys.readouterr().err
    shell.run_cell("%%stability_cost --settle 0\nx = 2").raise_error()
    assert shell.user_ns["x"] == 2


def test_a_syntax_error_is_reported_before_any_request(shell, api):
    """The cell cannot run, so it costs nothing."""
    assert isinstance(cell_error(shell, "%%stability_cost\nx = = 1"), SyntaxError)
    assert not api.requests
    shell.run_cell("%%stability_cost --settle 0\nx = 2").raise_error()
    assert len(costs_frame(shell)) == 1


def test_a_second_cost_in_a_cell_is_refused(shell, api):
    """The first one is logged all the same."""
    cell = "%%stability_cost one --settle 0\n%stability_cost two"
    assert isinstance(cell_error(shell, cell), UsageError)
    assert costs_frame(shell)["label"].tolist() == ["one"]
    with pytest.raises(UsageError, match="stands at its head"):
        shell.run_line_magic("stability_cost", "")


@pytest.mark.parametrize("word", ["unload_ext", "reload_ext"])
def test_unloading_within_the_cell_ends_and_logs_the_cost(shell, api, log_path, word):
    """Nothing is lost, and the extension can be loaded again."""
    shell.run_cell(f"%%stability_cost last --settle 0\n%{word} stability_magic").raise_error()
    assert [each.label for each in BalanceLog(log_path).costs()] == ["last"]
    shell.run_cell("%load_ext stability_magic").raise_error()


def test_another_service_in_the_cell_leaves_no_cost(shell, api, capsys):
    """Balances of two accounts cannot be subtracted."""
    shell.run_cell("%%stability_cost mixed --settle 0\n%stability_demo").raise_error()
    captured = capsys.readouterr()
    assert "mixed: cost unknown" in captured.out
    assert "was changed in the cell" in captured.err
    assert costs_frame(shell).empty
    shell.run_cell("%stability_demo --stop").raise_error()


def test_a_cost_that_cannot_be_logged_is_written_later(shell, api, log_path, capsys):
    """It stays in the backlog, as readings do."""
    log_path.mkdir(parents=True)
    shell.run_cell("%%stability_cost waits --settle 0\npass").raise_error()
    captured = capsys.readouterr()
    assert captured.out.startswith("waits: no change seen yet, in ")
    assert "not in the log yet" in captured.err
    with pytest.raises(LogError):
        BalanceLog(log_path).costs()
    log_path.rmdir()
    shell.run_cell("%stability_balance").raise_error()
    assert costs_frame(shell)["label"].tolist() == ["waits"]
    assert len(BalanceLog(log_path).readings()) == 4


def run_late_cell(shell, api, label: str, credits: float) -> None:
    """Runs a cell that spends credits which the service's balance shows later."""
    shell.user_ns["spend"] = lambda: api.spend(credits)
    shell.run_cell(f"%%stability_cost {label} --settle 0\nspend()").raise_error()


def test_a_later_reading_revises_the_cost_of_a_cell_that_was_waiting(shell, api, log_path, capsys):
    """A balance that has not moved is no proof that the cell cost nothing."""
    api.lag = 120.0
    run_late_cell(shell, api, "render", 24.0)
    assert capsys.readouterr().out.startswith("render: no change seen yet, in ")
    (row,) = costs_frame(shell).to_dict("records")
    assert (row["spent"], row["exact"]) == (0.0, False)
    assert row["revised_at"] is pd.NaT
    line = capsys.readouterr().out.splitlines()[0]
    assert line.endswith(": 0.00 credits ($0.00) · no change seen yet for 1")
    api.lag = 0.0
    shell.run_cell("%stability_balance").raise_error()
    capsys.readouterr()
    (row,) = costs_frame(shell).to_dict("records")
    assert row["spent"] == pytest.approx(24.0)
    assert not row["exact"]
    readings = BalanceLog(log_path).readings()
    assert row["revised_at"] == readings.index[-1]
    assert capsys.readouterr().out.splitlines()[0].endswith(": about 24.00 credits ($0.24)")
    read_later(log_path, 15, readings["credits"].iloc[-1])
    (row,) = costs_frame(shell).to_dict("records")
    assert row["exact"]
    assert row["revised_at"] == readings.index[-1]
    assert costs_frame(shell, "--summary")["total"].tolist() == pytest.approx([24.0, 0.0])


@pytest.mark.parametrize("way", ["watch", "another cell", "merge"])
def test_readings_of_every_kind_revise_a_cost(shell, api, log_path, tmp_path, way):
    """A watch's, the one before another cell, and one that another machine took."""
    answer_with_balances(api, 100.0, 100.0, 100.0)
    shell.run_cell("%%stability_cost job --settle 0\npass").raise_error()
    if way == "merge":
        other = tmp_path / "other.db"
        read_later(other, 2, 76.0)
        shell.run_cell(f"%stability_merge {other}").raise_error()
    else:
        answer_with_balances(api, 76.0, 76.0, 76.0)
        line = "%%stability_cost next --settle 0\npass"
        shell.run_cell("%stability_watch --every 10s" if way == "watch" else line).raise_error()
        shell.run_cell("%stability_watch --stop").raise_error()
    row = costs_frame(shell).iloc[0]
    assert (row["spent"], row["exact"]) == (24.0, False)
    assert row["revised_at"] > row["started_at"]
    assert costs_frame(shell)["spent"].sum() == 24.0


def test_a_balance_that_some_minutes_later_is_the_same_proves_that_a_cell_was_free(
    shell, api, log_path, capsys
):
    """What is spent after that is somebody else's."""
    answer_with_balances(api, 100.0, 100.0, 100.0)
    shell.run_cell("%%stability_cost free --settle 0\npass").raise_error()
    read_later(log_path, 12, 100.0)
    capsys.readouterr()
    assert costs_frame(shell)[["spent", "exact"]].values.tolist() == [[0.0, True]]
    assert capsys.readouterr().out.splitlines()[0].endswith(": 0.00 credits ($0.00)")
    read_later(log_path, 20, 90.0)
    assert costs_frame(shell)[["spent", "exact"]].values.tolist() == [[0.0, True]]
    assert costs_frame(shell, "--summary")["total"].tolist() == [0, 10]


@pytest.mark.parametrize(
    ("minutes", "credits"), [(75, 76.0), (30, 1076.0)], ids=["after an hour", "topped up"]
)
def test_a_cell_is_charged_only_with_what_nothing_else_explains(
    shell, api, log_path, minutes, credits
):
    """Not with what fell much later, or while a top-up hid it."""
    answer_with_balances(api, 100.0, 100.0, 100.0)
    shell.run_cell("%%stability_cost job --settle 0\npass").raise_error()
    read_later(log_path, minutes, credits)
    frame = costs_frame(shell)
    assert frame[["spent", "exact"]].values.tolist() == [[0.0, False]]
    assert frame["revised_at"].isna().all()


def test_what_another_cell_explains_revises_nothing_but_makes_that_cell_an_estimate(
    shell, api, log_path, capsys
):
    """It may have been the cell before, whose spending came late."""
    answer_with_balances(api, 100.0, 100.0, 100.0, 100.0, 70.0, 70.0)
    for label in ("first", "second"):
        shell.run_cell(f"%%stability_cost {label} --settle 0\npass").raise_error()
    assert capsys.readouterr().out.splitlines()[1].startswith("second: about 30.00 credits")
    read_later(log_path, 15, 70.0)
    frame = costs_frame(shell)
    assert frame[["spent", "exact"]].values.tolist() == [[0.0, False], [30.0, False]]


def test_cells_that_wait_together_share_what_falls_evenly(shell, api, log_path):
    """Nothing tells which of them spent it."""
    answer_with_balances(api, *[100.0] * 6, 70.0)
    for label in ("first", "second"):
        shell.run_cell(f"%%stability_cost {label} --settle 0\npass").raise_error()
    shell.run_cell("%stability_balance").raise_error()
    read_later(log_path, 15, 70.0)
    frame = costs_frame(shell)
    assert frame[["spent", "exact"]].values.tolist() == [[15.0, False], [15.0, False]]
    assert frame["revised_at"].notna().all()


def test_a_cost_that_was_unknown_is_found_by_a_later_reading(shell, api, capsys):
    """Whoever took it."""
    answer_with_balances(api, 100.0)
    api.fail(FAULTS["500"], path="/user/balance")
    shell.run_cell("%%stability_cost lost --settle 0\npass").raise_error()
    answer_with_balances(api, 60.0)
    shell.run_cell("%stability_balance").raise_error()
    (row,) = costs_frame(shell).to_dict("records")
    assert (row["spent"], row["exact"]) == (40.0, False)
    assert row["revised_at"] is not pd.NaT


def test_the_summary_has_a_row_for_each_label_and_for_what_was_spent_elsewhere(shell, api, capsys):
    """Computed by hand: 10 and 6 for renders, 3 without a label, 5 and 7 outside all cells."""
    credits = (200.0, 190.0, 190.0, 185.0, 179.0, 179.0, 179.0, 176.0, 176.0, 169.0)
    answer_with_balances(api, *credits)
    for label in ("render", "render", ""):
        shell.run_cell(f"%%stability_cost {label} --settle 0\npass").raise_error()
    shell.run_cell("%stability_balance").raise_error()
    frame = costs_frame(shell, "--summary")
    assert list(frame.columns) == list(COLUMNS["summary"])
    rows = frame.set_index("label")
    assert rows.loc["render", ["count", "total", "mean", "dearest"]].tolist() == [2, 16, 8, 10]
    assert rows.loc["(no label)", "total"] == 3
    assert rows.loc["(elsewhere)", "total"] == 12
    assert frame["total"].sum() == 200 - 169
    assert frame["share"].tolist() == pytest.approx([16 / 31, 3 / 31, 12 / 31])
    assert frame["label"].iloc[-1] == "(elsewhere)"
    render_frame = costs_frame(shell, "render --summary")
    assert render_frame["label"].tolist() == ["render", "(elsewhere)"]
    assert render_frame["total"].tolist() == [16, 12]
    assert render_frame["share"].tolist() == pytest.approx([16 / 31, 12 / 31])
    assert len(costs_frame(shell, "render")) == 2


@pytest.mark.parametrize("label", ["(elsewhere)", " (Elsewhere) ", "(no label)"])
def test_a_label_that_stands_for_something_else_is_refused(shell, api, label):
    """Before any request; a row of the summary would have two meanings."""
    cell = f"%%stability_cost '{label}'\nran = True"
    assert isinstance(cell_error(shell, cell), UsageError)
    assert "ran" not in shell.user_ns
    assert not api.requests


def test_such_a_label_in_a_log_of_somebody_else_is_a_cell_all_the_same(
    shell, api, log_path, capsys
):
    """What is elsewhere has no cells."""
    answer_with_balances(api, 100.0, 94.0, 94.0, 94.0)
    shell.run_cell("%%stability_cost render --settle 0\nx = 1").raise_error()
    with closing(sqlite3.connect(log_path)) as connection, connection:
        connection.execute("UPDATE costs SET label = '(elsewhere)'")
    read_later(log_path, 10, 83.0)
    capsys.readouterr()
    frame = costs_frame(shell, "--summary")
    line = capsys.readouterr().out
    assert list(frame["total"]) == [6.0, 11.0]
    assert re.search(r"^1 cell .*: (about )?6\.00 .*\(elsewhere\) .*: (about )?11\.00 ", line)


def test_elsewhere_begins_with_the_first_cell_or_with_the_window_that_is_told(
    shell, api, log_path, capsys
):
    """What was spent in the weeks before looks like a stolen key; the line names the window."""
    for minutes, credits in ((-3 * 1440, 9100.0), (-5 * 60, 1100.0), (-4 * 60, 100.0)):
        read_later(log_path, minutes, credits)
    answer_with_balances(api, 100.0, 76.0, 76.0, 70.0)
    shell.run_cell("%%stability_cost render --settle 0\npass").raise_error()
    shell.run_cell("%stability_balance").raise_error()
    capsys.readouterr()
    frame = costs_frame(shell, "--summary")
    line = capsys.readouterr().out.splitlines()[0]
    start = costs_frame(shell)["started_at"].iloc[0]
    assert frame["total"].tolist() == [24, 6]
    assert frame["share"].tolist() == pytest.approx([0.8, 0.2])
    assert line.endswith(f" · (elsewhere) since {start:%H:%M}: 6.00 credits ($0.06) · 30.00 in all")
    capsys.readouterr()
    at = (datetime.now(UTC) - timedelta(minutes=5 * 60 - 1)).isoformat()
    frame = costs_frame(shell, f"--summary --since {at}")
    line = capsys.readouterr().out.splitlines()[0]
    # A minute of the hour in which 1000 were spent lies before the window.
    assert frame["total"].tolist() == pytest.approx([24, 6 + 1000 * 59 / 60], rel=1e-3)
    assert "(elsewhere) since " in line
    assert "about " in line.partition("(elsewhere)")[2]
    # Usage begins with whole hours.
    at = datetime.now(UTC) - timedelta(hours=5)
    hour = at.replace(minute=0, second=0, microsecond=0).isoformat()
    frame = costs_frame(shell, f"--summary --since {hour}")
    usage = shell.run_cell(f"%stability_usage --by hour --since {hour}").result
    assert frame["total"].sum() == pytest.approx(usage["spent"].sum(), rel=1e-6)
    capsys.readouterr()
    frame = costs_frame(shell, "--summary --since all")
    assert frame["total"].tolist() == [24, 9006]
    first = datetime.now(UTC) - timedelta(days=3)
    assert f"(elsewhere) since {first.day} {first:%b} " in capsys.readouterr().out


def test_the_summary_adds_up_to_all_that_was_spent(shell, api, log_path, capsys):
    """By organizations without cells too, so that it is the sum that usage tells."""
    now = datetime.now(UTC)
    for minutes, credits in ((-20, 500.0), (-10, 470.0)):
        at = now + timedelta(minutes=minutes)
        BalanceLog(log_path).append(Balance("org-other", credits, at))
        BalanceLog(log_path).append(Balance("org-idle", 7.0, at))
    answer_with_balances(api, 100.0, 90.0, 90.0)
    shell.run_cell("%%stability_cost render --settle 0\npass").raise_error()
    capsys.readouterr()
    frame = costs_frame(shell, "--summary --since all")
    assert frame["total"].tolist() == [10, 30, 0]
    assert frame["organization"].tolist() == ["org-sim-studio", "org-other", "org-sim-studio"]
    assert frame["share"].tolist() == [0.25, 0.75, 0]
    assert capsys.readouterr().out.splitlines()[0].endswith(" · 40.00 in all")
    usage = shell.run_cell("%stability_usage --since all").result
    assert usage["spent"].sum() == pytest.approx(40)
    labelled = costs_frame(shell, "render --summary --since all")
    assert labelled["organization"].unique().tolist() == ["org-sim-studio"]


def test_a_window_without_cells_tells_what_was_spent_elsewhere(shell, api, log_path, capsys):
    """Where a window is told; otherwise there is none."""
    read_later(log_path, -20, 100.0)
    read_later(log_path, -10, 88.0)
    assert costs_frame(shell, "--summary").empty
    assert re.fullmatch(r"no cells since .+\n", capsys.readouterr().out)
    frame = costs_frame(shell, "--summary --since 1h")
    assert frame[["label", "total", "share"]].values.tolist() == [["(elsewhere)", 12, 1]]
    assert capsys.readouterr().out.startswith("no cells since ")


def test_frames_without_costs_have_their_columns_and_types(shell):
    """Both where there is no log and where the window is empty."""
    for arguments, frame_name in (
        ("", "costs"),
        ("--summary", "summary"),
        ("x --since 1h", "costs"),
    ):
        frame = costs_frame(shell, arguments)
        assert frame.empty
        assert list(frame.columns) == list(COLUMNS[frame_name])
        expected = [str(each).partition("[")[0] for each in COLUMNS[frame_name].values()]
        assert [str(each).partition("[")[0] for each in frame.dtypes] == expected


def test_a_log_of_the_previous_version_is_read_as_it_is_and_loses_nothing(log_path):
    """It gets its table of costs when the next reading is written."""
    from sqlite_utils import Database

    from stability_magic.log.schema import MIGRATIONS

    log_path.parent.mkdir(parents=True)
    with closing(sqlite3.connect(log_path)) as connection:
        MIGRATIONS.apply(Database(connection), stop_before="m002_costs")
    at = datetime(2026, 11, 1, tzinfo=UTC)
    first = entry_from_balance(Balance("org-a", 5.0, at))
    with closing(sqlite3.connect(log_path)) as connection, connection:
        connection.execute("INSERT INTO apis VALUES (1, '')")
        values = (first.organization, first.read_at, first.id, first.credits, 1, "cli", None)
        connection.execute("INSERT INTO readings VALUES (?, ?, ?, ?, ?, ?, ?)", values)
    before = log_path.read_bytes()
    log = BalanceLog(log_path)
    assert log.readings()["credits"].tolist() == [5.0]
    assert log.costs() == []
    assert log_path.read_bytes() == before
    log.append(Balance("org-a", 4.0, at + timedelta(hours=1)))
    assert log.readings()["credits"].tolist() == [5.0, 4.0]
    with closing(sqlite3.connect(log_path)) as connection:
        assert connection.execute("SELECT count(*) FROM costs").fetchone() == (0,)
