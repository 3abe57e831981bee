"""Proves that large columns are read if they are asked for, and by no other question."""

from __future__ import annotations

import re
from typing import Any

import pytest

from promptpilot.engine.runner import Runner
from tests.schema.api import Api
from tests.schema.counting import counted
from tests.schema.documents import SIMULATOR, make_trigger, make_workflow, step
from tests.schema.watching import finish

_LARGE = re.compile(r'"(input|output|error|trigger_data|model_calls|payload)"')
_FIRINGS = "{{ workflows {{ nodes {{ triggers {{ firings {{ nodes {{ {} }} }} }} }} }} }}"
_EXECUTIONS = "{{ executions {{ nodes {{ {} }} }} }}"
_TABLES = re.compile(r'FROM "(executions|step_executions|step_attempts|firings)"')

SMALL = [
    _EXECUTIONS.format("id status"),
    "{ executions { edges { node { __typename durationMs usage { totalTokens } } } totalCount } }",
    """{ executions { ...page } }
    fragment page on WorkflowExecutionConnection { nodes { ...row } edges { cursor } }
    fragment row on WorkflowExecution { output: status error: id outputUrl }""",
    _EXECUTIONS.format("steps { status stepName durationMs execution { status } }"),
    _EXECUTIONS.format("events { nodes { execution { status } } }"),
    _EXECUTIONS.format("... on WorkflowExecution { firing { outcome execution { id } } }"),
    _FIRINGS.format("outcome execution { status } trigger { executions { nodes { id } } }"),
    "{ workflows { nodes { executions { nodes { status retryOf { status } } } } } }",
]

LARGE = [
    (_EXECUTIONS.format("id input"), {"input"}),
    ("{ executions { edges { node { told: output } } } }", {"output"}),
    (_EXECUTIONS.format("id } some: nodes { error { code }"), {"error"}),
    (
        "{ executions { nodes { id } nodes { input } edges { node { output } } } }",
        {"input", "output"},
    ),
    (
        """{ executions { ...page } }
        fragment page on WorkflowExecutionConnection { nodes { ...row } }
        fragment row on WorkflowExecution { ... on Node { ...deep } }
        fragment deep on WorkflowExecution { output }""",
        {"output"},
    ),
    (_EXECUTIONS.format("steps { execution { output } }"), {"output"}),
    (_EXECUTIONS.format("steps { status } more: steps { out: output }"), {"output"}),
    (_EXECUTIONS.format("steps { attempts { number } }"), {"error"}),
    (_EXECUTIONS.format("steps { modelCalls { model } }"), {"model_calls"}),
    (_EXECUTIONS.format("steps { pendingDecision { question } }"), {"input"}),
    (_EXECUTIONS.format("events { nodes { execution { input } } }"), {"input"}),
    (_EXECUTIONS.format("firing { payload }"), {"payload"}),
    (_FIRINGS.format("error { code } execution { output }"), {"error", "output"}),
    (
        "{ workflows { nodes { executions { nodes { id output } } } } }",
        {"output"},
    ),
]

#: Every field that shows something large, and the whole of what it shows.
_STEP_FIELDS = (
    "input",
    "output",
    "error { code message }",
    "attempts { number error { code } }",
    "modelCalls { model outputText }",
)
_FIELDS = ("input", "output", "error { code message }", "firing { payload }")


async def _run(api: Api, **others: Any) -> str:
    """Run a workflow to its end; return the execution's id."""
    ask = {"name": "ask", "config": {"prompt": {"content": "Hi", "models": [SIMULATOR]}}}
    workflow = {"steps": [ask, step("last", **others)], "variables": [{"name": "title"}]}
    trigger_id = await make_trigger(api, await make_workflow(api, **workflow), {"manual": {}})
    run = {"id": trigger_id, "input": {"title": "A bug"}}
    started = (await api.mutate("runTrigger", run, "execution { id }"))["execution"]["id"]
    await finish(api, started)
    return str(started)


async def _read(api: Api, document: str) -> set[str]:
    """Return the large columns that the statements of an answer name."""
    with counted(api.engine.database) as statements:
        await api.run(document)
    assert statements
    asked = [each for each in statements if _TABLES.search(each)]
    return {name for each in asked for name in _LARGE.findall(each)}


async def test_what_is_small_is_read_without_the_large_columns(api: Api, worker: Runner) -> None:
    await _run(api)

    read = {document: await _read(api, document) for document in SMALL}

    assert read == {document: set() for document in SMALL}


async def test_a_large_column_is_read_when_it_is_asked_for(api: Api, worker: Runner) -> None:
    await _run(api)

    read = [(document, await _read(api, document)) for document, _ in LARGE]

    assert read == LARGE


@pytest.mark.parametrize("kind", ["execution", "step"])
async def test_an_object_is_found_without_its_large_columns(
    api: Api, worker: Runner, kind: str
) -> None:
    shown = await _shown(api, await _run(api), "id steps { id }")
    key = shown["id"] if kind == "execution" else shown["steps"][1]["id"]

    small = await _read(api, f'{{ node(id: "{key}") {{ __typename id }} }}')
    one = "{ ... on WorkflowExecution { output } ... on WorkflowStepExecution { result: output } }"
    large = await _read(api, f'{{ node(id: "{key}") {one} }}')

    assert (small, large) == (set(), {"output"})


@pytest.mark.parametrize("others", [{}, {"inputs": {"given": "input.title.none.there"}}])
async def test_a_field_says_alone_what_it_says_among_others(
    api: Api, worker: Runner, others: dict[str, Any]
) -> None:
    key = await _run(api, **others)
    fields = [*_FIELDS, *(f"steps {{ {each} }}" for each in _STEP_FIELDS)]
    whole = await _shown(api, key, f"{' '.join(_FIELDS)} steps {{ {' '.join(_STEP_FIELDS)} }}")

    for field in fields:
        alone = await _shown(api, key, field)
        assert alone == _part(whole, alone)


async def _shown(api: Api, id: str, selection: str) -> dict[str, Any]:
    found = await api.run(f'{{ execution(id: "{id}") {{ {selection} }} }}')
    shown: dict[str, Any] = found["execution"]
    return shown


def _part(whole: Any, like: Any) -> Any:
    """Return the part of an answer that has the keys of another."""
    if isinstance(like, list):
        return [_part(each, other) for each, other in zip(whole, like, strict=True)]
    if isinstance(like, dict) and isinstance(whole, dict):
        return {name: _part(whole.get(name), like[name]) for name in like}
    return whole
