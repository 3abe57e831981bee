"""Proves that a secret that was opened for an attempt is in nothing that the attempt leaves behind.

What another server does with a secret is proved in `test_webhook_secrets`; here the executor itself
is careless.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, replace
from urllib.parse import quote

import pytest
import structlog

from promptpilot.engine.definition import RetryPolicy
from promptpilot.engine.lifecycle import WaitReason
from promptpilot.engine.step_configs import StepType
from promptpilot.engine.steps.base import Done, ModelsFailed, StepContext, Waiting
from promptpilot.errors import StepFailed
from tests.support.bench import Bench, is_final, is_waiting
from tests.support.drafts import transform
from tests.support.models import workflow
from tests.support.stored import dump

SECRET = "s3cr3t/4711+value"
Deed = Callable[[str], Done | Waiting]


def _in_output(secret: str) -> Done:
    return Done({secret: [f"a {secret} b"]}, input={"x": secret}, model_calls=[{"text": secret}])


def _in_base64(secret: str) -> Done:
    return Done({"v": b64encode(f"user:{secret}".encode()).decode()})


def _in_percents(secret: str) -> Done:
    return Done({"v": quote(secret, safe="")})


def _in_a_wait(secret: str) -> Waiting:
    return Waiting(WaitReason.DECISION, None, input={"question": secret})


def _in_a_failure(secret: str) -> Done:
    raise StepFailed(f"No {secret}.", "NETWORK", is_retryable=True, details={"body": secret})


def _in_failed_calls(secret: str) -> Done:
    failure = StepFailed(f"No {secret}.", "PROVIDER_AUTH")
    raise ModelsFailed(failure, [{"error": {"message": secret}}])


def _in_a_bug(secret: str) -> Done:
    held = {"authorization": secret}
    return Done(held[f"missing {secret}"])


@dataclass
class Careless:
    """Opens a secret and does with it as told."""

    secret_id: str
    deed: Deed

    async def run(self, context: StepContext) -> Done | Waiting:
        """Open the secret and do it."""
        opened = await context.secrets.reveal([self.secret_id])
        return self.deed(opened[self.secret_id])


async def run(bench: Bench, deed: Deed) -> str:
    """Run a step of a careless executor; return all that is stored and logged."""
    row = bench.secret_store.seal(bench.workspace_id, SECRET)
    await row.save(force_create=True)
    tools = bench.tools_with(executors={StepType.TRANSFORM: Careless(row.id, deed)})
    step = replace(transform("a"), retry=RetryPolicy(max_attempts=2))
    execution_id = await bench.launch(workflow(step))
    with structlog.testing.capture_logs() as logged:
        async with bench.running(bench.runner(tools)):
            await bench.until(execution_id, lambda found: is_waiting(found) or is_final(found))
    return await dump(bench.database) + repr(logged)


@pytest.mark.parametrize(
    "deed",
    [
        _in_output,
        _in_base64,
        _in_percents,
        _in_a_wait,
        _in_a_failure,
        _in_failed_calls,
        _in_a_bug,
    ],
)
async def test_what_an_attempt_leaves_behind_holds_no_secret(bench: Bench, deed: Deed) -> None:
    left = await run(bench, deed)

    forms = [SECRET, "s3cr3t", quote(SECRET, safe=""), b64encode(SECRET.encode()).decode()[:16]]
    packed = b64encode(f"user:{SECRET}".encode()).decode()[8:20]
    assert [each for each in (*forms, packed) if each in left] == []
    assert "***" in left


async def test_a_bug_is_logged_with_its_traceback(bench: Bench) -> None:
    left = await run(bench, _in_a_bug)

    assert "step.broken" in left
    assert "in _in_a_bug" in left
