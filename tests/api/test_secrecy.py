"""The key is in no pickle, no copy, no debugging output, and in no words of the service."""

from __future__ import annotations

import copy
import multiprocessing
import pickle
import re
import subprocess
import sys
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st
from traitlets.config import Config

from stability_magic import ResponseError, StabilityClient, StabilityMagicError
from stability_magic.api.answers import parse_account, parse_credits, status_error
from stability_magic.keys import KeySources
from stability_magic.settings import StabilityMagic
from stability_magic.simulator.simulator import Fault
from stability_magic.text import DatabaseAddress, Secret, strike_out

from ..helpers.errors import KEY, _traceback_texts, assert_is_clear_error
from .samples import ACCOUNT, NOW, ORGANIZATION, answer

ADDRESS = "postgresql://me:password@host/database"


# Pickles and copies


def key_sources():
    keys = KeySources()
    keys.hold(KEY)
    return keys


HOLDERS = {
    "client": lambda: StabilityClient(KEY),
    "transport": lambda: StabilityClient(KEY)._transport,
    "sources": key_sources,
    "client in a list": lambda: [{"client": StabilityClient(KEY)}],
    "method": lambda: StabilityClient(KEY).balance,
}
PICKLE_ONLY = {
    "key": lambda: Secret(KEY),
    "answer": lambda: answer(b"{}")._replace(secret=Secret(KEY)),
    "address": lambda: DatabaseAddress(ADDRESS),
    "settings": lambda: StabilityMagic(shared_log=ADDRESS),
}


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("make", (HOLDERS | PICKLE_ONLY).values(), ids=HOLDERS | PICKLE_ONLY)
def test_what_holds_a_secret_is_not_pickled(make, protocol):
    """One line says why; a cache, a queue or a job of a cluster would keep the key in clear."""
    holder = make()
    with pytest.raises(TypeError, match="holds a secret and cannot be pickled") as caught:
        pickle.dumps(holder, protocol)
    assert len(str(caught.value).splitlines()) == 1
    assert KEY not in str(caught.value)
    with pytest.raises(TypeError, match="holds a secret"):
        multiprocessing.reduction.ForkingPickler.dumps(holder)


@pytest.mark.parametrize("make", HOLDERS.values(), ids=HOLDERS)
def test_what_holds_a_secret_is_not_copied(make):
    """Two clients with one set of connections would close each other's."""
    holder = make()
    with pytest.raises(TypeError, match="holds a secret and cannot be pickled or copied"):
        copy.deepcopy(holder)
    if not isinstance(holder, list):
        target = getattr(holder, "__self__", holder)
        with pytest.raises(TypeError, match="holds a secret and cannot be pickled or copied"):
            copy.copy(target)


def test_settings_with_a_secret_address_still_work(shell):
    """traitlets and IPython copy the values of settings, in memory."""
    config = Config()
    config.StabilityMagic.shared_log = DatabaseAddress(ADDRESS)
    settings = StabilityMagic(config=copy.deepcopy(config))
    settings.update_config(Config({"StabilityMagic": {"quiet": True}}))
    assert settings.shared_log.reveal() == ADDRESS
    assert copy.copy(settings).shared_log.reveal() == ADDRESS
    shell.run_cell(f"%config StabilityMagic.shared_log = {ADDRESS!r}").raise_error()
    shell.run_cell("%config StabilityMagic").raise_error()
    shell.run_cell("%config StabilityMagic.quiet = True").raise_error()


# Debugging output


@pytest.mark.parametrize(
    "switch",
    [
        "http.client.HTTPConnection.debuglevel = 1",
        "http.client.HTTPSConnection.debuglevel = 9",
        "urllib3.connection.HTTPConnection.debuglevel = 1",
        "urllib3.add_stderr_logger()",
        "logging.basicConfig(level=logging.DEBUG)",
    ],
)
def test_the_libraries_below_print_no_header_in_any_debug_mode(service, switch):
    """``http.client`` prints every header that it sends and receives, if told to."""
    script = (
        "import http.client, logging, sys, urllib3, urllib3.connection, stability_magic\n"
        f"{switch}\n"
        "with stability_magic.StabilityClient(sys.argv[1], api_url=sys.argv[2]) as client:\n"
        "    assert client.balance().credits == 100\n"
        f"    {switch}\n"
        "    assert client.account().organizations\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, KEY, service.url],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not repeats_key(done.stdout + done.stderr)
    assert "header" not in done.stdout
    assert "send:" not in done.stdout


# Words of the service


def repeats_key(text, key=KEY, length=8):
    """Whether a text has as much as 8 characters of the key in a row, in capitals or not."""
    runs = {key[start : start + length] for start in range(len(key) - length + 1)}
    return any(each in text.lower() for each in runs)


MANGLED = {
    "bare": KEY,
    "without its prefix": KEY.removeprefix("sk-"),
    "in capitals": KEY.upper(),
    "in both": KEY.title(),
    "its first part": KEY[:16],
    "its middle": KEY[14:30],
    "its end": KEY[-8:],
    "in halves": f"{KEY[:20]} and {KEY[20:]}",
    "in parts": " ".join(KEY[start : start + 10] for start in range(0, len(KEY), 10)),
    "twice": KEY * 2,
    "after Bearer": f"Bearer {KEY}",
    "in an address": f"https://x/?key={KEY}&a=b",
    "within a word": f"x{KEY[5:]}y",
    "with spaces": " ".join(KEY),
    "in groups of four": "-".join(KEY[start : start + 4] for start in range(0, len(KEY), 4)),
    "across lines": f"{KEY[:20]}\n{KEY[20:]}",
    "with invisible marks": "\u200b".join(KEY),
}


def shown(value):
    """Whatever an exception or value shows, with the variables of its traceback's frames."""
    if isinstance(value, BaseException):
        trace = traceback.TracebackException.from_exception(
            value, capture_locals=True, lookup_lines=False
        )
        return "\n".join([str(value), repr(value), repr(vars(value)), *_traceback_texts(trace)])
    return repr(value)


@pytest.mark.parametrize("mangled", MANGLED.values(), ids=MANGLED)
@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500])
def test_an_error_shows_no_part_of_a_key_however_it_is_mangled(mangled, status):
    """In the message, the list of errors, the id and the name."""
    for body in (
        {"id": mangled, "name": mangled, "message": f"the key {mangled} is wrong"},
        {"name": mangled},
        {"errors": [mangled, mangled[:7], mangled[7:]], "message": "the key"},
        {"message": mangled.rjust(290)},
    ):
        error = status_error(answer(body, status), NOW)
        assert not repeats_key(shown(error))
        assert not repeats_key(re.sub(r"\W", "", f"{error.detail} {error.error_id}"), length=12)
        assert_is_clear_error(error)


