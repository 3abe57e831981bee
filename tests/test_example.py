"""The example can run, sorts issues, and reads alike in the package and in `examples/`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from graphql import parse, validate

from promptpilot import example
from promptpilot.clock import SystemClock
from promptpilot.engine.checks import check
from promptpilot.engine.definition import Definition
from promptpilot.engine.expression import parse as parse_expression
from promptpilot.engine.prices import shipped_prices
from promptpilot.engine.step_configs import ConditionConfig, PromptConfig
from promptpilot.schema import schema

_EXAMPLES = Path(__file__).parents[1] / "examples"
_DRAFT = example.workflow_draft()


def test_the_definition_has_no_fault() -> None:
    definition = Definition(_DRAFT.steps or (), _DRAFT.variables or ())

    assert check(definition) == ()


@pytest.mark.parametrize(
    ("title", "is_bug"),
    [("Crash when saving", True), ("TRACEBACK on start", True), ("How do I print a table?", False)],
)
def test_bugs_are_told_from_questions(title: str, is_bug: bool) -> None:  # noqa: FBT001 -- a case
    config = (_DRAFT.steps or ())[1].config
    assert isinstance(config, ConditionConfig)
    scope = {"steps": {"extract": {"output": {"title": title, "body": ""}}}}

    program = parse_expression(config.condition)

    assert program.evaluate(scope, SystemClock().now()) is is_bug


def test_the_payload_is_an_opened_issue_as_github_sends_it() -> None:
    payload = json.loads(example.payload())

    assert payload["action"] == "opened"
    assert payload["issue"]["user"] == payload["sender"]
    assert payload["issue"]["repository_url"] == payload["repository"]["url"]


@pytest.mark.parametrize("name", example.DOCUMENTS)
def test_the_documents_are_valid(name: str) -> None:
    assert validate(schema._schema, parse(example.document(name))) == []


def test_the_copies_to_read_are_the_files_of_the_package() -> None:
    assert (_EXAMPLES / "github" / example.PAYLOAD_FILE).read_bytes() == example.payload()
    for name in example.DOCUMENTS:
        assert (_EXAMPLES / f"{name}.graphql").read_text("utf-8") == example.document(name)


@pytest.mark.parametrize(
    ("providers", "model", "expected"),
    [
        (set(), "", ("SIMULATOR", "simulator")),
        ({"AZURE_OPENAI"}, "", ("SIMULATOR", "simulator")),
        ({"GOOGLE"}, "", ("GOOGLE", "gemini-2.5-flash")),
        ({"GOOGLE", "ANTHROPIC"}, "", ("ANTHROPIC", "claude-haiku-4-5")),
        ({"GOOGLE", "ANTHROPIC", "OPENAI"}, "", ("OPENAI", "gpt-4.1-mini")),
        ({"OPENAI"}, "o9", ("OPENAI", "o9")),
    ],
)
def test_the_first_provider_with_a_key_is_asked(
    providers: set[str], model: str, expected: tuple[str, str]
) -> None:
    target = example.target_for(providers, model)

    asked = [
        each
        for step in example.workflow_draft(target).steps or ()
        if isinstance(step.config, PromptConfig)
        for each in step.config.models
    ]
    assert asked == [target, target]
    assert (target.provider, target.model) == expected


@pytest.mark.parametrize("provider", ["OPENAI", "ANTHROPIC", "GOOGLE"])
def test_the_price_of_the_models_of_the_example_is_known(provider: str) -> None:
    target = example.target_for({provider})

    assert target.model in shipped_prices().models(target.provider)
