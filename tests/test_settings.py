"""The settings, the environment, and where the key comes from."""

from __future__ import annotations

import os
import sys
import types
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import tzlocal
from traitlets import TraitError
from traitlets.config import Config

from stability_magic import SettingsError
from stability_magic._client import API_URL, API_VERSIONS
from stability_magic._settings import KEY_VARIABLE, Keys, StabilityMagic

from ._support import KEY, assert_is_told_well

# Each setting that the environment can give: the variable, what it says there and what that
# means, and another value, by ``%config`` or a profile.
FROM_ENVIRONMENT = {
    "api_url": ("STABILITY_API_HOST", "https://a.example", "https://a.example", "https://b"),
    "api_version": ("STABILITY_API_VERSION", "v1", "v1", "v1alpha"),
    "organization": ("STABILITY_ORGANIZATION", "org-1", "org-1", "org-2"),
    "log": ("STABILITY_MAGIC_LOG", "one.db", "one.db", "two.db"),
    "host": ("STABILITY_MAGIC_HOST", "hub", "hub", "laptop"),
    "shared_log": (
        "STABILITY_MAGIC_SHARED_LOG",
        "postgresql://me:secret@host/db",
        "postgresql://me:secret@host/db",
        "postgresql:///other",
    ),
    "shared_schema": ("STABILITY_MAGIC_SHARED_SCHEMA", "one", "one", "two"),
    "timezone": ("TZ", "Asia/Tokyo", "Asia/Tokyo", "Europe/Berlin"),
    "low_balance": ("STABILITY_LOW_BALANCE", "12.5", 12.5, 7.0),
}
DEFAULTS = {
    "api_url": API_URL,
    "api_version": "auto",
    "organization": "",
    "log": "",
    "shared_log": "",
    "shared_schema": "stability_magic",
    "timezone": "",
    "host": "auto",
    "usd_per_credit": 0.01,
    "warn_days": None,
    "low_balance": None,
    "timeout": 10.0,
    "quiet": False,
}


@pytest.fixture(autouse=True)
def no_variables(monkeypatch):
    for variable, *_ in FROM_ENVIRONMENT.values():
        monkeypatch.delenv(variable, raising=False)


# Settings


def test_the_defaults_are_the_documented_ones():
    """Every setting has its documented default, and there is no other setting."""
    settings = StabilityMagic()
    shown = {
        name: getattr(settings, name) for name in StabilityMagic.class_trait_names(config=True)
    }
    assert shown == DEFAULTS
    assert tuple(StabilityMagic.api_version.values) == API_VERSIONS


def test_the_key_is_no_setting(monkeypatch):
    """No listing of the settings shows a key."""
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    settings = StabilityMagic()
    assert not [name for name in settings.trait_names() if "key" in name]
    assert KEY not in str(settings.trait_values()) + repr(settings) + repr(vars(settings))


@pytest.mark.parametrize("name", DEFAULTS)
def test_the_help_names_the_variable_of_the_environment(name):
    """``%config StabilityMagic`` says where else a value comes from."""
    help_text = StabilityMagic.class_traits()[name].help
    assert len(help_text) > 20
    if name in FROM_ENVIRONMENT:
        assert f"Environment: {FROM_ENVIRONMENT[name][0]}." in help_text


@pytest.mark.parametrize("name", FROM_ENVIRONMENT)
def test_the_environment_is_read_at_each_use(monkeypatch, name):
    """A variable that a notebook sets, changes or removes later counts from then on."""
    variable, said, value, other = FROM_ENVIRONMENT[name]
    settings = StabilityMagic()
    assert getattr(settings, name) == DEFAULTS[name]
    monkeypatch.setenv(variable, said)
    assert getattr(settings, name) == value
    settings.trait_values()  # as a listing does
    monkeypatch.setenv(variable, str(other))
    assert getattr(settings, name) == other
    monkeypatch.setenv(variable, "")
    assert getattr(settings, name) == DEFAULTS[name]
    monkeypatch.delenv(variable)
    assert getattr(settings, name) == DEFAULTS[name]


@pytest.mark.parametrize("name", FROM_ENVIRONMENT)
def test_what_was_set_wins_over_the_environment(monkeypatch, name):
    """An assignment, as ``%config`` makes it, and a profile's line, go before a variable."""
    variable, said, value, other = FROM_ENVIRONMENT[name]
    monkeypatch.setenv(variable, said)
    assigned = StabilityMagic()
    assert getattr(assigned, name) == value
    setattr(assigned, name, other)
    profile = Config()
    profile.StabilityMagic[name] = other
    for settings in (assigned, StabilityMagic(config=profile)):
        assert getattr(settings, name) == other
        monkeypatch.delenv(variable)
        assert getattr(settings, name) == other
        monkeypatch.setenv(variable, said)
    setattr(assigned, name, DEFAULTS[name])
    assert getattr(assigned, name) == DEFAULTS[name]


