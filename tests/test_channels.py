"""The setting that says who is told: commands and addresses, and what is shown of them."""

from __future__ import annotations

import pickle

import pytest
from traitlets.config import Config

from stability_magic import SettingsError
from stability_magic.channels import Address, Command, channels_from_setting
from stability_magic.settings import StabilityMagic

from .helpers.errors import assert_is_clear_error

SECRET = "hunter2-hunter2"


def shown(value: object) -> list[str]:
    """What is shown of the channels of a setting."""
    channels = channels_from_setting(value)
    assert not channels.fault
    return [str(each) for each in channels]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, []),
        ("", []),
        ([], []),
        (["tell", "--now"], ["the command tell"]),
        (["/usr/bin/curl", "https://hooks.example.org/x"], ["the command curl"]),
        (("tell",), ["the command tell"]),
        ("ntfy://topic", ["ntfy://***"]),
        ("ntfy://topic  slack://a/b/c", ["ntfy://***", "slack://***"]),
        (["ntfy://topic", "slack://a/b/c"], ["ntfy://***", "slack://***"]),
        ([["tell"], "ntfy://topic", ("show", "it")], None),
        ('["tell", "two words"]', ["the command tell"]),
        ('[["tell"], "ntfy://topic"]', ["the command tell", "ntfy://***"]),
        (["ntfy://topic", "ntfy://topic"], ["ntfy://***"]),
    ],
)
def test_commands_and_addresses_are_told_apart(value, expected):
    """A list that begins with a program is one command, whatever follows in it."""
    expected = (
        ["the command tell", "ntfy://***", "the command show"] if expected is None else expected
    )
    assert shown(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        5,
        {"tell": 1},
        "tell --now",
        "tell mailto://x",
        ["ntfy://topic", "tell"],
        ["tell", 5],
        [["tell"], 5],
        [[]],
        [["  "]],
        ["te\0ll"],
        ["ntfy://two words"],
        "://x",
        '["tell"',
    ],
)
def test_a_setting_that_cannot_be_used_is_told_where_it_is_used(value):
    """In one line, which repeats nothing of it, for it may hold a password."""
    settings = StabilityMagic()
    settings.notify = value
    with pytest.raises(SettingsError, match=r"^StabilityMagic\.notify cannot be used: ") as caught:
        settings.channels()
    assert_is_clear_error(caught.value)
    assert 'such as ["notify-send", "credits"]' in str(caught.value)
    assert "ntfy" not in str(caught.value)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        (f"mailto://me:{SECRET}@example.org", "mailto://***@example.org"),
        (f"json://me:{SECRET}@127.0.0.1:8080/{SECRET}", "json://***@127.0.0.1:8080"),
        (f"json://me:{SECRET}@[::1]:80/x", "json://***@[::1]:80"),
        (f"https://hooks.example.org/{SECRET}?token={SECRET}", "https://hooks.example.org"),
        (f"slack://{SECRET}/b/c", "slack://***"),
        (f"ntfy://{SECRET}", "ntfy://***"),
        # Where a password is not encoded, it is not certain where it ends.
        (f"mailto://me:p@{SECRET}@example.org", "mailto://***"),
        (f"mailto://me:p@a/{SECRET}@example.org", "mailto://***"),
        (f"mailto://me:p@a#{SECRET}@example.org", "mailto://***"),
        (f"mailto://me:12?{SECRET}@example.org", "mailto://***"),
        (f"mailto://{SECRET}:x", "mailto://***"),
    ],
)
def test_an_address_shows_its_scheme_and_at_most_its_host(address, expected):
    """However it is turned into text."""
    settings = StabilityMagic()
    settings.notify = [address, ["tell", SECRET]]
    channel, command = settings.channels()
    assert isinstance(channel, Address)
    assert isinstance(command, Command)
    assert channel.reveal() == address
    texts = (str(channel), f"{channel}", f"{channel:>3}", repr(channel).strip("'"))
    assert set(texts) == {expected}
    listing = StabilityMagic.class_get_help(settings) + repr(settings.notify) + repr(command)
    assert f"{expected}'" in listing
    assert SECRET not in listing + str(settings.trait_values())
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(settings.notify)


def test_the_environment_and_what_was_set(monkeypatch):
    """As with every setting: the environment is read at each use, and what is set wins."""
    monkeypatch.setenv("STABILITY_MAGIC_NOTIFY", "ntfy://one slack://a/b/c")
    settings = StabilityMagic()
    assert settings.channels() == ("ntfy://one", "slack://a/b/c")
    monkeypatch.setenv("STABILITY_MAGIC_NOTIFY", '["tell", "me"]')
    assert [str(each) for each in settings.channels()] == ["the command tell"]
    profile = Config()
    profile.StabilityMagic.notify = "ntfy://two"
    assert StabilityMagic(config=profile).channels() == ("ntfy://two",)
    settings.notify = []
    assert settings.channels() == ()


def test_config_shows_and_sets_it(shell, capsys):
    """In a notebook, as every setting."""
    shell.run_cell(f"%config StabilityMagic.notify = 'mailto://me:{SECRET}@example.org'")
    shell.run_cell("%config StabilityMagic")
    shell.run_cell("%config StabilityMagic.notify").raise_error()
    output = capsys.readouterr()
    assert "mailto://***@example.org" in output.out
    assert SECRET not in output.out + output.err
