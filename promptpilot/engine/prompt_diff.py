"""What is different between two versions of a prompt."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from promptpilot.engine.prompt_documents import turn_documents
from promptpilot.engine.prompt_texts import PromptText, PromptVariable

#: Above this product of lines, the texts are not compared line by line.
_MOST_COMPARISONS: Final = 1_000_000
#: Above this product of equal pairs of lines and lines they are not either: it would take seconds.
_MOST_EFFORT: Final = 4_000_000
#: Of longer texts `difflib` passes over lines that make up more than a hundredth.
_SHORT: Final = 200
_HUNDREDTH: Final = 100


@dataclass(frozen=True, slots=True)
class FieldChange:
    """A field that differs; a value of None means that there is none."""

    field: str
    old: Any
    new: Any


def changes(base: PromptText, head: PromptText) -> tuple[FieldChange, ...]:
    """Return every field that differs, in the order of the fields."""
    return tuple(change for change in _compared(base, head) if change.old != change.new)


def unified_diff(base: str, head: str, base_name: str, head_name: str) -> str:
    """Return the unified diff of two texts, empty when they are equal.

    Texts of very many lines, or of many that repeat, are shown as one replacement.
    """
    if base == head:
        return ""
    old, new = base.split("\n"), head.split("\n")
    if len(old) * len(new) > _MOST_COMPARISONS or _effort(old, new) > _MOST_EFFORT:
        return "\n".join(_replacement(old, new, base_name, head_name))
    return "\n".join(difflib.unified_diff(old, new, base_name, head_name, lineterm=""))


def _effort(old: Sequence[str], new: Sequence[str]) -> int:
    """Return how many steps comparing may take: each equal pair, for each line that is found."""
    counts = Counter(new)
    most = len(new) if len(new) < _SHORT else len(new) // _HUNDREDTH + 1
    pairs = sum(counts[line] for line in old if counts[line] <= most)
    return pairs * min(len(old), len(new))


def _replacement(
    old: Sequence[str], new: Sequence[str], base_name: str, head_name: str
) -> Iterator[str]:
    yield f"--- {base_name}"
    yield f"+++ {head_name}"
    yield f"@@ -1,{len(old)} +1,{len(new)} @@"
    yield from (f"-{line}" for line in old)
    yield from (f"+{line}" for line in new)


def _compared(base: PromptText, head: PromptText) -> Iterator[FieldChange]:
    yield FieldChange("content", base.content, head.content)
    yield FieldChange("instructions", base.instructions, head.instructions)
    yield FieldChange("turns", turn_documents(base.turns), turn_documents(head.turns))
    old = {each.name: _shown(each) for each in base.variables}
    new = {each.name: _shown(each) for each in head.variables}
    for name in [*old, *(name for name in new if name not in old)]:
        yield from _variable(f"variables.{name}", old.get(name), new.get(name))
    if set(old) == set(new):
        yield FieldChange("variables", list(old), list(new))  # their order


def _variable(
    field: str, old: Mapping[str, Any] | None, new: Mapping[str, Any] | None
) -> Iterator[FieldChange]:
    if old is None or new is None:
        yield FieldChange(field, old, new)
        return
    for name, value in old.items():
        yield FieldChange(f"{field}.{name}", value, new[name])


def _shown(variable: PromptVariable) -> dict[str, Any]:
    """Return the fields of a variable as clients know them."""
    return {
        "type": variable.type.value,
        "description": variable.description,
        "isRequired": variable.is_required,
        "defaultValue": variable.default,
        "options": list(variable.options),
    }
