"""Which part may import which, and who owns which outside thing."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

import stability_magic

from .helpers.project import requirements

pytestmark = pytest.mark.once

PACKAGE = Path(stability_magic.__file__).parent

_VALUES = {"errors", "models", "text", "version"}
_PURE = _VALUES | {"when", "prices", "jobs", "analysis"}
_LOGS = _PURE | {"settings", "log", "shared_log"}
_SESSION = _LOGS | {"api", "channels", "display", "environment", "keys", "simulator"}
_COMMANDS = _SESSION | {"session", "charts"}

# The parts of the project, which are its packages and the modules at the top, and what of the
# others each may import, for types too. Anything else would let the whole grow together.
MAY_IMPORT: Mapping[str, set[str]] = {
    "text": set(),
    "version": set(),
    "models": set(),
    "simulator": set(),
    "errors": {"text"},
    "environment": {"text"},
    "zones": {"errors"},
    "prices": {"errors", "text"},
    "jobs": {"errors", "prices", "text"},
    "keys": {"environment", "errors", "text"},
    "channels": {"text"},
    "settings": {"channels", "environment", "errors", "jobs", "prices", "text", "zones"},
    "when": {"errors", "text"},
    "api": _VALUES | {"environment"},
    "analysis": _PURE - {"analysis"},
    "display": _PURE,
    "log": _PURE | {"settings"},
    "charts": _PURE | {"display"},
    "shared_log": _PURE | {"log"},
    "session": _SESSION,
    "commands": _COMMANDS,
    "notebook": _COMMANDS | {"commands"},
    "terminal": _COMMANDS | {"commands", "environment"},
    "__main__": {"terminal"},
    # The front door opens to whatever is public.
    "__init__": _COMMANDS | {"notebook"},
}

# The one part, or the few modules, that an outside thing belongs to.
OWNERS: Mapping[str, set[str]] = {
    "requests": {"api/transport"},
    "urllib3": {"api/transport"},
    "sqlite3": {"log"},
    "sqlite_utils": {"log"},
    "adbc_driver_sqlite": {"log/rows"},
    "pyarrow": {"log/rows"},
    "psycopg": {"shared_log"},
    "matplotlib": {"charts"},
    "IPython": {"notebook"},
    "traitlets": {"settings"},
    "platformdirs": {"settings"},
    "tzlocal": {"zones"},
    "apprise": {"session/senders"},
    "keyring": {"keys"},
    "google": {"keys"},
    "kaggle_secrets": {"keys"},
    "tqdm": {"session/progress"},
    "subprocess": {"session/senders"},
    "http": {"api/transport", "simulator/server"},
    "signal": {"session/interrupts", "session/senders", "terminal/command_line"},
    "os.environ": {"environment"},
    "print": {"notebook", "terminal"},
}

# They know no clock, file or network.
PURE = (
    "analysis",
    "display",
    "log/validity",
    "api/answers",
    "api/validation",
    "charts/headline",
    "charts/picture_data",
    "charts/placing",
    "charts/thinning",
    "charts/ticks",
    "charts/words",
    "channels",
    "notebook/completions",
    "notebook/words",
    "jobs",
    "prices",
    "session/guard",
    "session/namespace",
    "session/watch_schedule",
    "terminal/phrasing",
    "text",
    "when",
)
IMPURE_MODULES = {"os", "pathlib", "socket", "subprocess", "tempfile", "time"}
IMPURE_CALLS = {"now", "utcnow", "today", "open", "read_csv", "read_sql_query", "getenv"}

# Colab and Kaggle bring them, and they are imported nowhere else.
FOUND_THERE = {"google", "kaggle-secrets"}
# Windows' time zones are files that zoneinfo finds; there is nothing to import.
DATA = {"tzdata"}


def part_of(module: str) -> str:
    """The package that a module is in, or the module itself where it stands at the top."""
    return module.partition("/")[0]


def is_within(module: str, places: Iterable[str]) -> bool:
    """Whether a module is one of these, or in one of these packages."""
    return any(module == each or module.startswith(f"{each}/") for each in places)


def own_imports(module: str, tree: ast.AST, names: Iterable[str]) -> set[str]:
    """The modules of the project that one imports, such as ``log/rows``."""
    folder = module.split("/")[:-1]
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = folder[: len(folder) + 1 - node.level]
            parts = [*base, *(node.module or "").split(".")] if node.module else base
            for each in node.names:
                longer = "/".join([*parts, each.name])
                found.add(longer if longer in names else "/".join(parts))
    return {each if each in names else f"{each}/__init__" for each in found}


def outside_imports(tree: ast.AST) -> set[str]:
    """The packages from elsewhere that a module imports."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {each.name.partition(".")[0] for each in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add(str(node.module).partition(".")[0])
    return found


