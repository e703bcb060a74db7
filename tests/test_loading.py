"""Loading imports nothing heavy, and every public name can be imported."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import stability_magic

HEAVY = (
    "adbc_driver_sqlite",
    "apprise",
    "matplotlib",
    "numpy",
    "pandas",
    "psycopg",
    "pyarrow",
    "requests",
)
HEAVY += ("sqlite_utils", "keyring")

LOAD = """
import sys
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config
config = Config()
config.HistoryManager.enabled = False
shell = InteractiveShell.instance(config=config)
before = set(sys.modules)
shell.run_line_magic("load_ext", "stability_magic")
print(sorted({each.partition(".")[0] for each in set(sys.modules) - before}))
print(shell.find_line_magic("stability_balance") is not None)
print("stability_magic.commands" in sys.modules, "stability_magic.session.session" in sys.modules)
shell.run_line_magic("unload_ext", "stability_magic")
print("stability_magic.commands" in sys.modules)
"""


def test_loading_imports_nothing_heavy():
    """A kernel that merely loads the extension does not wait for large packages."""
    process = subprocess.run(
        [sys.executable, "-c", LOAD], capture_output=True, text=True, timeout=60, check=True
    )
    packages, has_magic, has_commands, has_commands_at_end = process.stdout.splitlines()
    assert has_magic == "True"
    # What magics do is imported when one is used.
    assert (has_commands, has_commands_at_end) == ("False False", "False")
    assert "stability_magic" in packages
    assert not [each for each in HEAVY if f"'{each}'" in packages]


def test_importing_imports_nothing_heavy():
    """Public names are imported on first use."""
    code = "import sys, stability_magic; print(sorted(sys.modules))"
    process = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert not [each for each in (*HEAVY, "IPython") if f"'{each}'" in process.stdout]


def test_every_public_name_is_there():
    """Each can be imported, and dir shows it."""
    for name in stability_magic.__all__:
        assert getattr(stability_magic, name) is not None
        assert name in dir(stability_magic)
    assert stability_magic.__all__ == sorted(stability_magic.__all__, key=lambda each: each)


def test_an_unknown_name_is_an_attribute_error():
    """As with any module."""
    with pytest.raises(AttributeError, match="no attribute 'burn'"):
        _ = stability_magic.burn


def test_every_public_name_is_used_with_its_types():
    """The program that mypy checks uses all of them."""
    program = Path(__file__).with_name("outside") / "typed.py"
    tree = ast.parse(program.read_text(encoding="utf-8"))
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    attributes = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert set(stability_magic.__all__) <= names | attributes
