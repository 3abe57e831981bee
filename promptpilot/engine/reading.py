"""What the texts of a step read: its expressions and templates, parsed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from promptpilot.engine.definition import ConditionConfig, PromptConfig, Step, TransformConfig
from promptpilot.engine.expression import ExpressionSyntaxError, Reference, parse
from promptpilot.engine.fault import Fault
from promptpilot.engine.template import parse_template

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """An expression or template of a step and what it reads.

    `own_roots` are the names that this text may read besides the workflow's, such as `output`.
    """

    path: Path
    references: frozenset[Reference]
    bare_names: frozenset[str] = frozenset()
    own_roots: frozenset[str] = frozenset()


def readings(step: Step, report: Callable[[Fault], None]) -> Iterator[Reading]:
    """Yield what each text of the step reads; report those that cannot be parsed."""
    if step.run_if is not None:
        yield from _expression(step.run_if, ("runIf",), report)
    for name, text in step.inputs.items():
        yield from _expression(text, ("inputs", name), report)
    for name, text in step.outputs.items():
        yield from _expression(text, ("outputs", name), report, frozenset({"output"}))
    yield from _config_readings(step, report)


def _config_readings(step: Step, report: Callable[[Fault], None]) -> Iterator[Reading]:
    match step.config:
        case ConditionConfig() as config:
            path = ("config", "condition", "condition")
            yield from _expression(config.condition, path, report)
        case TransformConfig() as config:
            yield from _fields(config.set, report)
        case PromptConfig() as config:
            texts = {"content": config.content, "instructions": config.instructions}
            for field, text in texts.items():
                if text is not None:
                    yield from _template(text, ("config", "prompt", field), report)


def _fields(fields: Mapping[str, str], report: Callable[[Fault], None]) -> Iterator[Reading]:
    for name, text in fields.items():
        path = ("config", "transform", "set", name)
        yield from _expression(text, path, report, frozenset({"output"}))


def _expression(
    text: str,
    path: Path,
    report: Callable[[Fault], None],
    own_roots: frozenset[str] = frozenset(),
) -> Iterator[Reading]:
    try:
        yield Reading(path, parse(text).references, own_roots=own_roots)
    except ExpressionSyntaxError as fault:
        report(Fault("SYNTAX", fault.message, path))


def _template(text: str, path: Path, report: Callable[[Fault], None]) -> Iterator[Reading]:
    try:
        template = parse_template(text)
    except ExpressionSyntaxError as fault:
        report(Fault("SYNTAX", fault.message, path))
        return
    yield Reading(path, template.references, template.bare_names)