def outside_uses(tree: ast.AST) -> set[str]:
    """The same, and whether it prints or reads the environment."""
    found = outside_imports(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "print":
            found.add("print")
        if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv"):
            found.add("os.environ")
    return found


def without_types(tree: ast.Module) -> ast.Module:
    """The tree without what stands under ``if TYPE_CHECKING``."""

    class Pruner(ast.NodeTransformer):
        def visit_If(self, node: ast.If) -> ast.AST | list[ast.stmt]:
            guarded = isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
            return node.orelse if guarded else self.generic_visit(node)

    # Parsed anew: the transformer changes the tree that it is given.
    pruned = Pruner().visit(ast.parse(ast.unparse(tree)))
    assert isinstance(pruned, ast.Module)
    return pruned


def wrong_directions(module: str, trees: Mapping[str, ast.Module]) -> Iterator[str]:
    """A sentence for each import of a module that goes where it may not."""
    part = part_of(module)
    may = ", ".join(sorted(MAY_IMPORT[part])) or "nothing of the project"
    for each in sorted(own_imports(module, trees[module], trees)):
        other = part_of(each)
        if other != part and other not in MAY_IMPORT[part]:
            users = {name for name, used in MAY_IMPORT.items() if {part, other} <= used}
            yield (
                f"{module} imports {each}, and {part} may import only {may}; what needs both"
                f" belongs in one of: {', '.join(sorted(users))}"
            )


def wrong_owner(module: str, thing: str, trees: Mapping[str, ast.Module]) -> str:
    """A sentence where a module uses what belongs to another one; empty where it does not."""
    if is_within(module, OWNERS[thing]) or thing not in outside_uses(without_types(trees[module])):
        return ""
    owners = " and ".join(sorted(OWNERS[thing]))
    return f"{module} uses {thing}, which belongs to {owners}; ask for what is needed there"


def circles(trees: Mapping[str, ast.Module]) -> list[str]:
    """The modules that import each other, directly or by way of others, for types or not."""
    uses = {module: own_imports(module, tree, trees) for module, tree in trees.items()}
    done: set[str] = set()
    while ready := {module for module, used in uses.items() if used <= done} - done:
        done |= ready
    return sorted(uses.keys() - done)


def parse(sources: Mapping[str, str]) -> dict[str, ast.Module]:
    """The syntax trees of modules."""
    return {module: ast.parse(source) for module, source in sources.items()}


def module_name(path: Path) -> str:
    """Such as ``log/rows``."""
    return path.relative_to(PACKAGE).with_suffix("").as_posix()


MODULES = sorted(module_name(each) for each in PACKAGE.rglob("*.py"))


@pytest.fixture(scope="module")
def trees() -> dict[str, ast.Module]:
    """The syntax trees of all modules of the project."""
    return parse({each: (PACKAGE / f"{each}.py").read_text(encoding="utf-8") for each in MODULES})


def third_parties(trees: Iterable[ast.Module]) -> set[str]:
    """The packages that are imported and do not come with Python."""
    names = set().union(*(outside_imports(each) for each in trees))
    return {canonicalize_name(each) for each in names - sys.stdlib_module_names - {PACKAGE.name}}


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_where_they_may(trees, module):
    """Also those within functions, and those for types."""
    assert not list(wrong_directions(module, trees))


def test_no_two_parts_may_import_each_other():
    """Nor in a wider circle: what may be imported has a direction of its own."""
    done: set[str] = set()
    while ready := {part for part, may in MAY_IMPORT.items() if may - {part} <= done} - done:
        done |= ready
    assert done == MAY_IMPORT.keys()


def test_no_modules_import_each_other(trees):
    """Not within a package either, and not for types."""
    assert not circles(trees)


@pytest.mark.parametrize("thing", sorted(OWNERS))
def test_each_outside_thing_has_its_owner(trees, thing):
    """Nobody else uses it, but for its types."""
    assert not [told for each in trees if (told := wrong_owner(each, thing, trees))]
    for owner in OWNERS[thing]:
        users = (tree for module, tree in trees.items() if is_within(module, [owner]))
        assert thing in set().union(*map(outside_uses, users)), f"{owner} does not use {thing}"


def test_the_service_and_the_logs_do_not_know_each_other():
    """A reading travels between them as a value."""
    assert not MAY_IMPORT["api"] & {"log", "shared_log"}
    assert not (MAY_IMPORT["log"] | MAY_IMPORT["shared_log"]) & {"api"}


def test_every_part_has_its_place(trees):
    """A new package is told where it stands before it is used."""
    assert {part_of(each) for each in trees} == MAY_IMPORT.keys()


@pytest.mark.parametrize("part", sorted(each.parent.name for each in PACKAGE.glob("*/*init__.py")))
def test_a_package_says_what_lives_there_where_to_begin_and_what_it_may_import(part):
    """As it is: a page that goes stale is worse than none."""
    page = ast.get_docstring(ast.parse((PACKAGE / part / "__init__.py").read_text("utf-8")))
    assert page is not None
    modules = {each.stem for each in (PACKAGE / part).glob("*.py")}
    assert re.findall(r"Begin with ``(\w+)``", page)[0] in modules
    *_, told = page.replace("\n", " ").split("May import ")
    named = set(re.findall(r"``(\w+)``", told)) if "May import" in page else set()
    packages = {each.name for each in PACKAGE.iterdir() if each.is_dir()}
    assert named & packages == MAY_IMPORT[part] & packages - {part}


def test_what_is_imported_is_declared_and_the_reverse(trees):
    """Nothing is there by chance, and pip brings nothing that is not imported at run time."""
    # All of these are imported by the name that pip knows them by, but for - _ and capitals.
    declared = {canonicalize_name(each.name) for each in requirements()}
    assert third_parties(trees.values()) - FOUND_THERE <= declared
    assert third_parties(map(without_types, trees.values())) >= declared - DATA


@pytest.mark.parametrize("module", [each for each in MODULES if is_within(each, PURE)])
def test_pure_modules_know_no_clock_file_or_network(trees, module):
    """They compute from what they are given."""
    called = {
        node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        for node in ast.walk(trees[module])
        if isinstance(node, ast.Call)
    }
    impure = outside_imports(trees[module]) & IMPURE_MODULES | called & IMPURE_CALLS
    assert not impure, f"{module} is pure, and uses {', '.join(sorted(impure))}"


# -- that these checks can fail --

MADE_UP = {
    "analysis/series": "",
    "analysis/spend": "from .series import Series",
    "log/rows": "import sqlite3",
}


@pytest.mark.parametrize(
    ("module", "source", "told"),
    [
        ("analysis/spend", "from ..log.rows import fetch", "analysis/spend imports log/rows"),
        ("analysis/spend", "from ..log import rows", "analysis/spend imports log/rows"),
        ("analysis/spend", "def f():\n    from ..log import rows", "and analysis may import only"),
        ("analysis/spend", "if TYPE_CHECKING:\n    from ..log.rows import Span", "belongs in one"),
        ("log/rows", "from ..api.client import StabilityClient", "log may import only"),
    ],
)
def test_a_wrong_direction_is_told_in_a_sentence(module, source, told):
    """Whatever way it is written."""
    made_up = {**MADE_UP, "api/client": "", module: source}
    assert told in " ".join(wrong_directions(module, parse(made_up)))


@pytest.mark.parametrize(
    ("source", "thing", "told"),
    [
        ("import sqlite3", "sqlite3", "analysis/spend uses sqlite3, which belongs to log"),
        ("from matplotlib.figure import Figure", "matplotlib", "which belongs to charts"),
        ("print('spent')", "print", "uses print, which belongs to notebook and terminal"),
        ("import os\nos.environ['TZ']", "os.environ", "which belongs to environment"),
    ],
)
def test_a_wrong_owner_is_told_in_a_sentence(source, thing, told):
    """The sentence says where to go instead."""
    made_up = {**MADE_UP, "analysis/spend": source}
    assert told in wrong_owner("analysis/spend", thing, parse(made_up))
    assert not wrong_owner("analysis/series", thing, parse(made_up))


def test_a_circle_is_found_also_among_types():
    """And nothing that is none."""
    assert not circles(parse(MADE_UP))
    back = "if TYPE_CHECKING:\n    from .spend import usage"
    assert circles(parse({**MADE_UP, "analysis/series": back})) == [
        "analysis/series",
        "analysis/spend",
    ]
