"""DECISION: takes one of several ways, by rules or by a person's choice."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Any

from promptpilot.engine.expression import evaluate_boolean, parse
from promptpilot.engine.lifecycle import WaitReason
from promptpilot.engine.step_configs import Choice, DecisionConfig, DecisionMode
from promptpilot.engine.steps.base import (
    Answer,
    Done,
    StepContext,
    Waiting,
    resolve_inputs,
    scope_with,
)
from promptpilot.engine.template import parse_template
from promptpilot.errors import StepFailed


class Origin(StrEnum):
    """What a choice comes from."""

    RULE = "RULE"  #: its condition was the first to be true
    PERSON = "PERSON"
    TIMEOUT = "TIMEOUT"  #: nobody answered in time, and it is the default
    DEFAULT = "DEFAULT"  #: no condition was true, and it is the default


class DecisionStep:
    """Chooses at once or waits for a person; the plan reads the choice from the output."""

    async def run(self, context: StepContext) -> Done | Waiting:
        """Return `{"choice", "how", "decidedBy", "comment"}`, or the wait for a person.

        Raises `StepFailed`: DECISION_UNDECIDED if no rule applies and no choice is the default,
        and whatever is wrong with a condition or the question.
        """
        config = _config(context)
        inputs = resolve_inputs(context)
        scope = scope_with(context, inputs)
        shown = {**inputs, **_shown(config, scope, context)}
        if config.mode is DecisionMode.RULES:
            return _decide(config, scope, context, shown)
        seconds = config.decision_timeout_seconds
        until = None if seconds is None else context.now + timedelta(seconds=seconds)
        return Waiting(WaitReason.DECISION, until, input=shown)

    def resume(self, context: StepContext, answer: Answer | None) -> Done:
        """Return the person's choice, or the default if time is up.

        Raises `StepFailed` (DECISION_TIMEOUT) if time is up and no choice is the default.
        """
        config = _config(context)
        inputs = resolve_inputs(context)
        shown = {**inputs, **_shown(config, scope_with(context, inputs), context)}
        if answer is not None:
            return Done(_output(answer.choice, Origin.PERSON, answer), input=shown)
        if config.default_choice is None:
            message = "Nobody decided in time, and the decision has no `defaultChoice`."
            raise StepFailed(message, "DECISION_TIMEOUT")
        return Done(_output(config.default_choice, Origin.TIMEOUT), input=shown)


def _config(context: StepContext) -> DecisionConfig:
    config = context.step.config
    assert isinstance(config, DecisionConfig)  # noqa: S101 -- the registry pairs them
    return config


def _decide(
    config: DecisionConfig, scope: Mapping[str, Any], context: StepContext, shown: dict[str, Any]
) -> Done:
    for choice in config.choices:
        if _is_open(choice, scope, context):
            return Done(_output(choice.name, Origin.RULE), input=shown)
    if config.default_choice is None:
        message = "No choice has a condition that is true, and the decision has no `defaultChoice`."
        raise StepFailed(message, "DECISION_UNDECIDED")
    return Done(_output(config.default_choice, Origin.DEFAULT), input=shown)


def _is_open(choice: Choice, scope: Mapping[str, Any], context: StepContext) -> bool:
    if choice.condition is None:
        return False
    try:
        return evaluate_boolean(parse(choice.condition), scope, context.now)
    except StepFailed as failure:
        message = f"Choice {choice.name!r}: {failure.message}"
        raise StepFailed(message, failure.error_code, details=failure.details) from failure


def _shown(
    config: DecisionConfig, scope: Mapping[str, Any], context: StepContext
) -> dict[str, Any]:
    question = None
    if config.question is not None:
        question = parse_template(config.question).render_text(scope, context.now)
    return {
        "question": question,
        "choices": [choice.name for choice in config.choices],
        "defaultChoice": config.default_choice,
    }


def _output(choice: str, how: Origin, answer: Answer | None = None) -> dict[str, Any]:
    return {
        "choice": choice,
        "how": how.value,
        "decidedBy": answer.actor_id if answer else None,
        "comment": answer.comment if answer else None,
    }
