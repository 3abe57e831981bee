"""Proves that every text of a step is read, and where it is."""

from __future__ import annotations

from dataclasses import replace

from promptpilot.engine.definition import PromptConfig
from promptpilot.engine.fault import Fault
from promptpilot.engine.reading import readings
from tests.support.drafts import condition, prompt, transform


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
