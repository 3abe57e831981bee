"""PROMPT: renders a template and asks one or more models."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from promptpilot.engine.accounts import Account
from promptpilot.engine.providers.base import ModelReply, ModelRequest
from promptpilot.engine.reasons import Reason, reason_of
from promptpilot.engine.step_configs import (
    ModelErrorPolicy,
    ModelProvider,
    ModelTarget,
    PromptConfig,
    RoutingMode,
)
from promptpilot.engine.steps.base import (
    Done,
    ModelsFailed,
    StepContext,
    resolve_inputs,
    scope_with,
)
from promptpilot.engine.template import parse_template
from promptpilot.errors import StepFailed


@dataclass(frozen=True, slots=True)
class _Call:
    """One model asked: its reply or why it gave none."""

    target: ModelTarget
    reply: ModelReply | None = None
    failure: StepFailed | None = None


class PromptStep:
    """Asks the models in the configured way; the first success in order is the step's answer."""

    async def run(self, context: StepContext) -> Done:
        """Return `{"text", "json", "model", "finishReason"}` and, of several models, `results`.

        Raises `StepFailed` with the code of the first failure when no model answered, or when one
        failed and the step is to abort then.
        """
        config = context.step.config
        assert isinstance(config, PromptConfig)  # noqa: S101 -- the registry pairs them
        inputs = resolve_inputs(context)
        rendered = _render(config, scope_with(context, inputs), context)
        context.shown.input = {**inputs, **rendered}
        targets = [target for target in config.models if not target.is_disabled]
        if config.routing.mode is RoutingMode.FALLBACK:
            calls = await _ask_in_turn(targets, rendered, context)
        else:
            calls = await _ask_all(targets, rendered, context, config.routing.concurrency)
        _refuse_failures(config, calls, context)
        return _done(calls, context)


def _render(
    config: PromptConfig, scope: Mapping[str, Any], context: StepContext
) -> dict[str, str | None]:
    content = parse_template(config.content or "").render_text(scope, context.now)
    if config.instructions is None:
        return {"content": content, "instructions": None}
    instructions = parse_template(config.instructions).render_text(scope, context.now)
    return {"content": content, "instructions": instructions}


async def _ask_in_turn(
    targets: Sequence[ModelTarget], rendered: Mapping[str, str | None], context: StepContext
) -> list[_Call]:
    calls: list[_Call] = []
    for index, target in enumerate(targets):
        calls.append(await _ask(index, target, rendered, context))
        if calls[-1].reply is not None:
            break
    return calls


async def _ask_all(
    targets: Sequence[ModelTarget],
    rendered: Mapping[str, str | None],
    context: StepContext,
    concurrency: int,
) -> list[_Call]:
    if len(targets) == 1:
        return [await _ask(0, targets[0], rendered, context)]
    places = asyncio.Semaphore(concurrency)

    async def ask_in_place(index: int, target: ModelTarget) -> _Call:
        async with places:
            return await _ask(index, target, rendered, context)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(ask_in_place(*each)) for each in enumerate(targets)]
    return [task.result() for task in tasks]


async def _account(target: ModelTarget, context: StepContext) -> Account | None:
    if target.provider is ModelProvider.SIMULATOR:
        return None
    return await context.secrets.account(target.provider.value, target.credential_id)


async def _ask(
    index: int, target: ModelTarget, rendered: Mapping[str, str | None], context: StepContext
) -> _Call:
    provider = context.providers.get(target.provider)
    if provider is None:
        message = f"This server has no provider {target.provider}."
        return _Call(target, failure=StepFailed(message, "CREDENTIAL_MISSING"))
    request = ModelRequest(
        model=target.model,
        content=rendered["content"] or "",
        instructions=rendered["instructions"],
        parameters=target.parameters,
        idempotency_key=context.idempotency_key,
        attempt=context.attempt,
    )
    try:
        account = await _account(target, context)
        grown = partial(context.output.append, index)
        return _Call(target, reply=await provider.complete(request, account, grown))
    except StepFailed as failure:
        return _Call(target, failure=failure)


def _refuse_failures(config: PromptConfig, calls: Sequence[_Call], context: StepContext) -> None:
    failures = [call.failure for call in calls if call.failure is not None]
    has_answer = any(call.reply is not None for call in calls)
    may_go_on = (
        config.routing.mode is RoutingMode.FALLBACK
        or config.routing.on_error is ModelErrorPolicy.CONTINUE
    )
    if failures and not (has_answer and may_go_on):
        raise ModelsFailed(failures[0], _documents(calls, context))


def _done(calls: Sequence[_Call], context: StepContext) -> Done:
    replies = [call.reply for call in calls if call.reply is not None]
    output = _answer(next(call for call in calls if call.reply is not None))
    if len(calls) > 1:
        output["results"] = [_answer(call) for call in calls]
    costs = [_cost(reply) for reply in replies]
    return Done(
        output,
        input=context.shown.input,
        model_calls=_documents(calls, context),
        prompt_tokens=sum(reply.tokens.prompt for reply in replies),
        completion_tokens=sum(reply.tokens.completion for reply in replies),
        cost_micros=None if None in costs else sum(cost or 0 for cost in costs),
    )


def _answer(call: _Call) -> dict[str, Any]:
    reply = call.reply
    return {
        "text": reply.text if reply else None,
        "json": _json_answer(call.target, reply) if reply else None,
        "model": call.target.model,
        "finishReason": reply.finish_reason if reply else None,
    }


def _documents(calls: Sequence[_Call], context: StepContext) -> list[dict[str, Any]]:
    return [_document(call, context.attempt) for call in calls]


def _document(call: _Call, attempt: int) -> dict[str, Any]:
    reply = call.reply
    error: Reason | None = None if call.failure is None else reason_of(call.failure)
    return {
        "provider": call.target.provider.value,
        "model": call.target.model,
        "label": call.target.label,
        "attempt": attempt,
        "isSuccessful": reply is not None,
        "outputText": reply.text if reply else None,
        "finishReason": reply.finish_reason if reply else None,
        "latencyMs": reply.latency_ms if reply else 0,
        "promptTokens": reply.tokens.prompt if reply else 0,
        "completionTokens": reply.tokens.completion if reply else 0,
        "costMicros": _cost(reply) if reply else None,
        "error": error,
        "isSimulated": reply.is_simulated if reply else False,
    }


def _cost(reply: ModelReply) -> int | None:
    return 0 if reply.is_simulated else None


def _json_answer(target: ModelTarget, reply: ModelReply) -> Any:
    if target.parameters.get("responseFormat") not in {"JSON_OBJECT", "JSON_SCHEMA"}:
        return None
    try:
        return json.loads(reply.text)
    except ValueError:
        return {"text": reply.text}
