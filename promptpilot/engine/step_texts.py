"""Checks that everything people wrote into steps and variables can be stored as JSON.

It comes before any other check of a definition: what cannot be stored cannot be read either.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from promptpilot.engine.definition import Step, Variable
from promptpilot.engine.step_configs import (
    ConditionConfig,
    DecisionConfig,
    DelayConfig,
    ModelTarget,
    PromptConfig,
    RequestConfig,
    StepConfig,
    TransformConfig,
)
from promptpilot.models.columns import check_json

Part = tuple[tuple[str, ...], Any]


def storable(steps: Sequence[Step], variables: Sequence[Variable]) -> Iterator[Callable[[], None]]:
    """Yield checks, each of which raises InvalidInput, with its path, for what is not JSON."""
    for position, step in enumerate(steps):
        for path, value in _step(step):
            yield partial(check_json, value, ("input", "steps", str(position), *path))
    for position, variable in enumerate(variables):
        for path, value in _variable(variable):
            yield partial(check_json, value, ("input", "variables", str(position), *path))


def _step(step: Step) -> Iterator[Part]:
    yield ("name",), step.name
    yield ("inputs",), step.inputs
    yield ("outputs",), step.outputs
    yield ("runIf",), step.run_if
    for path, value in _config(step.config):
        yield ("config", step.type.lower(), *path), value


def _config(config: StepConfig) -> Iterator[Part]:
    match config:
        case PromptConfig():
            yield ("content",), config.content
            yield ("instructions",), config.instructions
            yield from _models(config)
        case ConditionConfig():
            yield ("condition",), config.condition
            yield ("thenStepName",), config.then_step
            yield ("elseStepName",), config.else_step
        case TransformConfig():
            yield ("set",), config.set
        case DelayConfig():
            yield ("until",), config.until
            yield ("reason",), config.reason
        case RequestConfig():
            yield from _request(config)
        case DecisionConfig():
            yield from _decision(config)


def _request(config: RequestConfig) -> Iterator[Part]:
    yield ("url",), config.url
    yield ("body",), config.body
    for position, header in enumerate(config.headers):
        path = ("headers", str(position))
        yield (*path, "name"), header.name
        yield (*path, "value"), header.value


def _decision(config: DecisionConfig) -> Iterator[Part]:
    yield ("question",), config.question
    yield ("defaultChoice",), config.default_choice
    for position, choice in enumerate(config.choices):
        path = ("choices", str(position))
        yield (*path, "name"), choice.name
        yield (*path, "condition"), choice.condition
        yield (*path, "nextStepName"), choice.next_step


def _models(config: PromptConfig) -> Iterator[Part]:
    for position, model in enumerate(config.models):
        for path, value in _model(model):
            yield ("models", str(position), *path), value


def _model(model: ModelTarget) -> Iterator[Part]:
    yield ("model",), model.model
    yield ("label",), model.label
    yield ("credentialId",), model.credential_id
    yield ("parameters",), model.parameters


def _variable(variable: Variable) -> Iterator[Part]:
    yield ("name",), variable.name
    yield ("description",), variable.description
    yield ("defaultValue",), variable.default
    yield ("validation",), variable.validation
