"""Turns a source into a tree, or says where and why it cannot.

A Pratt parser: one function climbs all binary precedences, so that no source within the limits
can exhaust Python's stack.
"""

from __future__ import annotations

from typing import Final

from promptpilot.engine.expression.calls import call_node
from promptpilot.engine.expression.failures import EXPRESSION_BUDGET, ExpressionSyntaxError
from promptpilot.engine.expression.lexer import Token, read_number, tokens
from promptpilot.engine.expression.limits import MAX_DEPTH, MAX_INTEGER, MAX_SOURCE_BYTES
from promptpilot.engine.expression.syntax import (
    Access,
    Binary,
    Choice,
    ListLiteral,
    Literal,
    Logic,
    MapLiteral,
    Name,
    Node,
    Part,
    Span,
    Unary,
)

_TERNARY: Final = 1
_UNARY: Final = 7
_PRECEDENCES: Final = {
    "||": 2,
    "&&": 3,
    **dict.fromkeys(("==", "!=", "<", "<=", ">", ">=", "in"), 4),
    **dict.fromkeys(("+", "-"), 5),
    **dict.fromkeys(("*", "/", "%"), 6),
}
_ACCESS_SIGNS: Final = frozenset({".", ".?", "?.", "["})
_OPTIONAL_SIGNS: Final = frozenset({".?", "?."})
_CONSTANTS: Final = {"true": True, "false": False, "null": None}
_JSONPATH_ROOT: Final = "$"
_JSONPATH_SIGNS: Final = ("*", ":", "?")
_PAYLOAD: Final = "payload"


def parse_tree(source: str) -> Node:
    """Parse a source; raise ExpressionSyntaxError with the position of the first fault."""
    _check_size(source)
    parser = _Parser(source)
    tree = parser.expression(_TERNARY)
    parser.expect_end()
    return tree


def _check_size(source: str) -> None:
    try:
        size = len(source.encode())
    except UnicodeEncodeError as error:
        raise ExpressionSyntaxError("the source is not Unicode text", error.start) from None
    if size > MAX_SOURCE_BYTES:
        raise ExpressionSyntaxError(
            f"the expression has {size} bytes; the limit is {MAX_SOURCE_BYTES}",
            0,
            EXPRESSION_BUDGET,
        )


