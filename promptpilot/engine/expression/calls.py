"""Turns a call in the source into the right node, or says which function was meant."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from promptpilot.engine.expression.failures import ExpressionSyntaxError
from promptpilot.engine.expression.functions import FUNCTIONS
from promptpilot.engine.expression.lexer import Token
from promptpilot.engine.expression.syntax import (
    Access,
    Call,
    Comprehension,
    Fallback,
    Name,
    Node,
    Presence,
    Span,
)

#: Macros by name, with the numbers of bodies they take.
COMPREHENSIONS: Final = {
    "all": (1,),
    "exists": (1,),
    "exists_one": (1,),
    "filter": (1,),
    "map": (1, 2),
}
_REFUSED: Final = {
    "matches": "regular expressions are not supported, because they may never end; "
    "use glob(text, pattern), contains, startsWith or endsWith",
    "uint": "there is one kind of number; use int()",
    "double": "there is one kind of number; use number()",
    "timestamp": "times are strings in ISO 8601 and compare as such",
    "duration": "durations are not supported; use numbers",
    "secret": "secrets are not readable in expressions",
}


def call_node(word: Token, arguments: tuple[Node, ...], span: Span, *, is_method: bool) -> Node:
    """Make the node of a call; raise ExpressionSyntaxError for a name or count that is wrong."""
    if word.text in COMPREHENSIONS:
        return _comprehension(word, arguments if is_method else (), span)
    special = _SPECIAL.get(word.text)
    if special is not None:
        return special(word, arguments, span)
    return _function(word, arguments, span)


def _function(word: Token, arguments: tuple[Node, ...], span: Span) -> Node:
    function = FUNCTIONS.get(word.text)
    if function is None:
        known = ", ".join(sorted((*FUNCTIONS, *COMPREHENSIONS, *_SPECIAL)))
        reason = _REFUSED.get(word.text, f"the functions are {known}")
        raise ExpressionSyntaxError(f"no function {word.text}(): {reason}", word.start)
    if not function.least <= len(arguments) <= function.most:
        raise ExpressionSyntaxError(f"use {function.usage}", word.start)
    return Call(word.text, arguments, span)


def _comprehension(word: Token, arguments: tuple[Node, ...], span: Span) -> Node:
    target, variable, *bodies = arguments if len(arguments) > 1 else (None, None)
    if (
        target is None
        or not isinstance(variable, Name)
        or len(bodies) not in COMPREHENSIONS[word.text]
    ):
        raise ExpressionSyntaxError(_comprehension_usage(word.text), word.start)
    return Comprehension(word.text, target, variable.name, tuple(bodies), span)


def _comprehension_usage(name: str) -> str:
    usage = f"use list.{name}(item, expression of item)"
    if name == "map":
        usage += " or list.map(item, condition, expression of item)"
    return usage


def _presence(word: Token, arguments: tuple[Node, ...], span: Span) -> Node:
    if len(arguments) != 1 or not isinstance(arguments[0], Name | Access):
        raise ExpressionSyntaxError("use has(value.field)", word.start)
    return Presence(arguments[0], span)


def _fallback(word: Token, arguments: tuple[Node, ...], span: Span) -> Node:
    try:
        value, otherwise = arguments
    except ValueError:
        raise ExpressionSyntaxError("use default(value, otherwise)", word.start) from None
    return Fallback(value, otherwise, span)


_SPECIAL: Final[dict[str, Callable[[Token, tuple[Node, ...], Span], Node]]] = {
    "has": _presence,
    "default": _fallback,
}
