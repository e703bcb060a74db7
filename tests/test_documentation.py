"""What the README and the pages in docs/ say is what the package does."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import stability_magic
from stability_magic import BalanceLog
from stability_magic.analysis.frames import COLUMNS
from stability_magic.commands.declarations import COMMANDS
from stability_magic.display.notice_text import EVENTS
from stability_magic.settings import StabilityMagic

from .helpers.project import ROOT


def page(name: str) -> str:
    """The text of a page."""
    return (ROOT / name).read_text(encoding="utf-8")


README = page("README.md")
CONTRIBUTING = page("CONTRIBUTING.md")
ARCHITECTURE = page("docs/architecture.md")
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]

ERRORS = {
    "ApiError": "StabilityMagicError",
    "AuthenticationError": "StatusError",
    "BudgetError": "StabilityMagicError",
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
    "status": {"-o", "-a", "--local"},
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
    "history": {"-o", "--since", "--until", "--on", "--host", "--local"},
    "usage": {"--by", "-o", "--since", "--until", "--on", "--local"},
    "plot": {"--by", "-o", "--since", "--until", "--on", "--forecast", "--output", "--local"},
    "forecast": {"-o", "--local"},
    "prices": {"operations", "--since", "--on", "--local"},
    "estimate": {"job", "-o", "--local"},
    "budget": {"amount", "--every", "--check", "--remove", "-o", "-a", "--local"},
    "cost": {"label", "--max", "--fail-closed", "-o", "--settle"},
    "costs": {"label", "--since", "--on", "--summary", "--local"},
    "team": {"-o", "--since", "--until", "--on", "--local"},
    "watch": {"--every", "-o", "-a", "--plot", "--status", "--stop"},
    "notify": {"--test", "--digest"},
    "merge": {"paths"},
    "sync": {"--again"},
    "check": set(),
    "login": {"words", "--from", "--save", "--plain-file"},
    "demo": {"--spend", "--stop", "--folder", "--serve"},
}


def table(text: str, heading: str) -> list[list[str]]:
    """The rows of a page's first table below a line that begins so."""
    lines = text[text.index(f"\n{heading}") :].splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("|---"))
    rows = []
    for line in lines[start + 1 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


def test_every_command_is_documented():
    """And none that does not exist."""
    magics = table(page("docs/magics.md"), "`%load_ext stability_magic` brings them")
    listed = [re.search(r"%(stability\w*)", row[0])[1] for row in magics]
    assert listed == [each.magic_name for each in COMMANDS]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda each: each.name)
def test_options_are_those_that_were_promised(command):
    """Scripts and notebooks depend on their names."""
    assert {each.flags[0] for each in command.arguments} == OPTIONS[command.name]


def test_every_setting_is_documented():
    """With its environment variable."""
    traits = StabilityMagic.class_own_traits(config=True)
    listed = {row[0].strip("`"): row[1].strip("`") for row in table(README, "## Settings")}
    assert listed == {name: trait.metadata.get("env", "") for name, trait in traits.items()}


def test_every_event_is_documented():
    """That people are told of."""
    listed = {row[0].strip("`") for row in table(page("docs/notices.md"), "## Of what")}
    assert listed | {"watch_well"} == set(EVENTS)


def test_every_column_is_documented():
    """In its order."""
    frames = table(page("docs/frames.md"), "Every answer is a pandas frame")
    listed = {row[0]: re.findall(r"`(\w+)`", row[2]) for row in frames}
    assert listed == {name: list(columns) for name, columns in COLUMNS.items()}


def test_every_error_is_documented_and_in_its_place():
    """The tree is a promise: who catches a base catches what is below it."""
    listed = {row[0].strip("`") for row in table(README, "## Errors, and what to do")}
    assert listed == set(ERRORS) - {"ApiError"}
    for name, base in ERRORS.items():
        assert getattr(stability_magic, name).__base__ is getattr(stability_magic, base)


def test_the_python_example_runs(api, monkeypatch, tmp_path):
    """As it stands, in an empty folder."""
    example = page("docs/python.md").split("```python\n")[1].split("```")[0]
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
    query = re.search(r'log\.db \\\n  "(select .*)" --table', page("docs/log.md"))[1]
    done = subprocess.run(
        [sys.executable, "-m", "sqlite_utils", "query", str(log_path), query, "--table"],
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=True,
    )
    assert "Fernhill Studio (simulated)" in done.stdout


