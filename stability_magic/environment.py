"""The only reader of the environment."""

from __future__ import annotations

import os

from .text import unquote

__all__ = ["variable", "variables_for_others"]

# What holds a key, or an address with a password.
_SECRETS = frozenset(
    {
        "STABILITY_API_KEY",
        "STABILITY_KEY",
        "STABILITY_MAGIC_NOTIFY",
        "STABILITY_MAGIC_SHARED_LOG",
    }
)


def variable(name: str) -> str:
    """The value of an environment variable; empty if it is not set.

    Quotes around it are no part of it: a shell takes them off, but Docker's ``--env-file`` and
    Windows' ``set`` keep them.
    """
    return unquote(os.environ.get(name, ""))


def variables_for_others(secret: str = "") -> dict[str, str]:
    """The environment for a program of somebody else: without the key and addresses with passwords.

    Args:
        secret: The key; what holds it under whatever name is left out too.
    """
    return {
        name: value
        for name, value in os.environ.items()
        # Windows tells names in capitals from others as little as a shell there does.
        if name.upper() not in _SECRETS and not (secret and secret in value)
    }
