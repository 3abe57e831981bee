"""Proves the rules of decisions, with the path to the field that breaks one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from promptpilot.engine.definition import Definition, Step
from promptpilot.engine.step_checks import check_steps
from promptpilot.engine.step_configs import Choice, DecisionConfig, DecisionMode
from tests.support.drafts import transform

RULES = DecisionConfig(DecisionMode.RULES, (Choice("yes", "true"), Choice("no", "false")))
MANUAL = DecisionConfig(DecisionMode.MANUAL, (Choice("yes"), Choice("no")))


def found(config: DecisionConfig, *others: Step) -> list[tuple[str, str]]:
    """Return code and path, below the first step's decision, of each fault."""
    definition = Definition((Step("a", config), *others))
    place = "steps.0.config.decision."
    return [
        (fault.code, ".".join(fault.path).removeprefix(place)) for fault in check_steps(definition)
    ]


@pytest.mark.parametrize(
    "config",
    [
        RULES,
        MANUAL,
        replace(RULES, choices=(Choice("yes", "true"), Choice("no")), default_choice="no"),
        replace(MANUAL, default_choice="no", decision_timeout_seconds=1, question="Shall we?"),
        replace(MANUAL, default_choice="no", decision_timeout_seconds=31_536_000),
        replace(MANUAL, choices=(Choice("Ja, gerne!"), Choice("x" * 100))),
    ],
    ids=str,
)
def test_good_decisions(config: DecisionConfig) -> None:
    assert found(config) == []


@pytest.mark.parametrize(
    ("base", "change", "code", "path"),
    [
        (MANUAL, {"choices": ()}, "REQUIRED", "choices"),
        (MANUAL, {"choices": (Choice("a"),)}, "REQUIRED", "choices"),
        (MANUAL, {"default_choice": "maybe"}, "UNKNOWN_CHOICE", "defaultChoice"),
        (MANUAL, {"question": "x" * 10_001}, "OUT_OF_RANGE", "question"),
        (MANUAL, {"question": "{{ 1 + }}"}, "SYNTAX", "question"),
        (MANUAL, {"question": "{{ who }}"}, "UNKNOWN_VARIABLE", "question"),
        (RULES, {"question": "Shall we?"}, "NOT_APPLICABLE", "question"),
        (RULES, {"decision_timeout_seconds": 5}, "NOT_APPLICABLE", "decisionTimeoutSeconds"),
        (
            MANUAL,
            {"decision_timeout_seconds": 0, "default_choice": "no"},
            "OUT_OF_RANGE",
            "decisionTimeoutSeconds",
        ),
        (
            MANUAL,
            {"decision_timeout_seconds": 31_536_001},
            "OUT_OF_RANGE",
            "decisionTimeoutSeconds",
        ),
    ],
)  # fmt: skip
def test_rules_of_a_decision(
    base: DecisionConfig, change: dict[str, Any], code: str, path: str
) -> None:
    assert found(replace(base, **change)) == [(code, path)]


@pytest.mark.parametrize("name", ["", " yes", "yes ", "a\nb", "\x7f", "x" * 101])
def test_the_name_of_a_choice_is_one_line(name: str) -> None:
    config = replace(MANUAL, choices=(Choice("no"), Choice(name)))

    assert found(config) == [("INVALID_NAME", "choices.1.name")]


def test_two_choices_have_two_names() -> None:
    config = replace(MANUAL, choices=(Choice("no"), Choice("no")))

    assert found(config) == [("NOT_UNIQUE", "choices.1.name")]


def test_a_decision_has_at_most_twenty_choices() -> None:
    many = [Choice(str(number)) for number in range(21)]

    assert found(replace(MANUAL, choices=tuple(many[:20]))) == []
    assert found(replace(MANUAL, choices=tuple(many))) == [("TOO_MANY_CHOICES", "choices")]


def test_a_rule_needs_a_condition_unless_it_is_the_default() -> None:
    config = replace(RULES, choices=(Choice("yes"), Choice("no")), default_choice="no")

    assert found(config) == [("REQUIRED", "choices.0.condition")]


@pytest.mark.parametrize("text", ["1 +", "input.x", "steps.b.output.v"])
def test_the_condition_of_a_choice_is_read(text: str) -> None:
    config = replace(RULES, choices=(Choice("yes", "true"), Choice("no", text)))

    (fault,) = found(config, transform("b"))

    assert fault[1] == "choices.1.condition"


def test_a_person_chooses_without_conditions() -> None:
    config = replace(MANUAL, choices=(Choice("yes", "true"), Choice("no")))

    assert found(config) == [("NOT_APPLICABLE", "choices.0.condition")]


@pytest.mark.parametrize(("target", "code"), [("b", "UNKNOWN_STEP"), ("a", "BACKWARD_TARGET")])
def test_a_choice_leads_to_a_later_step(target: str, code: str) -> None:
    config = replace(MANUAL, choices=(Choice("no", None, "END"), Choice("yes", None, target)))

    assert found(config) == [(code, "choices.1.nextStepName")]


def test_a_decision_that_may_run_out_of_time_is_warned_of() -> None:
    definition = Definition((Step("a", replace(MANUAL, decision_timeout_seconds=60)),))

    (fault,) = check_steps(definition)

    assert (fault.code, fault.severity) == ("MAY_TIME_OUT", "WARNING")
    assert fault.path[-1] == "decisionTimeoutSeconds"
