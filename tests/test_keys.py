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
    """Stands in for Colab's ``userdata`` and Kaggle's client: a secret, or an exception."""

    def __init__(self, secret, name="STABILITY_API_KEY"):
        self.secret, self.name = secret, name
        self.asked = []

    def get(self, name):
        self.asked.append(name)
        if isinstance(self.secret, Exception):
            raise self.secret
        if name != self.name:
            raise LookupError("no such secret")
        return self.secret

    get_secret = get


@pytest.fixture
def colab(monkeypatch):
    """Puts in place of ``google.colab`` a module with these attributes."""

    def colab(**attributes):
        module = types.ModuleType("google.colab")
        vars(module).update(attributes)
        monkeypatch.setitem(sys.modules, "google.colab", module)

    return colab


@pytest.fixture
def kaggle(monkeypatch):
    """Makes this a notebook on Kaggle with such secrets."""

    def kaggle(secrets):
        module = types.ModuleType("kaggle_secrets")
        module.UserSecretsClient = lambda: secrets
        monkeypatch.setitem(sys.modules, "kaggle_secrets", module)
        monkeypatch.setenv("KAGGLE_USER_SECRETS_TOKEN", "made up")
        return secrets

    return kaggle


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


def test_the_sources_of_the_key_are_tried_in_order(monkeypatch, colab, kaggle, keyring):
    """The environment, the key in memory, Colab's secrets, Kaggle's, the keyring; each is named."""
    keys = KeySources()

    def assert_found(key, source):
        assert keys.find() == key
        assert keys.locate() == (key, source)

    keys.save("sk-of-the-keyring")
    assert_found("sk-of-the-keyring", "the keyring")
    kaggle(Secrets("sk-of-kaggle"))
    assert_found("sk-of-kaggle", "the secret STABILITY_API_KEY in Kaggle")
    colab(userdata=Secrets("sk-of-colab"))
    assert_found("sk-of-colab", "the secret STABILITY_API_KEY in Colab")
    keys.hold("sk-that-is-held")
    assert_found("sk-that-is-held", "%stability_login")
    monkeypatch.setenv("STABILITY_KEY", "sk-of-the-vendor")
    assert_found("sk-of-the-vendor", "STABILITY_KEY in the environment")
    monkeypatch.setenv("STABILITY_API_KEY", "sk-of-the-environment")
    assert_found("sk-of-the-environment", "STABILITY_API_KEY in the environment")
    assert list(keys.environment_keys()) == ["STABILITY_API_KEY", "STABILITY_KEY"]
    for name in ("STABILITY_API_KEY", "STABILITY_KEY"):
        monkeypatch.setenv(name, "  ")
    assert_found("sk-that-is-held", "%stability_login")
    assert not keys.environment_keys()
    assert KeySources().find() == "sk-of-colab"


def test_the_vendors_name_is_a_secret_too(colab, kaggle):
    """In Colab and in Kaggle, where the other name has none."""
    kaggle(Secrets("sk-of-kaggle", "STABILITY_KEY"))
    assert KeySources().locate() == ("sk-of-kaggle", "the secret STABILITY_KEY in Kaggle")
    colab(userdata=Secrets("sk-of-colab", "STABILITY_KEY"))
    assert KeySources().locate() == ("sk-of-colab", "the secret STABILITY_KEY in Colab")


def test_kaggles_server_is_asked_once_for_a_key_that_is_there(outside_colab, kaggle):
    """Each command looks for the key; a secret that is attached later is found then."""
    keys, secrets = KeySources(), kaggle(Secrets(LookupError("no such secret")))
    with pytest.raises(SettingsError):
        keys.find()
    secrets.secret, secrets.asked = KEY, []
    assert [keys.find(), keys.find()] == [KEY, KEY]
    assert secrets.asked == ["STABILITY_API_KEY"]


@pytest.mark.parametrize(
    ("failure", "times"),
    [(LookupError(KEY), 2), (ConnectionError("no internet"), 1), (RuntimeError("refused"), 2)],
)
def test_a_kaggle_without_the_secret_is_passed_over(outside_colab, kaggle, keyring, failure, times):
    """The keyring is tried; where the notebook has no internet, nobody waits for it twice."""
    keys, secrets = KeySources(), kaggle(Secrets(failure))
    with pytest.raises(SettingsError, match="No API key") as caught:
        keys.find()
    assert len(secrets.asked) == times
    assert_is_clear_error(caught.value)
    keyring.passwords["stability_magic", "STABILITY_API_KEY"] = KEY
    assert keys.find() == KEY


def test_elsewhere_kaggles_module_is_not_asked(outside_colab, kaggle, monkeypatch):
    """Where it happens to be installed."""
    secrets = kaggle(Secrets(KEY))
    monkeypatch.delenv("KAGGLE_USER_SECRETS_TOKEN")
    with pytest.raises(SettingsError, match="No API key"):
        KeySources().find()
    assert not secrets.asked


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
    assert KEY not in repr(keys) + repr(vars(keys)) + repr(keys.find()) + repr(keys.locate())
    monkeypatch.setenv("STABILITY_API_KEY", KEY)
    assert KEY not in repr(KeySources().find())
    assert KeySources().find() == KEY