@pytest.mark.parametrize("mangled", MANGLED.values(), ids=MANGLED)
def test_an_account_shows_no_part_of_a_key_however_it_is_mangled(mangled):
    """In names, ids, roles, the address and the picture."""
    organization = ORGANIZATION | {"id": mangled, "name": f"Team {mangled}", "role": mangled}
    body = ACCOUNT | {"id": mangled, "email": f"{mangled}@x", "organizations": [organization]}
    account = parse_account(answer(body | {"profile_picture": mangled}))
    assert not repeats_key(f"{account!r} {account.email} {account.profile_picture}")
    assert account.organizations[0].name.startswith("Team ")
    assert "***" in account.organizations[0].name


@pytest.mark.parametrize("mangled", MANGLED.values(), ids=MANGLED)
@pytest.mark.parametrize("parse", [parse_account, parse_credits])
def test_an_answer_that_cannot_be_read_shows_no_part_of_a_key(mangled, parse):
    """Neither its fields nor the variables of a traceback."""
    for body in (
        {mangled: mangled},
        [mangled],
        {"x": [{mangled: [mangled]}], "organizations": [mangled], "id": "a", "email": "b"},
        f"<p>{mangled}".encode(),
        f'{{"credits": {mangled}'.encode(),
        mangled.encode() + b"[" * 100_000,
    ):
        with pytest.raises(ResponseError) as caught:
            parse(answer(body))
        assert not repeats_key(shown(caught.value))


def test_over_the_wire_too(service, connect):
    """In whatever the client raises, with every variable."""
    for mangled in (KEY.upper(), KEY[3:], KEY[10:30]):
        for body in (f'{{"message": "{mangled}"}}', mangled, f"{mangled}x" * 30_000):
            service.fail(Fault(500, body.encode()))
            with pytest.raises(StabilityMagicError) as caught:
                connect(api_version="v1").balance()
            assert not repeats_key(shown(caught.value))


@pytest.mark.parametrize("organization", [KEY, f"{KEY} x", KEY.upper()])
def test_a_key_that_was_pasted_as_an_organization_is_not_shown(connect, organization):
    """Neither where it is refused nor where the service does."""
    with pytest.raises(StabilityMagicError) as caught:
        connect().balance(organization)
    assert not repeats_key(str(caught.value))


def test_ordinary_words_and_simulated_ids_stay_as_they_are():
    """What simulated keys begin with is in the names of simulated organizations, too."""
    key = "sk-simulated-0123456789abcdef0123456789abcdef012345"
    for text in (
        "org-simulateddefault00000001",
        "sk-simulated-",
        "The simulated team, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9",
        "2026-11-25 01:23:45.6789",
        "",
        "\u202e\ud800",
    ):
        assert strike_out(text, key) == text
    assert strike_out("a sk-simulated-012 b", key) == "a *** b"


def test_a_short_key_is_not_searched_for():
    """It would be found inside ordinary words."""
    assert strike_out("balance", "balance") == "balance"


@given(
    before=st.text(),
    after=st.text(),
    start=st.integers(0, len(KEY) - 8),
    length=st.integers(8, len(KEY)),
    capitals=st.lists(st.booleans(), min_size=len(KEY), max_size=len(KEY)),
)
def test_no_run_of_eight_survives_anywhere(before, after, start, length, capitals):
    """Whatever surrounds it, and whichever letters are capitals."""
    run = "".join(
        each.upper() if is_capital else each
        for each, is_capital in zip(KEY[start : start + length], capitals, strict=False)
    )
    text = strike_out(before + run + after, KEY)
    assert not repeats_key(text)
    assert "***" in text
