"""The key in a variable of the notebook: no error shows it, not even to who shows variables."""

from __future__ import annotations

import pytest

from stability_magic import SettingsError
from stability_magic.errors import BadArgument
from stability_magic.session.namespace import key_of_variable
from stability_magic.session.session import Session
from stability_magic.settings import StabilityMagic

from ..helpers.errors import KEY, assert_hides_key, assert_is_clear_error


def variables() -> dict[str, object]:
    """What a notebook may hold."""
    return {"STABILITY_KEY": KEY, "number": 5, "blank": " ", "_1": "unseen"}


def test_the_text_of_a_variable_is_a_secret():
    """From here on."""
    key = key_of_variable(variables, "STABILITY_KEY")
    assert key == KEY
    assert repr(key) == "'***'"


@pytest.mark.parametrize(
    "name", ["STABILITY_KE", "number", "blank", "", "a b", "$STABILITY_KEY", "os.environ", KEY]
)
def test_a_refusal_does_not_show_what_variables_hold(name):
    """Neither does a traceback with the variables of each frame."""
    with pytest.raises(BadArgument) as caught:
        key_of_variable(variables, name)
    if name != KEY:
        assert_hides_key(caught.value)
    assert KEY not in str(caught.value)


def test_the_hint_at_a_variable_does_not_show_it():
    """Where no source has a key."""
    session = Session(StabilityMagic(), source="magic", namespace=variables)
    with pytest.raises(SettingsError, match="--from STABILITY_KEY") as caught:
        session.client()
    assert_is_clear_error(caught.value)
    session = Session(StabilityMagic(), source="magic", namespace=lambda: {"STABILITY_KEY": ""})
    with pytest.raises(SettingsError, match=r"works without one\.$"):
        session.client()
