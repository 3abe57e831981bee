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

from promptpilot.engine.step_configs import (
    PromptConfig,
    StepConfig,
    StepType,
    load_config,
    type_of,
)
from promptpilot.errors import InvariantBroken

#: Jump target that ends the workflow.
END = "END"


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


class UnknownOutcomePolicy(StrEnum):
    """What follows an attempt of which nobody knows whether its effect has happened."""

    RETRY = "RETRY"  #: another attempt, with the same idempotency key
    FAIL = "FAIL"  #: the step fails, so that its effect happens at most once


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How failed attempts are tried again: exponential backoff with jitter. One attempt is none."""

    max_attempts: int = 1
    initial_delay_ms: int = 1000
    max_delay_ms: int = 60_000
    backoff_factor: float = 2.0


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
    on_unknown_outcome: UnknownOutcomePolicy = UnknownOutcomePolicy.RETRY

    @property
    def type(self) -> StepType:
        """What the step does."""
        return type_of(self.config)


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
    """The steps in order and the variables of one workflow version.

    `execution_timeout_seconds` bounds an execution from its start, waits included; None does not.
    """

    steps: tuple[Step, ...] = ()
    variables: tuple[Variable, ...] = ()
    execution_timeout_seconds: int | None = None

    def __hash__(self) -> int:
        """Hash by the names of the steps: what steps hold cannot be hashed."""
        return hash(tuple(step.name for step in self.steps))

    @cached_property
    def index(self) -> Mapping[str, int]:
        """Position of each step by its name."""
        return {step.name: position for position, step in enumerate(self.steps)}

    @cached_property
    def followed_prompts(self) -> Mapping[str, str]:
        """Ids of the stored prompts whose current version is used, by the names of the steps."""
        return {
            step.name: config.prompt_id
            for step in self.steps
            if isinstance(config := step.config, PromptConfig)
            and config.prompt_id is not None
            and config.prompt_version_id is None
        }

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
        "execution_timeout_seconds": definition.execution_timeout_seconds,
    }


def load(document: Mapping[str, Any]) -> Definition:
    """Read a stored document. Raises `InvariantBroken` if it is not one that `dump` wrote."""
    try:
        return Definition(
            steps=tuple(load_step(step) for step in document["steps"]),
            variables=tuple(load_variable(variable) for variable in document["variables"]),
            execution_timeout_seconds=document.get("execution_timeout_seconds"),
        )
    except (KeyError, TypeError, ValueError) as fault:
        raise InvariantBroken(f"A stored workflow version cannot be read: {fault!r}") from fault


def digest(definition: Definition) -> str:
    """Return the SHA-256 of the definition's canonical text, in hex."""
    text = json.dumps(dump(definition), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def load_step(document: Mapping[str, Any]) -> Step:
    """Read one stored step; versions from before `on_unknown_outcome` have none."""
    enums = {"type", "config", "retry", "on_unknown_outcome"}
    rest = {key: document[key] for key in document if key not in enums}
    policy = document.get("on_unknown_outcome", UnknownOutcomePolicy.RETRY)
    return Step(
        config=load_config(StepType(document["type"]), document["config"]),
        retry=RetryPolicy(**document["retry"]),
        on_unknown_outcome=UnknownOutcomePolicy(policy),
        **rest,
    )


def load_variable(document: Mapping[str, Any]) -> Variable:
    """Read one stored variable."""
    kinds = {"kind": VariableKind(document["kind"]), "data_type": DataType(document["data_type"])}
    return Variable(**{**document, **kinds})


def _dump_step(step: Step) -> dict[str, Any]:
    return {**asdict(step), "type": step.type.value}
