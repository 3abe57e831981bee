"""What a step executor is given, for tests that call one directly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from promptpilot.engine.definition import Step
from promptpilot.engine.ports import HttpSender, StepSecrets
from promptpilot.engine.providers.base import Provider
from promptpilot.engine.providers.registry import PROVIDERS
from promptpilot.engine.scope import Progress
from promptpilot.engine.step_configs import ModelProvider
from promptpilot.engine.steps.base import StepContext
from tests.support.clock import BEGINNING
from tests.support.senders import FakeSecrets, FakeSender


def context(
    step: Step,
    *,
    progress: Progress | None = None,
    attempt: int = 1,
    providers: Mapping[ModelProvider, Provider] = PROVIDERS,
    http: HttpSender | None = None,
    secrets: StepSecrets | None = None,
    **input: Any,
) -> StepContext:
    """Make the context of an attempt at `step`; keywords are the execution's input."""
    return StepContext(
        step=step,
        scope=(progress or Progress(input)).scope(),
        now=BEGINNING,
        attempt=attempt,
        idempotency_key="key",
        providers=providers,
        http=http or FakeSender(),
        secrets=secrets or FakeSecrets(),
    )
