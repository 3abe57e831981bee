"""The tree that the parser makes of a source.

Invariants: no node is deeper than `MAX_DEPTH`; `Span.weight` counts the nodes below and itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Span:
    """Where a node stands in the source (end exclusive), how deep and how large it is."""

    start: int
    end: int
    depth: int
    weight: int


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant."""

    value: Any
    span: Span


@dataclass(frozen=True, slots=True)
class Name:
    """A root of the scope, `now`, or the variable of a macro around it."""

    name: str
    span: Span


@dataclass(frozen=True, slots=True)
class Part:
    """One access in a chain: `.name` or `[key]`, and where it stands in the source."""

    key: Node
    is_optional: bool
    start: int
    end: int

    def constant_name(self) -> str | None:
        """Name the field that is read whatever the data is; None if it depends on the data."""
        if self.is_optional or not isinstance(self.key, Literal):
            return None
        return self.key.value if isinstance(self.key.value, str) else None


@dataclass(frozen=True, slots=True)
class Access:
    """A chain of member and index accesses on a value."""

    base: Node
    parts: tuple[Part, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class ListLiteral:
    """`[a, b]`."""

    items: tuple[Node, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class MapLiteral:
    """`{"a": b}`."""

    entries: tuple[tuple[Node, Node], ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Unary:
    """`!a` or `-a`."""

    operator: str
    operand: Node
    span: Span


@dataclass(frozen=True, slots=True)
class Binary:
    """A left-to-right chain of operators of one precedence: `a + b - c`, `a < b`."""

    first: Node
    rest: tuple[tuple[str, Node], ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Logic:
    """`a && b && c` or `a || b || c`."""

    operator: str
    operands: tuple[Node, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Choice:
    """`condition ? yes : no`."""

    condition: Node
    yes: Node
    no: Node
    span: Span


@dataclass(frozen=True, slots=True)
class Call:
    """A function on its arguments; `a.f(b)` and `f(a, b)` are the same call."""

    function: str
    arguments: tuple[Node, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Presence:
    """`has(chain)`."""

    target: Name | Access
    span: Span


@dataclass(frozen=True, slots=True)
class Fallback:
    """`default(value, otherwise)`."""

    value: Node
    otherwise: Node
    span: Span


@dataclass(frozen=True, slots=True)
class Comprehension:
    """`target.macro(variable, bodies...)`."""

    macro: str
    target: Node
    variable: str
    bodies: tuple[Node, ...]
    span: Span


Node = (
    Literal
    | Name
    | Access
    | ListLiteral
    | MapLiteral
    | Unary
    | Binary
    | Logic
    | Choice
    | Call
    | Presence
    | Fallback
    | Comprehension
)
