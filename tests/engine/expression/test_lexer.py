"""Proves that literals are read as CEL reads them, and that what is refused says why."""

from __future__ import annotations

import pytest

from tests.engine.expression.cases import fault_of, value_of


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("12", 12),
        ("0x1F", 31),
        ("0", 0),
        ("000", 0),
        (".5", 0.5),
        ("1.5e2", 150.0),
        ("9223372036854775807", 2**63 - 1),
        ("-9223372036854775808", -(2**63)),
        ("-0x8000000000000000", -(2**63)),
        ("-1.5", -1.5),
        ("'a'", "a"),
        ('"a\'b"', "a'b"),
        (r'"\a\b\f\n\r\t\v\\\?\"\'\`"', "\a\b\f\n\r\t\v\\?\"'`"),
        (r'"\x41\u00e9\U0001F600\101"', "Aé😀A"),
        (r'r"\n"', "\\n"),
        (r"R'\q'", "\\q"),
        ('"""a "b"\nc"""', 'a "b"\nc'),
        ("'''a\\n'b'''", "a\n'b"),
        ("r'''a\\'''", "a\\"),
        ('r"""a"b"""', 'a"b'),
        ("1 // one\n + 2", 3),
        ("true", True),
        ("false", False),
        ("null", None),
        ("\t'é' \r\n", "é"),
    ],
)
def test_a_literal_has_its_value(source: str, value: object) -> None:
    result = value_of(source)

    assert result == value
    assert type(result) is type(value)


@pytest.mark.parametrize(
    ("source", "position", "reason"),
    [
        ("9223372036854775808", 0, "64 bits"),
        ("1 + 99999999999999999999999", 4, "64 bits"),
        ("0x10000000000000000", 0, "64 bits"),
        ("1e999", 0, "too large"),
        ("1u", 1, "one kind of number"),
        ("12abc", 2, "one kind of number"),
        ('"abc', 0, "not closed"),
        ("'a\nb'", 0, "not closed"),
        (r'"a\q"', 2, "unknown escape"),
        (r'"\ud800"', 1, "not a Unicode character"),
        (r'"\U00110000"', 1, "not a Unicode character"),
        ("a & b", 2, "operators are &&"),
        ("a = b", 2, "operators are &&"),
        ("$.a[@.b]", 4, "JSONPath filters"),
        ("a # b", 2, "unexpected character '#'"),
        ("'\ud800'", 1, "not Unicode text"),
    ],
)
def test_what_is_no_token_is_refused_where_it_stands(
    source: str, position: int, reason: str
) -> None:
    fault = fault_of(source)

    assert reason in fault.message
    assert fault.position == position
    assert fault.message.endswith(f"(at character {position + 1})")
