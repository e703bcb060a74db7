"""How a magic's line is split into words."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from stability_magic.notebook.words import split_line


def words(line: str, *, has_escapes: bool = True) -> list[str]:
    return split_line(line, has_escapes=has_escapes).words


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", []),
        ("--every 10m   # one line below", ["--every", "10m"]),
        ("  #all", []),
        ("batch#5 # why", ["batch#5"]),
        ("'#5' \"# 6\" \\#7", ["#5", "# 6", "#7"]),
        ("# it's open", []),
        ('--label="two words"', ["--label=two words"]),
        ('-o="org-a" -o=org-b', ["-o=org-a", "-o=org-b"]),
        ("--label=it\\'s", ["--label=it's"]),
        ("""'a '"b "c\\ d""", ["a b c d"]),
        ("'two words'", ["two words"]),
        ("''", [""]),
    ],
)
def test_quotes_escapes_and_comments_are_those_of_a_shell(line, expected):
    """A comment begins with a word, outside quotes."""
    assert words(line) == expected


@given(st.text(alphabet="ab -='\"\\\t", max_size=12))
@example("'a'\"b\"c")
@settings(settings.get_profile("hostile"))
def test_without_comments_and_semicolons_it_is_shlex(line):
    """Also in what it refuses."""
    try:
        expected = shlex.split(line)
    except ValueError:
        with pytest.raises(ValueError, match=r"^No (closing quotation|escaped character)$"):
            words(line)
    else:
        assert words(line) == expected


@given(st.text(alphabet="ab '\"\\#;", max_size=12))
@settings(settings.get_profile("hostile"))
def test_a_comment_changes_nothing_else(line):
    """Whatever precedes it, and whatever it says."""
    try:
        expected = split_line(line, has_escapes=True)
    except ValueError:
        return
    longer = split_line(f"{line} # it's; \"", has_escapes=True)
    if not line.endswith("\\") and not expected.has_comment:
        assert longer == expected._replace(has_comment=True)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("7d;", ["7d"]),
        (";", []),
        (" ; # why", []),
        ("7d;# why", ["7d"]),
        ("7d;  # done;", ["7d"]),
        ("'a;';", ["a;"]),
        ("'';", [""]),
    ],
)
def test_a_semicolon_at_the_end_is_no_argument(line, expected):
    """Before a comment, too."""
    assert words(line) == expected
    assert split_line(line, has_escapes=True).is_silent


@pytest.mark.parametrize("line", ["'a;'", '"a;"', "a\\;", "a;b", "a; b", "a # b;", ""])
def test_other_semicolons_silence_nothing(line):
    """They are quoted, or not at the end."""
    assert not split_line(line, has_escapes=True).is_silent


def test_on_windows_a_backslash_is_part_of_a_path():
    """Within quotes as well."""
    line = r"""C:\logs\a.db "C:\my logs\b.db" 'D:\c'\d  # both"""
    assert words(line, has_escapes=False) == [r"C:\logs\a.db", r"C:\my logs\b.db", r"D:\c\d"]
