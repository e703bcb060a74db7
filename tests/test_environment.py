"""What the environment says, with and without the quotes that some programs leave around it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stability_magic.environment import variable
from stability_magic.keys import KeySources
from stability_magic.settings import StabilityMagic
from stability_magic.text import unquote

from .helpers.errors import KEY
from .test_settings import FROM_ENVIRONMENT


@pytest.mark.parametrize("quoted", ['"{}"', "'{}'", ' "{}"\n', "\u201c{}\u201d"])
def test_quotes_around_the_key_are_no_part_of_it(api, monkeypatch, shell, log_path, quoted):
    """Docker's --env-file and Windows' set keep them; the service gets the bare key."""
    monkeypatch.setenv("STABILITY_API_KEY", quoted.format(api.api_key))
    assert KeySources().find() == api.api_key
    shell.run_line_magic("stability_balance", "")
    assert {each.header("Authorization") for each in api.requests} == {api.api_key}


@pytest.mark.parametrize("quote", ['"', "'"])
@pytest.mark.parametrize("name", FROM_ENVIRONMENT)
def test_quotes_around_a_setting_are_no_part_of_it(monkeypatch, name, quote):
    """Numbers, words and addresses too."""
    name_of_variable, text, value, _ = FROM_ENVIRONMENT[name]
    monkeypatch.setenv(name_of_variable, f"{quote}{text}{quote}")
    assert getattr(StabilityMagic(), name) == value


@pytest.mark.parametrize(
    "text", ["", "x", '"', "'", "\"x'", '"x', 'x"', 'a "b" c', "/a path/log.db ", "\u201dx\u201c"]
)
def test_what_is_not_in_quotes_stays_as_it_is(monkeypatch, text):
    """A single quote is no pair."""
    monkeypatch.setenv("STABILITY_MAGIC_LOG", text)
    assert variable("STABILITY_MAGIC_LOG") == text


def test_a_variable_that_holds_only_quotes_is_empty(monkeypatch):
    """As if it were not set: the next source of the key is asked."""
    monkeypatch.setenv("STABILITY_API_KEY", '""')
    keys = KeySources()
    keys.hold(KEY)
    assert keys.find() == KEY


@given(st.text())
def test_text_without_quotes_at_its_ends_is_never_changed(text):
    """Whatever it holds inside."""
    assert unquote(f"a{text}b") == f"a{text}b"
    assert unquote(f'"{text}"') == text
