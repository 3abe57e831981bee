"""Proves that no text of a step escapes the check that it can be stored."""

from __future__ import annotations

from dataclasses import replace

import pytest

from promptpilot.engine.definition import Step
from promptpilot.engine.step_configs import (
    Choice,
    DecisionConfig,
    DecisionMode,
    DelayConfig,
    RequestConfig,
    RequestHeader,
    StepConfig,
)
from promptpilot.engine.step_texts import storable
from promptpilot.errors import InvalidInput

BAD = "\x00"
REQUEST = RequestConfig("https://a/")
MANUAL = DecisionConfig(DecisionMode.MANUAL, (Choice("yes"), Choice("no")))


@pytest.mark.parametrize(
    ("config", "path"),
    [
        (DelayConfig(until=BAD), "delay.until"),
        (DelayConfig(reason=BAD), "delay.reason"),
        (replace(REQUEST, url=BAD), "webhook.url"),
        (replace(REQUEST, body={"a": [BAD]}), "webhook.body.a.0"),
        (replace(REQUEST, headers=(RequestHeader(BAD, "v"),)), "webhook.headers.0.name"),
        (replace(REQUEST, headers=(RequestHeader("a", BAD),)), "webhook.headers.0.value"),
        (replace(MANUAL, question=BAD), "decision.question"),
        (replace(MANUAL, default_choice=BAD), "decision.defaultChoice"),
        (replace(MANUAL, choices=(Choice(BAD),)), "decision.choices.0.name"),
        (replace(MANUAL, choices=(Choice("a", BAD),)), "decision.choices.0.condition"),
        (replace(MANUAL, choices=(Choice("a", None, BAD),)), "decision.choices.0.nextStepName"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_stored_is_refused_with_its_path(config: StepConfig, path: str) -> None:
    checks = list(storable([Step("a", config)], []))

    faults = [fault for check in checks if (fault := _fault(check)) is not None]

    assert faults == [f"input.steps.0.config.{path}"]


def _fault(check: object) -> str | None:
    assert callable(check)
    try:
        check()
    except InvalidInput as fault:
        return ".".join(fault.path)
    return None
