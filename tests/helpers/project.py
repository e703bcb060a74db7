"""The checked-out project: its folder and its requirements."""

from __future__ import annotations

import tomllib
from pathlib import Path

from packaging.requirements import Requirement

__all__ = ["ROOT", "requirements"]

ROOT = Path(__file__).parent.parent.parent


def requirements() -> list[Requirement]:
    """The project's dependencies, with those of the extras for users."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    users = ("fast", "keyring", "notify", "postgres")
    lines = [*project["dependencies"], *(line for each in users for line in extras[each])]
    return [Requirement(each) for each in lines]
