"""Parsing 200 answers into credits and accounts, without a network."""

from __future__ import annotations

import pytest

from stability_magic import ResponseError
from stability_magic.api.answers import parse_account, parse_credits

from ..helpers.errors import KEY, assert_is_clear_error
from .samples import ACCOUNT, ORGANIZATION, answer

# Credits


@pytest.mark.parametrize(
    ("literal", "credits"),
    [
        ("0", 0.0),
        ("12", 12.0),
        ("-12", -12.0),
        ("-0.5", -0.5),
        ("0.6336833840314097", 0.6336833840314097),
        ("9007199254740993", 9007199254740992.0),
        ("1e308", 1e308),
        ("1" * 300, float("1" * 300)),
        ("5e-324", 5e-324),
        ("1e-400", 0.0),
    ],
)
def test_a_finite_number_of_any_size_is_credits(literal, credits):
    """Credits are the nearest double, from an integer too, and never rounded."""
    parsed_credits = parse_credits(answer(b'{"credits": %b}' % literal.encode()))
    assert type(parsed_credits) is float
    assert parsed_credits == credits


@pytest.mark.parametrize(
    "literal",
    ["NaN", "Infinity", "-Infinity", "1e400", "-1e400", "9" * 400, "-" + "9" * 5000, "9" * 100_000],
    ids=lambda literal: literal[:12] + str(len(literal)),
)
def test_a_number_that_is_not_finite_is_refused_by_name(literal):
    """NaN, infinities and integers beyond every double are not a balance."""
    with pytest.raises(ResponseError, match="'credits' is not a finite number") as caught:
        parse_credits(answer(b'{"credits": %b}' % literal.encode()))
    assert_is_clear_error(caught.value)


@pytest.mark.parametrize(
    "value", [None, True, False, "12", "", "NaN", [], [1.0], {}, {"credits": 1}], ids=repr
)
def test_what_is_not_a_number_is_refused_by_name(value):
    """Null, booleans, text, lists and objects are not a balance, and never count as zero."""
    with pytest.raises(ResponseError, match="'credits' is not a number") as caught:
        parse_credits(answer({"credits": value}))
    assert_is_clear_error(caught.value)


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, "none"),
        ({"balance": 1, "Credits": 2}, "balance, Credits"),
        ({"a\nb": 1, "\N{RIGHT-TO-LEFT OVERRIDE}c": 2}, "a\ufffdb, \ufffdc"),
        ({KEY: 1}, r"\*\*\*"),
        ({"x" * 5000: 1}, "x{40}\\."),
        ({str(each): 1 for each in range(1000)}, "0, 1, 2, 3, 4, 5, 6, 7\\."),
    ],
    ids=["none", "others", "control", "key", "long", "many"],
)
def test_without_credits_the_error_lists_the_fields(body, fields):
    """The message names the missing field and briefly those that are present."""
    with pytest.raises(ResponseError, match=f"no 'credits'; its fields are: {fields}") as caught:
        parse_credits(answer(body))
    assert_is_clear_error(caught.value)


def test_unknown_fields_are_ignored():
    """Undocumented fields do no harm, even if they are not strict JSON."""
    assert parse_credits(answer(b'{"credits": 2, "x": {"y": [NaN]}, "credits_usd": "?"}')) == 2.0
    body = ACCOUNT | {"x": 1, "organizations": [ORGANIZATION | {"plan": None}]}
    assert parse_account(answer(body)) == parse_account(answer(ACCOUNT))


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_every_encoding_of_json_is_read(encoding):
    """JSON may have a byte-order mark, or be UTF-16 or UTF-32."""
    assert parse_credits(answer('{"credits": 2.5}'.encode(encoding))) == 2.5


@pytest.mark.parametrize("parse", [parse_credits, parse_account])
@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "it is empty"),
        (b" \r\n\t", "it is empty"),
        (b'{"credits": 12', "it is not JSON"),
        (b'{"credits": 12} x', "it is not JSON"),
        (b"{'credits': 12}", "it is not JSON"),
        (b'{"credits": "\xff\xfe"}', "it is not JSON"),
        (b"error code: 1010", "it is not JSON"),
        (b"[" * 1_000_000, "it is not JSON"),
        (b'{"credits":' * 100_000, "it is not JSON"),
        (b"[]", "it is not a JSON object"),
        (b"12.5", "it is not a JSON object"),
        (b"null", "it is not a JSON object"),
        (b'"credits"', "it is not a JSON object"),
    ],
    ids=range(13),
)
def test_a_body_that_is_not_an_object_is_a_response_error(parse, body, reason):
    """Empty, broken, too deep or of another type: the error says which."""
    with pytest.raises(ResponseError, match=reason) as caught:
        parse(answer(body))
    assert_is_clear_error(caught.value)


