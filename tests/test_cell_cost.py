"""What a cell cost: in a real shell, on real HTTP and a real log."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from IPython.core.error import UsageError

from stability_magic import Balance, BalanceLog, LogError, StatusError
from stability_magic._frames import COLUMNS
from stability_magic._log import entry
from stability_magic._simulator import FAULTS, Fault

pytestmark = pytest.mark.usefixtures("log_path")


def balances(api, *credits: float) -> None:
    """Hands these balances out to the next that ask."""
    for each in credits:
        body = json.dumps({"credits": each}).encode()
        api.fail(Fault(200, body), path="/user/balance")


def costs(shell, arguments: str = ""):
    """The costs frame, or the summary."""
    result = shell.run_cell(f"_costs = %stability_costs {arguments}")
    result.raise_error()
    return shell.user_ns["_costs"]


def failure(shell, cell: str) -> BaseException:
    """What a cell raises."""
    result = shell.run_cell(cell)
    error = result.error_in_exec or result.error_before_exec
    assert error is not None
    return error


def test_a_cell_s_cost_is_told_in_a_line_and_logged(shell, api, capsys):
    """With its label and the cell's id; the reading after it is repeated until two agree."""
    balances(api, 100.0, 80.0, 76.0, 76.0)
    shell.run_cell("%%stability_cost render --settle 0\nx = 1", cell_id="abc").raise_error()
    out = capsys.readouterr().out
    assert out.startswith("render: 24.00 credits ($0.24) in ")
    assert out.endswith(" s\n")
    frame = costs(shell)
    assert list(frame.columns) == list(COLUMNS["costs"])
    (row,) = frame.to_dict("records")
    assert (row["label"], row["spent"], row["exact"], row["cell"]) == ("render", 24.0, True, "abc")
    assert row["usd"] == pytest.approx(0.24)
    assert row["organization"] == "org-sim-studio"
    assert shell.user_ns["x"] == 1


def test_the_cell_runs_as_without_the_magic(shell, api, capsys):
    """Assignments stay, the last expression is the result, and errors are the cell's own."""
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
    # As the user counts them in the cell, and with no frame of ours in between.
    assert lines[-2:] == [("<module>", 4), ("f", 3)]
    assert "boom: 0.00 credits" in capsys.readouterr().out
    assert costs(shell)["label"].iloc[-1] == "boom"


def test_an_interrupted_cell_is_logged_all_the_same(shell, api):
    """Ctrl-C ends the cell, not the cost."""
    error = failure(shell, "%%stability_cost stopped --settle 0\nraise KeyboardInterrupt")
    assert isinstance(error, KeyboardInterrupt)
    assert costs(shell)["label"].tolist() == ["stopped"]


@pytest.mark.parametrize(
    ("body", "name", "value"),
    [("%%time\nz = 5", "z", 5), ("%%capture got\nprint(3)", "got", None), ("  a = 4", "a", 4)],
)
def test_another_magic_or_an_indent_below_works_as_without(shell, api, body, name, value):
    """What takes the rest of the cell takes it here too."""
    shell.run_cell(f"%%stability_cost inner --settle 0\n{body}").raise_error()
    assert value is None or shell.user_ns[name] == value
    assert value is not None or shell.user_ns[name].stdout == "3\n"
    assert len(costs(shell)) == 1


def test_a_cell_run_within_the_cell_does_not_end_it(shell, api):
    """There is one cost, of the outer one."""
    shell.run_cell("%%stability_cost outer --settle 0\nget_ipython().run_cell('1')\nw = 2")
    assert shell.user_ns["w"] == 2
    assert costs(shell)["label"].tolist() == ["outer"]


def test_a_program_can_call_the_cell_magic(shell, api):
    """Its error reaches the program."""
    shell.run_cell("get_ipython().run_cell_magic('stability_cost', 'p --settle 0', 'q = 1')")
    assert shell.user_ns["q"] == 1
    with pytest.raises(ZeroDivisionError):
        shell.run_cell_magic("stability_cost", "fails --settle 0", "1 / 0")
    assert costs(shell)["label"].tolist() == ["p", "fails"]


def test_a_reading_that_fails_before_keeps_the_cell_from_running(shell, api):
    """Nothing was run, and nothing is logged."""
    api.fail(FAULTS["500"], path="/user/balance")
    assert isinstance(failure(shell, "%%stability_cost\nran = True"), StatusError)
    assert "ran" not in shell.user_ns
    assert costs(shell).empty
    shell.run_cell("%%stability_cost --settle 0\nran = True").raise_error()
    assert len(costs(shell)) == 1


