"""What a workflow version says: its steps and variables as typed, immutable values.

`load` reads the stored document of a version, `dump` writes it; the document's canonical text is
what `digest` hashes, so an unchanged definition is recognised. Whether a definition can run is
the business of `checks`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any

from promptpilot.errors import InvariantBroken

#: Jump target that ends the workflow.
END = "END"


class StepType(StrEnum):
    """What a step does."""

    PROMPT = "PROMPT"
    CONDITION = "CONDITION"
    TRANSFORM = "TRANSFORM"
    DELAY = "DELAY"
    WEBHOOK = "WEBHOOK"
    DECISION = "DECISION"


class VariableKind(StrEnum):
    """Role of a workflow variable."""

    INPUT = "INPUT"
    OUTPUT = "OUTPUT"
    INTERMEDIATE = "INTERMEDIATE"


class DataType(StrEnum):
    """JSON type of a workflow variable."""

    STRING = "STRING"
    NUMBER = "NUMBER"
    BOOLEAN = "BOOLEAN"
    ARRAY = "ARRAY"
    OBJECT = "OBJECT"


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


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How failed attempts are tried again: exponential backoff with jitter. One attempt is none."""

    max_attempts: int = 1
    initial_delay_ms: int = 1000
    max_delay_ms: int = 60_000
    backoff_factor: float = 2.0


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


StepConfig = PromptConfig | ConditionConfig | TransformConfig

_TYPE_OF: Mapping[type[StepConfig], StepType] = {
    PromptConfig: StepType.PROMPT,
    ConditionConfig: StepType.CONDITION,
    TransformConfig: StepType.TRANSFORM,
}


@dataclass(frozen=True, slots=True)
class Step:
    """One step. `id` stays the same across versions; it is empty in a draft of a new step."""

    name: str
    config: StepConfig
    id: str = ""
    inputs: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)
    run_if: str | None = None
    retry: RetryPolicy = RetryPolicy()
    timeout_seconds: int | None = None
    continue_on_error: bool = False

    @property
    def type(self) -> StepType:
        """What the step does."""
        return _TYPE_OF[type(self.config)]


@dataclass(frozen=True, slots=True)
class Variable:
    """A declared input, output or intermediate value. A default of None means there is none."""

    name: str
    id: str = ""
    kind: VariableKind = VariableKind.INPUT
    data_type: DataType = DataType.STRING
    description: str | None = None
    is_required: bool = False
    default: Any = None
    validation: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Definition:
    """The steps in order and the variables of one workflow version."""

    steps: tuple[Step, ...] = ()
    variables: tuple[Variable, ...] = ()

    def __hash__(self) -> int:
        """Hash by the names of the steps: what steps hold cannot be hashed."""
        return hash(tuple(step.name for step in self.steps))

    @cached_property
    def index(self) -> Mapping[str, int]:
        """Position of each step by its name."""
        return {step.name: position for position, step in enumerate(self.steps)}

    def variables_of(self, kind: VariableKind) -> tuple[Variable, ...]:
        """Return the variables of one kind, in order."""
        return tuple(variable for variable in self.variables if variable.kind is kind)

    def target_of(self, name: str | None, position: int) -> int:
        """Return where a jump from `position` to the step called `name` leads."""
        if name is None:
            return position + 1
        return len(self.steps) if name == END else self.index[name]


def dump(definition: Definition) -> dict[str, Any]:
    """Return the JSON document of a definition, as versions store it."""
    return {
        "steps": [_dump_step(step) for step in definition.steps],
        "variables": [asdict(variable) for variable in definition.variables],
    }


def load(document: Mapping[str, Any]) -> Definition:
    """Read a stored document. Raises `InvariantBroken` if it is not one that `dump` wrote."""
    try:
        return Definition(
            steps=tuple(load_step(step) for step in document["steps"]),
            variables=tuple(load_variable(variable) for variable in document["variables"]),
        )
    except (KeyError, TypeError, ValueError) as fault:
        raise InvariantBroken(f"A stored workflow version cannot be read: {fault!r}") from fault


def digest(definition: Definition) -> str:
    """Return the SHA-256 of the definition's canonical text, in hex."""
    text = json.dumps(dump(definition), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


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
        case _:
            raise InvariantBroken(f"Steps of type {type} are not known to this version.")


def load_step(document: Mapping[str, Any]) -> Step:
    """Read one stored step."""
    rest = {key: document[key] for key in document if key not in {"type", "config", "retry"}}
    return Step(
        config=load_config(StepType(document["type"]), document["config"]),
        retry=RetryPolicy(**document["retry"]),
        **rest,
    )


def load_variable(document: Mapping[str, Any]) -> Variable:
    """Read one stored variable."""
    kinds = {"kind": VariableKind(document["kind"]), "data_type": DataType(document["data_type"])}
    return Variable(**{**document, **kinds})


def _dump_step(step: Step) -> dict[str, Any]:
    return {**asdict(step), "type": step.type.value}


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
