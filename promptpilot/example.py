"""The example workflow "Triage a GitHub issue" and the delivery that runs it.

`examples/` holds copies of the files, for reading.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from importlib.resources import files
from typing import Final

from promptpilot.engine.definition import END, DataType, Step, Variable, VariableKind
from promptpilot.engine.drafts import TriggerDraft, WebhookConfig, WorkflowDraft
from promptpilot.engine.step_configs import (
    Choice,
    ConditionConfig,
    DecisionConfig,
    DecisionMode,
    ModelProvider,
    ModelTarget,
    PromptConfig,
    TransformConfig,
)
from promptpilot.engine.triggers.signatures import WebhookScheme

PAYLOAD_FILE: Final = "issues.opened.json"
EVENT: Final = "issues"
DOCUMENTS: Final = ("executions", "watch", "waiting", "decide")
#: The choices of the person who is asked.
SEND: Final = "send"
DISCARD: Final = "discard"

_WORDS: Final = ("bug", "crash", "error", "exception", "broken", "fails", "traceback")
_CONDITION: Final = " || ".join(
    f'contains(lower(steps.extract.output.title + " " + steps.extract.output.body), "{word}")'
    for word in _WORDS
)
_DAYS_TO_DECIDE: Final = 3
#: What the example asks without a key of a provider: deterministic and free.
SIMULATED: Final = ModelTarget(ModelProvider.SIMULATOR, "simulator")
#: Small models that answer in seconds; the first provider with a key is taken.
_SMALL: Final = (
    ModelTarget(ModelProvider.OPENAI, "gpt-4.1-mini"),
    ModelTarget(ModelProvider.ANTHROPIC, "claude-haiku-4-5"),
    ModelTarget(ModelProvider.GOOGLE, "gemini-2.5-flash"),
)


def target_for(providers: Collection[str], model: str = "") -> ModelTarget:
    """Return which model the example asks where the server has keys of these providers.

    `model` is taken in place of the usual one, if it is not empty.
    """
    usual = next((each for each in _SMALL if each.provider.value in providers), SIMULATED)
    return replace(usual, model=model or usual.model)


def is_usual(target: ModelTarget) -> bool:
    """Whether the server itself may have chosen a model, and not a person."""
    return target in (SIMULATED, *_SMALL)


def workflow_draft(target: ModelTarget = SIMULATED) -> WorkflowDraft:
    """Return the workflow: it takes an issue apart, drafts an answer and has a person approve.

    Its PROMPT steps ask `target`.
    """
    return WorkflowDraft(
        name="Triage a GitHub issue",
        description="Tells bugs from questions, drafts an answer and asks a person whether to send "
        "it. Runs for every opened issue.",
        tags=("example",),
        steps=(
            _extract(),
            _looks_like_a_bug(),
            _summarise_bug(target),
            _answer_question(target),
            _approve(),
            _send(),
        ),
        variables=(
            Variable(
                "payload",
                data_type=DataType.OBJECT,
                is_required=True,
                description="What GitHub sends when an issue is opened.",
            ),
            Variable("kind", kind=VariableKind.OUTPUT, description="`bug` or `question`."),
            Variable("reply", kind=VariableKind.OUTPUT, description="The draft of an answer."),
            Variable("decision", kind=VariableKind.OUTPUT, description="`send` or `discard`."),
        ),
    )


def trigger_draft(workflow_id: str) -> TriggerDraft:
    """Return the trigger: webhook calls that GitHub signed."""
    return TriggerDraft(
        workflow_id=workflow_id,
        name="GitHub issues",
        config=WebhookConfig(scheme=WebhookScheme.GITHUB, input_mapping={"payload": "payload"}),
    )


def payload() -> bytes:
    """Return the body of the example delivery: an opened issue, as GitHub sends it."""
    return files("promptpilot.data").joinpath(PAYLOAD_FILE).read_bytes()


def document(name: str) -> str:
    """Return an example document of GraphQL: one of `DOCUMENTS`."""
    return files("promptpilot.data").joinpath(f"{name}.graphql").read_text("utf-8")


def _extract() -> Step:
    values = {
        "title": "input.payload.issue.title",
        "body": 'default(input.payload.issue.body, "")',
        "author": "input.payload.issue.user.login",
    }
    return Step("extract", TransformConfig(values))


def _looks_like_a_bug() -> Step:
    return Step(
        "looks_like_a_bug",
        ConditionConfig(_CONDITION, then_step="summarise_bug", else_step="answer_question"),
        outputs={"kind": 'output.branch == "then" ? "bug" : "question"'},
    )


def _summarise_bug(target: ModelTarget) -> Step:
    content = (
        "Summarise this bug report in two sentences for the people who will fix it.\n\n"
        "Title: {{ steps.extract.output.title }}\n\n{{ steps.extract.output.body }}"
    )
    return Step("summarise_bug", PromptConfig((target,), content), outputs={"reply": "output.text"})


def _answer_question(target: ModelTarget) -> Step:
    content = (
        "Answer {{ steps.extract.output.author }} politely and say where to read more.\n\n"
        "{{ steps.extract.output.title }}\n\n{{ steps.extract.output.body }}"
    )
    return Step(
        "answer_question",
        PromptConfig((target,), content),
        outputs={"reply": "output.text"},
        run_if='steps.looks_like_a_bug.output.branch == "else"',
    )


def _approve() -> Step:
    question = (
        "Send this answer to {{ steps.extract.output.author }}?\n\n"
        '{{ default(vars.reply, "(no answer was drafted)") }}'
    )
    choices = (Choice(SEND, next_step="send"), Choice(DISCARD, next_step=END))
    return Step(
        "approve",
        DecisionConfig(
            DecisionMode.MANUAL,
            choices,
            default_choice=DISCARD,
            decision_timeout_seconds=_DAYS_TO_DECIDE * 86_400,
            question=question,
        ),
        outputs={"decision": "output.choice"},
    )


def _send() -> Step:
    values = {
        "to": "steps.extract.output.author",
        "text": 'default(vars.reply, "")',
        "approvedBy": "steps.approve.output.decidedBy",
    }
    return Step("send", TransformConfig(values))
