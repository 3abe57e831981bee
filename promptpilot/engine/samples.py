"""Makes up values for inputs and answers of models: always the same, and valid where it can be.

Of JSON Schema it follows what people write: type, const, enum, default, examples, bounds, lengths,
formats, items, properties, the first of several branches, and references into the schema itself.
Who uses a sample checks it against the schema; what it cannot satisfy is not taken.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from promptpilot.engine.definition import DataType, Variable
from promptpilot.engine.inputs import fits

Schema = Mapping[str, Any]

_MAX_DEPTH: Final = 8
#: Schemas looked into for one sample: references multiply.
_MAX_LOOKS: Final = 5000
_MAX_ITEMS: Final = 20
_MAX_TEXT: Final = 1000
_TYPES: Final[Mapping[DataType, str]] = {
    DataType.STRING: "string",
    DataType.NUMBER: "number",
    DataType.BOOLEAN: "boolean",
    DataType.ARRAY: "array",
    DataType.OBJECT: "object",
}
_FORMATS: Final[Mapping[str, str]] = {
    "date-time": "2026-01-01T00:00:00Z",
    "date": "2026-01-01",
    "time": "00:00:00Z",
    "duration": "PT1H",
    "email": "sample@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/",
    "uri-reference": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}
#: Tried where a text has to match a pattern.
_TEXTS: Final = ("sample", "Sample", "SAMPLE", "a", "A", "A1", "AB-1", "ABC-123", "1", "12345")


def sample_of(variable: Variable) -> Any:
    """Return a value for a variable: its default, or one after its validation and type."""
    if variable.default is not None:
        return variable.default
    schema = dict(variable.validation or {})
    schema.setdefault("type", _TYPES[variable.data_type])
    return sample(schema, variable.name)


def sample(schema: Schema, name: str = "value") -> Any:
    """Return a value after a schema; texts without a rule of their own quote `name`."""
    return _Samples(schema).value(schema, name, _MAX_DEPTH)


class _Samples:
    """Makes values after one schema, to whose root its references lead."""

    def __init__(self, root: Schema) -> None:
        self._root = root
        self._looks_left = _MAX_LOOKS

    def value(self, schema: Any, name: str, depth: int) -> Any:
        """Return a value; null beyond the depth, and when too much was looked into."""
        if depth == 0 or self._looks_left <= 0:
            return None
        if not isinstance(schema, Mapping):
            return f"sample {name}"
        schema = self._flat(schema, depth)
        given, is_given = _given(schema)
        return given if is_given else self._made(schema, name, depth)

    def _made(self, schema: Schema, name: str, depth: int) -> Any:
        match _type(schema):
            case "string":
                return _text(schema, name)
            case "integer" | "number" as kind:
                return _number(schema, is_whole=kind == "integer")
            case "boolean":
                return True
            case "array":
                return self._items(schema, name, depth)
            case "object":
                return self._members(schema, depth)
            case _:
                return None

    def _items(self, schema: Schema, name: str, depth: int) -> list[Any]:
        fixed = _listed(schema, "prefixItems")
        items = [self.value(each, f"{name} {at + 1}", depth - 1) for at, each in enumerate(fixed)]
        most = min(_MAX_ITEMS, _whole(schema, "maxItems", _MAX_ITEMS))
        wanted = min(most, max(_whole(schema, "minItems", 1), len(items)))
        rest = schema.get("items", {"type": "string"})
        names = (f"{name} {at + 1}" for at in range(len(items), wanted))
        return (items + [self.value(rest, each, depth - 1) for each in names])[:most]

    def _members(self, schema: Schema, depth: int) -> dict[str, Any]:
        properties = schema.get("properties")
        known = properties if isinstance(properties, Mapping) else {}
        needed = [each for each in _listed(schema, "required") if isinstance(each, str)]
        wanted = [*known, *(each for each in needed if each not in known)]
        members = {each: self.value(known.get(each, {}), each, depth - 1) for each in wanted}
        # What is too deep is left out where it may be.
        return {key: value for key, value in members.items() if value is not None or key in needed}

    def _flat(self, schema: Schema, depth: int) -> Schema:
        """Return the schema with its references and first branches put in."""
        flat: dict[str, Any] = {}
        for part in self._parts(schema, depth):
            for key, value in part.items():
                is_both = key == "properties" and isinstance(value, Mapping)
                flat[key] = {**flat.get(key, {}), **value} if is_both else value
        return flat

    def _parts(self, schema: Any, depth: int) -> list[Schema]:
        self._looks_left -= 1
        if not isinstance(schema, Mapping) or depth == 0 or self._looks_left <= 0:
            return []
        others = [*_listed(schema, "allOf"), *_listed(schema, "anyOf")[:1]]
        others += _listed(schema, "oneOf")[:1]
        if isinstance(schema.get("$ref"), str):
            others.append(self._target(schema["$ref"]))
        parts = [part for other in others for part in self._parts(other, depth - 1)]
        return [*parts, schema]

    def _target(self, reference: str) -> Any:
        target: Any = self._root
        for part in reference.removeprefix("#").split("/")[1:]:
            key = part.replace("~1", "/").replace("~0", "~")
            target = target.get(key) if isinstance(target, Mapping) else None
        return target


def _given(schema: Schema) -> tuple[Any, bool]:
    """Return a value that the schema itself names, and whether it names one."""
    for key in ("const", "default"):
        if key in schema:
            return schema[key], True
    for key in ("examples", "enum"):
        if listed := _listed(schema, key):
            return listed[0], True
    return None, False


def _type(schema: Schema) -> str | None:
    """Return the type that a value is to have; of several the first that is not null."""
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((each for each in kind if each != "null"), None)
    if kind is None and "properties" in schema:
        return "object"
    if kind is None and "items" in schema:
        return "array"
    return "string" if kind is None else str(kind)


def _text(schema: Schema, name: str) -> str:
    least = min(_whole(schema, "minLength", 0), _MAX_TEXT)
    most = max(least, _whole(schema, "maxLength", _MAX_TEXT))
    known = _FORMATS.get(str(schema.get("format")))
    if known is not None:
        return known
    plain = f"sample {name}"
    candidates = [plain, *_TEXTS, *_FORMATS.values()]
    fitted = [_fitted(each, least, most) for each in candidates]
    pattern = schema.get("pattern")
    if not isinstance(pattern, str):
        return fitted[0]
    return next((each for each in fitted if fits({"pattern": pattern}, each)), fitted[0])


def _fitted(text: str, least: int, most: int) -> str:
    longer = text * (least // len(text) + 1) if len(text) < least else text
    return longer[:most] if len(longer) > most else longer


def _number(schema: Schema, *, is_whole: bool) -> int | float:
    """Return the number nearest to 1 within the bounds, on the grid of `multipleOf`."""
    step = _numeric(schema, "multipleOf") or 0
    grid = step or (1 if is_whole else 0)
    low, high = _bounds(schema, grid)
    value: float = 1
    if low is not None and value < low:
        value = low
    if high is not None and value > high:
        value = high
    if grid:
        up = math.ceil(value / grid) * grid
        value = up if high is None or up <= high else math.floor(value / grid) * grid
    return int(value) if float(value).is_integer() else value


def _bounds(schema: Schema, grid: float) -> tuple[float | None, float | None]:
    """Return the inclusive bounds; an exclusive one is moved by a step or by a little."""
    low, high = _numeric(schema, "minimum"), _numeric(schema, "maximum")
    above, below = _numeric(schema, "exclusiveMinimum"), _numeric(schema, "exclusiveMaximum")
    little = grid or _little(above, below)
    if above is not None:
        low = above + little if low is None else max(low, above + little)
    if below is not None:
        high = below - little if high is None else min(high, below - little)
    return low, high


def _little(above: float | None, below: float | None) -> float:
    return 0.5 if above is None or below is None else (below - above) / 2


def _listed(schema: Schema, key: str) -> list[Any]:
    value = schema.get(key)
    return value if isinstance(value, list) else []


def _numeric(schema: Schema, key: str) -> float | None:
    value = schema.get(key)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number else None


def _whole(schema: Schema, key: str, otherwise: int) -> int:
    value = _numeric(schema, key)
    return otherwise if value is None else int(value)
