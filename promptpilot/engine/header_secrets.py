"""Takes the secret headers out of a definition before it is stored: each becomes the id of a row.

Rules: a secret header with a value gets a new row; one without keeps the row that the same header
of the same step had. So a definition never holds a secret, and an unchanged one stays the same.
A draft cannot choose a row: only what the definition before had can be kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from promptpilot.engine.definition import Definition, Step
from promptpilot.engine.gathering import raise_all
from promptpilot.engine.request_headers import header_fault
from promptpilot.engine.step_configs import RequestConfig, RequestHeader
from promptpilot.errors import InvalidInput, Required
from promptpilot.models import StepSecret

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sealed:
    """A definition without secrets, and the rows, not yet stored, that hold the new ones."""

    definition: Definition
    rows: tuple[StepSecret, ...]


def sealed(definition: Definition, before: Definition, seal: Callable[[str], StepSecret]) -> Sealed:
    """Return `definition`, whose steps have their ids, with its secrets moved into rows.

    `before` is the definition that it replaces. Raises InvalidInput or InvalidMany, with the path
    to the header, for a value that is missing or cannot be sent.
    """
    raise_all(list(_faults(definition, before)))
    sealing = _Sealing(before, seal)
    steps = tuple(map(sealing.step, definition.steps))
    return Sealed(replace(definition, steps=steps), tuple(sealing.rows))


class _Sealing:
    """The sealing of one definition."""

    def __init__(self, before: Definition, seal: Callable[[str], StepSecret]) -> None:
        self._before = before
        self._seal = seal
        self.rows: list[StepSecret] = []

    def step(self, step: Step) -> Step:
        """Return a step without secrets."""
        if not isinstance(step.config, RequestConfig) or not step.config.headers:
            return step
        kept = _secret_ids(self._before, step.id)
        headers = tuple(self._header(header, kept) for header in step.config.headers)
        return replace(step, config=replace(step.config, headers=headers))

    def _header(self, header: RequestHeader, kept: dict[str, str]) -> RequestHeader:
        if not header.is_secret:
            return replace(header, secret_id=None)
        if header.value is None:
            return replace(header, secret_id=kept[header.name.lower()])
        row = self._seal(header.value.strip(" \t"))
        self.rows.append(row)
        return replace(header, value=None, secret_id=row.id)


def _faults(definition: Definition, before: Definition) -> Iterator[InvalidInput]:
    for position, step in enumerate(definition.steps):
        if isinstance(step.config, RequestConfig):
            kept = _secret_ids(before, step.id)
            for number, header in enumerate(step.config.headers):
                place = ("input", "steps", str(position), "config", "webhook", "headers")
                yield from _header_faults(header, kept, (*place, str(number), "value"))


def _header_faults(
    header: RequestHeader, kept: dict[str, str], path: Path
) -> Iterator[InvalidInput]:
    name = repr(header.name)
    if header.value is None:
        if not header.is_secret:
            yield Required(f"Header {name} needs a value; only a stored secret can be kept.", path)
        elif header.name.lower() not in kept:
            yield Required(
                f"Header {name} of this step has no stored secret; give its value.", path
            )
    elif header.is_secret and not header.value.strip():
        yield Required(f"The secret value of header {name} must not be empty.", path)
    elif header.is_secret and (fault := header_fault(header.value)):
        yield InvalidInput(f"The secret value of header {name} {fault}.", path)


def _secret_ids(before: Definition, step_id: str) -> dict[str, str]:
    """Return the ids of the secrets of a step as it was, by header name in lower case."""
    return {
        header.name.lower(): header.secret_id
        for step in before.steps
        if step.id == step_id and isinstance(step.config, RequestConfig)
        for header in step.config.headers
        if header.secret_id is not None
    }
