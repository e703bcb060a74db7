"""``%stability_account`` and ``%stability_login``, and what happens without a key."""

from __future__ import annotations

import pytest

from stability_magic import SettingsError
from stability_magic.analysis.frames import COLUMNS

from .magic_calls import magic_error, run_magic


@pytest.mark.usefixtures("log_path")
def test_account_masks_the_email_address(shell, api):
    """Unless --show-email is given."""
    frame = run_magic(shell, "%stability_account")
    assert list(frame.columns) == list(COLUMNS["organizations"])
    assert frame["is_default"].sum() == 1
    assert all("***@" in each for each in frame["email"])
    assert not any(
        "***" in each for each in run_magic(shell, "%stability_account --show-email").email
    )


def test_without_a_key_the_error_says_what_to_do(shell, capsys):
    """It names the variable, the login and the demo."""
    assert type(magic_error(shell, "%stability_balance")) is SettingsError
    output = capsys.readouterr().out
    for each in ("STABILITY_API_KEY", "%stability_login", "%stability_demo"):
        assert each in output


@pytest.mark.usefixtures("log_path")
def test_login_holds_the_key_for_the_session(shell, api, monkeypatch, capsys):
    """It asks for the key without echo, and never prints it."""
    key = api.api_key
    monkeypatch.delenv("STABILITY_API_KEY")
    monkeypatch.setattr("getpass.getpass", lambda prompt: f" Bearer {key}\n")
    shell.run_cell("%stability_login").raise_error()
    run_magic(shell, "%stability_balance")
    captured = capsys.readouterr()
    assert "the key is held" in captured.out
    assert key not in captured.out + captured.err
    shell.run_cell("%reload_ext stability_magic").raise_error()
    assert type(magic_error(shell, "%stability_balance")) is SettingsError


def test_login_refuses_an_invalid_key(shell, monkeypatch):
    """One with a space inside, for example; no key is held then."""
    monkeypatch.setattr("getpass.getpass", lambda prompt: "sk-one two")
    assert type(magic_error(shell, "%stability_login")) is SettingsError
    assert "No API key" in str(magic_error(shell, "%stability_balance"))


def test_login_never_puts_the_value_of_a_variable_into_its_line(shell, capsys):
    """A name with braces or a dollar is the name as it is written."""
    shell.user_ns["secret_of_mine"] = "sk-this-is-not-to-be-seen"
    for line in ("--from {secret_of_mine}", "--from $secret_of_mine", "{secret_of_mine}"):
        assert magic_error(shell, f"%stability_login {line}") is not None
        assert "not-to-be-seen" not in "".join(capsys.readouterr())


def test_login_in_a_front_end_without_input(shell, monkeypatch):
    """The error says to use the environment variable."""

    def raise_end_of_file(prompt: str) -> str:
        raise EOFError

    monkeypatch.setattr("getpass.getpass", raise_end_of_file)
    assert "STABILITY_API_KEY" in str(magic_error(shell, "%stability_login"))
