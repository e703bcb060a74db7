"""The extension in a shell: loading, unloading, %config and help."""

from __future__ import annotations

import pytest

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
