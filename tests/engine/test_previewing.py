"""Proves that previews do what executions do, and leave nothing behind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from promptpilot.engine.api import Engine
from promptpilot.engine.assembly import Foundation, assemble
from promptpilot.engine.definition import (
    END,
    DataType,
    RetryPolicy,
    Step,
    Variable,
    VariableKind,
)
from promptpilot.engine.drafts import WorkflowDraft
from promptpilot.engine.preview_requests import PreviewRequest
from promptpilot.engine.previewing import Preview
from promptpilot.engine.principal import Principal
from promptpilot.engine.progress import step_views
from promptpilot.engine.prompt_drafts import PromptDraft
from promptpilot.engine.rehearsal import TriedStep
from promptpilot.engine.step_configs import (
    Choice,
    ConditionConfig,
    DecisionConfig,
    DecisionMode,
    ModelProvider,
    ModelTarget,
    PromptConfig,
    RoutingMode,
)
from promptpilot.engine.step_configs import ModelRouting as Routing
from promptpilot.errors import InvalidInput, NotFound
from promptpilot.models.database import Database
from tests.support.bench import Bench, is_final
from tests.support.drafts import condition, draft, prompt, transform, variable
from tests.support.tables import counts

AT_ONCE = RetryPolicy(max_attempts=3, initial_delay_ms=0, max_delay_ms=0)
FAILS_TWICE = {"error": {"code": "PROVIDER_UNAVAILABLE", "isRetryable": True}, "failAttempts": 2}


def scripted(name: str, *scripts: dict[str, Any], **others: Any) -> Step:
    """Make a step that asks the simulator by these scripts, one model for each."""
    routing = others.pop("routing", Routing())
    models = tuple(
        ModelTarget(ModelProvider.SIMULATOR, f"m{number}", parameters={"extra": script})
        for number, script in enumerate(scripts)
    )
    config = PromptConfig(models, content="Say {{ input.topic }}.", routing=routing)
    return Step(name, config, **others)


def output(name: str) -> Variable:
    """Declare an output."""
    return Variable(name, kind=VariableKind.OUTPUT, data_type=DataType.STRING, is_required=True)


TOPIC = variable("topic", default="roofs")
RULES = DecisionConfig(
    DecisionMode.RULES,
    (Choice("a", "input.topic == 'x'", END), Choice("b", "true", "last")),
)
WORKFLOWS: dict[str, WorkflowDraft] = {
    "nothing at all": draft(),
    "pure steps": draft(
        transform("one", value="input.topic + '!'"),
        transform("two", value="steps.one.output.value + string(input.n)"),
        variables=(TOPIC, variable("n", DataType.NUMBER, default=2)),
    ),
    "a broken step": draft(transform("one", value="1 / 0"), transform("two")),
    "a broken step that is forgiven": draft(
        Step("one", transform("one", value="1 / 0").config, continue_on_error=True),
        transform("two", value="steps.one.error.code"),
    ),
    "a branch": draft(
        condition("which", "input.topic == 'roofs'", then_step="last", else_step="middle"),
        transform("middle"),
        transform("last", value="steps.which.output.branch"),
        variables=(TOPIC,),
    ),
    "an early end": draft(
        Step("which", ConditionConfig("true", then_step=END)), transform("never")
    ),
    "rules": draft(
        Step("which", RULES), transform("between"), transform("last"), variables=(TOPIC,)
    ),
    "guards": draft(
        Step("no", transform("no").config, run_if="false"),
        Step("broken", transform("broken").config, run_if="input.topic > 1"),
        variables=(TOPIC,),
    ),
    "models": draft(prompt("ask"), scripted("told", {"text": "Yes."}), variables=(TOPIC,)),
    "a fallback": draft(
        scripted("ask", FAILS_TWICE, {}, routing=Routing(RoutingMode.FALLBACK)),
        variables=(TOPIC,),
    ),
    "retries that help": draft(scripted("ask", FAILS_TWICE, retry=AT_ONCE), variables=(TOPIC,)),
    "retries of one of two": draft(
        scripted("ask", {}, FAILS_TWICE, retry=AT_ONCE), variables=(TOPIC,)
    ),
    "retries in vain": draft(
        scripted("ask", {"error": {"isRetryable": True}}, retry=AT_ONCE), variables=(TOPIC,)
    ),
    "outputs": draft(
        Step("one", transform("one", value="'x'").config, outputs={"answer": "output.value"}),
        variables=(output("answer"),),
    ),
    "an output of the wrong type": draft(
        Step("one", transform("one", value="1").config, outputs={"answer": "output.value"}),
        variables=(output("answer"),),
    ),
    "outputs that cannot be computed": draft(
        Step("one", transform("one").config, outputs={"answer": "output.nothing.there"}),
    ),
}


def shown(steps: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Return what a preview and an execution must have in common."""
    return [
        (
            step.name,
            step.type,
            step.status,
            step.input,
            step.output,
            step.error,
            step.attempts if isinstance(step, TriedStep) else step.attempt,
            [{**call, "latencyMs": 0, "firstTokenMs": 0} for call in step.model_calls],
        )
        for step in steps
    ]