def test_a_reading_that_fails_after_leaves_the_cost_unknown(shell, api, capsys):
    """With a warning, and no figure is made up."""
    balances(api, 100.0)
    api.fail(FAULTS["500"], path="/user/balance")
    shell.run_cell("%%stability_cost lost --settle 0\nran = True").raise_error()
    shown = capsys.readouterr()
    assert shown.out.startswith("lost: cost unknown, in ")
    assert "StatusError" in shown.err or "HTTP 500" in shown.err
    assert shown.err.count("\n") == 1
    (row,) = costs(shell).to_dict("records")
    assert np.isnan(row["spent"])
    assert np.isnan(row["usd"])
    assert not row["exact"]


@pytest.mark.parametrize(
    ("after", "told", "exact"),
    [
        ((60.0, 60.0), "40.00", True),
        ((96.0, 95.0, 94.0, 93.0, 92.0), "about 8.00", False),
        ((90.0, 1090.0, 1088.0, 1088.0), "at least 12.00", False),
        ((1060.0, 1060.0), "at least 0.00", False),
    ],
)
def test_what_is_not_exact_says_so(shell, api, capsys, after, told, exact):
    """A top-up that fell in, and a balance that never came to rest in five readings."""
    balances(api, 100.0, *after)
    shell.run_cell("%%stability_cost job --settle 0\npass").raise_error()
    assert f"job: {told} credits" in capsys.readouterr().out
    assert costs(shell)["exact"].tolist() == [exact]


def test_five_readings_are_taken_after_a_cell_at_the_most(shell, api):
    """However long the balance goes on moving."""
    balances(api, *(100.0 - each for each in range(20)))
    shell.run_cell("%%stability_cost --settle 0\npass").raise_error()
    assert [each.path for each in api.requests].count("/v1alpha/user/balance") == 6


def test_spending_before_the_cell_makes_it_inexact(shell, api, capsys):
    """Who spent a moment ago outside all cells may have gone on."""
    balances(api, 120.0, 110.0, 100.0, 100.0)
    shell.run_cell("%stability_balance").raise_error()
    capsys.readouterr()
    shell.run_cell("%%stability_cost shared --settle 0\npass").raise_error()
    assert capsys.readouterr().out.startswith("shared: about 10.00 credits")


def test_spending_of_the_cell_before_does_not(shell, api, capsys):
    """That was the cell's, and it is over."""
    balances(api, 100.0, 90.0, 90.0, 90.0, 85.0, 85.0)
    for _ in range(2):
        shell.run_cell("%%stability_cost one --settle 0\npass").raise_error()
    assert costs(shell)["exact"].tolist() == [True, True]
    assert costs(shell)["spent"].tolist() == [10.0, 5.0]


def test_cells_that_ran_at_the_same_time_are_not_exact(shell, api, log_path):
    """Also the one that ended before the other was logged."""
    balances(api, 100.0, 100.0, 90.0, 90.0, 80.0, 80.0)
    shell.run_cell(
        "%%stability_cost outer --settle 0\n"
        "from stability_magic._session import Session\n"
        "from stability_magic._settings import StabilityMagic\n"
        "from stability_magic._cell_cost import CellCost\n"
        "second = CellCost(Session(StabilityMagic(), source='magic'), None, label='second',"
        " settle=0)\n"
        "told = second.end(None)\n"
    ).raise_error()
    frame = costs(shell).set_index("label")
    assert frame["exact"].tolist() == [False, False]
    assert frame.loc["second", "spent"] == 10.0
    assert frame.loc["outer", "spent"] == 20.0


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
def test_what_cannot_be_measured_is_refused_before_anything_is_asked(shell, api, capsys, cell):
    """In one line, and the next cell is measured."""
    assert isinstance(failure(shell, cell), UsageError)
    assert "x" not in shell.user_ns
    assert not api.requests
    assert "%%stability_cost: " in capsys.readouterr().err
    shell.run_cell("%%stability_cost --settle 0\nx = 2").raise_error()
    assert shell.user_ns["x"] == 2


def test_a_syntax_error_is_told_before_anything_is_asked(shell, api):
    """The cell cannot run, so it costs nothing."""
    assert isinstance(failure(shell, "%%stability_cost\nx = = 1"), SyntaxError)
    assert not api.requests
    shell.run_cell("%%stability_cost --settle 0\nx = 2").raise_error()
    assert len(costs(shell)) == 1


