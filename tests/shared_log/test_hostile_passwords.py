"""Passwords of a shared log that hold any character: no part of one is ever shown."""

from __future__ import annotations

import logging
import socket
import traceback
from contextlib import closing
from datetime import UTC
from urllib.parse import quote

import pytest

pytest.importorskip("psycopg")

from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from stability_magic import LogError, SettingsError
from stability_magic.settings import StabilityMagic
from stability_magic.shared_log.connection import connect, target_from_address
from stability_magic.shared_log.shared_log import SharedLog
from stability_magic.text import DatabaseAddress

from ..helpers.errors import _traceback_texts, assert_is_clear_error
from .logs import run_command

pytestmark = pytest.mark.once

# Letters that occur in no other text, and what has a meaning in addresses.
LETTERS = "ЖЩЪЫЭЮЯ"
HOSTILE = "/@:#?%&=+\\'\"[], ;$"
passwords = st.lists(
    st.text(LETTERS, min_size=3, max_size=5) | st.sampled_from([*HOSTILE, "%2", "%zz", "//", "@@"]),
    min_size=2,
    max_size=9,
).map("".join)
# Everything that a password may be written into; nothing is served there.
FORMS = [
    "postgresql://me:{}@127.0.0.1:1/credits",
    "postgres://me:{}@127.0.0.1:1/credits?sslmode=disable",
    "postgresql://me:{}@/credits?host=/nowhere",
    "postgresql://me:{}@[::1]:1,127.0.0.1:1/credits",
    "postgresql://127.0.0.1:1/credits?user=me&password={}",
    "postgresql://me@127.0.0.1:1/credits?password={}&sslmode=disable",
    "host=127.0.0.1 port=1 user=me password={}",
    "host=127.0.0.1 port=1 user=me password='{}'",
    "password={} host=127.0.0.1 port=1",
    *(WITHOUT_HOST := ["postgresql://me:x{}", "postgresql://me:x{}/credits"]),
    "me:{}@127.0.0.1/credits",
    "{}",
]


def shown_parts(text):
    """The runs of three letters of the passwords' alphabet that a text holds."""
    # %D0%96 is a letter that libpq quotes undecoded.
    for each in LETTERS:
        text = text.replace(quote(each), each).replace(ascii(each).strip("'"), each)
    return {
        text[at : at + 3] for at in range(len(text) - 2) if set(text[at : at + 3]) <= set(LETTERS)
    }


def texts_of_error(error):
    """The error as a user, a log or an error tracker sees it, with variables of all frames."""
    trace = traceback.TracebackException.from_exception(
        error, capture_locals=True, lookup_lines=False
    )
    return [str(error), repr(error), repr(error.args), repr(vars(error)), *_traceback_texts(trace)]


@settings(
    settings.get_profile("hostile"),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.sampled_from(FORMS), passwords)
@example("postgresql://me:{}@127.0.0.1:1/credits", "ЖЖЖ@ЩЩЩ?ЪЪЪ")
@example("postgresql://me:{}@127.0.0.1:1/credits", "ЖЖЖ/ЩЩЩ@ЪЪЪ")
@example("postgresql://me:{}@127.0.0.1:1/credits", "ЖЖЖ#ЩЩЩ")
@example("postgresql://me:{}@127.0.0.1:1/credits", "ЖЖЖ%ЩЩЩ")
@example("postgresql://127.0.0.1:1/credits?user=me&password={}", "ЖЖЖ@ЩЩЩ")
@example("postgresql://127.0.0.1:1/credits?user=me&password={}", "ЖЖЖ/@ЩЩЩ")
def test_no_part_of_a_password_is_shown(caplog, form, password):
    """Neither in text made of the setting nor in an error, its traceback or a log."""
    # What follows an @ may well be the host then.
    assume(form not in WITHOUT_HOST or "@" not in password)
    caplog.set_level(logging.DEBUG)
    address = DatabaseAddress(form.format(password))
    texts = [
        str(address),
        repr(address),
        f"{address}",
        f"{address:>9}",
    ]
    for schema in ("s", "", "\0"):
        try:
            target = target_from_address(address, schema)
            texts += [str(target), repr(target), target.address]
            SharedLog(target, UTC).close()
        except (SettingsError, LogError) as error:
            if form != "{}":
                assert_is_clear_error(error, "ЖЩЪ")
            texts += texts_of_error(error)
    texts += [caplog.text, *(str(vars(each)) for each in caplog.records)]
    assert shown_parts("\n".join(texts)) == set()


@pytest.mark.parametrize("password", ["ЖЖЖ@ЩЩЩ", "ЖЖЖ/ЩЩЩ", "ЖЖЖ@ЩЩЩ?ЪЪЪ", "ЖЖЖ:ЩЩЩ#ЪЪЪ%"])
@pytest.mark.parametrize("form", FORMS[:6])
def test_no_command_shows_a_part_of_it(api, log_path, shell, capsys, form, password):
    """In notebooks, with the frames of a verbose traceback too."""
    address = form.format(password)
    shell.run_line_magic("xmode", "Verbose")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STABILITY_MAGIC_SHARED_LOG", address)
        for line in ("sync", "history", "balance", "costs"):
            shell.run_cell(f"%stability_{line}")
        shell.run_cell("%config StabilityMagic")
        shell.run_cell("%config StabilityMagic.shared_log")
    output = capsys.readouterr()
    assert shown_parts(output.out + output.err) == set()
    assert "The shared log" in output.out + output.err


