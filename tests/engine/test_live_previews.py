"""Proves what previews keep from the world, what LIVE ones ask of it, and when they end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from promptpilot.engine.api import Engine
from promptpilot.engine.assembly import Foundation, assemble
from promptpilot.engine.definition import Step
from promptpilot.engine.drafts import WorkflowDraft
from promptpilot.engine.parts import EngineSettings
from promptpilot.engine.preview_requests import PreviewMode, PreviewRequest
from promptpilot.engine.previewing import Preview
from promptpilot.engine.principal import Principal, Scope
from promptpilot.engine.stand_ins import OwnAccounts
from promptpilot.engine.step_configs import (
    DelayConfig,
    ModelProvider,
    ModelTarget,
    PromptConfig,
    RequestConfig,
    RequestHeader,
)
from promptpilot.errors import PermissionDenied
from promptpilot.models import Credential
from promptpilot.models.database import Database
from tests.support import credentials
from tests.support.bench import Bench
from tests.support.drafts import draft, prompt, transform
from tests.support.hostile import HostileServer, hostile_server
from tests.support.models import ScriptedModel
from tests.support.tables import counts

OUTSIDE = [kind for kind in ModelProvider if kind is not ModelProvider.SIMULATOR]


@pytest.fixture
def model() -> ScriptedModel:
    """Give the model that the server's steps ask."""
    return ScriptedModel("Hello.")


@pytest.fixture
def engine(foundation: Foundation, bench: Bench, model: ScriptedModel) -> Engine:
    """Give all verbs, with one model."""
    tools = replace(bench.tools_with(model.providers), secrets=bench.secret_store.peek_for)
    settings = EngineSettings(preview=timedelta(seconds=0.2))
    return assemble(replace(foundation, tools=tools, settings=settings))


@pytest.fixture
async def server() -> AsyncIterator[HostileServer]:
    """Give a server that writes down every request."""
    async with hostile_server() as running:
        yield running


async def try_out(
    engine: Engine, principal: Principal, mode: PreviewMode, workflow: WorkflowDraft
) -> Preview:
    """Preview a workflow that is not stored."""
    request = PreviewRequest(target=workflow, mode=mode)
    return await engine.previews.preview(principal, request)


def asking(provider: ModelProvider) -> Step:
    """Make a step that asks a model of `provider`."""
    target = ModelTarget(provider, "gpt", parameters={"extra": {"text": {"verbosity": "low"}}})
    return Step("ask", PromptConfig((target,), content="Hi"))


def calling(server: HostileServer) -> Step:
    """Make a step that calls a server with a secret header."""
    header = RequestHeader("X-Key", "very secret", is_secret=True)
    config = RequestConfig(server.url("/ok"), headers=(header,), body={"a": "{{ 1 + 1 }}"})
    return Step("call", config)


@pytest.mark.parametrize("mode", PreviewMode)
async def test_no_request_is_sent_and_no_secret_opened(
    mode: PreviewMode, engine: Engine, principal: Principal, server: HostileServer
) -> None:
    workflow = await engine.create_workflow(principal, draft(calling(server)))
    request = PreviewRequest(target=workflow.id, mode=mode)

    preview = await engine.previews.preview(principal, request)

    (call,) = preview.result.steps
    assert (call.output["status"], call.output["body"]) == (200, {})
    assert (call.input["headers"], call.input["body"]) == ({"X-Key": "***"}, {"a": 2})
    assert call.warnings[0].startswith("Skipped in previews")
    assert server.journal.requests == []


@pytest.mark.parametrize("mode", PreviewMode)
async def test_a_delay_ends_at_once(
    mode: PreviewMode, engine: Engine, principal: Principal
) -> None:
    delay = Step("rest", DelayConfig(duration_seconds=86_400))

    preview = await try_out(engine, principal, mode, draft(delay))

    (rest,) = preview.result.steps
    assert (rest.status, rest.warnings) == (
        "COMPLETED",
        ("Skipped in previews: the delay ended at once.",),
    )


