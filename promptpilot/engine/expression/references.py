"""What a program reads from its scope, found without evaluating it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

from promptpilot.engine.expression.syntax import (
    Access,
    Comprehension,
    Fallback,
    Literal,
    Name,
    Node,
    Part,
    Presence,
)

_Names = frozenset[str]


@dataclass(frozen=True, slots=True)
class Reference:
    """A read from the scope.

    `path` starts with the root and goes as far as the source fixes it, the index of an item written
    as text. `is_dynamic` says that the read goes on with a key that depends on the data.
    `is_guarded` says that absence is provided for: by `default()`, `has()` or an optional access.
    """

    path: tuple[str, ...]
    is_guarded: bool
    is_dynamic: bool


def find_references(tree: Node) -> frozenset[Reference]:
    """List every read of a root; `now` and the variables of macros are none."""
    return frozenset(_references(tree, frozenset({"now"}), is_guarded=False))


def _references(node: Node, local: _Names, *, is_guarded: bool) -> Iterator[Reference]:
    match node:
        case Name() | Access(base=Name()):
            yield from _read(node, local, is_guarded=is_guarded)
        case Comprehension():
            yield from _references(node.target, local, is_guarded=is_guarded)
            for body in node.bodies:
                yield from _references(body, local | {node.variable}, is_guarded=is_guarded)
        case Presence():
            yield from _references(node.target, local, is_guarded=True)
        case Fallback():
            yield from _references(node.value, local, is_guarded=True)
            yield from _references(node.otherwise, local, is_guarded=is_guarded)
        case _:
            for child in _children(node):
                yield from _references(child, local, is_guarded=is_guarded)


def _read(node: Name | Access, local: _Names, *, is_guarded: bool) -> Iterator[Reference]:
    parts = node.parts if isinstance(node, Access) else ()
    root = node.base if isinstance(node, Access) else node
    if isinstance(root, Name) and root.name not in local:
        is_optional = any(part.is_optional for part in parts)
        fixed = _fixed_keys(parts)
        is_dynamic = len(fixed) < len(parts)
        yield Reference((root.name, *fixed), is_guarded or is_optional, is_dynamic)
    for part in parts:
        yield from _references(part.key, local, is_guarded=is_guarded)


def _fixed_keys(parts: tuple[Part, ...]) -> list[str]:
    keys: list[str] = []
    for part in parts:
        if not isinstance(part.key, Literal):
            break
        keys.append(str(part.key.value))
    return keys


def _children(node: Node) -> Iterator[Node]:
    for field in fields(node):
        yield from _nodes_in(getattr(node, field.name))


def _nodes_in(value: Any) -> Iterator[Node]:
    if isinstance(value, Part):
        yield value.key
    elif isinstance(value, tuple):
        for item in value:
            yield from _nodes_in(item)
    elif isinstance(value, Node):
        yield value
