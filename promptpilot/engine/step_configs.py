"""What a step is told to do: one immutable configuration for each type of step.

`dump_config` writes the document that versions store, `load_config` reads it. Whether a
configuration can run is the business of `checks`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, assert_never


class StepType(StrEnum):
    """What a step does."""

    PROMPT = "PROMPT"
    CONDITION = "CONDITION"
    TRANSFORM = "TRANSFORM"
    DELAY = "DELAY"
    WEBHOOK = "WEBHOOK"
    DECISION = "DECISION"


class ModelProvider(StrEnum):
    """Who runs a model."""

    OPENAI = "OPENAI"
    AZURE_OPENAI = "AZURE_OPENAI"
    ANTHROPIC = "ANTHROPIC"
    GOOGLE = "GOOGLE"
    OPENAI_COMPATIBLE = "OPENAI_COMPATIBLE"
    SIMULATOR = "SIMULATOR"


class RoutingMode(StrEnum):
    """All models of a step, or one after the other."""

    PARALLEL = "PARALLEL"
    FALLBACK = "FALLBACK"


class ModelErrorPolicy(StrEnum):
    """What a failed model does to its step."""

    ABORT = "ABORT"
    CONTINUE = "CONTINUE"


class HttpMethod(StrEnum):
    """HTTP method of a WEBHOOK step."""

    GET = "GET"
    POST = "POST"
    PUT = "PUT"
    PATCH = "PATCH"
    DELETE = "DELETE"


class DecisionMode(StrEnum):
    """Who decides at a DECISION step."""

    RULES = "RULES"
    MANUAL = "MANUAL"


@dataclass(frozen=True, slots=True)
class ModelTarget:
    """One model to call. `parameters` holds sampling parameters under their GraphQL names."""

    provider: ModelProvider
    model: str
    label: str | None = None
    credential_id: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    is_disabled: bool = False


@dataclass(frozen=True, slots=True)
class ModelRouting:
    """How several models of one step are used."""

    mode: RoutingMode = RoutingMode.PARALLEL
    on_error: ModelErrorPolicy = ModelErrorPolicy.ABORT
    concurrency: int = 5


@dataclass(frozen=True, slots=True)
class PromptConfig:
    """Calls models with `content` (a template) or a stored prompt."""

    models: tuple[ModelTarget, ...]
    content: str | None = None
    instructions: str | None = None
    prompt_id: str | None = None
    prompt_version_id: str | None = None
    routing: ModelRouting = ModelRouting()


@dataclass(frozen=True, slots=True)
class ConditionConfig:
    """Goes on at one of two later steps, named; None means the next step."""

    condition: str
    then_step: str | None = None
    else_step: str | None = None


@dataclass(frozen=True, slots=True)
class TransformConfig:
    """Computes values: field -> expression, in order; later fields may read `output.<field>`."""

    set: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class DelayConfig:
    """Waits for `duration_seconds` or until an instant; exactly one of the two is given.

    `until` is an expression. `reason` is for people.
    """

    duration_seconds: int | None = None
    until: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class RequestHeader:
    """A header of a request: a template in `value`, or the id of a sealed secret.

    In a draft a secret header has its new text in `value`, or neither: then it keeps the secret
    that is stored. In a version a secret header never has a `value`.
    """

    name: str
    value: str | None = field(default=None, repr=False)
    is_secret: bool = False
    secret_id: str | None = None


@dataclass(frozen=True, slots=True)
class RequestConfig:
    """WEBHOOK: makes one HTTP request. `url` and the texts inside `body` are templates."""

    url: str
    method: HttpMethod = HttpMethod.POST
    headers: tuple[RequestHeader, ...] = ()
    body: Any = None
    is_signed: bool = True


@dataclass(frozen=True, slots=True)
class Choice:
    """One way of a decision; `next_step` of None means the next step."""

    name: str
    condition: str | None = None
    next_step: str | None = None


@dataclass(frozen=True, slots=True)
class DecisionConfig:
    """Chooses among several ways: the first whose condition is true, or a person's choice.

    `question` is a template. `default_choice` is taken when no condition is true or time is up;
    None means that the step fails then.
    """

    mode: DecisionMode
    choices: tuple[Choice, ...]
    default_choice: str | None = None
    decision_timeout_seconds: int | None = None
    question: str | None = None

    def choice(self, name: str) -> Choice | None:
        """Return the choice called `name`."""
        return next((choice for choice in self.choices if choice.name == name), None)


StepConfig = (
    PromptConfig | ConditionConfig | TransformConfig | DelayConfig | RequestConfig | DecisionConfig
)

_TYPE_OF: Mapping[type[StepConfig], StepType] = {
    PromptConfig: StepType.PROMPT,
    ConditionConfig: StepType.CONDITION,
    TransformConfig: StepType.TRANSFORM,
    DelayConfig: StepType.DELAY,
    RequestConfig: StepType.WEBHOOK,
    DecisionConfig: StepType.DECISION,
}


def type_of(config: StepConfig) -> StepType:
    """Return the type of step that `config` is for."""
    return _TYPE_OF[type(config)]


def dump_config(config: StepConfig) -> dict[str, Any]:
    """Return the JSON document of a step's configuration."""
    return asdict(config)


def load_config(type: StepType, document: Mapping[str, Any]) -> StepConfig:
    """Read a stored configuration of a step of `type`."""
    match type:
        case StepType.PROMPT:
            return _load_prompt(document)
        case StepType.CONDITION:
            return ConditionConfig(**document)
        case StepType.TRANSFORM:
            return TransformConfig(**document)
        case StepType.DELAY:
            return DelayConfig(**document)
        case StepType.WEBHOOK:
            return _load_request(document)
        case StepType.DECISION:
            return _load_decision(document)
        case _:
            assert_never(type)


def _load_prompt(document: Mapping[str, Any]) -> PromptConfig:
    models = tuple(
        ModelTarget(**{**model, "provider": ModelProvider(model["provider"])})
        for model in document["models"]
    )
    routing = document["routing"]
    return PromptConfig(
        models=models,
        content=document["content"],
        instructions=document["instructions"],
        prompt_id=document["prompt_id"],
        prompt_version_id=document["prompt_version_id"],
        routing=ModelRouting(
            mode=RoutingMode(routing["mode"]),
            on_error=ModelErrorPolicy(routing["on_error"]),
            concurrency=routing["concurrency"],
        ),
    )


def _load_request(document: Mapping[str, Any]) -> RequestConfig:
    headers = tuple(RequestHeader(**header) for header in document["headers"])
    method = HttpMethod(document["method"])
    return RequestConfig(**{**document, "method": method, "headers": headers})


def _load_decision(document: Mapping[str, Any]) -> DecisionConfig:
    choices = tuple(Choice(**choice) for choice in document["choices"])
    mode = DecisionMode(document["mode"])
    return DecisionConfig(**{**document, "mode": mode, "choices": choices})
