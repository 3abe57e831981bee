"""Proves that every text of a step is read, and where it is."""

from __future__ import annotations

from dataclasses import replace

from promptpilot.engine.definition import Step
from promptpilot.engine.fault import Fault
from promptpilot.engine.reading import readings
from promptpilot.engine.step_configs import (
    Choice,
    DecisionConfig,
    DecisionMode,
    DelayConfig,
    PromptConfig,
    RequestConfig,
    RequestHeader,
    StepConfig,
)
from tests.support.drafts import condition, prompt, transform


def _paths(config: StepConfig) -> list[str]:
    return [".".join(each.path) for each in readings(Step("a", config), _refuse)]


def _refuse(fault: Fault) -> None:
    raise AssertionError(fault)


def test_every_text_of_a_step_is_read() -> None:
    step = replace(
        transform("a", x="input.x", y="output.x"),
        run_if="input.g",
        inputs={"i": "vars.i"},
        outputs={"o": "output.o"},
    )

    found = {".".join(each.path): each for each in readings(step, _refuse)}

    assert set(found) == {
        "runIf", "inputs.i", "outputs.o", "config.transform.set.x", "config.transform.set.y"
    }  # fmt: skip
    own = {path for path, each in found.items() if each.own_roots}
    assert own == {"outputs.o", "config.transform.set.x", "config.transform.set.y"}


def test_a_condition_reads_its_condition() -> None:
    (found,) = readings(condition("a", "input.x > 1"), _refuse)

    assert [each.path for each in found.references] == [("input", "x")]


def test_a_prompt_reads_references_and_bare_names() -> None:
    config = PromptConfig((), "{{ name }} {{ steps.a.output }}", "{{ tone }}")

    content, instructions = readings(replace(prompt("a"), config=config), _refuse)

    assert [each.bare_names for each in (content, instructions)] == [{"name"}, {"tone"}]
    assert [each.path for each in content.references] == [("steps", "a", "output")]


def test_a_stored_prompt_has_no_text_of_its_own() -> None:
    assert list(readings(prompt("a", prompt_id="pr_1"), _refuse)) == []


def test_a_delay_reads_the_instant_that_it_waits_for() -> None:
    assert _paths(DelayConfig(until="input.at")) == ["config.delay.until"]
    assert _paths(DelayConfig(5)) == []


def test_a_request_reads_its_address_its_headers_and_every_text_of_its_body() -> None:
    headers = (RequestHeader("a", "x"), RequestHeader("b", "{{", is_secret=True))

    found = _paths(RequestConfig("https://a/", headers=headers, body={"k": ["x", 1, "y"]}))

    place = "config.webhook"
    assert found == [
        f"{place}.url", f"{place}.headers.0.value", f"{place}.body.k.0", f"{place}.body.k.2"
    ]  # fmt: skip


def test_a_decision_reads_its_question_and_its_conditions() -> None:
    choices = (Choice("yes", "input.x"), Choice("no"))

    found = _paths(DecisionConfig(DecisionMode.RULES, choices, question="Shall we?"))

    assert found == ["config.decision.question", "config.decision.choices.0.condition"]
