"""The settings and the environment."""

from __future__ import annotations

import os
import sys
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import tzlocal
from traitlets import TraitError
from traitlets.config import Config

from stability_magic import SettingsError
from stability_magic.api.client import API_URL, API_VERSIONS
from stability_magic.keys import KEY_VARIABLE
from stability_magic.settings import StabilityMagic

from .helpers.errors import KEY, assert_is_clear_error

# Each setting with an environment variable: the variable, a text in it and the value that this
# means, and another value for ``%config`` or a profile.
FROM_ENVIRONMENT = {
    "api_url": ("STABILITY_API_HOST", "https://a.example", "https://a.example", "https://b"),
    "api_version": ("STABILITY_API_VERSION", "v1", "v1", "v1alpha"),
    "organization": ("STABILITY_ORGANIZATION", "org-1", "org-1", "org-2"),
    "log": ("STABILITY_MAGIC_LOG", "one.db", "one.db", "two.db"),
    "host": ("STABILITY_MAGIC_HOST", "hub", "hub", "laptop"),
    "member": ("STABILITY_MAGIC_MEMBER", "ann", "ann", "bob"),
    "shared_log": (
        "STABILITY_MAGIC_SHARED_LOG",
        "postgresql://me:secret@host/db",
        "postgresql://me:secret@host/db",
        "postgresql:///other",
    ),
    "shared_schema": ("STABILITY_MAGIC_SHARED_SCHEMA", "one", "one", "two"),
    "timezone": ("TZ", "Asia/Tokyo", "Asia/Tokyo", "Europe/Berlin"),
    "next_operation": ("STABILITY_NEXT_OPERATION", "ultra", "ultra", "6 core"),
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
    "member": "",
    "usd_per_credit": 0.01,
    "warn_days": None,
    "notify": (),
    "low_balance": None,
    "next_operation": "",
    "prices": {},
    "timeout": 10.0,
    "quiet": False,
    "tables": True,
    "theme": "auto",
}


@pytest.fixture(autouse=True)
def clear_environment(monkeypatch):
    for variable, *_ in FROM_ENVIRONMENT.values():
        monkeypatch.delenv(variable, raising=False)


# Settings


def test_the_defaults_are_the_documented_ones():
    """Every setting has its documented default, and there are no other settings."""
    settings = StabilityMagic()
    defaults = {
        name: getattr(settings, name) for name in StabilityMagic.class_trait_names(config=True)
    }
    assert defaults == DEFAULTS
    assert tuple(StabilityMagic.api_version.values) == API_VERSIONS


def test_the_key_is_no_setting(monkeypatch):
    """No listing of the settings shows a key."""
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    settings = StabilityMagic()
    assert not [name for name in settings.trait_names() if "key" in name]
    assert KEY not in str(settings.trait_values()) + repr(settings) + repr(vars(settings))


@pytest.mark.parametrize("name", DEFAULTS)
def test_the_help_names_the_variable_of_the_environment(name):
    """``%config StabilityMagic`` says which variable a value may come from."""
    help_text = StabilityMagic.class_traits()[name].help
    assert len(help_text) > 20
    if name in FROM_ENVIRONMENT:
        assert f"Environment: {FROM_ENVIRONMENT[name][0]}." in help_text


@pytest.mark.parametrize("name", FROM_ENVIRONMENT)
def test_the_environment_is_read_at_each_use(monkeypatch, name):
    """If a notebook sets, changes or removes a variable, that has an effect at once."""
    variable, text, value, other = FROM_ENVIRONMENT[name]
    settings = StabilityMagic()
    assert getattr(settings, name) == DEFAULTS[name]
    monkeypatch.setenv(variable, text)
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
    """An assignment, as by ``%config``, and a profile take precedence over a variable."""
    variable, text, value, other = FROM_ENVIRONMENT[name]
    monkeypatch.setenv(variable, text)
    assigned = StabilityMagic()
    assert getattr(assigned, name) == value
    setattr(assigned, name, other)
    profile = Config()
    profile.StabilityMagic[name] = other
    for settings in (assigned, StabilityMagic(config=profile)):
        assert getattr(settings, name) == other
        monkeypatch.delenv(variable)
        assert getattr(settings, name) == other
        monkeypatch.setenv(variable, text)
    setattr(assigned, name, DEFAULTS[name])
    assert getattr(assigned, name) == DEFAULTS[name]


