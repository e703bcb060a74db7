"""``%stability_login --from NAME``: the key that a notebook keeps in a variable."""

from __future__ import annotations

import atexit

import pytest
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from stability_magic import SettingsError

from ..helpers.errors import KEY
from .magic_calls import magic_error, run_magic


@pytest.mark.usefixtures("log_path")
@pytest.mark.parametrize("written", ["{}", " Bearer {}\n", "'{}'"])
def test_the_key_in_a_variable_is_held(shell, api, monkeypatch, capsys, written):
    """As the vendor's notebooks have it; the name is told and never the value."""
    monkeypatch.delenv("STABILITY_API_KEY")
    shell.user_ns["STABILITY_KEY"] = written.format(api.api_key)
    shell.run_cell("%stability_login --from STABILITY_KEY").raise_error()
    run_magic(shell, "%stability_balance")
    assert {each.header("Authorization") for each in api.requests} == {api.api_key}
    captured = capsys.readouterr()
    assert "the key in STABILITY_KEY is held" in captured.out
    assert api.api_key not in captured.out + captured.err


@pytest.mark.usefixtures("log_path")
def test_the_vendors_variable_of_the_environment_is_used(shell, api, monkeypatch):
    """As ``os.environ["STABILITY_KEY"]`` in a cell sets it."""
    monkeypatch.delenv("STABILITY_API_KEY")
    shell.user_ns["key"] = api.api_key
    shell.run_cell("import os; os.environ['STABILITY_KEY'] = key").raise_error()
    run_magic(shell, "%stability_balance")
    assert {each.header("Authorization") for each in api.requests} == {api.api_key}
    monkeypatch.delenv("STABILITY_KEY")


@pytest.mark.parametrize("name", ["STABILITY_KEY", "STABILITY_API_KEY"])
def test_without_a_key_the_variable_that_may_hold_it_is_named(shell, capsys, name):
    """As far as the vendor's notebooks call it so."""
    shell.user_ns[name] = KEY
    error = magic_error(shell, "%stability_balance")
    assert type(error) is SettingsError
    assert str(error).endswith(f"in the variable {name}, run %stability_login --from {name}.")
    shell.run_cell("%stability_check").raise_error()
    assert f"FAULT  key         {error}" in capsys.readouterr().out


def test_what_goes_before_it_is_told(shell, monkeypatch, capsys):
    """Each of the two variables, by its name."""
    shell.user_ns["key"] = KEY
    for name in ("STABILITY_KEY", "STABILITY_API_KEY"):
        monkeypatch.setenv(name, KEY)
        shell.run_cell("%stability_login --from key").raise_error()
        assert "goes before" not in capsys.readouterr().err
        monkeypatch.setenv(name, "sk-another")
        shell.run_cell("%stability_login --from key").raise_error()
        assert f"{name} is set in the environment and goes before" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("--from STABILITY_KE", "there is no variable STABILITY_KE in this notebook; did you mean"),
        ("--from nothing", "there is no variable nothing in this notebook"),
        ("--from number", "the variable number holds no text, but a value of the type int"),
        ("--from missing", "holds no text, but a value of the type NoneType"),
        ("--from raw", "holds no text, but a value of the type bytes"),
        ("--from blank", "the variable blank is empty"),
        ("--from empty", "the variable empty is empty"),
        ("--from ''", "the name of a variable"),
        ("--from os.environ", "the name of a variable"),
        ("--from $STABILITY_KEY", "without $ or quotes"),
        ("--from {STABILITY_KEY}", "the name of a variable"),
        ("--from", "expected one argument"),
        ("--from STABILITY_KEY --plain-file", "add --save"),
    ],
)
def test_a_name_that_cannot_be_used_is_refused_in_a_line(shell, line, told):
    """What is wrong with it is said, and no key is held."""
    shell.user_ns |= {
        "STABILITY_KEY": KEY, "number": 5, "missing": None, "raw": KEY.encode(), "blank": " \n",
        "empty": "",
    }  # fmt: skip
    error = magic_error(shell, f"%stability_login {line}")
    assert type(error) is UsageError
    assert told in str(error)
    assert len(str(error).splitlines()) == 1
    assert KEY not in str(error)
    assert "No API key" in str(magic_error(shell, "%stability_balance"))


@pytest.mark.parametrize("key", ["skonlylettersanddigits", "sk-one two", KEY])
@pytest.mark.parametrize(
    "line", ["--from {}", "--from $key", "--from {{key}}", "--from 'x {}'", "{}", "$key"]
)
def test_a_key_in_place_of_a_name_is_not_repeated(shell, capsys, key, line):
    """An output stays in the notebook."""
    shell.user_ns["key"] = key
    error = magic_error(shell, f"%stability_login {line.format(key)}")
    assert isinstance(error, (UsageError, SettingsError))
    shown = str(error) + "".join(capsys.readouterr())
    assert key not in shown
    assert key.split()[0] not in shown


def test_a_variable_that_holds_no_key_is_refused(shell):
    """As if it had been typed."""
    shell.user_ns["key"] = "sk-one two"
    error = magic_error(shell, "%stability_login --from key")
    assert type(error) is SettingsError
    assert "a space" in str(error)
    assert "sk-one" not in str(error)


@pytest.mark.once
def test_the_history_has_the_name_alone(tmp_path):
    """What was typed and what it became, in IPython's own file."""
    InteractiveShell.clear_instance()
    config = Config()
    config.HistoryManager.hist_file = str(tmp_path / "history.sqlite")
    shell = InteractiveShell.instance(config=config)
    try:
        shell.extension_manager.load_extension("stability_magic")
        shell.user_ns["STABILITY_KEY"] = KEY
        for line in (
            "%stability_login --from STABILITY_KEY",
            "%stability_login --from $STABILITY_KEY",
        ):
            shell.run_cell(line, store_history=True)
        shell.history_manager.writeout_cache()
        assert shell.user_ns["In"][1:] == [
            "get_ipython().run_line_magic('stability_login', '--from STABILITY_KEY')",
            "get_ipython().run_line_magic('stability_login', '--from $STABILITY_KEY')",
        ]
        assert KEY.encode() not in (tmp_path / "history.sqlite").read_bytes()
    finally:
        shell.extension_manager.unload_extension("stability_magic")
        atexit.unregister(shell.atexit_operations)
        shell.atexit_operations()
        InteractiveShell.clear_instance()