class _Parser:
    __slots__ = ("_ahead", "_level", "_previous_end", "_tokens")

    def __init__(self, source: str) -> None:
        self._tokens = tokens(source)
        self._ahead = next(self._tokens)
        self._previous_end = 0
        self._level = 0

    def expression(self, precedence: int) -> Node:
        self._level += 1
        if self._level > MAX_DEPTH:
            raise _too_deep(self._ahead.start)
        start = self._ahead.start
        node = self._operators(start, self._operand(), precedence)
        if precedence <= _TERNARY and self._sees("?"):
            node = self._choice(start, node)
        self._level -= 1
        return node

    def expect_end(self) -> None:
        if self._ahead.kind != "end":
            raise self._unexpected("an operator or the end")

    def _operators(self, start: int, node: Node, precedence: int) -> Node:
        while (found := self._precedence_ahead()) > precedence:
            rest: list[tuple[str, Node]] = []
            while self._precedence_ahead() == found:
                operator = self._take().text
                rest.append((operator, self.expression(found)))
            operands = (node, *(operand for _, operand in rest))
            span = self._span(start, *operands)
            if rest[0][0] in {"&&", "||"}:
                node = Logic(rest[0][0], operands, span)
            else:
                node = Binary(node, tuple(rest), span)
        return node

    def _precedence_ahead(self) -> int:
        token = self._ahead
        return _PRECEDENCES.get(token.text, 0) if token.kind in {"sign", "word"} else 0

    def _choice(self, start: int, condition: Node) -> Node:
        self._take()
        yes = self.expression(_TERNARY)
        self._expect(":")
        no = self.expression(_TERNARY)
        return Choice(condition, yes, no, self._span(start, condition, yes, no))

    def _operand(self) -> Node:
        token = self._ahead
        if self._sees("!"):
            self._take()
            operand = self.expression(_UNARY)
            return Unary("!", operand, self._span(token.start, operand))
        if self._sees("-"):
            return self._negative()
        return self._chain(token.start, self._primary())

    def _negative(self) -> Node:
        start = self._take().start
        if self._ahead.kind == "number":
            number = self._take()
            literal = Literal(-read_number(number), self._span(start))
            return self._chain(start, literal)
        operand = self.expression(_UNARY)
        return Unary("-", operand, self._span(start, operand))

    def _chain(self, start: int, node: Node) -> Node:
        parts: list[Part] = []
        while self._ahead.kind == "sign" and self._ahead.text in _ACCESS_SIGNS:
            sign = self._take()
            is_optional = sign.text in _OPTIONAL_SIGNS or bool(parts and parts[-1].is_optional)
            if sign.text == "[":
                parts.append(self._index(sign.start, is_optional=is_optional))
                continue
            word = self._word_after(sign)
            if self._sees("("):
                node = self._method(start, self._access(start, node, parts), word)
                parts = []
            else:
                key = Literal(word.text, Span(word.start, word.end, 0, 0))
                parts.append(Part(key, is_optional, sign.start, word.end))
        return self._access(start, node, parts)

    def _access(self, start: int, node: Node, parts: list[Part]) -> Node:
        if not parts:
            return node
        keys = [part.key for part in parts]
        return Access(node, tuple(parts), self._span(start, node, *keys, end=parts[-1].end))

    def _index(self, start: int, *, is_optional: bool) -> Part:
        if any(map(self._sees, _JSONPATH_SIGNS)):
            raise ExpressionSyntaxError(
                "slices, wildcards and filters in brackets are not supported; "
                "use .map(item, ...) or .filter(item, ...)",
                self._ahead.start,
            )
        key = self.expression(_TERNARY)
        return Part(key, is_optional, start, self._expect("]").end)

    def _word_after(self, sign: Token) -> Token:
        if self._ahead.kind != "word" or self._ahead.text == _JSONPATH_ROOT:
            raise self._unexpected(
                f'a field name after "{sign.text}"; write ["..."] for other keys'
            )
        return self._take()

    def _method(self, start: int, receiver: Node, word: Token) -> Node:
        arguments = (receiver, *self._arguments())
        span = self._span(start, *arguments)
        return call_node(word, arguments, span, is_method=True)

    def _primary(self) -> Node:
        token = self._take()
        match token.kind:
            case "number":
                return Literal(_in_range(token), self._span(token.start))
            case "string":
                return Literal(token.text, self._span(token.start))
            case "word":
                return self._named(token)
            case _:
                return self._bracketed(token)

    def _named(self, token: Token) -> Node:
        if token.text in _CONSTANTS:
            return Literal(_CONSTANTS[token.text], self._span(token.start))
        if token.text == "in":
            raise ExpressionSyntaxError('"in" needs a value on its left', token.start)
        if self._sees("("):
            arguments = tuple(self._arguments())
            return call_node(token, arguments, self._span(token.start, *arguments), is_method=False)
        name = _PAYLOAD if token.text == _JSONPATH_ROOT else token.text
        return Name(name, self._span(token.start))

    def _bracketed(self, token: Token) -> Node:
        match token.text:
            case "(":
                node = self.expression(_TERNARY)
                self._expect(")")
                return node
            case "[":
                items = tuple(self._list_until("]"))
                return ListLiteral(items, self._span(token.start, *items))
            case "{":
                return self._map(token.start)
            case _:
                raise _unexpected_token(token, "a value")

    def _arguments(self) -> list[Node]:
        self._take()
        return self._list_until(")")

    def _list_until(self, closing: str) -> list[Node]:
        items: list[Node] = []
        while not self._sees(closing):
            items.append(self.expression(_TERNARY))
            if not self._sees(closing):
                self._expect(",", f'"," or "{closing}"')
        self._take()
        return items

    def _map(self, start: int) -> Node:
        entries: list[tuple[Node, Node]] = []
        while not self._sees("}"):
            key = self.expression(_TERNARY)
            self._expect(":", '":" after the key; keys are strings, as in {"a": 1}')
            entries.append((key, self.expression(_TERNARY)))
            if not self._sees("}"):
                self._expect(",", '"," or "}"')
        self._take()
        children = [node for entry in entries for node in entry]
        return MapLiteral(tuple(entries), self._span(start, *children))

    def _span(self, start: int, *children: Node, end: int = 0) -> Span:
        depth = 1 + max((child.span.depth for child in children), default=0)
        if depth > MAX_DEPTH:
            raise _too_deep(start)
        weight = 1 + sum(child.span.weight for child in children)
        return Span(start, end or self._previous_end, depth, weight)

    def _sees(self, sign: str) -> bool:
        return self._ahead.kind == "sign" and self._ahead.text == sign

    def _take(self) -> Token:
        token = self._ahead
        self._previous_end = token.end
        if token.kind != "end":
            self._ahead = next(self._tokens)
        return token

    def _expect(self, sign: str, wanted: str = "") -> Token:
        if not self._sees(sign):
            raise self._unexpected(wanted or f'"{sign}"')
        return self._take()

    def _unexpected(self, wanted: str) -> ExpressionSyntaxError:
        return _unexpected_token(self._ahead, wanted)


def _in_range(token: Token) -> int | float:
    value = read_number(token)
    if value == MAX_INTEGER + 1 and isinstance(value, int):
        raise ExpressionSyntaxError("the integer does not fit in 64 bits", token.start)
    return value


def _unexpected_token(token: Token, wanted: str) -> ExpressionSyntaxError:
    found = {"end": "the end", "string": "a string"}.get(token.kind, f'"{token.text}"')
    return ExpressionSyntaxError(f"expected {wanted}, found {found}", token.start)


def _too_deep(position: int) -> ExpressionSyntaxError:
    return ExpressionSyntaxError(
        f"the expression is nested deeper than {MAX_DEPTH} levels", position, EXPRESSION_BUDGET
    )
