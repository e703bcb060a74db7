"""Lines that are safe to paste: what is masked, and what is not."""

from __future__ import annotations

import pytest

from stability_magic.display.check_text import FAULT, OK, Check, check_text, without_secrets

from ..helpers.errors import KEY


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/home/jo/log.db, 5 KiB", "~/log.db, 5 KiB"),
        ("in /home/jo.", "in ~."),
        ("/home/jo", "~"),
        ("/home/john/log.db", "/home/john/log.db"),
        ("/home/jo-old/log.db", "/home/jo-old/log.db"),
        (f"no {KEY} here, nor {KEY[5:25]}", "no *** here, nor ***"),
        ("jane.doe+x@mail.example.org is", "j***@mail.example.org is"),
        ("http://me:secret@proxy:3128", "http://***@proxy:3128"),
        ("http://me:a/b@c@proxy:3128", "http://***@proxy:3128"),
        ("postgresql://me@host/db answers", "postgresql://***@host/db answers"),
        ("org-aa11bb22cc33cdef is", "org-…cdef is"),
        ("'user-aa11bb22cc33cdef'", "'user-…cdef'"),
        ("https://my-org-api.example/org-x", "https://my-org-api.example/org-x"),
        ("https://api.example/v1/user/balance", "https://api.example/v1/user/balance"),
    ],
)
def test_nobodys_secret_is_left(text, shown):
    """Home folders, keys, addresses and ids."""
    assert without_secrets(text, home="/home/jo", secrets=[KEY]) == shown


@pytest.mark.parametrize("home", ["", "/", "~"])
def test_a_home_that_is_not_one_masks_nothing(home):
    """As in some containers."""
    assert without_secrets("/var/log.db", home=home, secrets=[]) == "/var/log.db"


def test_windows_has_a_home_folder_too():
    """With its own signs between folders."""
    text = r"C:\Users\jo\log.db"
    assert without_secrets(text, home=r"C:\Users\jo", secrets=[]) == r"~\log.db"


def test_each_check_is_a_line():
    """And where it is wrapped, the rest stands below its text."""
    checks = [Check("key", OK, "there"), Check("shared log", FAULT, "word " * 20 + "end")]
    key, log = check_text(checks).splitlines()
    assert key == "ok     key         there"
    assert log.startswith("FAULT  shared log  word ")
    first, second, *others = check_text(checks, 60).splitlines()
    assert first == key
    assert len(second) <= 60
    assert {each[:19] for each in others} == {" " * 19}
    assert " ".join([second, *(each.strip() for each in others)]) == log
