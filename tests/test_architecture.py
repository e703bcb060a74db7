"""Who may import whom, and who owns which outside thing."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

import stability_magic

from ._support import requirements

PACKAGE = Path(stability_magic.__file__).parent

# From the bottom up: a module imports from its own layer and from those below it.
LAYERS = (
    {"_version", "_errors", "_text", "_readings", "_patience"},
    {"_answers", "_checks", "_settings", "_frames", "_balances", "_activity", "_faults", "_when"},
    {"_transport", "_simulation", "_simulated_clock", "_loopback", "_periods", "_windows"},
    {"_log_schema", "_log_rows", "_progress", "_shared_connection", "_shared_sql"},
    {"_client", "_topups", "_costs", "_watch_rules", "_shared_schema"},
    {"_hours", "_spend", "_lines", "_log_file", "_log_entries", "_simulator", "_thinning"},
    {"_outlook", "_guard", "_log_costs", "_log_names", "_tables"},
    {"_shared_rows", "_shared_writing"},
    {"_forecast", "_log", "_log_merge", "_log_outbox", "_panels", "_shared"},
    {"_latest", "_plot_axes", "_demo", "_sync", "_waiting"},
    {"_plot_marks", "_plot_spend", "_link"},
    {"_plot"},
    {"_journal", "_whose"},
    {"_session"},
    {"_cell_cost", "_watch"},
    {"_outcome"},
    {"_actions", "_log_actions"},
    {"_commands"},
    {"_completions", "_cells", "_watch_display"},
    {"_magics", "__main__"},
    {"__init__"},
)

# The one owner of each outside thing, or the few that share it.
OWNERS = {
    "requests": {"_transport"},
    "urllib3": {"_transport"},
    "sqlite3": {
        "_log_costs",
        "_log_file",
        "_log_merge",
        "_log_names",
        "_log_outbox",
        "_log_rows",
        "_log_schema",
    },
    "psycopg": {
        "_shared",
        "_shared_connection",
        "_shared_rows",
        "_shared_schema",
        "_shared_writing",
    },
    "sqlite_utils": {"_log_file", "_log_schema"},
    "adbc_driver_sqlite": {"_log_rows"},
    "pyarrow": {"_log_rows"},
    "matplotlib": {"_plot", "_plot_axes", "_plot_marks", "_plot_spend"},
    "IPython": {"_cells", "_magics"},
    "traitlets": {"_settings"},
    "platformdirs": {"_settings"},
    "tqdm": {"_progress"},
    "tzlocal": {"_settings"},
    "keyring": {"_settings"},
    "google": {"_settings"},
    "http": {"_loopback", "_transport"},
}

# Colab brings it, and it is imported nowhere else.
FOUND_THERE = {"google"}
# Windows' time zones are files that zoneinfo finds; there is nothing to import.
DATA = {"tzdata"}

# They know no clock, file or network.
PURE = {
    "_answers",
    "_checks",
    "_frames",
    "_lines",
    "_panels",
    "_periods",
    "_spend",
    "_tables",
    "_text",
}
PURE |= {
    "_balances",
    "_forecast",
    "_hours",
    "_outlook",
    "_thinning",
    "_topups",
    "_when",
    "_windows",
}
PURE |= {"_costs", "_guard", "_latest", "_watch_rules"}
IMPURE_MODULES = {"os", "pathlib", "socket", "subprocess", "tempfile", "time"}
IMPURE_CALLS = {"now", "utcnow", "today", "open", "read_csv", "read_sql_query", "getenv"}


NAMES = sorted(path.stem for path in PACKAGE.glob("*.py"))


def module(name: str) -> ast.Module:
    """The syntax tree of one module of the package."""
    return ast.parse((PACKAGE / f"{name}.py").read_text(encoding="utf-8"))


def modules() -> dict[str, ast.Module]:
    """The syntax trees of all of them."""
    return {name: module(name) for name in NAMES}


def imported(tree: ast.Module) -> set[tuple[str, str]]:
    """What a module imports: ``("own", module)`` or ``("outside", package)``."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {("outside", each.name.partition(".")[0]) for each in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add(("outside", str(node.module).partition(".")[0]))
        elif isinstance(node, ast.ImportFrom):
            names = [node.module] if node.module else [each.name for each in node.names]
            found |= {("own", str(each)) for each in names}
    return found


