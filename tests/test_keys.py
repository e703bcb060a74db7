"""The sources of the key."""

from __future__ import annotations

import sys
import types

import pytest

from stability_magic import SettingsError
from stability_magic.keys import KeySources

from .helpers.errors import KEY, assert_is_clear_error


@pytest.fixture
def outside_colab(monkeypatch):
    monkeypatch.delitem(sys.modules, "google.colab", raising=False)


class Secrets:
    """Stands in for Colab's ``userdata``: returns a secret, or raises an exception."""

    def __init__(self, secret):
        self.secret = secret

    def get(self, name):
        assert name == "STABILITY_API_KEY"
        if isinstance(self.secret, Exception):
            raise self.secret
        return self.secret


@pytest.fixture
def colab(monkeypatch):
    """Puts in place of ``google.colab`` a module with these attributes."""

    def colab(**attributes):
        module = types.ModuleType("google.colab")
        vars(module).update(attributes)
        monkeypatch.setitem(sys.modules, "google.colab", module)

    return colab


@pytest.fixture
def keyring():
    """A real keyring in memory, in place of the system's."""
    keyring = pytest.importorskip("keyring")
    from keyring.backend import KeyringBackend

    class MemoryKeyring(KeyringBackend):
        priority = 1

        def __init__(self):
            self.passwords = {}
            self.failure = None

        def get_password(self, service, username):
            if self.failure:
                raise self.failure
            return self.passwords.get((service, username))

        def set_password(self, service, username, password):
            if self.failure:
                raise self.failure
            self.passwords[service, username] = password

    original, memory = keyring.get_keyring(), MemoryKeyring()
    keyring.set_keyring(memory)
    yield memory
    keyring.set_keyring(original)


def test_the_sources_of_the_key_are_tried_in_order(monkeypatch, colab, keyring):
    """The environment, then the key in memory, then Colab's secrets, then the keyring."""
    keys = KeySources()
    keys.save("sk-of-the-keyring")
    assert keys.find() == "sk-of-the-keyring"
    colab(userdata=Secrets("sk-of-colab"))
    assert keys.find() == "sk-of-colab"
    keys.hold("sk-that-is-held")
    assert keys.find() == "sk-that-is-held"
    monkeypatch.setenv("STABILITY_API_KEY", "sk-of-the-environment")
    assert keys.find() == "sk-of-the-environment"
    monkeypatch.setenv("STABILITY_API_KEY", "  ")
    assert keys.find() == "sk-that-is-held"
    assert KeySources().find() == "sk-of-colab"


def test_without_a_key_the_error_says_where_to_put_one(outside_colab):
    """It names the variable, the magic, and the demo."""
    with pytest.raises(
        SettingsError, match=r"No API key was found\. Set STABILITY_API_KEY"
    ) as caught:
        KeySources().find()
    assert "%stability_login" in str(caught.value)
    assert "%stability_demo works without one" in str(caught.value)
    assert_is_clear_error(caught.value)


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"userdata": Secrets(None)},
        {"userdata": Secrets("")},
        {"userdata": Secrets(LookupError("no such secret"))},
        {"userdata": Secrets(TimeoutError("no access"))},
    ],
    ids=["old", "none", "empty", "missing", "refused"],
)
def test_a_colab_without_the_secret_is_passed_over(colab, keyring, attributes):
    """No such secret, no access to it, or a Colab without secrets: the keyring is tried."""
    colab(**attributes)
    with pytest.raises(SettingsError, match="No API key"):
        KeySources().find()
    keyring.passwords["stability_magic", "STABILITY_API_KEY"] = KEY
    assert KeySources().find() == KEY


@pytest.mark.parametrize("failure", [RuntimeError("locked"), OSError("no bus"), ValueError()])
def test_a_keyring_that_does_not_work_is_passed_over(outside_colab, keyring, failure):
    """A locked or broken keyring counts as one without the key."""
    keyring.failure = failure
    with pytest.raises(SettingsError, match="No API key"):
        KeySources().find()


def test_a_saved_key_is_found_by_a_later_session(outside_colab, keyring):
    """The keyring holds the complete key under the project's name."""
    KeySources().save(KEY)
    assert keyring.passwords == {("stability_magic", "STABILITY_API_KEY"): KEY}
    assert KeySources().find() == KEY