def parts() -> set[str]:
    """The packages and the modules at the top, as the page on them names them."""
    home = Path(stability_magic.__file__).parent
    packages = {f"{each.parent.name}/" for each in home.glob("*/__init__.py")}
    return packages | {each.stem for each in home.glob("[!_]*.py")}


def test_the_page_on_how_it_is_built_names_every_part():
    """And none that does not exist, in the table and in the drawing."""
    listed = re.findall(r"^\| `([\w/]+)` \|", ARCHITECTURE, flags=re.MULTILINE)
    assert sorted(listed) == sorted(parts())
    drawing = ARCHITECTURE.split("```text\n")[1].split("```")[0]
    assert not {each for each in parts() if each not in drawing}
    assert set(re.findall(r"\b\w+/", drawing)) <= parts()


@pytest.mark.parametrize("text", [ARCHITECTURE, CONTRIBUTING], ids=["architecture", "contributing"])
def test_modules_and_files_that_a_page_names_exist(text):
    """A page that leads to what was moved is worse than none."""
    home = Path(stability_magic.__file__).parent
    for package, module in re.findall(r"`(\w+)\.(\w+)(?:\.\w+)?`", text):
        if (home / package).is_dir():
            assert (home / package / f"{module}.py").exists(), f"{package}.{module}"
    for path in re.findall(r"`([\w./]+(?:/|\.py|\.md|\.txt|\.toml))`", text):
        assert any((each / path).exists() for each in (ROOT, home, home.parent)), path


def headings(text: str) -> set[str]:
    """What links call a page's headings, as code hosts name them."""
    lines = re.findall(r"^#+ (.*)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", each).lower().replace(" ", "-") for each in lines}


@pytest.mark.parametrize("path", PAGES, ids=lambda each: each.name)
def test_links_and_pictures_are_there(path):
    """Those within the repository, and the headings that they lead to."""
    text = path.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)]+)\)|<img src=\"([^\"]*)\"", text):
        name, _, heading = "".join(target).partition("#")
        if "://" not in name:
            assert (path.parent / name).exists(), name
            if heading:
                assert heading in headings((path.parent / name).read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", PAGES[1:], ids=lambda each: each.name)
def test_every_page_is_linked_from_the_readme(path):
    """Nobody has to look for one."""
    assert f"({path.relative_to(ROOT).as_posix()})" in README


def test_the_description_of_the_package_leads_nowhere_that_is_not_there():
    """It is the README where no file of the repository is beside it."""
    hook = tomllib.loads(page("pyproject.toml"))["tool"]["hatch"]["metadata"]["hooks"]
    (readme,) = hook.values()
    assert readme["fragments"] == [{"path": "README.md"}]
    description = README
    for each in readme["substitutions"]:
        description = re.sub(each["pattern"], each["replacement"], description)
    assert not re.findall(r"\]\((?!https:|#)|^\[.*\]:|<img", description, re.MULTILINE)
    assert "a team (docs/shared-log.md)" in description
    assert "*The card of %stability_balance: " in description


def test_the_version_has_its_place_in_the_changelog():
    """Under its number, or as what is not released yet."""
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert "## Unreleased" in changes or f"## {stability_magic.__version__}" in changes


def test_the_first_screen_says_what_cannot_be_known():
    """Before anybody installs it for that; with what can be done instead."""
    first_screen = " ".join("\n".join(README.splitlines()[:24]).split())
    for each in ("per model, per user or per key", "`%%stability_cost`", "labels", "organization"):
        assert each in first_screen


QUESTIONS = table(README, "## Five questions")


def test_five_questions_have_a_command_each():
    """Those that people ask."""
    asked = [row[0].split("?")[0] for row in QUESTIONS]
    assert len(asked) == 5
    assert asked[:4] == [
        "How much is left",
        "What did yesterday cost",
        "On what",
        "When is it empty",
    ]
    assert asked[4].startswith("Stop me before")


@pytest.mark.parametrize("row", QUESTIONS, ids=lambda row: row[0])
def test_the_answers_are_the_same_in_a_notebook_and_in_a_terminal(row, shell, api, log_path, capfd):
    """Each command runs as it stands there, in both, and asks the same."""
    _, magic, command = (each.strip("`") for each in row)
    assert magic.replace("%stability_", "stability-magic ") == command
    shell.run_cell(magic).raise_error()
    done = subprocess.run(
        [sys.executable, "-m", "stability_magic", *shlex.split(command)[1:]],
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert capfd.readouterr().out