def for_types_only(tree: ast.Module) -> ast.Module:
    """The tree without what stands under ``if TYPE_CHECKING``."""

    class Pruner(ast.NodeTransformer):
        def visit_If(self, node: ast.If) -> ast.AST | list[ast.stmt]:
            guarded = isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
            return node.orelse if guarded else self.generic_visit(node)

    pruned = Pruner().visit(tree)
    assert isinstance(pruned, ast.Module)
    return pruned


def third_parties(trees: Iterable[ast.Module]) -> set[str]:
    """The packages that are imported and do not come with Python."""
    names = {name for tree in trees for kind, name in imported(tree) if kind == "outside"}
    return {canonicalize_name(each) for each in names - sys.stdlib_module_names - {PACKAGE.name}}


@pytest.mark.parametrize("name", NAMES)
def test_imports_go_downwards(name):
    """Also those within functions, and those for types."""
    rank = {each: level for level, layer in enumerate(LAYERS) for each in layer}
    above = {
        each for kind, each in imported(module(name)) if kind == "own" and rank[each] > rank[name]
    }
    # A type of the session's own argument is no dependency at run time.
    above &= {each for kind, each in imported(for_types_only(module(name))) if kind == "own"}
    assert not above


def test_there_are_no_circles():
    """Not within a layer either."""
    uses = {
        name: {each for kind, each in imported(for_types_only(tree)) if kind == "own"}
        for name, tree in modules().items()
    }
    done: set[str] = set()
    while len(done) < len(uses):
        ready = {name for name, used in uses.items() if used <= done} - done
        assert ready, f"a circle among {sorted(set(uses) - done)}"
        done |= ready


@pytest.mark.parametrize("package", sorted(OWNERS))
def test_outside_things_have_one_owner(package):
    """Nobody else imports them."""
    users = {
        name
        for name, tree in modules().items()
        if ("outside", package) in imported(for_types_only(tree))
    }
    assert users <= OWNERS[package]


def test_what_is_imported_is_declared_and_the_reverse():
    """Nothing is there by chance, and pip brings nothing that is not imported at run time."""
    # All of these are imported by the name that pip knows them by, but for - _ and capitals.
    declared = {canonicalize_name(each.name) for each in requirements()}
    assert third_parties(modules().values()) - FOUND_THERE <= declared
    assert third_parties(for_types_only(tree) for tree in modules().values()) >= declared - DATA


def test_client_and_log_do_not_know_each_other():
    """A reading travels between them as a value."""
    trees = modules()
    logs = {name for name in trees if name.startswith("_log")}
    logs |= {name for name in trees if name.startswith("_shared")}
    assert ("own", "_client") not in set().union(*(imported(trees[each]) for each in logs))
    assert not {each for kind, each in imported(trees["_client"]) if kind == "own"} & logs


@pytest.mark.parametrize("name", sorted(PURE))
def test_pure_modules_know_no_clock_file_or_network(name):
    """They compute from what they are given."""
    tree = module(name)
    outside = {package for kind, package in imported(tree) if kind == "outside"}
    assert not outside & IMPURE_MODULES
    called = {
        node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
    }
    assert not called & IMPURE_CALLS


def test_two_modules_print_and_one_reads_the_environment():
    """The edges are where they are said to be."""
    printing, environment = set(), set()
    for name, tree in modules().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "print":
                printing.add(name)
            if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv"):
                environment.add(name)
    assert printing == {"_magics", "__main__"}
    assert environment == {"_settings"}