def test_a_key_that_cannot_be_saved_is_not_shown(keyring):
    """The error names only the exception's class: its message may repeat the key."""
    keyring.failure = RuntimeError(f"could not store {KEY}")
    with pytest.raises(SettingsError, match=r"could not be saved in a keyring \(Runt") as caught:
        KeySources().save(KEY)
    assert "held for this session" in str(caught.value)
    assert_is_clear_error(caught.value)


def test_a_keyring_that_stores_nothing_is_an_error(outside_colab):
    """A keyring that is switched off accepts a key and forgets it; saving then fails."""
    keyring = pytest.importorskip("keyring")
    from keyring.backends import null

    original = keyring.get_keyring()
    keyring.set_keyring(null.Keyring())
    try:
        with pytest.raises(SettingsError, match="could not be saved") as caught:
            KeySources().save(KEY)
    finally:
        keyring.set_keyring(original)
    assert_is_clear_error(caught.value)


PLAIN_KEYRINGS = {
    "keyrings.alt": "class PlaintextKeyring(Memory): pass",
    "derived": "class PlaintextKeyring(Memory): pass\nclass Mine(PlaintextKeyring): pass",
    "declared": "class FileKeyring(Memory): scheme = 'no encyption'",
    "wrapper": "class PlaintextKeyring(Memory): pass\n"
    "class Multipart(Memory): _keyring = PlaintextKeyring()",
}
MEMORY_KEYRING = """
from keyring.backend import KeyringBackend
class Memory(KeyringBackend):
    priority = 5
    def __init__(self): self.passwords = {}
    def get_password(self, service, username): return self.passwords.get((service, username))
    def set_password(self, service, username, password):
        self.passwords[service, username] = password
"""


@pytest.fixture
def use_keyring(keyring, monkeypatch):
    """Puts a back end of a made-up module, or a chain of several, in place of the system's."""
    import keyring as library
    from keyring.backends.chainer import ChainerBackend

    def use_keyring(*sources):
        back_ends = []
        for source in sources:
            module = types.ModuleType("keyrings.made_up")
            exec(MEMORY_KEYRING + source, vars(module))
            kinds = [each for each in vars(module).values() if isinstance(each, type)]
            back_ends.append(kinds[-1]())
        if len(back_ends) > 1:
            monkeypatch.setattr(ChainerBackend, "backends", back_ends)
            library.set_keyring(ChainerBackend())
        else:
            library.set_keyring(back_ends[0])
        return back_ends

    return use_keyring


@pytest.mark.parametrize("source", PLAIN_KEYRINGS.values(), ids=PLAIN_KEYRINGS)
def test_a_keyring_that_is_a_plain_file_is_refused(outside_colab, use_keyring, source):
    """Unless it was asked for; nothing is written before that."""
    (back_end,) = use_keyring(source)
    with pytest.raises(SettingsError, match="in a plain file") as caught:
        KeySources().save(KEY)
    assert back_end.name in str(caught.value)
    assert "--plain-file" in str(caught.value)
    assert_is_clear_error(caught.value)
    assert not back_end.passwords
    assert KeySources().save(KEY, in_plain_file=True) == back_end.name
    assert KeySources().find() == KEY


def test_the_keyring_that_keeps_the_key_is_told(keyring):
    """By the name that its library shows."""
    assert KeySources().save(KEY) == keyring.name


def test_a_chain_of_keyrings_keeps_the_key_in_one_that_is_no_plain_file(use_keyring):
    """Its name is told, and not the chain's; a chain of plain files alone is refused."""
    plain = PLAIN_KEYRINGS["keyrings.alt"]
    refusing = "class Refusing(Memory):\n    def set_password(self, *_): raise NotImplementedError"
    first, second, third = use_keyring(plain, refusing, "class Vault(Memory): pass")
    assert KeySources().save(KEY) == third.name
    assert (first.passwords, second.passwords) == ({}, {})
    assert list(third.passwords.values()) == [KEY]
    for each in use_keyring(plain, PLAIN_KEYRINGS["derived"]):
        with pytest.raises(SettingsError, match="in a plain file"):
            KeySources().save(KEY)
        assert not each.passwords


def test_the_holder_of_the_key_does_not_show_it(monkeypatch, outside_colab):
    """The key is not in its repr, nor in its variables, nor in the found key's repr."""
    keys = KeySources()
    keys.hold(KEY)
    assert KEY not in repr(keys) + repr(vars(keys)) + repr(keys.find())
    monkeypatch.setenv("STABILITY_API_KEY", KEY)
    assert KEY not in repr(KeySources().find())
    assert KeySources().find() == KEY