@pytest.mark.parametrize("name", FROM_ENVIRONMENT)
def test_two_objects_of_settings_do_not_share_what_was_set(name):
    """Each session has its own."""
    one, other = StabilityMagic(), StabilityMagic()
    setattr(one, name, FROM_ENVIRONMENT[name][3])
    assert getattr(other, name) == DEFAULTS[name]


@pytest.mark.parametrize(
    ("variable", "said", "name"),
    [
        ("STABILITY_API_VERSION", "v2", "api_version"),
        ("STABILITY_API_VERSION", "AUTO", "api_version"),
        ("STABILITY_LOW_BALANCE", "a lot", "low_balance"),
        ("STABILITY_LOW_BALANCE", "10,5", "low_balance"),
        ("STABILITY_LOW_BALANCE", "nan", "low_balance"),
        ("STABILITY_LOW_BALANCE", "inf", "low_balance"),
        ("STABILITY_LOW_BALANCE", "1\n2", "low_balance"),
    ],
)
def test_a_variable_that_cannot_be_used_is_told_by_name(monkeypatch, variable, said, name):
    """The error says which variable it is, what it holds, and what it should."""
    monkeypatch.setenv(variable, said)
    settings = StabilityMagic()
    with pytest.raises(SettingsError, match=f"^{variable} is ") as caught:
        getattr(settings, name)
    assert repr(said) in str(caught.value)
    assert_is_told_well(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("api_url", 5),
        ("api_version", "v2"),
        ("timeout", 0.0),
        ("timeout", -1.0),
        ("timeout", "10"),
        ("usd_per_credit", -0.01),
        ("low_balance", "a lot"),
        ("quiet", "yes"),
        ("timezone", None),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused_where_it_is_set(name, value):
    """``%config`` refuses it, and the value before it stays."""
    settings = StabilityMagic()
    with pytest.raises(TraitError):
        setattr(settings, name, value)
    assert getattr(settings, name) == DEFAULTS[name]


# The log's place


def test_the_log_is_in_the_users_data_folder(tmp_path):
    """The default is of this platform, inside the home folder, and nothing is created."""
    path = StabilityMagic().log_path()
    assert path.is_absolute()
    assert path.name == "log.db"
    assert path.parent.name == "stability_magic"
    if sys.platform == "linux":
        assert path.is_relative_to(tmp_path)
    assert not path.exists()


def test_a_log_in_the_home_folder_is_found(monkeypatch):
    """``~`` is understood, in the environment and in the settings."""
    monkeypatch.setenv("STABILITY_MAGIC_LOG", "~/credits/log.db")
    assert StabilityMagic().log_path() == Path.home() / "credits" / "log.db"
    settings = StabilityMagic(log=os.path.join("~", "mine.db"))  # noqa: PTH118
    assert settings.log_path() == Path.home() / "mine.db"


# The time zone


@pytest.mark.parametrize("name", ["UTC", "Europe/Berlin", "America/St_Johns", "Asia/Kathmandu"])
@pytest.mark.parametrize("colon", ["", ":"])
def test_a_zone_is_known_by_its_name(monkeypatch, name, colon):
    """IANA's names are understood, with the colon that TZ may have."""
    assert StabilityMagic(timezone=name).zone() == ZoneInfo(name)
    monkeypatch.setenv("TZ", colon + name)
    assert StabilityMagic().zone() == ZoneInfo(name)


def test_a_zone_may_be_a_file_of_the_systems_zones(monkeypatch, tmp_path):
    """TZ may be a path to such a file, or a link to one, as to /etc/localtime."""
    zones = tmp_path / "share" / "zoneinfo" / "Europe"
    zones.mkdir(parents=True)
    (zones / "Berlin").touch()
    link = tmp_path / "localtime"
    try:
        link.symlink_to(zones / "Berlin")
    except OSError:
        link = zones / "Berlin"
    for path in (zones / "Berlin", link):
        monkeypatch.setenv("TZ", f":{path}")
        assert StabilityMagic().zone() == ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    "name",
    [
        "Mars/Olympus",
        "Europe",
        "CET-1CEST",
        "../UTC",
        "/etc/passwd",
        "/no/such/zoneinfo/",
        "Europe/Berlin\nUTC",
        "x" * 300,
        "Zürich",
        " ",
    ],
)
def test_a_zone_that_is_not_known_is_told(monkeypatch, name):
    """Nonsense, folders, rules instead of names: one line that says what to set."""
    monkeypatch.setenv("TZ", name)
    settings = StabilityMagic()
    for use in (settings.zone, settings.now):
        with pytest.raises(
            SettingsError, match=r"time zone .* is not known; set Stability"
        ) as caught:
            use()
        assert_is_told_well(caught.value)


