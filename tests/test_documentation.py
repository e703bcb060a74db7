"""What the README says is what the package does."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import stability_magic
from stability_magic import BalanceLog
from stability_magic._commands import COMMANDS
from stability_magic._frames import COLUMNS
from stability_magic._settings import StabilityMagic

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")

ERRORS = {
    "ApiError": "StabilityMagicError",
    "AuthenticationError": "StatusError",
    "LogError": "StabilityMagicError",
    "LowBalanceError": "StabilityMagicError",
    "PermissionDeniedError": "StatusError",
    "RateLimitError": "StatusError",
    "ResponseError": "ApiError",
    "SettingsError": "StabilityMagicError",
    "StatusError": "ApiError",
    "TransportError": "ApiError",
}

OPTIONS = {
    "account": {"--show-email"},
    "balance": {
        "-o",
        "-a",
        "--since",
        "--require",
        "--fail-open",
        "--label",
        "--host",
        "--no-log",
        "-q",
    },
    "history": {"-o", "--since", "--until", "--host", "--local"},
    "usage": {"--by", "-o", "--since", "--until", "--local"},
    "plot": {"--by", "-o", "--since", "--until", "--forecast", "--output", "--local"},
    "forecast": {"-o", "--local"},
    "cost": {"label", "-o", "--settle"},
    "costs": {"label", "--since", "--summary", "--local"},
    "watch": {"--every", "-o", "-a", "--plot", "--status", "--stop"},
    "merge": {"paths"},
    "sync": {"--again"},
    "login": {"--save"},
    "demo": {"--spend", "--stop", "--folder"},
}


def table(heading: str) -> list[list[str]]:
    """The rows of the first table below a line that begins so."""
    lines = README[README.index(heading) :].splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("|---"))
    rows = []
    for line in lines[start + 1 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


def test_every_command_is_documented():
    """And none that does not exist."""
    listed = [re.search(r"%stability_(\w+)", row[0])[1] for row in table("[notebooks/quickstart")]
    assert listed == [each.name for each in COMMANDS]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda each: each.name)
def test_options_are_those_that_were_promised(command):
    """Scripts and notebooks depend on their names."""
    assert {each.flags[0] for each in command.arguments} == OPTIONS[command.name]


def test_every_setting_is_documented():
    """With its environment variable."""
    traits = StabilityMagic.class_own_traits(config=True)
    listed = {row[0].strip("`"): row[1].strip("`") for row in table("The settings are listed")}
    assert listed == {name: trait.metadata.get("env", "") for name, trait in traits.items()}


def test_every_column_is_documented():
    """In its order."""
    listed = {row[0]: re.findall(r"`(\w+)`", row[2]) for row in table("### What the frames hold")}
    assert listed == {name: list(columns) for name, columns in COLUMNS.items()}


def test_every_error_is_documented_and_in_its_place():
    """The tree is a promise: who catches a base catches what is below it."""
    listed = {row[0].strip("`") for row in table("## Errors, and what to do")}
    assert listed == set(ERRORS) - {"ApiError"}
    for name, base in ERRORS.items():
        assert getattr(stability_magic, name).__base__ is getattr(stability_magic, base)


def test_the_python_example_runs(api, monkeypatch, tmp_path):
    """As it stands, in an empty folder."""
    example = README.split("```python\n")[1].split("```")[0]
    key = 'os.environ["STABILITY_API_KEY"]'
    assert key in example
    # The simulator stands in for the service.
    example = example.replace(key, f'{key}, api_url="{api.url}"')
    done = subprocess.run(
        [sys.executable, "-c", example], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert BalanceLog(tmp_path / "credits.db").readings()["label"].tolist() == ["before the batch"]
    assert (tmp_path / "usage.svg").exists()


def test_the_sql_example_runs(api, log_path):
    """On a log, with sqlite-utils, which comes along."""
    command = [sys.executable, "-m", "stability_magic", "balance"]
    subprocess.run(command, capture_output=True, timeout=60, check=True)
    query = re.search(r'log\.db \\\n  "(select .*)" --table', README)[1]
    done = subprocess.run(
        [sys.executable, "-m", "sqlite_utils", "query", str(log_path), query, "--table"],
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=True,
    )
    assert "Fernhill Studio (simulated)" in done.stdout


def test_the_page_on_the_parts_names_them_all():
    """And none that does not exist; ``_log_...`` stands for those that belong to the log."""
    page = README.split("## How it is built")[1].split("\n## ")[0]
    named = set(re.findall(r"(?<![\w.])_{1,2}[a-z]\w*", page))
    families = ("_log_", "_shared_")
    modules = {each.stem for each in Path(stability_magic.__file__).parent.glob("*.py")}
    assert {each for each in named if each not in families} <= modules
    assert modules - named - {"__init__"} <= {each for each in modules if each.startswith(families)}


def test_links_and_pictures_are_there():
    """Those within the repository."""
    for target in re.findall(r"\]\(([^)]+)\)", README):
        if "://" not in target:
            assert (ROOT / target).exists(), target


def test_the_version_has_its_place_in_the_changelog():
    """Under its number, or as what is not released yet."""
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert "## Unreleased" in changes or f"## {stability_magic.__version__}" in changes