@pytest.mark.parametrize("password", ["ЖЖЖ@ЩЩЩ", "ЖЖЖ/ЩЩЩ", "ЖЖЖ@ЩЩЩ?ЪЪЪ", "ЖЖЖ:ЩЩЩ#ЪЪЪ%"])
def test_the_command_line_shows_no_part_of_it(api, log_path, password):
    """Neither where it only warns nor where it fails."""
    for command in ("balance", "sync"):
        result = run_command(
            command, STABILITY_MAGIC_SHARED_LOG=f"postgresql://me:{password}@127.0.0.1:1/credits"
        )
        assert result.stderr
        assert shown_parts(result.stdout + result.stderr) == set()


@pytest.mark.parametrize("password", ["a/b", "a@b", "a@b/c?d", "a%zz"])
def test_a_password_that_is_not_encoded_is_told(password):
    """The error says how to write it; nobody looks up a part of it as a host's name."""
    address = DatabaseAddress(f"postgresql://me:{password}@db.example.org/credits")
    with pytest.raises(SettingsError, match=r"/ is written as %2F, its @ as %40 and its % as %25"):
        target_from_address(address, "s")


@pytest.mark.parametrize("password", ["a#b", "a?b", "a:b", "a&b=c", "a%2Fb%40c", "ä"])
def test_a_password_that_is_certain_works_as_ever(password):
    """libpq takes most characters as they are."""
    from psycopg.conninfo import conninfo_to_dict

    address = DatabaseAddress(f"postgresql://me:{password}@db.example.org:5433/credits")
    target = target_from_address(address, "s")
    parameters = conninfo_to_dict(str.__str__(target.conninfo))
    assert parameters["password"] == password.replace("%2F", "/").replace("%40", "@")
    assert parameters["host"] == "db.example.org"
    assert target.address == "postgresql://me@db.example.org:5433/credits"


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        (
            "postgresql://me:a@b/c@db.example.org/credits?x=1",
            "postgresql://***@db.example.org/credits",
        ),
        ("postgresql://me:a#b@h:5433,[::1]:5432/d", "postgresql://***@h:5433,[::1]:5432/d"),
        ("postgresql://h/d?password=a", "postgresql://h/d"),
        ("postgresql://h/d?password=a@b", "***"),
        ("postgresql://me:a?b@h/d", "***"),
        ("postgresql://me:a/d", "***"),
        ("host=h password=a", "***"),
        ("", ""),
    ],
)
def test_what_may_be_shown_of_an_address(address, shown):
    """Where it is not certain what belongs to the password, nothing is shown."""
    assert str(DatabaseAddress(address)) == shown


def test_options_may_hold_what_a_password_may_not():
    """Without a password in front of them, it is certain what they are."""
    for address in (
        "postgresql://h/d?user=me@home&password=a",
        "postgresql://me@h:5433/d?application_name=a/b@c",
    ):
        assert target_from_address(DatabaseAddress(address), "s").conninfo


@pytest.mark.parametrize(
    ("login", "reason"),
    [
        ({"user": "nobody-here"}, "it has no such user"),
        ({"user": "keeper", "password": "wrong"}, "password not accepted"),
        ({"user": "keeper"}, "it asks for a password, and none is set"),
    ],
)
def test_what_the_server_answers_is_told_in_our_words(own_postgres, login, reason):
    """No name that the server repeats is shown in any other way than in the address."""
    own_postgres.sql("CREATE ROLE keeper LOGIN PASSWORD 'right'")
    own_postgres.allow("local all keeper scram-sha-256")
    target = target_from_address(DatabaseAddress(own_postgres.address(**login)), "s")
    with pytest.raises(LogError) as caught:
        connect(target)
    assert f"could not be reached ({reason})." in str(caught.value)
    assert_is_clear_error(caught.value)


def test_other_reasons_are_told_in_our_words(own_postgres):
    """A database that is not there, a server with too many clients, sockets that do not answer."""
    address = own_postgres.address()
    reasons = {
        address.replace("/postgres?", "/other?"): "there is no such database",
        "postgresql://me@/d?host=/nowhere": "no server has a socket there",
        "postgresql://me@127.0.0.1:1/d": "connection refused",
        "postgresql://me@no-such-host.invalid/d": "the name of its host was not found",
        "postgresql://127.0.0.1:1/d?sslmode=nonsense": "the connection failed",
    }
    for each, reason in reasons.items():
        with pytest.raises(LogError) as caught:
            connect(target_from_address(DatabaseAddress(each), "s"))
        # A machine without a network may look for a host's name for longer.
        assert f"({reason}" in str(caught.value) or "no answer within" in str(caught.value)
        assert_is_clear_error(caught.value)
    own_postgres.sql("CREATE ROLE guest LOGIN CONNECTION LIMIT 0")
    with pytest.raises(LogError, match="it has too many connections"):
        connect(target_from_address(DatabaseAddress(own_postgres.address("guest")), "s"))


def test_a_connection_that_is_cut_is_told_in_our_words(own_postgres, schema):
    """What libpq says of it may repeat the host."""
    with closing(
        SharedLog(target_from_address(DatabaseAddress(own_postgres.address()), schema), UTC)
    ) as shared:
        with socket.socket(fileno=socket.dup(shared._connection.fileno())) as duplicate:
            duplicate.shutdown(socket.SHUT_RDWR)
        with pytest.raises(LogError, match=r"could not be reached \(the connection was cut\)"):
            shared.organizations()


def test_the_settings_list_shows_no_part_of_it():
    """Whatever asks a setting for its text."""
    settings = StabilityMagic(shared_log="postgresql://me:ЖЖЖ@ЩЩЩ?ЪЪЪ@h/d")
    texts = [str(settings.trait_values()), repr(settings.shared_log), f"{settings.shared_log}"]
    assert shown_parts("".join(texts)) == set()