def test_without_a_name_the_machines_zone_is_used():
    """Nothing set: the zone of this machine, by its name."""
    zone = StabilityMagic().zone()
    assert isinstance(zone, ZoneInfo)
    assert zone.key == (tzlocal.get_localzone_name() or "UTC")


def test_now_is_aware_and_in_the_zone():
    """The present has the zone of the settings."""
    now = StabilityMagic(timezone="Asia/Kathmandu").now()
    assert now.utcoffset() == timedelta(hours=5, minutes=45)
    assert abs(now - datetime.now(ZoneInfo("UTC"))) < timedelta(seconds=5)


# The key


@pytest.fixture
def no_colab(monkeypatch):
    monkeypatch.delitem(sys.modules, "google.colab", raising=False)


class Secrets:
    """What Colab's ``userdata`` does: a secret, or an exception of its own."""

    def __init__(self, said):
        self.said = said

    def get(self, name):
        assert name == "STABILITY_API_KEY"
        if isinstance(self.said, Exception):
            raise self.said
        return self.said


@pytest.fixture
def colab(monkeypatch):
    """Makes this a Colab with these secrets."""

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

    class Memory(KeyringBackend):
        priority = 1

        def __init__(self):
            self.held = {}
            self.broken = None

        def get_password(self, service, username):
            if self.broken:
                raise self.broken
            return self.held.get((service, username))

        def set_password(self, service, username, password):
            if self.broken:
                raise self.broken
            self.held[service, username] = password

    before, memory = keyring.get_keyring(), Memory()
    keyring.set_keyring(memory)
    yield memory
    keyring.set_keyring(before)


def test_the_sources_of_the_key_are_asked_in_order(monkeypatch, colab, keyring):
    """The environment, then what is held, then Colab's secrets, then the keyring."""
    keys = Keys()
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
    assert Keys().find() == "sk-of-colab"


def test_no_key_is_told_with_where_to_put_one(no_colab):
    """Without any source the error names the variable, the magic, and the demo."""
    with pytest.raises(
        SettingsError, match=r"No API key was found\. Set STABILITY_API_KEY"
    ) as caught:
        Keys().find()
    assert "%stability_login" in str(caught.value)
    assert "%stability_demo works without one" in str(caught.value)
    assert_is_told_well(caught.value)


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
    """No such secret, no access to it, or a Colab without secrets: the keyring is asked."""
    colab(**attributes)
    with pytest.raises(SettingsError, match="No API key"):
        Keys().find()
    keyring.held["stability_magic", "STABILITY_API_KEY"] = KEY
    assert Keys().find() == KEY


@pytest.mark.parametrize("broken", [RuntimeError("locked"), OSError("no bus"), ValueError()])
def test_a_keyring_that_does_not_work_is_passed_over(no_colab, keyring, broken):
    """A locked or broken keyring is no key, and no traceback."""
    keyring.broken = broken
    with pytest.raises(SettingsError, match="No API key"):
        Keys().find()


def test_a_saved_key_is_found_by_a_later_session(no_colab, keyring):
    """It lies in the keyring under the project's name, whole."""
    Keys().save(KEY)
    assert keyring.held == {("stability_magic", "STABILITY_API_KEY"): KEY}
    assert Keys().find() == KEY


def test_a_key_that_cannot_be_saved_is_told_without_showing_it(keyring):
    """The error names its reason by its class: a keyring may repeat what it was given."""
    keyring.broken = RuntimeError(f"could not store {KEY}")
    with pytest.raises(SettingsError, match=r"could not be saved in a keyring \(Runt") as caught:
        Keys().save(KEY)
    assert "held for this session" in str(caught.value)
    assert_is_told_well(caught.value)


def test_a_keyring_that_keeps_nothing_is_told(no_colab):
    """A keyring that was switched off takes a key and forgets it; that is no success."""
    keyring = pytest.importorskip("keyring")
    from keyring.backends import null

    before = keyring.get_keyring()
    keyring.set_keyring(null.Keyring())
    try:
        with pytest.raises(SettingsError, match="could not be saved") as caught:
            Keys().save(KEY)
    finally:
        keyring.set_keyring(before)
    assert_is_told_well(caught.value)


def test_the_holder_of_the_key_does_not_show_it(monkeypatch, no_colab):
    """Neither its representation nor its variables, nor what it finds when shown."""
    keys = Keys()
    keys.hold(KEY)
    assert KEY not in repr(keys) + repr(vars(keys)) + repr(keys.find())
    monkeypatch.setenv("STABILITY_API_KEY", KEY)
    assert KEY not in repr(Keys().find())
    assert Keys().find() == KEY
