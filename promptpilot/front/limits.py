"""What one request may cost: the limits, and the measuring of a document in linear time.

Rules: `measure` walks every fragment once, however often it is spread, and runs before validation,
because validating equal response keys is quadratic.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    Token,
    TokenKind,
)

_ENOUGH = 1_000_000_000  # sums stop here: spread fragments double them at every level


@dataclass(frozen=True, slots=True)
class Limits:
    """What the front accepts.

    Units: `max_body` is bytes, `max_message` characters, `max_schemas` times what tools ask for by
    introspection. `max_subscriptions` are those of one socket; one caller has at most
    `max_caller_sockets` and `max_caller_streams` in a process, one address `max_strangers` sockets
    that have not introduced themselves. A stream goes on for
    `trust` before its caller is checked again, and shows that it is alive every `keep_alive`.
    `patience` names root fields that may take longer than `timeout` and store nothing; an operation
    of these alone ends when its client goes away. No document within the default limits takes
    longer than 100 ms to prepare.
    """

    max_body: int = 256 * 1024
    max_tokens: int = 2000
    max_comments: int = 500
    max_depth: int = 12
    max_aliases: int = 30
    max_directives: int = 50
    max_root_fields: int = 20
    max_operations: int = 20
    max_fragments: int = 50
    max_repeats: int = 20
    max_digits: int = 100
    max_cost: int = 5000
    max_schemas: float = 2
    max_json_depth: int = 128
    max_list: int = 10_000
    max_errors: int = 50
    max_subscriptions: int = 50
    max_caller_sockets: int = 100
    max_strangers: int = 200
    max_caller_streams: int = 500
    max_message: int = 256 * 1024
    cached_documents: int = 1000
    cached_tokens: int = 200_000
    timeout: timedelta = timedelta(seconds=30)
    patience: Mapping[str, timedelta] = field(default_factory=dict)
    init_timeout: timedelta = timedelta(seconds=5)
    trust: timedelta = timedelta(seconds=5)
    keep_alive: timedelta = timedelta(seconds=12)
    is_introspection_allowed: bool = True
    hides_suggestions: bool = True
    is_fast: bool = True


@dataclass(frozen=True, slots=True)
class Size:
    """What a selection set amounts to with its fragments filled in."""

    depth: int = 0
    aliases: int = 0
    directives: int = 0
    root_fields: int = 0

    def beside(self, other: Size) -> Size:
        """Return the size of two selections in one set."""
        return Size(
            max(self.depth, other.depth),
            min(_ENOUGH, self.aliases + other.aliases),
            min(_ENOUGH, self.directives + other.directives),
            min(_ENOUGH, self.root_fields + other.root_fields),
        )


def measure(document: DocumentNode, limits: Limits) -> Iterator[str]:
    """Yield a message for each limit that the document passes; none when it may be validated."""
    operations = [d for d in document.definitions if isinstance(d, OperationDefinitionNode)]
    fragments = [d for d in document.definitions if isinstance(d, FragmentDefinitionNode)]
    faults = [
        *_over("operations", len(operations), limits.max_operations),
        *_over("fragments", len(fragments), limits.max_fragments),
        *_over("repeated response keys", _count_repeats(document), limits.max_repeats),
        *_over("digits in one number", _longest_number(document), limits.max_digits),
    ]
    yield from faults
    if faults:
        return
    ruler = _Ruler({fragment.name.value: fragment for fragment in fragments})
    for operation in operations:
        yield from _over_size(ruler.operation(operation), limits)


def _over_size(size: Size, limits: Limits) -> Iterator[str]:
    yield from _over("levels of depth", size.depth, limits.max_depth)
    yield from _over("aliases", size.aliases, limits.max_aliases)
    yield from _over("directives", size.directives, limits.max_directives)
    yield from _over("root fields", size.root_fields, limits.max_root_fields)


def _over(what: str, count: int, limit: int) -> Iterator[str]:
    if count > limit:
        shown = "far too many" if count >= _ENOUGH else str(count)
        yield f"The document has {shown} {what}; at most {limit} are allowed."


class _Ruler:
    """Measures operations; remembers each fragment of their document."""

    def __init__(self, fragments: dict[str, FragmentDefinitionNode]) -> None:
        self._fragments = fragments
        self._known: dict[str, Size] = {}

    def operation(self, node: OperationDefinitionNode) -> Size:
        size = self._set(node.selection_set)
        return replace(size, directives=size.directives + len(node.directives or ()))

    def _set(self, node: SelectionSetNode | None) -> Size:
        size = Size()
        for selection in node.selections if node else ():
            size = size.beside(self._selection(selection))
        return size

    def _selection(self, node: SelectionNode) -> Size:
        size = self._filled(node)
        return replace(size, directives=min(_ENOUGH, size.directives + len(node.directives or ())))

    def _filled(self, node: SelectionNode) -> Size:
        if isinstance(node, FragmentSpreadNode):
            return self._fragment(node.name.value)
        if isinstance(node, InlineFragmentNode):
            return self._set(node.selection_set)
        assert isinstance(node, FieldNode)  # noqa: S101 -- the grammar has no fourth selection
        inner = self._set(node.selection_set)
        return replace(
            inner,
            depth=1 if _is_introspection(node) else inner.depth + 1,
            aliases=min(_ENOUGH, inner.aliases + bool(node.alias)),
            root_fields=1,
        )

    def _fragment(self, name: str) -> Size:
        if name not in self._known:
            self._known[name] = Size()  # a cycle or an unknown name is for validation to report
            if name in self._fragments:
                self._known[name] = self._set(self._fragments[name].selection_set)
        return self._known[name]


def _is_introspection(node: FieldNode) -> bool:
    # Its depth is bounded by a validation rule of its own; the usual query is 15 levels deep.
    return node.name.value in ("__schema", "__type")


def _count_repeats(document: DocumentNode) -> int:
    """Count selections whose response key stands in their set already, inline fragments merged."""
    waiting = [
        definition.selection_set
        for definition in document.definitions
        if isinstance(definition, OperationDefinitionNode | FragmentDefinitionNode)
    ]
    repeats = 0
    while waiting:
        keys: Counter[str] = Counter()
        for selection in _merged(waiting.pop()):
            keys[_key(selection)] += 1
            if isinstance(selection, FieldNode) and selection.selection_set:
                waiting.append(selection.selection_set)
        repeats += keys.total() - len(keys)
    return repeats


def _merged(node: SelectionSetNode) -> Iterator[FieldNode | FragmentSpreadNode]:
    for selection in node.selections:
        if isinstance(selection, InlineFragmentNode):
            yield from _merged(selection.selection_set)
        elif isinstance(selection, FieldNode | FragmentSpreadNode):
            yield selection


def _longest_number(document: DocumentNode) -> int:
    numbers = (t for t in tokens(document) if t.kind in (TokenKind.INT, TokenKind.FLOAT))
    return max((token.end - token.start for token in numbers), default=0)


def tokens(document: DocumentNode) -> Iterator[Token]:
    """Yield every token of a parsed document, comments included."""
    token = document.loc.start_token if document.loc else None
    while token:
        yield token
        token = token.next


def _key(node: FieldNode | FragmentSpreadNode) -> str:
    if isinstance(node, FragmentSpreadNode):
        return f"...{node.name.value}"
    return (node.alias or node.name).value
