"""How old what this package needs may be."""

from __future__ import annotations

from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import Version

from .helpers.project import requirements

LOWEST = Path(__file__).with_name("lowest.txt")

# Windows' time zones: files that each version has.
ANY_VERSION = {"tzdata"}


def test_each_has_a_lowest_version_and_no_highest():
    """What is too old is not installed, and what is newer than this package may be."""
    for each in requirements():
        operators = [one.operator for one in each.specifier]
        assert operators == ([] if each.name in ANY_VERSION else [">="]), each.name


def test_the_lowest_versions_are_those_that_are_tried():
    """The constraints under which the tests run once more name each of them, and it alone."""
    lines = LOWEST.read_text(encoding="utf-8").splitlines()
    tried = [Requirement(line) for line in lines if "==" in line]
    allowed = {each.name: each for each in requirements() if each.specifier}
    assert {each.name for each in tried} == set(allowed)
    for each in tried:
        (exactly,), (at_least,) = each.specifier, allowed[each.name].specifier
        assert exactly.operator == "=="
        assert Version(exactly.version) == Version(at_least.version), each.name
