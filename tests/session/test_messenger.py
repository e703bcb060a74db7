"""Commands that are told, and what goes wrong with them: real processes."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from pathlib import Path

import pytest

from stability_magic.channels import Channels, channels_from_setting
from stability_magic.display.notice_text import Message
from stability_magic.session.messenger import Messenger
from stability_magic.session.senders import send

from ..helpers.errors import KEY
from .recorders import Recorder

pytestmark = pytest.mark.skipif(os.name == "nt", reason="its commands are those of POSIX")

MESSAGE = Message("test", "a title", 'a text with "quotes", $HOME and `ls`', {"credits": 5.0})


def python(code: str) -> Channels:
    """A command that runs a program."""
    return channels_from_setting([[sys.executable, "-c", code]])


def reason(channels: Channels, seconds: float = 30.0) -> str:
    """Why a message could not be sent; empty if it could."""
    (channel,) = channels
    return send(channel, MESSAGE, seconds=seconds, secret=KEY)


def test_a_command_gets_one_line_of_json(tmp_path):
    """As it is: no shell sees it."""
    recorder = Recorder(tmp_path / "told.jsonl")
    assert reason(channels_from_setting(recorder.command)) == ""
    (message,) = recorder.messages()
    assert message == {
        "event": "test",
        "title": "a title",
        "text": 'a text with "quotes", $HOME and `ls`',
        "credits": 5.0,
    }


def test_what_is_not_known_is_null():
    """JSON has no NaN, and 0 would be a lie."""
    text = MESSAGE._replace(fields={"credits": float("nan"), "level": None}).to_json()
    assert json.loads(text) | {"credits": 1} == json.loads(text) | {"credits": 1}
    assert json.loads(text)["credits"] is None
    assert "\n" not in text


def test_neither_key_nor_passwords_are_in_its_environment(monkeypatch, tmp_path):
    """Whatever the variable with the key is called."""
    kept = tmp_path / "environment.json"
    secrets = {
        "STABILITY_API_KEY": KEY,
        "STABILITY_KEY": "sk-another-one",
        "STABILITY_MAGIC_SHARED_LOG": "postgresql://me:secret@host/db",
        "STABILITY_MAGIC_NOTIFY": "mailto://me:secret@host",
        "MY_OWN": f"Bearer {KEY}",
    }
    for name, value in (secrets | {"STABILITY_API_HOST": "https://a.example"}).items():
        monkeypatch.setenv(name, value)
    assert (
        reason(python(f"import json, os; json.dump(dict(os.environ), open({str(kept)!r}, 'w'))"))
        == ""
    )
    environment = json.loads(kept.read_text())
    assert not secrets.keys() & environment.keys()
    assert environment["STABILITY_API_HOST"] == "https://a.example"
    assert environment["PATH"] == os.environ["PATH"]


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (["no-such-program-here"], "there is no such program, or it may not be run"),
        (["/"], "there is no such program, or it may not be run"),
        (["false"], "it ended with exit code 1"),
        (["sh", "-c", "echo one; echo two >&2; exit 3"], "it ended with exit code 3: two"),
        (["sh", "-c", "kill -9 $$"], "it ended with exit code -9"),
        (
            ["sh", "-c", "printf 'a\\033[31mb\\377'; exit 1"],
            "code 1: a\N{REPLACEMENT CHARACTER}[31",
        ),
    ],
)
def test_a_command_that_fails_says_why(command, told):
    """In one printable line."""
    text = reason(channels_from_setting(command))
    assert told in text
    assert text.isprintable()


def test_a_command_that_repeats_what_it_was_called_with(monkeypatch):
    """Its arguments and the key are not shown."""
    channels = channels_from_setting(
        ["sh", "-c", f'echo "bad $1 and {KEY}"; exit 1', "-", "tok-en-of-mine"]
    )
    text = reason(channels)
    assert "tok-en" not in text
    assert KEY[:12] not in text


def test_a_command_that_writes_a_megabyte():
    """It is read to the end, and one line of it is told."""
    code = "import sys; print('x' * 1_000_000); print('the end'); sys.exit(4)"
    assert reason(python(code)) == "it ended with exit code 4: the end"
    one_line = "import sys; print('y' * 1_000_000); sys.exit(4)"
    text = reason(python(one_line))
    assert len(text) < 250
    assert reason(python("print('x' * 1_000_000)")) == ""


def test_a_command_that_hangs_is_ended_with_all_that_it_started(tmp_path):
    """In the time that it has."""
    alive = tmp_path / "alive"
    command = ["sh", "-c", f"(while :; do date >> {alive}; sleep 0.05; done) & wait"]
    text = reason(channels_from_setting(command), seconds=0.5)
    assert text == "no answer within 0.5 seconds, so that it was ended"
    size = alive.stat().st_size
    time.sleep(0.3)
    assert alive.stat().st_size == size


def test_a_command_that_reads_nothing_or_leaves_something_behind():
    """Both have told."""
    assert reason(channels_from_setting(["true"])) == ""
    assert reason(channels_from_setting(["sh", "-c", "sleep 5 & exit 0"])) == ""


def test_a_dead_channel_holds_up_nobody_and_is_told_once(tmp_path):
    """The others get what they are sent, in its order; it is told again once it has worked."""
    recorder, switch = Recorder(tmp_path / "told.jsonl"), tmp_path / "works"
    dead = ["test", "-e", str(switch)]
    slow = ["sh", "-c", f"until test -e {switch}; do sleep 0.02; done"]
    messenger = Messenger(lambda: KEY)
    channels = channels_from_setting([slow, dead, recorder.command])
    for number in range(5):
        messenger.send(channels, MESSAGE._replace(event=str(number)))
    assert recorder.wait_for(5) == ["0", "1", "2", "3", "4"]
    messenger.finish(0.0)
    assert messenger.take_problems()[-1].endswith(" still on the way at the end.")
    switch.touch()
    messenger.finish(60)
    assert messenger.take_problems() == []
    switch.unlink()
    working = Messenger(lambda: KEY)
    for _ in range(3):
        working.send(channels[1:2], MESSAGE)
    working.finish(30)
    (problem,) = working.take_problems()
    assert problem == (
        "No message can be sent to the command test: it ended with exit code 1. This is told once."
    )
    switch.touch()
    working.send(channels[1:2], MESSAGE)
    working.finish(30)
    assert working.take_problems() == []
    switch.unlink()
    working.send(channels[1:2], MESSAGE)
    working.finish(30)
    assert len(working.take_problems()) == 1


def test_threads_end_with_what_they_have_to_send():
    """Nothing is left behind, and all channels are tried at once."""
    messenger, before = Messenger(str), set(threading.enumerate())
    channels = channels_from_setting([["true"], ["false"], ["sh", "-c", "exit 2"]])
    assert [bool(each) for each in messenger.deliver(channels, MESSAGE)] == [False, True, True]
    messenger.send(channels, MESSAGE)
    messenger.finish(30)
    end = time.monotonic() + 30
    while set(threading.enumerate()) - before:
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_home_folder_may_be_written_short(monkeypatch, tmp_path):
    """As a shell would have it."""
    program = Path(os.environ["HOME"]) / "tell"
    program.write_text("#!/bin/sh\nexit 7\n")
    program.chmod(0o700)
    assert reason(channels_from_setting(["~/tell"])) == "it ended with exit code 7"
