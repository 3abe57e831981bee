"""Generates expressions that mean the same in CEL and here, and data for them to read.

Most subexpressions are of the type that their place wants; one in ten is of any type, so that
failures are compared as well. Left out is what differs by design and cannot be told apart
afterwards: uneven division of integers, text beyond ASCII under `size()`, going over maps of
several fields (the oracle takes them in a random order), everything CEL lacks.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, Final

SCOPE: Final[dict[str, Any]] = {
    "input": {
        "n": 3,
        "m": -7,
        "f": 1.5,
        "g": -0.25,
        "s": "abc",
        "t": "",
        "yes": True,
        "no": False,
        "nil": None,
        "l": [1, 2, 3],
        "e": [],
        "w": ["a", "b", "abc"],
        "o": {"b": {"c": 2}},
        "d": {"d": "x"},
        "rows": [{"k": 1}, {"v": "y"}],
    }
}

_PATHS: Final = {
    "int": ("input.n", "input.m", "input.o.b.c", 'input["n"]', "input.rows[0].k"),
    "float": ("input.f", "input.g"),
    "bool": ("input.yes", "input.no"),
    "string": ("input.s", "input.t", "input.d.d", "input.rows[1].v", 'input["d"]["d"]'),
    "ints": ("input.l", "input.e"),
    "strings": ("input.w", "input.e"),
    "map": ("input.o", "input.o.b", "input.rows[0]"),
    "null": ("input.nil", "null"),
}
_MISSING: Final = ("input.zz", "input.o.zz", "input.l[9]", "input.nil.x", 'input.o["q"]', "zz")
_LITERALS: Final = {
    "int": ("0", "1", "2", "-3", "17", "0x1F", "9223372036854775807", "-9223372036854775808"),
    "float": ("0.5", "2.0", "-1.25", "1e3", ".5"),
    "bool": ("true", "false"),
    "string": ('"a"', "'abc'", '""', 'r"a\\b"', '"""b"c"""', r'"\x41\u0062\n"', "'''x\ny'''"),
    "ints": ("[]", "[1, 2]", "[3, 1, 2,]"),
    "strings": ("[]", '["a"]', '["b", "abc"]'),
    "map": ("{}", '{"a": 1}', '{"b": {"c": 2},}'),
    "null": ("null",),
}
_TYPES: Final = tuple(_LITERALS)
_COMPARISONS: Final = ("==", "!=", "<", "<=", ">", ">=")
_ITEM_TYPES: Final = {"ints": "int", "strings": "string", "map": "string"}
_WRONG_TYPE_CHANCE: Final = 0.1
_MISSING_CHANCE: Final = 0.03


class Generator:
    """Generates one expression after the other from a seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - repeatable cases, no secrets
        self._variables: list[tuple[str, str]] = []
        self._makers: dict[str, tuple[Callable[[int], str], ...]] = {
            "int": (self._arithmetic, self._even_division, self._minus, self._size, self._item),
            "float": (self._float_arithmetic, self._float_division, self._float_minus),
            "bool": (
                self._comparison,
                self._comparison,
                self._logic,
                self._not,
                self._membership,
                self._has,
                self._quantifier,
                self._text_test,
                self._map_comparison,
            ),
            "string": (self._joined, self._string_item, self._key),
            "ints": (self._filtered, self._mapped, self._joined_lists, self._list),
            "strings": (self._filtered_strings, self._mapped_strings, self._keys),
            "map": (self._map,),
            "null": (),
        }

    def expression(self) -> str:
        """Generate an expression of any type."""
        return self._any(self._random.randint(1, 5))

    def _any(self, depth: int) -> str:
        return self._of(self._random.choice(_TYPES), depth)

    def _of(self, wanted: str, depth: int) -> str:
        if self._random.random() < _WRONG_TYPE_CHANCE:
            wanted = self._random.choice(_TYPES)
        makers = self._makers[wanted]
        if depth <= 0 or not makers or self._random.random() < 0.2:
            return self._leaf(wanted)
        if self._random.random() < 0.12:
            return self._choice(wanted, depth - 1)
        return self._random.choice(makers)(depth - 1)

    def _leaf(self, wanted: str) -> str:
        variables = [name for name, kind in self._variables if kind == wanted]
        if variables and self._random.random() < 0.6:
            return self._random.choice(variables)
        if self._random.random() < _MISSING_CHANCE:
            return self._random.choice(_MISSING)
        source = self._random.choice((_PATHS, _LITERALS))
        return self._random.choice(source[wanted])

    def _choice(self, wanted: str, depth: int) -> str:
        yes, no = self._of(wanted, depth), self._of(wanted, depth)
        return f"({self._of('bool', depth)} ? {yes} : {no})"

    def _arithmetic(self, depth: int) -> str:
        operator = self._random.choice(("+", "-", "*", "%", "+", "-"))
        return self._infix(self._of("int", depth), operator, self._of("int", depth))

    def _infix(self, left: str, operator: str, right: str) -> str:
        text = f"{left} {operator} {right}"
        return f"({text})" if self._random.random() < 0.8 else text

    def _even_division(self, depth: int) -> str:
        divisor = self._random.choice((1, 2, -3, 0))
        return f"(({self._of('int', depth)}) * {divisor} / {divisor})"

    def _minus(self, depth: int) -> str:
        return f"-({self._of('int', depth)})"

    def _size(self, depth: int) -> str:
        sized = self._of(self._random.choice(("string", "ints", "strings", "map")), depth)
        return f"size({sized})" if self._random.random() < 0.5 else f"({sized}).size()"

    def _item(self, depth: int) -> str:
        return f"({self._of('ints', depth)})[{self._of('int', 0)}]"

    def _float_arithmetic(self, depth: int) -> str:
        operator = self._random.choice(("+", "-", "*"))
        return self._infix(self._of("float", depth), operator, self._of("float", depth))

    def _float_division(self, depth: int) -> str:
        return f"(({self._of('float', depth)}) / {self._random.choice(('0.5', '2.0', '-4.0'))})"

    def _float_minus(self, depth: int) -> str:
        return f"-({self._of('float', depth)})"

    def _comparison(self, depth: int) -> str:
        kind = self._random.choice(_TYPES)
        operator = self._random.choice(_COMPARISONS)
        return f"({self._of(kind, depth)} {operator} {self._of(kind, depth)})"

    def _logic(self, depth: int) -> str:
        operator = self._random.choice((" && ", " || "))
        count = self._random.randint(2, 3)
        return f"({operator.join(self._of('bool', depth) for _ in range(count))})"

    def _not(self, depth: int) -> str:
        return f"!({self._of('bool', depth)})"

    def _membership(self, depth: int) -> str:
        whole = self._random.choice(tuple(_ITEM_TYPES))
        return f"({self._of(_ITEM_TYPES[whole], depth)} in {self._of(whole, depth)})"

    def _has(self, depth: int) -> str:
        field = self._random.choice(("a", "b", "zz"))
        return f"has({self._random.choice(('input.o', 'input', 'input.zz'))}.{field})"

    def _quantifier(self, depth: int) -> str:
        return self._macro(self._random.choice(("all", "exists", "exists_one")), "bool", depth)

    def _macro(self, macro: str, body: str, depth: int, over: str = "") -> str:
        kind = over or self._random.choice(tuple(_ITEM_TYPES))
        target = self._of(kind, depth)
        name = self._random.choice(("x", "y", "input" if depth < 1 else "z"))
        self._variables.append((name, _ITEM_TYPES[kind]))
        text = f"({target}).{macro}({name}, {self._of(body, depth)})"
        self._variables.pop()
        return text

    def _text_test(self, depth: int) -> str:
        method = self._random.choice(("startsWith", "endsWith", "contains"))
        return f"({self._of('string', depth)}).{method}({self._of('string', depth)})"

    def _joined(self, depth: int) -> str:
        return f"({self._of('string', depth)} + {self._of('string', depth)})"

    def _string_item(self, depth: int) -> str:
        return f"({self._of('strings', depth)})[{self._of('int', 0)}]"

    def _key(self, depth: int) -> str:
        return f"({self._of('map', depth)})[{self._of('string', 0)}]"

    def _filtered(self, depth: int) -> str:
        return self._macro("filter", "bool", depth, over="ints")

    def _mapped(self, depth: int) -> str:
        return self._macro("map", "int", depth)

    def _joined_lists(self, depth: int) -> str:
        return f"({self._of('ints', depth)} + {self._of('ints', depth)})"

    def _list(self, depth: int) -> str:
        return f"[{self._of('int', depth)}, {self._of('int', depth)}]"

    def _filtered_strings(self, depth: int) -> str:
        return self._macro("filter", "bool", depth, over="strings")

    def _mapped_strings(self, depth: int) -> str:
        return self._macro("map", "string", depth)

    def _keys(self, depth: int) -> str:
        return self._macro("filter", "bool", depth, over="map")

    def _map(self, depth: int) -> str:
        return f"{{'b': {self._any(depth)}}}"

    def _map_comparison(self, depth: int) -> str:
        value, other = self._any(depth), self._any(depth)
        return f'({{"a": {value}, "b": {other}}} == {{"b": {other}, "a": {self._any(0)}}})'
