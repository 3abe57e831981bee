"""Checks each step of a definition: its limits, its configuration, and what its texts read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from promptpilot.engine import reference_checks
from promptpilot.engine.branch_checks import MAX_WAIT_SECONDS, check_condition, check_decision
from promptpilot.engine.definition import Definition, Step
from promptpilot.engine.fault import Fault
from promptpilot.engine.reading import readings
from promptpilot.engine.request_checks import check_request
from promptpilot.engine.script_checks import check_script
from promptpilot.engine.step_configs import (
    ConditionConfig,
    DecisionConfig,
    DelayConfig,
    ModelProvider,
    ModelTarget,
    PromptConfig,
    RequestConfig,
    StepType,
    TransformConfig,
)
from promptpilot.engine.structured import JSON_SCHEMA, check_schema

MAX_TIMEOUT_SECONDS = 86_400
MAX_MODELS = 20
_MAX_ATTEMPTS = 10
_MAX_DELAY_MS = 86_400_000
_MAX_BACKOFF_FACTOR = 10
_MAX_CONCURRENCY = 20
_MAX_REASON = 500
#: Steps that wait without a worker, and what bounds their wait instead of `timeoutSeconds`.
_OWN_LIMITS = {
    StepType.DELAY: "a delay ends when its time has come",
    StepType.DECISION: "use `decisionTimeoutSeconds` of a MANUAL decision",
}

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
    yield from _check_timeout(step)
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
    for path, value, least, most in limits:
        if not least <= value <= most:
            message = f"{path[-1]} is {value}; it must be from {least} to {most}."
            yield Fault("OUT_OF_RANGE", message, path)


def _check_timeout(step: Step) -> Iterator[Fault]:
    seconds, path = step.timeout_seconds, ("timeoutSeconds",)
    if seconds is None:
        return
    if step.type in _OWN_LIMITS:
        message = f"timeoutSeconds is not for {step.type} steps: {_OWN_LIMITS[step.type]}."
        yield Fault("NOT_APPLICABLE", message, path)
    elif not 1 <= seconds <= MAX_TIMEOUT_SECONDS:
        message = f"timeoutSeconds is {seconds}; it must be from 1 to {MAX_TIMEOUT_SECONDS}."
        yield Fault("OUT_OF_RANGE", message, path)


def _check_config(definition: Definition, position: int, step: Step) -> Iterator[Fault]:
    match step.config:
        case ConditionConfig() as config:
            yield from check_condition(definition, position, config)
        case PromptConfig() as config:
            yield from _check_prompt(config)
        case TransformConfig() as config:
            if not config.set:
                message = "A TRANSFORM step needs at least one field."
                yield Fault("REQUIRED", message, ("config", "transform", "set"))
        case DelayConfig() as config:
            yield from _check_delay(config)
        case RequestConfig() as config:
            yield from check_request(config)
        case DecisionConfig() as config:
            yield from check_decision(definition, position, config)


def _check_delay(config: DelayConfig) -> Iterator[Fault]:
    place = ("config", "delay")
    seconds = config.duration_seconds
    if (seconds is None) == (config.until is None):
        message = "Give either `durationSeconds` or `until`."
        yield Fault("REQUIRED", message, (*place, "durationSeconds"))
    if seconds is not None and not 1 <= seconds <= MAX_WAIT_SECONDS:
        message = f"durationSeconds is {seconds}; it must be from 1 to {MAX_WAIT_SECONDS}."
        yield Fault("OUT_OF_RANGE", message, (*place, "durationSeconds"))
    if config.reason is not None and len(config.reason) > _MAX_REASON:
        message = f"reason has {len(config.reason)} characters; {_MAX_REASON} are allowed."
        yield Fault("OUT_OF_RANGE", message, (*place, "reason"))


def _check_prompt(config: PromptConfig) -> Iterator[Fault]:
    place = ("config", "prompt")
    if (config.content is None) == (config.prompt_id is None):
        message = "Give either `content` or `promptId`."
        yield Fault("REQUIRED", message, (*place, "content"))
    if config.prompt_version_id is not None and config.prompt_id is None:
        message = "`promptVersionId` is a version of `promptId`; give both."
        yield Fault("REQUIRED", message, (*place, "promptId"))
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
    yield from _check_schema(model.parameters, (*path, "parameters", "responseSchema"))
    if model.provider is ModelProvider.SIMULATOR:
        yield from check_script(model.parameters.get("extra"), (*path, "parameters", "extra"))


def _check_schema(parameters: Mapping[str, Any], path: Path) -> Iterator[Fault]:
    schema, form = parameters.get("responseSchema"), parameters.get("responseFormat")
    if schema is None:
        if form == JSON_SCHEMA:
            message = "responseFormat JSON_SCHEMA needs a responseSchema."
            yield Fault("REQUIRED", message, path)
    elif form != JSON_SCHEMA:
        message = "responseSchema is for responseFormat JSON_SCHEMA."
        yield Fault("NOT_APPLICABLE", message, path)
    elif words := check_schema(schema):
        yield Fault("INVALID_SCHEMA", f"The responseSchema cannot be used: {words}.", path)


_PARAMETER_RANGES: tuple[tuple[str, float, float], ...] = (
    ("temperature", 0, 2),
    ("topP", 0, 1),
    ("maxTokens", 1, 10_000_000),
    ("presencePenalty", -2, 2),
    ("frequencyPenalty", -2, 2),
)
