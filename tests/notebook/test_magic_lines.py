"""How the line of a magic is parsed, and how its errors are shown."""

from __future__ import annotations

import re

import pandas as pd
import pytest
from IPython.core.error import UsageError

from stability_magic import AuthenticationError, BalanceLog, SettingsError
from stability_magic.text import clean_text

from ..helpers.project import ROOT
from .magic_calls import magic_error, run_magic


@pytest.mark.usefixtures("api", "log_path")
@pytest.mark.parametrize(
    "line",
    [
        "%stability_balance --since 7d;",
        "%stability_balance;",
        "  %stability_balance --label a ; ",
        "%stability_balance;  # silent",
        "%stability_balance --since 7d;# silent;",
        "%stability_balance --label 'a #b' ; # it's silent",
    ],
)
def test_a_semicolon_silences_the_frame(shell, capsys, line):
    """The line is still printed, and no name or argument contains the semicolon."""
    result = shell.run_cell(line)
    result.raise_error()
    assert result.result is None
    assert capsys.readouterr().out.count("\n") == 1


@pytest.mark.usefixtures("api", "log_path")
@pytest.mark.parametrize(
    "line",
    ["df = %stability_balance;", "df = %stability_balance -q ;\n", "df = %stability_balance; # a;"],
)
def test_a_semicolon_after_an_assignment_does_not_assign_none(shell, line):
    """Nothing would be shown anyway; the variable holds the frame."""
    shell.run_cell(line).raise_error()
    assert isinstance(shell.user_ns["df"], pd.DataFrame)


def typed_lines(page: str) -> list[str]:
    """The magics that a page shows as they are typed, with their comments."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(r"^In \[\d+\]: (?:\w+ = )?(%stability_.*#.*)$", text, re.MULTILINE)


README_LINES, MAGICS_LINES = typed_lines("README.md"), typed_lines("docs/magics.md")


@pytest.mark.usefixtures("log_path")
@pytest.mark.parametrize("line", README_LINES + MAGICS_LINES)
def test_the_lines_of_readme_and_docs_can_be_typed_as_they_are(shell, api, line):
    """With their comments."""
    result = shell.run_cell(line)
    assert len(README_LINES) == 2
    assert len(MAGICS_LINES) == 6
    assert not isinstance(result.error_in_exec, UsageError)
    shell.run_cell("%stability_watch --stop").raise_error()


@pytest.mark.usefixtures("api")
def test_a_comment_is_no_argument(shell, log_path):
    """Nor a label, above a cell either."""
    shell.run_cell("%stability_balance -q --label 'batch #5' # the fifth").raise_error()
    shell.run_cell("%%stability_cost --settle 0 render  # why\n1").raise_error()
    shell.run_cell("%%stability_cost --settle 0 # no label\n1").raise_error()
    assert set(BalanceLog(log_path).readings()["label"].dropna()) == {"batch #5", "render"}
    frame = run_magic(shell, "%stability_costs  #all")
    assert frame["label"].fillna("").tolist() == ["render", ""]


@pytest.mark.usefixtures("api")
@pytest.mark.parametrize(
    ("text", "label"),
    [
        ('--label="two words"', "two words"),
        ("--label=it\\'s", "it's"),
        ("""--label 'a "b"'" c" """, 'a "b" c'),
        ("--label batch#5", "batch#5"),
    ],
)
def test_quotes_are_those_of_a_shell(shell, log_path, text, label):
    """Also within a word."""
    shell.run_cell(f"%stability_balance {text}").raise_error()
    assert BalanceLog(log_path).readings()["label"].tolist() == [label]


@pytest.mark.usefixtures("log_path")
def test_nothing_that_is_printed_controls_the_terminal(shell, api, capsys):
    """Whatever an argument, a file or a name of the service holds."""
    hostile = "a\x1b[31mb\x9bc\u202ed\u2066e"
    for line in (
        f"%stability_history -o {hostile}",
        f"%stability_history {hostile}",
        f"%stability_merge /none/{hostile}.db",
        f"%stability_balance -o {hostile}",
        f"%stability_plot --output /none/{hostile}.png",
    ):
        magic_error(shell, line)
    captured = capsys.readouterr()
    output = captured.out + captured.err
    assert output.count("\n") >= 5
    assert not [each for each in output if clean_text(each) != each and each != "\n"]


@pytest.mark.usefixtures("api", "log_path")
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("%stability_balance --sinc 7d", "--sinc"),
        ("%stability_balance --since soon", "'soon' is no time"),
        ("%stability_balance --label 'open", "No closing quotation"),
        ("%stability_balance -a -o org-1", "leave out -o, or -a"),
        ("%stability_history --since 2026-02-01 --until 2026-01-01", "is not before until"),
        ("%stability_usage --by year", "invalid choice: 'year'"),
        ("%stability_usage --by weekly", "; did you mean week? See %stability_usage?"),
        ("%stability_balance --sinc 7d", "; did you mean --since? See"),
        ("%stability_history --since tody", "; did you mean today? See"),
        ("%stability_plot --output picture.bmp", ".png, .svg, .pdf"),
        ("%stability_history now", "now"),
    ],
)
def test_a_wrong_argument_is_one_line_that_says_what_to_do(shell, capsys, line, expected, api):
    """It is IPython's UsageError, before any request."""
    assert type(magic_error(shell, line)) is UsageError
    captured = capsys.readouterr()
    assert expected in captured.err
    assert captured.err.startswith("UsageError: %stability_")
    assert captured.err.count("\n") == 1
    assert not api.requests


@pytest.mark.usefixtures("log_path")
def test_an_error_of_a_magic_is_one_line(shell, api, capsys, monkeypatch):
    """It keeps its class, and the key is not in it."""
    monkeypatch.setenv("STABILITY_API_KEY", "sk-wrong-but-secret")
    error = magic_error(shell, "%stability_balance")
    output = capsys.readouterr().out
    assert type(error) is AuthenticationError
    assert output.startswith("AuthenticationError: ")
    assert output.count("\n") == 1
    assert "sk-wrong" not in output


@pytest.mark.usefixtures("api")
def test_unusable_settings_are_reported_before_any_request(shell, api, monkeypatch):
    """Such as an unknown time zone."""
    monkeypatch.setenv("TZ", "Mars/Olympus")
    assert type(magic_error(shell, "%stability_balance")) is SettingsError
    assert not api.requests


@pytest.mark.parametrize("name", ["stability", "stability_balance", "stability_cost"])
@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_can_be_asked_for_as_in_a_terminal(shell, capsys, log_path, name, option):
    """Nothing is read or asked for it."""
    shell.run_cell(f"%{name} {option}").raise_error()
    out = capsys.readouterr().out
    assert out.startswith(f"%{name} ") or f"%{name} " in out, out
    assert not log_path.exists()
