"""What a step executor is.

Rules: an executor sees no table, no ledger and no concrete provider; what it needs arrives in its
`StepContext`. It may be called again after a crash, with the same idempotency key. It returns
`Done` or `Waiting`, or raises `StepFailed`; anything else is a bug of ours. An executor that
waits is asked to `resume` when its wait is over, by whatever worker then holds the execution.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from promptpilot.engine.definition import Step
from promptpilot.engine.expression import parse
from promptpilot.engine.lifecycle import WaitReason
from promptpilot.engine.ports import HttpSender, OutputSink, StepSecrets
from promptpilot.engine.prices import PriceTable, shipped_prices
from promptpilot.engine.prompt_texts import PromptText
from promptpilot.engine.providers.base import Provider
from promptpilot.engine.step_configs import ModelProvider
from promptpilot.errors import StepFailed


@dataclass(slots=True)
class Shown:
    """What readers see of what a step was given, told by its executor before it does its work.

    So it is known of an attempt that fails as well. `model_calls` are the calls that are over.
    """

    input: Any = None
    model_calls: list[dict[str, Any]] = field(default_factory=list)


class Unwatched:
    """Nobody watches the output grow."""

    def append(self, model_index: int, text: str) -> None:
        """Do nothing."""


@dataclass(frozen=True, slots=True)
class StepContext:
    """What an executor may know. `now` is when the attempt began, the same after a crash.

    `prompt` is the version of the stored prompt that a PROMPT step runs with. `earlier_calls` are
    the calls of models that attempts of this step before this one made, as they are stored.
    """

    step: Step
    scope: Mapping[str, Any]
    now: datetime
    attempt: int
    idempotency_key: str
    providers: Mapping[ModelProvider, Provider]
    http: HttpSender
    secrets: StepSecrets
    shown: Shown = field(default_factory=Shown)
    prompt: PromptText | None = None
    earlier_calls: Sequence[Mapping[str, Any]] = ()
    output: OutputSink = field(default_factory=Unwatched)
    prices: PriceTable = field(default_factory=shipped_prices)


@dataclass(frozen=True, slots=True)
class Done:
    """The step is done. A cost of None is unknown; it counts in millionths of a dollar.

    An output that `is_large` is looked through in a thread, so that nobody else is held up.
    """

    output: Any
    input: Any = None
    model_calls: Sequence[dict[str, Any]] = ()
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_micros: int | None = 0
    is_large: bool = False


@dataclass(frozen=True, slots=True)
class Waiting:
    """The step waits, without a worker, until an instant or an answer.

    An `until` of None has no end. `input` is what a reader sees of the step meanwhile and after.
    """

    reason: WaitReason
    until: datetime | None
    input: Any = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a person chose at a DECISION step, who it was, and when."""

    choice: str
    comment: str | None
    actor_id: str | None
    at: datetime


class ModelsFailed(StepFailed):
    """A PROMPT step failed; its calls are kept with the attempt."""

    def __init__(self, failure: StepFailed, model_calls: Sequence[dict[str, Any]]) -> None:
        super().__init__(
            failure.message,
            failure.error_code,
            is_retryable=failure.is_retryable,
            details=failure.details,
            retry_after=failure.retry_after,
            is_outcome_unknown=failure.is_outcome_unknown,
        )
        self.model_calls = tuple(model_calls)


class StepExecutor(Protocol):
    """Does the work of one type of step."""

    async def run(self, context: StepContext) -> Done | Waiting:
        """Do the work, or say what to wait for. Raises `StepFailed`."""
        ...


class Resumable(Protocol):
    """What an executor that waits can do besides."""

    def resume(self, context: StepContext, answer: Answer | None) -> Done:
        """Return what came of a wait that is over; without an `answer` its time is up.

        Has no effect outside. Raises `StepFailed`.
        """
        ...


def resolve_inputs(context: StepContext) -> dict[str, Any]:
    """Compute the step's own inputs. Raises `ExpressionFailed` naming the input."""
    inputs: dict[str, Any] = {}
    for name, text in context.step.inputs.items():
        try:
            inputs[name] = parse(text).evaluate(context.scope, context.now)
        except StepFailed as failure:
            message = f"Input {name!r}: {failure.message}"
            raise StepFailed(message, failure.error_code, details=failure.details) from failure
    return inputs


def scope_with(context: StepContext, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the scope in which the step's own inputs go before the workflow's values."""
    own = {**context.scope["vars"], **inputs}
    return {**context.scope, "vars": own, "variables": own}
