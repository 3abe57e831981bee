"""What the texts of a step read: its expressions and templates, parsed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from promptpilot.engine.definition import Step
from promptpilot.engine.expression import ExpressionSyntaxError, Reference, parse
from promptpilot.engine.fault import Fault
from promptpilot.engine.step_configs import (
    ConditionConfig,
    DecisionConfig,
    DelayConfig,
    PromptConfig,
    RequestConfig,
    TransformConfig,
)
from promptpilot.engine.template import parse_template, texts_in

Path = tuple[str, ...]
Report = Callable[[Fault], None]


@dataclass(frozen=True, slots=True)
class Reading:
    """An expression or template of a step and what it reads.

    `own_roots` are the names that this text may read besides the workflow's, such as `output`.
    """

    path: Path
    references: frozenset[Reference]
    bare_names: frozenset[str] = frozenset()
    own_roots: frozenset[str] = frozenset()


def readings(step: Step, report: Report) -> Iterator[Reading]:
    """Yield what each text of the step reads; report those that cannot be parsed."""
    if step.run_if is not None:
        yield from _expression(step.run_if, ("runIf",), report)
    for name, text in step.inputs.items():
        yield from _expression(text, ("inputs", name), report)
    for name, text in step.outputs.items():
        yield from _expression(text, ("outputs", name), report, frozenset({"output"}))
    yield from _config_readings(step, report)


def _config_readings(step: Step, report: Report) -> Iterator[Reading]:
    match step.config:
        case ConditionConfig() as config:
            path = ("config", "condition", "condition")
            yield from _expression(config.condition, path, report)
        case TransformConfig() as config:
            yield from _fields(config.set, report)
        case PromptConfig() as config:
            yield from _prompt(config, report)
        case DelayConfig() as config:
            yield from _delay(config, report)
        case RequestConfig() as config:
            yield from _request(config, report)
        case DecisionConfig() as config:
            yield from _decision(config, report)


def _prompt(config: PromptConfig, report: Report) -> Iterator[Reading]:
    texts = {"content": config.content, "instructions": config.instructions}
    for field, text in texts.items():
        if text is not None:
            yield from _template(text, ("config", "prompt", field), report)


def _delay(config: DelayConfig, report: Report) -> Iterator[Reading]:
    if config.until is not None:
        yield from _expression(config.until, ("config", "delay", "until"), report)


def _request(config: RequestConfig, report: Report) -> Iterator[Reading]:
    place = ("config", "webhook")
    yield from _template(config.url, (*place, "url"), report)
    for position, header in enumerate(config.headers):
        # A secret is sent as it is, so braces in it are nobody's placeholder.
        if header.value is not None and not header.is_secret:
            path = (*place, "headers", str(position), "value")
            yield from _template(header.value, path, report)
    for inner, text in texts_in(config.body):
        yield from _template(text, (*place, "body", *inner), report)


def _decision(config: DecisionConfig, report: Report) -> Iterator[Reading]:
    place = ("config", "decision")
    if config.question is not None:
        yield from _template(config.question, (*place, "question"), report)
    for position, choice in enumerate(config.choices):
        if choice.condition is not None:
            path = (*place, "choices", str(position), "condition")
            yield from _expression(choice.condition, path, report)


def _fields(fields: Mapping[str, str], report: Report) -> Iterator[Reading]:
    for name, text in fields.items():
        path = ("config", "transform", "set", name)
        yield from _expression(text, path, report, frozenset({"output"}))


def _expression(
    text: str,
    path: Path,
    report: Report,
    own_roots: frozenset[str] = frozenset(),
) -> Iterator[Reading]:
    try:
        yield Reading(path, parse(text).references, own_roots=own_roots)
    except ExpressionSyntaxError as fault:
        report(Fault("SYNTAX", fault.message, path))


def _template(text: str, path: Path, report: Report) -> Iterator[Reading]:
    try:
        template = parse_template(text)
    except ExpressionSyntaxError as fault:
        report(Fault("SYNTAX", fault.message, path))
        return
    yield Reading(path, template.references, template.bare_names)
