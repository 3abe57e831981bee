"""Cuts a source into tokens; also used to find where a placeholder of a template ends."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from promptpilot.engine.expression.failures import ExpressionSyntaxError
from promptpilot.engine.expression.limits import MAX_INTEGER

TokenKind = Literal["number", "string", "word", "sign", "end"]

_PATTERN: Final = re.compile(
    r"""
    (?P<space>(?:[ \t\r\n\f]+|//[^\n]*)+)
  | (?P<string>(?:\"{3}(?s:\\.|[^\\])*?\"{3}|'{3}(?s:\\.|[^\\])*?'{3}
        |"(?:\\.|[^\\"\n\r])*"|'(?:\\.|[^\\'\n\r])*'))
  | (?P<number>0[xX][0-9a-fA-F]+|(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)
  | (?P<word>[A-Za-z_][A-Za-z0-9_]*|\$)
  | (?P<sign>&&|\|\||[=!<>]=|\?\.(?![0-9])|\.\?|[-+*/%!<>?:.,()\[\]{}])
    """,
    re.VERBOSE,
)
_RAW_PATTERN: Final = re.compile(
    r"""[rR](?:\"{3}(?s:.*?)\"{3}|'{3}(?s:.*?)'{3}|"[^"\n\r]*"|'[^'\n\r]*')"""
)
_ESCAPE: Final = re.compile(
    r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-3][0-7]{2})|(?s:(.)))"
)
_SIMPLE_ESCAPES: Final = {
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
    "\\": "\\",
    "?": "?",
    '"': '"',
    "'": "'",
    "`": "`",
}
_LONGEST_INTEGER: Final = 20
_TRIPLE: Final = ('"""', "'''")
_LAST_CODE_POINT: Final = 0x10FFFF
_SURROGATES: Final = range(0xD800, 0xE000)


@dataclass(frozen=True, slots=True)
class Token:
    """One token; `end` is exclusive. `text` is as written, for a string its decoded value."""

    kind: TokenKind
    text: str
    start: int
    end: int


def tokens(source: str, start: int = 0) -> Iterator[Token]:
    """Yield the tokens from `start`, last one of kind `end`; raise ExpressionSyntaxError."""
    position = start
    while position < len(source):
        match = _RAW_PATTERN.match(source, position) or _PATTERN.match(source, position)
        if match is None:
            raise ExpressionSyntaxError(_complaint(source, position), position)
        position = match.end()
        kind = match.lastgroup or "string"
        if kind != "space":
            yield _token(kind, match)
    yield Token("end", "", position, position)


def read_number(token: Token) -> int | float:
    """Read a number token; raise ExpressionSyntaxError when it is out of range.

    `MAX_INTEGER + 1` is let through, because its negative is in range.
    """
    text = token.text
    is_hexadecimal = text[:2] in {"0x", "0X"}
    if not is_hexadecimal and not text.isdigit():
        return _read_fraction(token)
    digits = text[2:] if is_hexadecimal else text.lstrip("0") or "0"
    value = int(digits[:_LONGEST_INTEGER], 16 if is_hexadecimal else 10)
    if value > MAX_INTEGER + 1 or len(digits) > _LONGEST_INTEGER:
        raise ExpressionSyntaxError("the integer does not fit in 64 bits", token.start)
    return value


def _read_fraction(token: Token) -> float:
    value = float(token.text)
    if value == float("inf"):
        raise ExpressionSyntaxError("the number is too large", token.start)
    return value


def _token(kind: str, match: re.Match[str]) -> Token:
    text, start, end = match.group(), match.start(), match.end()
    match kind:
        case "string":
            return Token("string", _string_value(text, start), start, end)
        case "number":
            _refuse_glued_word(match.string, end)
            return Token("number", text, start, end)
        case "word":
            return Token("word", text, start, end)
        case _:
            return Token("sign", text, start, end)


def _refuse_glued_word(source: str, end: int) -> None:
    following = source[end : end + 1]
    if following.isalnum() or following == "_":
        raise ExpressionSyntaxError(
            "a number is followed by a letter; there is one kind of number, written 12 or 1.5", end
        )


def _string_value(text: str, start: int) -> str:
    is_raw = text[0] in "rR"
    quoted = text[1:] if is_raw else text
    width = len(_TRIPLE[0]) if quoted.startswith(_TRIPLE) else 1
    body = quoted[width:-width]
    offset = start + is_raw + width
    if is_raw or "\\" not in body:
        return body
    return _ESCAPE.sub(lambda match: _unescape(match, offset), body)


def _unescape(match: re.Match[str], offset: int) -> str:
    hexadecimal = match[1] or match[2] or match[3]
    if match[5] is not None:
        character = _SIMPLE_ESCAPES.get(match[5])
        if character is None:
            raise ExpressionSyntaxError(
                f"unknown escape {match[0]}; write \\\\ for a backslash", offset + match.start()
            )
        return character
    code_point = int(hexadecimal, 16) if hexadecimal else int(match[4], 8)
    if code_point > _LAST_CODE_POINT or code_point in _SURROGATES:
        raise ExpressionSyntaxError(
            f"{match[0]} is not a Unicode character", offset + match.start()
        )
    return chr(code_point)


def _complaint(source: str, position: int) -> str:
    character = source[position]
    if character in "\"'":
        return "the string is not closed"
    if character in "&|=":
        return f'unexpected "{character}"; the operators are &&, ||, == and !='
    if character == "@":
        return 'unexpected "@"; JSONPath filters are not supported, use .filter(item, condition)'
    return f"unexpected character {character!r}"
