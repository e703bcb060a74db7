"""The only reader of the environment."""

from __future__ import annotations

import os

from .text import unquote

__all__ = ["variable"]


def variable(name: str) -> str:
    """The value of an environment variable; empty if it is not set.

    Quotes around it are no part of it: a shell takes them off, but Docker's ``--env-file`` and
    Windows' ``set`` keep them.
    """
    return unquote(os.environ.get(name, ""))
