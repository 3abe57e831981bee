"""Whether a definition reads what the trigger of its execution received."""

from __future__ import annotations

from typing import Final
from weakref import WeakKeyDictionary

from promptpilot.engine.definition import Definition
from promptpilot.engine.reading import readings

_RECEIVED: Final = frozenset({(), ("headers",), ("payload",), ("scheduledFor",)})

#: Asked at every launch, answered once for each definition that is in use.
_READS_TRIGGER_DATA: WeakKeyDictionary[Definition, bool] = WeakKeyDictionary()


def reads_trigger_data(definition: Definition) -> bool:
    """Whether a text of the definition reads what its trigger received, or all of `trigger`."""
    known = _READS_TRIGGER_DATA.get(definition)
    if known is None:
        known = _READS_TRIGGER_DATA[definition] = _reads_trigger_data(definition)
    return known


def _reads_trigger_data(definition: Definition) -> bool:
    paths = [
        reference.path
        for step in definition.steps
        for reading in readings(step, lambda _: None)
        for reference in reading.references
    ]
    return any(path[0] == "trigger" and path[1:2] in _RECEIVED for path in paths)
