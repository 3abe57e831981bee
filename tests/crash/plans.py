"""The workflows that are executed while processes are killed."""

from __future__ import annotations

from collections.abc import Sequence

from promptpilot.engine.definition import END, RetryPolicy, Step, UnknownOutcomePolicy
from promptpilot.engine.step_configs import (
    Choice,
    DecisionConfig,
    DecisionMode,
    DelayConfig,
    RequestConfig,
    StepConfig,
    StepType,
)
from tests.support.drafts import condition, prompt, transform
from tests.support.hostile.process import HostileProcess

#: How long the DECISION step waits for an answer.
DECISION_SECONDS = 2
#: The name of a step whose effect must happen at most once.
ONCE = "once"

_OFTEN = RetryPolicy(max_attempts=10, initial_delay_ms=100, max_delay_ms=400)
_DELAY_SECONDS = 1
_LAST = "last"


def six_prompts() -> Sequence[Step]:
    """Return six steps that only ask a model."""
    return [_asking(f"s{number}", number) for number in range(6)]


def every_type(receiver: HostileProcess) -> Sequence[Step]:
    """Return steps of every type, with every wait, that make requests to `receiver`."""
    return [
        _asking("first", 0),
        Step(name="breath", config=DelayConfig(duration_seconds=_DELAY_SECONDS)),
        transform("sum"),
        condition("check", "steps.sum.output.value == 2"),
        Step(name="choose", config=_choosing(_LAST, DECISION_SECONDS)),
        Step(name="send", config=_request(receiver, "/slow/0.1", 5), retry=_OFTEN),
        Step(name="insist", config=_request(receiver, "/flaky/2", 6), retry=_OFTEN),
        sending_once(receiver, "/slow/0.2", 7),
        _asking(_LAST, 8),
    ]


def waiting(receiver: HostileProcess, seconds: int) -> Sequence[Step]:
    """Return steps that wait so long; the input `manner` names the type of the one that is run."""
    return [
        _guarded(StepType.DELAY, DelayConfig(duration_seconds=seconds)),
        _guarded(StepType.DECISION, _choosing(END, seconds)),
        _guarded(StepType.WEBHOOK, _request(receiver, "/status/503", 2, f"?retry-after={seconds}")),
    ]


def sending(receiver: HostileProcess, behaviour: str, position: int) -> Step:
    """Return a step whose request is made again when nobody knows what became of it."""
    return Step(name="send", config=_request(receiver, behaviour, position), retry=_OFTEN)


def sending_once(receiver: HostileProcess, behaviour: str, position: int) -> Step:
    """Return a step whose request is made at most once; when it fails, the flow goes on."""
    return Step(
        name=ONCE,
        config=_request(receiver, behaviour, position),
        retry=_OFTEN,
        continue_on_error=True,
        on_unknown_outcome=UnknownOutcomePolicy.FAIL,
    )


def _asking(name: str, position: int) -> Step:
    return prompt(name, f"{{{{ input.manner }}}} {{{{ execution.id }}}} {position}")


def _choosing(rejected: str, seconds: int) -> DecisionConfig:
    choices = (Choice("approve"), Choice("reject", next_step=rejected), Choice("later"))
    return DecisionConfig(
        DecisionMode.MANUAL,
        choices,
        default_choice="later",
        decision_timeout_seconds=seconds,
        question="Send {{ execution.id }}?",
    )


def _guarded(type: StepType, config: StepConfig) -> Step:
    return Step(
        name=type.lower(),
        config=config,
        run_if=f'input.manner == "{type}"',
        retry=RetryPolicy(max_attempts=2, initial_delay_ms=100),
        continue_on_error=True,
    )


def _request(
    receiver: HostileProcess, behaviour: str, position: int, query: str = ""
) -> RequestConfig:
    url = receiver.url(f"{behaviour}/{{{{ execution.id }}}}/{position}{query}")
    return RequestConfig(url, body={"execution": "{{ execution.id }}", "step": position})