@pytest.mark.parametrize("provider", OUTSIDE)
async def test_any_model_is_simulated_without_a_credential(
    provider: ModelProvider, engine: Engine, principal: Principal
) -> None:
    preview = await try_out(engine, principal, PreviewMode.SIMULATE, draft(asking(provider)))

    (ask,) = preview.result.steps
    assert ask.status == "COMPLETED", ask.error
    assert [call["isSimulated"] for call in ask.model_calls] == [True]
    assert "Hi" in ask.output["text"]


async def test_a_live_preview_asks_the_models(
    engine: Engine, principal: Principal, model: ScriptedModel
) -> None:
    preview = await try_out(engine, principal, PreviewMode.LIVE, draft(prompt("ask")))

    assert preview.result.steps[0].output["text"] == "Hello."
    assert len(model.asked) == 1
    assert (preview.usage.prompt_tokens, preview.usage.completion_tokens) == (2, 1)


async def test_a_live_preview_without_a_credential_fails_before_any_call(
    engine: Engine, principal: Principal, model: ScriptedModel, foundation: Foundation, bench: Bench
) -> None:
    tools = bench.tools_with({ModelProvider.OPENAI: model})
    engine = assemble(replace(foundation, tools=tools))

    preview = await try_out(
        engine, principal, PreviewMode.LIVE, draft(asking(ModelProvider.OPENAI))
    )

    (ask,) = preview.result.steps
    assert ask.error is not None
    assert (ask.status, ask.error["code"], model.asked) == ("FAILED", "CREDENTIAL_MISSING", [])


async def test_a_live_preview_uses_a_credential_without_a_trace(
    engine: Engine, principal: Principal, model: ScriptedModel, foundation: Foundation, bench: Bench
) -> None:
    stored = await engine.credentials.create(principal, credentials.draft())
    tools = bench.tools_with({ModelProvider.OPENAI: model})
    tools = replace(tools, secrets=bench.secret_store.peek_for)
    engine = assemble(replace(foundation, tools=tools))

    preview = await try_out(
        engine, principal, PreviewMode.LIVE, draft(asking(ModelProvider.OPENAI))
    )

    (call,) = preview.result.steps[0].model_calls
    assert call["credentialId"] == stored.id
    assert credentials.SECRET not in str(preview)
    assert (await Credential.get(id=stored.id)).last_used_at is None


async def test_a_refused_credential_is_not_marked(
    engine: Engine, principal: Principal, bench: Bench
) -> None:
    stored = await engine.credentials.create(principal, credentials.draft())
    opened = OwnAccounts(bench.secret_store.peek_for(principal.workspace_id))
    account = await opened.account("OPENAI", None)

    await opened.refused(account, "No.")

    assert (await Credential.get(id=stored.id)).refused_at is None


async def test_a_live_preview_stores_nothing(
    engine: Engine, principal: Principal, database: Database
) -> None:
    before = await counts(database)

    await try_out(engine, principal, PreviewMode.LIVE, draft(prompt("ask"), transform("after")))

    assert await counts(database) == before


async def test_a_preview_ends_at_its_limit(
    engine: Engine, principal: Principal, model: ScriptedModel
) -> None:
    model.answers = [asyncio.Event()]

    preview = await try_out(
        engine, principal, PreviewMode.LIVE, draft(transform("a"), prompt("b"), transform("c"))
    )

    assert [each.status for each in preview.result.steps] == ["COMPLETED", "FAILED", "PENDING"]
    assert preview.result.status == "FAILED"
    assert preview.result.error is not None
    assert preview.result.error["code"] == "PREVIEW_TIMEOUT"


async def test_a_cancelled_preview_stops_the_call(
    foundation: Foundation, bench: Bench, principal: Principal, model: ScriptedModel
) -> None:
    model.answers = [asyncio.Event()]
    engine = assemble(replace(foundation, tools=bench.tools_with(model.providers)))
    task = asyncio.create_task(try_out(engine, principal, PreviewMode.LIVE, draft(prompt("ask"))))
    await model.wait_for_call()

    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task


async def test_only_those_who_may_run_workflows_preview_them_live(
    engine: Engine, principal: Principal
) -> None:
    reader = replace(principal, scopes=frozenset({Scope.READ}))

    await try_out(engine, reader, PreviewMode.SIMULATE, draft(prompt("ask")))

    with pytest.raises(PermissionDenied):
        await try_out(engine, reader, PreviewMode.LIVE, draft(prompt("ask")))
