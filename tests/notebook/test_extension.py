"""The extension in a shell: loading, unloading, %config and help."""

from __future__ import annotations

import pytest

from stability_magic.commands.declarations import COMMANDS
from stability_magic.session.current import current_session

MAGICS = (
    "account",
    "balance",
    "budget",
    "check",
    "cost",
    "costs",
    "demo",
    "estimate",
    "forecast",
    "history",
    "login",
    "merge",
    "notify",
    "plot",
    "prices",
    "sync",
    "team",
    "usage",
    "watch",
)


@pytest.mark.usefixtures("api", "log_path")
def test_reloading_and_unloading_leave_nothing_behind(shell):
    """Magics, settings, completions and hooks exist once, and not at all after unloading."""

    def count_registrations() -> tuple[int, ...]:
        magics = [*shell.magics_manager.magics["line"], *shell.magics_manager.magics["cell"]]
        return (
            sum(each.startswith("stability_") for each in magics),
            sum(type(each).__name__ == "StabilityMagic" for each in shell.configurables),
            len(shell.Completer.custom_matchers),
            sum(
                each.__module__.startswith("stability_magic")
                for each in shell.input_transformers_cleanup
                if hasattr(each, "__module__")
            ),
            sum(
                each.__module__.startswith("stability_magic")
                for callbacks in shell.events.callbacks.values()
                for each in callbacks
            ),
        )

    assert count_registrations() == (len(MAGICS) + 1, 1, 1, 2, 2)
    shell.run_cell("%reload_ext stability_magic").raise_error()
    shell.extension_manager.load_extension("stability_magic")
    assert count_registrations() == (len(MAGICS) + 1, 1, 1, 2, 2)
    shell.run_cell("%unload_ext stability_magic").raise_error()
    assert count_registrations() == (0, 0, 0, 0, 0)
    shell.run_cell("%load_ext stability_magic").raise_error()
    assert count_registrations() == (len(MAGICS) + 1, 1, 1, 2, 2)


def test_config_lists_the_settings_without_the_key(shell, capsys, api):
    """Every documented setting is there; the key is not one of them."""
    shell.run_cell("%config StabilityMagic").raise_error()
    listing = capsys.readouterr().out
    for each in ("api_url", "api_version", "organization", "log", "timezone", "low_balance"):
        assert f"StabilityMagic.{each}=" in listing
    for each in ("usd_per_credit", "timeout", "quiet"):
        assert f"StabilityMagic.{each}=" in listing
    assert api.api_key not in listing
    assert api.url in listing


@pytest.mark.parametrize("name", MAGICS)
def test_help_shows_options_and_examples(shell, name):
    """In the text that a question mark after the magic shows."""
    text = shell.find_line_magic(f"stability_{name}").__doc__
    assert "examples:" in text
    assert f"%stability_{name}" in text


def test_the_commands_that_are_declared_are_magics(shell):
    """Loading knows their names without importing what declares them."""
    magics = {
        kind: {name for name in names if name.startswith("stability")}
        for kind, names in shell.magics_manager.lsmagic().items()
    }
    declared = [each for each in COMMANDS if each.is_offered_in("magic")]
    assert magics["line"] == {each.magic_name for each in declared}
    assert magics["cell"] == {each.magic_name for each in declared if each.is_cell_magic}


def test_a_question_mark_shows_how_a_magic_is_used(shell, capsys):
    """Before one was used, and in the summary of all magics too."""
    shell.run_cell("%stability_forecast?").raise_error()
    assert "examples:" in capsys.readouterr().out
    documents = shell.magics_manager.lsmagic_docs(brief=True)
    assert documents["line"]["stability_forecast"]
    shell.run_cell("%stability_forecast??").raise_error()


def test_the_session_begins_with_its_first_use(shell, api):
    """Also where that is not a magic."""
    assert current_session().settings is next(
        each for each in shell.configurables if type(each).__name__ == "StabilityMagic"
    )
    shell.run_cell("%config StabilityMagic.low_balance = 7").raise_error()
    assert current_session().settings.low_balance == 7


def test_variables_of_the_caller_are_put_into_a_line(shell, api, log_path, capsys):
    """Also of a function that runs a magic, as IPython's own magics have it."""
    shell.run_cell(
        "def credits_since(span):\n"
        "    return get_ipython().run_line_magic('stability_usage', '--since {span}')\n"
        "credits_since('nonsense')"
    )
    assert "nonsense" in capsys.readouterr().err
