"""What the command line says: its own commands, what was probably meant, and nothing twice."""

from __future__ import annotations

import csv
import io
import json
import re
import shlex
import sys
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stability_magic import Balance, BalanceLog
from stability_magic.commands.declarations import COMMANDS
from stability_magic.simulator.simulator import FAULTS
from stability_magic.terminal.command_line import main
from stability_magic.terminal.phrasing import command_line_words
from stability_magic.text import nearest

MAGICS = re.compile(r"%stability|%config|StabilityMagic\.|this session")


@pytest.fixture
def log(log_path) -> BalanceLog:
    """A log of two organizations."""
    log = BalanceLog(log_path)
    for hour in range(5):
        at = datetime.now(UTC) - timedelta(hours=5 - hour)
        log.append(Balance("org-render", 100.0 - hour, at))
        log.append(Balance("org-train", 50.0 - hour, at))
    return log


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The last line about arguments that are refused, by argparse or by the command."""
    try:
        code = main(arguments)
    except SystemExit as error:
        code = error.code
    assert code == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err.splitlines()[-1]


def test_alone_it_is_the_summary(capsys, log_path):
    """Which says of an empty log how to begin."""
    for arguments in ([], ["-a"], ["--json"]):
        assert main(arguments) == 0
        assert "stability-magic balance takes one" in capsys.readouterr().err


def test_help_names_each_command(capsys):
    """On standard output, as a success."""
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    captured = capsys.readouterr()
    assert captured.out.startswith("usage: stability-magic")
    assert all(f"    {each} " in captured.out for each in ("status", "balance", "usage", "demo"))
    assert captured.err == ""


@pytest.mark.parametrize(
    ("variables", "arguments", "advice"),
    [
        ({}, ["balance"], "stability-magic login --save; keys"),
        ({}, ["balance"], "stability-magic demo works"),
        ({"STABILITY_API_KEY": "''"}, ["account"], "stability-magic login --save"),
        ({"STABILITY_MAGIC_LOG": ":memory:"}, ["usage"], "set STABILITY_MAGIC_LOG to the path"),
        ({"STABILITY_MAGIC_LOG": "a\0b"}, ["usage"], ""),
        (
            {"STABILITY_API_HOST": "http://example.org", "STABILITY_API_KEY": "k"},
            ["balance"],
            "https",
        ),
        ({"STABILITY_API_KEY": "k"}, ["balance", "-o", "a b"], "stability-magic account lists"),
        ({}, ["sync"], "set STABILITY_MAGIC_SHARED_LOG to postgresql"),
        ({"STABILITY_MAGIC_SHARED_LOG": "mysql://x"}, ["usage"], "set STABILITY_MAGIC_SHARED_LOG"),
        ({"TZ": "Nowhere/Land"}, ["usage"], "TZ to a name"),
        ({}, ["login", "--save"], "STABILITY_API_KEY"),
        ({}, ["history"], "stability-magic balance takes one"),
    ],
)
def test_advice_names_commands_and_variables(
    capsys, monkeypatch, log_path, variables, arguments, advice
):
    """No magic, no setting that only a notebook has, and no session that ends at once."""
    monkeypatch.setenv("STABILITY_API_HOST", "http://127.0.0.1:1")
    monkeypatch.setattr("getpass.getpass", lambda prompt: "sk-a-key-to-save")
    monkeypatch.setitem(sys.modules, "keyring", None)
    for name, value in variables.items():
        if "\0" not in value:
            monkeypatch.setenv(name, value)
    main(arguments)
    error_text = capsys.readouterr().err
    assert advice in error_text
    assert not MAGICS.search(error_text)


@pytest.mark.parametrize("fault", ["401", "403", "404", "403 html", "redirect", "500"])
@pytest.mark.usefixtures("log_path")
def test_advice_about_the_service_names_commands_and_variables(capsys, api, fault):
    """Whatever it answers."""
    for each in FAULTS:
        if each.startswith(fault.split()[0]):
            api.fail(FAULTS[each], path="/user/balance")
            main(["balance"])
            error_text = capsys.readouterr().err
            assert not MAGICS.search(error_text)
            assert "api_url" not in error_text
            assert "api_version" not in error_text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("run %stability_login.", "run prog login --save."),
        ("run %stability_login --save.", "run prog login --save."),
        ("%%stability_cost measures a cell", "%%stability_cost measures a cell"),
        ("'%stability_login' is no organization", "'%stability_login' is no organization"),
        ("100%stability_login", "100%stability_login"),
        ("set StabilityMagic.log or STABILITY_MAGIC_LOG to", "set STABILITY_MAGIC_LOG to"),
        ("set StabilityMagic.quiet", "set StabilityMagic.quiet"),
        ("check api_url and HTTPS_PROXY", "check STABILITY_API_HOST and HTTPS_PROXY"),
        ("/home/api_url/log.db", "/home/api_url/log.db"),
    ],
)
def test_only_advice_is_put_in_other_words(text, words):
    """What the user typed stays, and what a terminal does not have."""
    assert command_line_words(text, "prog") == words


@pytest.mark.usefixtures("log")
@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        ("blance", "balance"),
        ("forcast", "forecast"),
        ("cost", "costs"),
        ("balance --sinc 7d", "--since"),
        ("balance --requires=5usd", "--require"),
        ("costs --sum", "--summary"),
        ("history --org org-train", "--organization"),
        ("history -O org-train", "-o"),
        ("usage --by weak", "week"),
        ("usage --by daily", "day"),
        ("usage --by m", "month"),
        ("usage --format jsn", "json"),
        ("history --jso", "--json"),
        ("usage -o org-rendre", "org-render"),
        ("usage -o train", "org-train"),
        ("usage -o tra", "org-train"),
        ("balance --require 6ultra", "ultra"),
    ],
)
def test_what_was_probably_meant_is_said(capsys, arguments, meant):
    """For commands, options, periods and organizations."""
    assert refused(capsys, *arguments.split()).endswith(f"; did you mean {meant}?")


@pytest.mark.usefixtures("log")
@pytest.mark.parametrize(
    "arguments",
    ["nonsense", "balance --qqq", "usage --by year", "usage -o nope", "forecast -o zzz"],
)
def test_nothing_is_said_to_be_meant_without_likeness(capsys, arguments):
    """What there is to choose from is said all the same."""
    line = refused(capsys, *arguments.split())
    assert "did you mean" not in line
    if "-o" in arguments:
        assert line.endswith("it has: org-render, org-train")


@pytest.mark.usefixtures("log_path")
@pytest.mark.parametrize("word", ["nope", "org-sim-studoi", "Fernhill Studio", "studio", "Fern"])
def test_an_organization_that_the_key_does_not_have(capsys, api, word):
    """Those that it has are named, also where a name was given for an id."""
    assert main(["balance", "-o", word]) == 1
    line = capsys.readouterr().err.splitlines()[-1]
    for each in api.organizations:
        assert f"{each.id} ({each.name})" in line
    assert line.endswith("did you mean org-sim-studio?") == (word != "nope")


@pytest.mark.usefixtures("log_path")
def test_without_the_account_the_refusal_stands_alone(capsys, api):
    """The organizations cannot be listed then."""
    api.fail(FAULTS["500"], path="/user/account")
    assert main(["balance", "-o", "nope"]) == 1
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("PermissionDeniedError: ")
    assert line.endswith("stability-magic account lists the key's organizations.")


@given(
    st.text(max_size=8),
    st.lists(st.text(st.characters(codec="ascii"), max_size=8), max_size=5, unique_by=str.casefold),
)
@settings(settings.get_profile("hostile"))
def test_what_is_nearest_is_one_of_the_candidates(word, candidates):
    """Or nothing; a candidate is nearest to itself."""
    assert nearest(word, candidates) in [*candidates, None]
    for each in candidates:
        if each.strip().strip("-") and each == each.strip():
            is_beginning = any(
                other.casefold().startswith(each.casefold())
                for other in candidates
                if other != each
            )
            assert is_beginning or nearest(each, candidates) == each


@pytest.mark.parametrize("word", ["nope", "a b"])
def test_a_magic_says_which_organizations_there_are(shell, api, log_path, word):
    """In the words of a notebook."""
    error = shell.run_cell(f"%stability_balance -o '{word}'").error_in_exec
    assert "%stability_account lists" in str(error)
    assert "org-sim-studio (Fernhill Studio (simulated))" in str(error)


@pytest.mark.usefixtures("log_path")
def test_a_key_in_place_of_an_organization_is_not_repeated(capsys, api):
    """The output of every test is searched for keys."""
    assert main(["balance", "-o", api.api_key]) == 1
    assert "***" in capsys.readouterr().err


@pytest.mark.usefixtures("log_path")
@pytest.mark.parametrize("style", [[], ["--format", "table"], ["--quiet"]])
def test_a_balance_that_is_too_low_is_told_once(capsys, api, style):
    """By the error; data for programs are written all the same."""
    assert main(["balance", "--require", "900000", *style]) == 3
    captured = capsys.readouterr()
    (line,) = captured.err.splitlines()
    assert re.match(r"LowBalanceError: .* has \S+ credits", line)
    rows = list(csv.DictReader(io.StringIO(captured.out)))
    assert len(rows) == (0 if "table" in style else 1)


@pytest.mark.usefixtures("log_path")
def test_the_lines_of_other_organizations_stay(capsys, api):
    """Where one of several has too little left."""
    assert main(["balance", "-a", "--require", "900000"]) == 3
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == len(api.organizations)
    assert lines[-1].startswith("LowBalanceError: ")


@pytest.mark.usefixtures("log")
def test_json_is_the_format_json(capsys):
    """A shorter way to write it."""
    assert main(["history", "--json"]) == 0
    short = capsys.readouterr().out
    assert main(["history", "--format", "json"]) == 0
    assert short == capsys.readouterr().out
    assert len(json.loads(short)) == 10
    assert "not allowed with" in refused(capsys, "history", "--json", "--format", "csv")


@pytest.mark.parametrize("option", ["--format=json", "--format table", "--json"])
@pytest.mark.parametrize(
    "command",
    [each.name for each in COMMANDS if each.is_offered_in("command line") and not each.formats],
)
def test_a_format_of_nothing_is_refused(capsys, command, option):
    """The line says why."""
    assert "writes no table" in refused(capsys, command, *option.split())


def test_the_help_of_costs_says_that_a_label_filters(capsys):
    """It does not call anything so."""
    with pytest.raises(SystemExit):
        main(["costs", "--help"])
    assert re.search(r"LABEL +only the cells with this label\n", capsys.readouterr().out)


@pytest.mark.usefixtures("api", "log")
@pytest.mark.parametrize(
    ("command", "line"),
    [
        (each.name, line)
        for each in COMMANDS
        if each.is_offered_in("command line")
        and each.name not in ("watch", "demo", "sync", "merge")
        for line in each.examples_in("command line")
    ],
)
def test_the_examples_of_the_help_are_no_wrong_arguments(monkeypatch, tmp_path, command, line):
    """Of the commands that end by themselves and need nothing else."""
    monkeypatch.chdir(tmp_path)
    if command == "budget":
        # It is of one organization, and is there to be checked and removed.
        monkeypatch.setenv("STABILITY_ORGANIZATION", "org-render")
        assert main(["budget", "500", "--every", "day"]) == 0
    line = line.replace("org-1234", "org-render")
    assert main([command, *shlex.split(line)]) in (0, 1)


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        ("--since yesterdy", "yesterday"),
        ("--until tody", "today"),
        ("--since al", "all"),
        ("--on 'last weak'", "last week"),
        ("--on lastmonth", "last month"),
        ("--on yest", "yesterday"),
    ],
)
def test_a_mistyped_time_has_a_meaning(capsys, arguments, meant):
    """After the forms that there are."""
    line = refused(capsys, "history", *shlex.split(arguments))
    assert line.endswith(f"; did you mean {meant}?")
    assert "2026-11-" in line