@pytest.fixture
def engine(foundation: Foundation, bench: Bench) -> Engine:
    """Give all verbs; previews drive with what the bench's executions are driven with."""
    return assemble(replace(foundation, tools=bench.tools))


async def try_out(engine: Engine, principal: Principal, *steps: Step, **others: Any) -> Preview:
    """Preview a workflow that is not stored."""
    variables = others.pop("variables", ())
    request = PreviewRequest(target=draft(*steps, variables=variables), **others)
    return await engine.previews.preview(principal, request)


@pytest.mark.parametrize("name", WORKFLOWS)
async def test_a_preview_equals_an_execution_with_the_simulator(
    name: str, engine: Engine, principal: Principal, bench: Bench
) -> None:
    workflow = await engine.create_workflow(principal, WORKFLOWS[name])
    launched = await engine.start_execution(principal, workflow.id)
    runner = bench.runner(poll=timedelta(milliseconds=20))

    preview = await engine.previews.preview(principal, PreviewRequest(target=workflow.id))
    async with bench.running(runner):
        row = await bench.until(launched.execution_id, is_final)

    result = preview.result
    assert (result.status, result.output, result.error) == (row.status, row.output, row.error)
    assert shown(result.steps) == shown(await step_views(row, engine.parts.versions))
    assert preview.input == row.input


@pytest.mark.parametrize("name", WORKFLOWS)
async def test_a_workflow_that_is_not_stored_has_the_same_preview(
    name: str, engine: Engine, principal: Principal
) -> None:
    workflow = await engine.create_workflow(principal, WORKFLOWS[name])

    stored = await engine.previews.preview(principal, PreviewRequest(target=workflow.id))
    given = await engine.previews.preview(principal, PreviewRequest(target=WORKFLOWS[name]))

    assert shown(given.result.steps) == shown(stored.result.steps)
    assert given.result.output == stored.result.output


@pytest.mark.parametrize("name", WORKFLOWS)
async def test_equal_previews_have_equal_answers_but_for_their_time(
    name: str, engine: Engine, principal: Principal
) -> None:
    request = PreviewRequest(target=WORKFLOWS[name])

    one, other = [await engine.previews.preview(principal, request) for _ in range(2)]

    assert shown(one.result.steps) == shown(other.result.steps)
    assert replace(one.result, steps=()) == replace(other.result, steps=())


async def test_a_step_that_follows_a_prompt_runs_with_its_newest_version(
    engine: Engine, principal: Principal
) -> None:
    stored = await engine.prompts.create(
        principal, PromptDraft(name="Greet", content="Hello {{name}}!")
    )
    step = replace(prompt("greet", prompt_id=stored.id), inputs={"name": "'Ada'"})

    preview = await try_out(engine, principal, step)

    (greet,) = preview.result.steps
    assert greet.status == "COMPLETED", greet.error
    assert "Hello Ada!" in greet.output["text"]


async def test_a_preview_leaves_every_table_as_it_is(
    engine: Engine, principal: Principal, database: Database
) -> None:
    workflow = await engine.create_workflow(principal, WORKFLOWS["a fallback"])
    before = await counts(database)

    targets: list[str | WorkflowDraft] = [workflow.id, *WORKFLOWS.values()]
    for target in targets:
        await engine.previews.preview(principal, PreviewRequest(target=target))

    assert await counts(database) == before


async def test_a_person_s_choice_is_taken_for_granted(engine: Engine, principal: Principal) -> None:
    choices = (Choice("yes", next_step="last"), Choice("no"))
    manual = DecisionConfig(DecisionMode.MANUAL, choices)
    steps = (Step("ask", manual), transform("between"), transform("last"))

    preview = await try_out(engine, principal, *steps)

    asked, between, last = preview.result.steps
    assert asked.output["choice"] == "yes"
    assert "nobody was asked" in asked.warnings[0]
    assert (between.status, last.status) == ("SKIPPED", "COMPLETED")