def test_a_second_cost_in_a_cell_is_refused(shell, api):
    """The first one is ended all the same."""
    cell = "%%stability_cost one --settle 0\n%stability_cost two"
    assert isinstance(failure(shell, cell), UsageError)
    assert costs(shell)["label"].tolist() == ["one"]
    with pytest.raises(UsageError, match="stands at its head"):
        shell.run_line_magic("stability_cost", "")


@pytest.mark.parametrize("word", ["unload_ext", "reload_ext"])
def test_unloading_within_the_cell_ends_and_logs_the_cost(shell, api, log_path, word):
    """Nothing is lost, and nothing is left behind."""
    shell.run_cell(f"%%stability_cost last --settle 0\n%{word} stability_magic").raise_error()
    assert [each.label for each in BalanceLog(log_path).costs()] == ["last"]
    shell.run_cell("%load_ext stability_magic").raise_error()


def test_another_service_in_the_cell_leaves_no_cost(shell, api, capsys):
    """The balances of two accounts are no difference."""
    shell.run_cell("%%stability_cost mixed --settle 0\n%stability_demo").raise_error()
    shown = capsys.readouterr()
    assert "mixed: cost unknown" in shown.out
    assert "was changed in the cell" in shown.err
    assert costs(shell).empty
    shell.run_cell("%stability_demo --stop").raise_error()


def test_a_cost_that_cannot_be_logged_is_written_later(shell, api, log_path, capsys):
    """It waits, as readings do."""
    log_path.mkdir(parents=True)
    shell.run_cell("%%stability_cost waits --settle 0\npass").raise_error()
    shown = capsys.readouterr()
    assert shown.out.startswith("waits: 0.00 credits")
    assert "not in the log yet" in shown.err
    with pytest.raises(LogError):
        BalanceLog(log_path).costs()
    log_path.rmdir()
    shell.run_cell("%stability_balance").raise_error()
    assert costs(shell)["label"].tolist() == ["waits"]
    assert len(BalanceLog(log_path).readings()) == 4


def test_the_summary_tells_labels_apart_and_what_was_spent_elsewhere(shell, api):
    """By hand: 10 and 6 for renders, 3 without a label, and 5 and 7 outside all cells."""
    falls = (200.0, 190.0, 190.0, 185.0, 179.0, 179.0, 179.0, 176.0, 176.0, 169.0)
    balances(api, *falls)
    for label in ("render", "render", ""):
        shell.run_cell(f"%%stability_cost {label} --settle 0\npass").raise_error()
    shell.run_cell("%stability_balance").raise_error()
    frame = costs(shell, "--summary")
    assert list(frame.columns) == list(COLUMNS["summary"])
    rows = frame.set_index("label")
    assert rows.loc["render", ["count", "total", "mean", "dearest"]].tolist() == [2, 16, 8, 10]
    assert rows.loc["(no label)", "total"] == 3
    assert rows.loc["(elsewhere)", "total"] == 12
    assert frame["total"].sum() == 200 - 169
    assert frame["label"].iloc[-1] == "(elsewhere)"
    only = costs(shell, "render --summary")
    assert only["label"].tolist() == ["render", "(elsewhere)"]
    assert only["total"].tolist() == [16, 12]
    assert len(costs(shell, "render")) == 2


def test_frames_without_costs_have_their_columns_and_types(shell):
    """Where there is no log, and where the window holds nothing."""
    for arguments, kind in (("", "costs"), ("--summary", "summary"), ("x --since 1h", "costs")):
        frame = costs(shell, arguments)
        assert frame.empty
        assert list(frame.columns) == list(COLUMNS[kind])
        expected = [str(each).partition("[")[0] for each in COLUMNS[kind].values()]
        assert [str(each).partition("[")[0] for each in frame.dtypes] == expected


def test_a_log_of_the_version_before_is_read_as_it_is_and_loses_nothing(log_path):
    """Costs have no place in it until the next reading is written."""
    from sqlite_utils import Database

    from stability_magic._log_schema import MIGRATIONS

    log_path.parent.mkdir(parents=True)
    with closing(sqlite3.connect(log_path)) as connection:
        MIGRATIONS.apply(Database(connection), stop_before="m002_costs")
    at = datetime(2026, 11, 1, tzinfo=UTC)
    first = entry(Balance("org-a", 5.0, at))
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
