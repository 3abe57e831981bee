"""Proves what becomes of large outputs: kept in full up to 16 MiB, refused with a code above."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from promptpilot.engine.definition import DataType, Definition, Step, Variable, VariableKind
from promptpilot.engine.outputs import execution_output, step_output
from promptpilot.engine.previews import PREVIEW_BYTES
from promptpilot.engine.principal import Principal
from promptpilot.engine.providers.base import ModelReply
from promptpilot.models import Execution, LargeOutput, StepExecution
from promptpilot.models.columns import encode_json
from tests.support.bench import Bench
from tests.support.drafts import transform
from tests.support.models import ScriptedModel, asking

MEGABYTE = 1024 * 1024
#: What an expression may return, but not five of them in one output.
A_FIFTH = "x" * (4 * MEGABYTE - 100)
NAMES = ("one", "two", "three", "four", "five")


async def run(
    bench: Bench, answer: str, *steps: Step, variables: tuple[Variable, ...] = ()
) -> Execution:
    """Run an execution whose model answers so until it is final."""
    execution_id = await bench.launch(Definition(steps, variables))
    tools = bench.tools_with(providers=ScriptedModel(answer).providers)
    return await bench.finish(execution_id, bench.runner(tools))


def output(name: str) -> Variable:
    """Declare an output."""
    return Variable(name, DataType.STRING, kind=VariableKind.OUTPUT)


@pytest.mark.parametrize("letter", ["x", "é"])
async def test_an_output_below_the_limit_is_kept_in_full(
    bench: Bench, principal: Principal, letter: str
) -> None:
    text = letter * (15 * MEGABYTE // len(letter.encode()))

    row = await run(bench, text, asking("a"))

    reason = ModelReply("").finish_reason
    full = {"text": text, "json": None, "model": "m", "finishReason": reason}
    body = encode_json(full).encode()
    found = [
        await step_output(bench.database, principal, row.id, "0"),
        await execution_output(bench.database, principal, row.id),
    ]
    assert [each.body == body for each in found] == [True, True]
    assert row.output_bytes == len(body)


async def test_rows_have_previews_and_cut_answers(bench: Bench) -> None:
    execution = await run(bench, "x" * MEGABYTE, asking("a"))

    (step,) = await StepExecution.filter(execution_id=execution.id)
    shown = [step.output, execution.output, step.model_calls]
    assert all(len(json.dumps(each)) < PREVIEW_BYTES + 500 for each in shown)
    assert step.output.keys() == {"text", "json", "model", "finishReason"}


async def test_a_step_whose_output_is_too_large_fails_and_nothing_of_it_is_kept(
    bench: Bench,
) -> None:
    row = await run(bench, "x" * (17 * MEGABYTE), asking("a"))

    assert row.error is not None
    assert (row.status, row.error["code"]) == ("FAILED", "OUTPUT_TOO_LARGE")
    assert row.error["message"] == "Step 'a' failed: The output is larger than 16 MiB."
    assert await LargeOutput.all().count() == 0


async def test_a_computed_output_that_is_too_large_fails_its_step_alone(bench: Bench) -> None:
    repeated = transform("b", **dict.fromkeys(NAMES, "steps.a.output.text"))
    after = transform("c", length="size(steps.a.output.text)")

    row = await run(bench, A_FIFTH, asking("a"), replace(repeated, continue_on_error=True), after)

    rows = await StepExecution.filter(execution_id=row.id).order_by("position")
    assert [each.status for each in rows] == ["COMPLETED", "FAILED", "COMPLETED"]
    assert (rows[1].error or {})["code"] == "OUTPUT_TOO_LARGE"
    assert row.output == {"length": len(A_FIFTH)}


async def test_an_execution_whose_own_output_is_too_large_fails(bench: Bench) -> None:
    step = replace(asking("a"), outputs=dict.fromkeys(NAMES, "output.text"))

    row = await run(bench, A_FIFTH, step, variables=tuple(map(output, NAMES)))

    assert row.error is not None
    assert (row.status, row.error["code"], row.output) == ("FAILED", "OUTPUT_TOO_LARGE", None)
    assert await StepExecution.filter(status="COMPLETED").count() == 1