@pytest.mark.parametrize("name", FROM_ENVIRONMENT)
def test_two_settings_objects_do_not_share_values(name):
    """Each session has its own settings."""
    first, second = StabilityMagic(), StabilityMagic()
    setattr(first, name, FROM_ENVIRONMENT[name][3])
    assert getattr(second, name) == DEFAULTS[name]


@pytest.mark.parametrize(
    ("variable", "text", "name"),
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
def test_an_unusable_variable_is_named(monkeypatch, variable, text, name):
    """The error says which variable it is, what it holds, and what it should hold."""
    monkeypatch.setenv(variable, text)
    settings = StabilityMagic()
    with pytest.raises(SettingsError, match=f"^{variable} is ") as caught:
        getattr(settings, name)
    assert repr(text) in str(caught.value)
    assert_is_clear_error(caught.value)


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
        ("prices", "ultra"),
        ("prices", [8.0]),
        ("next_operation", 8),
        ("quiet", "yes"),
        ("tables", "no"),
        ("theme", "pink"),
        ("timezone", None),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused(name, value):
    """Setting it fails, and the old value stays."""
    settings = StabilityMagic()
    with pytest.raises(TraitError):
        setattr(settings, name, value)
    assert getattr(settings, name) == DEFAULTS[name]


# The log's path


def test_the_log_is_in_the_users_data_folder(tmp_path):
    """The default follows the platform, inside the home folder; nothing is created."""
    path = StabilityMagic().log_path()
    assert path.is_absolute()
    assert path.name == "log.db"
    assert path.parent.name == "stability_magic"
    if sys.platform == "linux":
        assert path.is_relative_to(tmp_path)
    assert not path.exists()


def test_a_log_in_the_home_folder_is_found(monkeypatch):
    """``~`` is expanded, in the environment and in the settings."""
    monkeypatch.setenv("STABILITY_MAGIC_LOG", "~/credits/log.db")
    assert StabilityMagic().log_path() == Path.home() / "credits" / "log.db"
    settings = StabilityMagic(log=os.path.join("~", "mine.db"))  # noqa: PTH118
    assert settings.log_path() == Path.home() / "mine.db"


# The time zone


@pytest.mark.parametrize("name", ["UTC", "Europe/Berlin", "America/St_Johns", "Asia/Kathmandu"])
@pytest.mark.parametrize("colon", ["", ":"])
def test_a_zone_is_known_by_its_name(monkeypatch, name, colon):
    """IANA's names are understood, also with the colon that TZ may have."""
    assert StabilityMagic(timezone=name).zone() == ZoneInfo(name)
    monkeypatch.setenv("TZ", colon + name)
    assert StabilityMagic().zone() == ZoneInfo(name)


def test_a_zone_may_be_a_file_of_the_systems_zones(monkeypatch, tmp_path):
    """TZ may be the path of such a file, or of a link to one, such as /etc/localtime."""
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
def test_an_unknown_zone_is_a_settings_error(monkeypatch, name):
    """Nonsense, folders, rules instead of names: one line that says what to set."""
    monkeypatch.setenv("TZ", name)
    settings = StabilityMagic()
    for use in (settings.zone, settings.now):
        with pytest.raises(
            SettingsError, match=r"time zone .* is not known; set Stability"
        ) as caught:
            use()
        assert_is_clear_error(caught.value)


def test_without_a_name_the_machines_zone_is_used():
    """Without a setting: this machine's zone, by its name."""
    zone = StabilityMagic().zone()
    assert isinstance(zone, ZoneInfo)
    assert zone.key == (tzlocal.get_localzone_name() or "UTC")


def test_now_is_aware_and_in_the_zone():
    """The current time has the zone of the settings."""
    now = StabilityMagic(timezone="Asia/Kathmandu").now()
    assert now.utcoffset() == timedelta(hours=5, minutes=45)
    assert abs(now - datetime.now(ZoneInfo("UTC"))) < timedelta(seconds=5)