@pytest.mark.parametrize(
    "page",
    [
        answer(b"<!DOCTYPE html><p>credits</p>"),
        answer(b"\n  <html></html>", Content_Type="application/json"),
        answer(b"Please sign in", Content_Type="Text/HTML; charset=utf-8"),
        answer(b"", content_type="text/html"),
    ],
)
@pytest.mark.parametrize("parse", [parse_credits, parse_account])
def test_a_page_is_blamed_on_a_proxy(parse, page):
    """HTML with status 200 is not the API's answer."""
    with pytest.raises(ResponseError, match="A proxy or CDN answered in place") as caught:
        parse(page)
    assert_is_clear_error(caught.value)


# Accounts


def test_an_account_is_read_field_by_field():
    """The picture is optional, roles are free text, and the service's order is kept."""
    second = {"id": "org-2", "name": "Zwei", "role": "anything", "is_default": False}
    body = ACCOUNT | {"organizations": [second, ORGANIZATION], "profile_picture": "https://x"}
    account = parse_account(answer(body))
    assert (account.id, account.email) == ("user-1", "a@example.com")
    assert account.profile_picture == "https://x"
    assert [each.role for each in account.organizations] == ["anything", "MEMBER"]
    assert account.default_organization.id == "org-1"
    assert parse_account(answer(ACCOUNT | {"profile_picture": None})).profile_picture is None


@pytest.mark.parametrize("field", ["id", "email", "organizations"])
def test_a_missing_field_of_an_account_is_named(field):
    """Each required field."""
    body = {name: value for name, value in ACCOUNT.items() if name != field}
    with pytest.raises(ResponseError, match=f"it has no '{field}'") as caught:
        parse_account(answer(body))
    assert_is_clear_error(caught.value)


@pytest.mark.parametrize("field", ["id", "name", "role", "is_default"])
def test_a_missing_field_of_an_organization_is_named_with_its_position(field):
    """All four are required, in every organization."""
    broken = {name: value for name, value in ORGANIZATION.items() if name != field}
    body = ACCOUNT | {"organizations": [ORGANIZATION, broken]}
    with pytest.raises(ResponseError, match=rf"it has no 'organizations\[1\]\.{field}'") as caught:
        parse_account(answer(body))
    assert_is_clear_error(caught.value)


@pytest.mark.parametrize("value", [None, 1, 1.5, [], {}], ids=repr)
@pytest.mark.parametrize(
    ("field", "type_name"),
    [("id", "text"), ("email", "text"), ("organizations", "a list"), ("profile_picture", "text")],
)
def test_an_ill_typed_field_of_an_account_is_named(field, type_name, value):
    """The error says which type the field should have."""
    if (field, value) in (("profile_picture", None), ("organizations", [])):
        assert parse_account(answer(ACCOUNT | {field: value}))
        return
    with pytest.raises(ResponseError, match=f"'{field}' is not {type_name}"):
        parse_account(answer(ACCOUNT | {field: value}))


@pytest.mark.parametrize("value", [None, 0, 1, "true", []], ids=repr)
@pytest.mark.parametrize("field", ["id", "is_default"])
def test_an_ill_typed_field_of_an_organization_is_named(field, value):
    """A boolean is true or false, nothing that merely resembles it."""
    body = ACCOUNT | {"organizations": [ORGANIZATION | {field: value}]}
    if isinstance(value, str) and field == "id":
        assert parse_account(answer(body)).organizations[0].id == value
        return
    with pytest.raises(ResponseError, match=rf"'organizations\[0\]\.{field}' is not"):
        parse_account(answer(body))


@pytest.mark.parametrize(
    "value", [None, "org-1", 1, [ORGANIZATION]], ids=["null", "text", "1", "[]"]
)
def test_an_organization_that_is_not_an_object_is_named_with_its_position(value):
    """The message says which one."""
    body = ACCOUNT | {"organizations": [ORGANIZATION, value]}
    with pytest.raises(ResponseError, match=r"'organizations\[1\]' is not an object"):
        parse_account(answer(body))


def test_names_are_made_safe_to_show():
    """Control characters, line ends, reordering marks and lone surrogates become U+FFFD."""
    name = "a\x1b[31m\n\u2028\u202e\ud800b <b> $x$ \N{PILE OF POO} \N{HEBREW LETTER ALEF}"
    body = ACCOUNT | {"organizations": [ORGANIZATION | {"name": name}]}
    (organization,) = parse_account(answer(body)).organizations
    safe_name = "a\ufffd[31m" + "\ufffd" * 4 + "b <b> $x$ \N{PILE OF POO} \N{HEBREW LETTER ALEF}"
    assert organization.name == safe_name
