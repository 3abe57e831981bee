"""Checks each step of a definition: its expressions, templates, targets, models and limits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from promptpilot.engine import reference_checks
from promptpilot.engine.definition import (
    END,
    ConditionConfig,
    Definition,
    ModelTarget,
    PromptConfig,
    Step,
    TransformConfig,
)
from promptpilot.engine.fault import Fault
from promptpilot.engine.reading import readings

MAX_TIMEOUT_SECONDS = 86_400
MAX_MODELS = 20
_MAX_ATTEMPTS = 10
_MAX_DELAY_MS = 86_400_000
_MAX_BACKOFF_FACTOR = 10
_MAX_CONCURRENCY = 20

Path = tuple[str, ...]


def check_steps(definition: Definition) -> Iterator[Fault]:
    """Yield every fault of every step."""
    for position, step in enumerate(definition.steps):
        for fault in _check_step(definition, position, step):
            yield Fault(
                fault.code,
                fault.message,
                ("steps", str(position), *fault.path),
                step.name,
                fault.severity,
            )


def _check_step(definition: Definition, position: int, step: Step) -> Iterator[Fault]:
    yield from _check_limits(step)
    yield from _check_config(definition, position, step)
    faults: list[Fault] = []
    for reading in readings(step, faults.append):
        yield from reference_checks.check_reading(definition, position, step, reading)
    yield from faults


def _check_limits(step: Step) -> Iterator[Fault]:
    retry = step.retry
    limits: Iterable[tuple[Path, float, float, float]] = [
        (("retry", "maxAttempts"), retry.max_attempts, 1, _MAX_ATTEMPTS),
        (("retry", "initialDelayMs"), retry.initial_delay_ms, 0, _MAX_DELAY_MS),
        (("retry", "maxDelayMs"), retry.max_delay_ms, 0, _MAX_DELAY_MS),
        (("retry", "backoffFactor"), retry.backoff_factor, 1, _MAX_BACKOFF_FACTOR),
    ]
    if step.timeout_seconds is not None:
        limits = [*limits, (("timeoutSeconds",), step.timeout_seconds, 1, MAX_TIMEOUT_SECONDS)]
    for path, value, least, most in limits:
        if not least <= value <= most:
            message = f"{path[-1]} is {value}; it must be from {least} to {most}."
            yield Fault("OUT_OF_RANGE", message, path)


def _check_config(definition: Definition, position: int, step: Step) -> Iterator[Fault]:
    match step.config:
        case ConditionConfig() as config:
            for field, name in (
                ("thenStepName", config.then_step),
                ("elseStepName", config.else_step),
            ):
                yield from _check_target(definition, position, name, ("config", "condition", field))
        case PromptConfig() as config:
            yield from _check_prompt(config)
        case TransformConfig() as config:
            if not config.set:
                message = "A TRANSFORM step needs at least one field."
                yield Fault("REQUIRED", message, ("config", "transform", "set"))


def _check_target(
    definition: Definition, position: int, name: str | None, path: Path
) -> Iterator[Fault]:
    if name is None or name == END:
        return
    target = definition.index.get(name)
    if target is None:
        message = f"There is no step {name!r}; name a later step or {END}."
        yield Fault("UNKNOWN_STEP", message, path)
    elif target <= position:
        message = f"Step {name!r} does not come later; a workflow only goes forward."
        yield Fault("BACKWARD_TARGET", message, path)


def _check_prompt(config: PromptConfig) -> Iterator[Fault]:
    place = ("config", "prompt")
    if (config.content is None) == (config.prompt_id is None):
        message = "Give either `content` or `promptId`."
        yield Fault("REQUIRED", message, (*place, "content"))
    if not any(not model.is_disabled for model in config.models):
        message = "Give at least one model that is not disabled."
        yield Fault("REQUIRED", message, (*place, "models"))
    if len(config.models) > MAX_MODELS:
        message = f"A step calls at most {MAX_MODELS} models."
        yield Fault("TOO_MANY_MODELS", message, (*place, "models"))
    if not 1 <= config.routing.concurrency <= _MAX_CONCURRENCY:
        message = f"concurrency must be from 1 to {_MAX_CONCURRENCY}."
        yield Fault("OUT_OF_RANGE", message, (*place, "routing", "concurrency"))
    for position, model in enumerate(config.models):
        yield from _check_model(model, (*place, "models", str(position)))


def _check_model(model: ModelTarget, path: Path) -> Iterator[Fault]:
    if not model.model.strip():
        yield Fault("REQUIRED", "Name the model.", (*path, "model"))
    for name, least, most in _PARAMETER_RANGES:
        value = model.parameters.get(name)
        if value is not None and not least <= value <= most:
            message = f"{name} is {value}; it must be from {least} to {most}."
            yield Fault("OUT_OF_RANGE", message, (*path, "parameters", name))


_PARAMETER_RANGES: tuple[tuple[str, float, float], ...] = (
    ("temperature", 0, 2),
    ("topP", 0, 1),
    ("maxTokens", 1, 10_000_000),
    ("presencePenalty", -2, 2),
    ("frequencyPenalty", -2, 2),
)