async def test_the_default_goes_before_the_first_choice(
    engine: Engine, principal: Principal
) -> None:
    manual = DecisionConfig(DecisionMode.MANUAL, (Choice("yes"), Choice("no")), "no")

    preview = await try_out(engine, principal, Step("ask", manual))

    (asked,) = preview.result.steps
    assert asked.output["choice"] == "no"


async def test_a_part_ends_after_its_step(engine: Engine, principal: Principal) -> None:
    steps = (transform("one"), transform("two"), transform("three"))

    preview = await try_out(engine, principal, *steps, to_step_name="two")

    assert [each.status for each in preview.result.steps] == ["COMPLETED", "COMPLETED", "PENDING"]
    assert (preview.result.status, preview.result.output) == ("COMPLETED", None)
    assert "'two'" in preview.warnings[0]


async def test_a_pinned_step_is_not_run(engine: Engine, principal: Principal) -> None:
    steps = (transform("one", value="1 / 0"), transform("two", value="steps.one.output.value"))

    preview = await try_out(engine, principal, *steps, pinned_outputs={"one": {"value": 7}})

    one, two = preview.result.steps
    assert (one.status, one.attempts, two.output) == ("COMPLETED", 0, {"value": 7})
    assert one.warnings[0].startswith("Pinned")


async def test_a_pinned_branch_is_followed(engine: Engine, principal: Principal) -> None:
    steps = (condition("which", "true", else_step="END"), transform("never"))

    preview = await try_out(engine, principal, *steps, pinned_outputs={"which": {"branch": "else"}})

    assert [each.status for each in preview.result.steps] == ["COMPLETED", "SKIPPED"]


@pytest.mark.parametrize(
    ("others", "path"),
    [
        ({"to_step_name": "five"}, ("input", "toStepName")),
        ({"pinned_outputs": {"five": {}}}, ("input", "pinnedOutputs", "five")),
        ({"pinned_outputs": {"which": {"branch": "up"}}}, ("input", "pinnedOutputs", "which")),
        ({"pinned_outputs": {"which": 1}}, ("input", "pinnedOutputs", "which")),
        ({"pinned_outputs": []}, ("input", "pinnedOutputs")),
        ({"input": []}, ("input", "input")),
    ],
)
async def test_what_cannot_be_tried_names_its_argument(
    others: dict[str, Any], path: tuple[str, ...], engine: Engine, principal: Principal
) -> None:
    with pytest.raises(InvalidInput) as refusal:
        await try_out(engine, principal, condition("which"), **others)

    assert refusal.value.path == path


async def test_a_fault_of_a_definition_has_its_path_in_the_target(
    engine: Engine, principal: Principal
) -> None:
    with pytest.raises(Exception) as refusal:  # noqa: PT011 -- one fault or several
        await try_out(engine, principal, transform("one", value="1 +"))

    (fault,) = refusal.value.errors  # type: ignore[attr-defined]  # InvalidMany
    place = ("input", "target", "definition", "steps", "0", "config", "transform", "set")
    assert fault.path[: len(place)] == place


async def test_what_is_missing_is_made_up_if_asked_for(
    engine: Engine, principal: Principal
) -> None:
    needed = variable("topic", is_required=True, validation={"minLength": 20})
    step = transform("one", value="input.topic")

    preview = await try_out(engine, principal, step, variables=(needed,), uses_sample_data=True)

    assert preview.used_sample_data
    assert preview.result.output == {"value": preview.input["topic"]}
    assert preview.warnings == ("Made up: topic.",)


async def test_what_is_missing_is_refused_as_at_a_start(
    engine: Engine, principal: Principal
) -> None:
    needed = variable("topic", is_required=True)

    with pytest.raises(Exception) as refusal:  # noqa: PT011 -- one fault or several
        await try_out(engine, principal, transform("one"), variables=(needed,))

    (fault,) = refusal.value.errors  # type: ignore[attr-defined]  # InvalidMany
    assert (fault.code, fault.path) == ("REQUIRED", ("input", "input", "topic"))


async def test_a_workflow_of_somebody_else_is_not_there(
    engine: Engine, principal: Principal, stranger: Principal
) -> None:
    workflow = await engine.create_workflow(principal, draft(transform("one")))

    with pytest.raises(NotFound) as refusal:
        await engine.previews.preview(stranger, PreviewRequest(target=workflow.id))

    assert refusal.value.path == ("input", "target", "workflowId")
