"""PROMPT: says something to one or more models, and chooses among their answers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any, Final

from promptpilot.engine.accounts import Account
from promptpilot.engine.prompt_rendering import RenderedPromptText, rendered
from promptpilot.engine.step_configs import (
    ModelErrorPolicy,
    ModelRouting,
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
from promptpilot.engine.steps.model_calls import Call, Document, ModelCalls, Target
from promptpilot.engine.structured import JSON_SCHEMA, check_schema
from promptpilot.engine.template import parse_template
from promptpilot.errors import InvariantBroken, StepFailed

CONFIG_INVALID: Final = "CONFIG_INVALID"


class PromptStep:
    """Asks the models in the configured way; the first success in order is the step's answer."""

    async def run(self, context: StepContext) -> Done:
        """Return `{"text", "json", "model", "finishReason"}` and, of several models, `results`.

        Raises `ModelsFailed` with the failure that decides when no model answered, or when one
        failed and the step is to abort then.
        """
        config = context.step.config
        assert isinstance(config, PromptConfig)  # noqa: S101 -- the registry pairs them
        _refuse_schemas(config)
        inputs = resolve_inputs(context)
        said = _said(config, scope_with(context, inputs), context)
        context.shown.input = {**inputs, **_shown(said)}
        models = ModelCalls(said, context)
        targets = [Target(*each) for each in enumerate(config.models) if not each[1].is_disabled]
        ask = _ask_in_turn if config.routing.mode is RoutingMode.FALLBACK else _ask_all
        calls = await ask(targets, models, config.routing)
        _refuse_failures(config.routing, calls)
        return _done(calls, context)


def _refuse_schemas(config: PromptConfig) -> None:
    """Raise `StepFailed` for a schema that no answer can be checked against."""
    for target in config.models:
        if target.is_disabled or target.parameters.get("responseFormat") != JSON_SCHEMA:
            continue
        if fault := check_schema(target.parameters.get("responseSchema")):
            message = f"The responseSchema of {target.model} cannot be used: {fault}."
            raise StepFailed(message, CONFIG_INVALID)


def _said(
    config: PromptConfig, scope: Mapping[str, Any], context: StepContext
) -> RenderedPromptText:
    """Return what the models are told. Instructions of the step go before those of the prompt."""
    own = config.instructions
    instructions = None if own is None else _text(own, scope, context)
    if config.content is not None:
        return RenderedPromptText(_text(config.content, scope, context), instructions, ())
    if context.prompt is None:
        raise InvariantBroken(f"The prompt of step {context.step.name!r} was not loaded.")
    if own is None:
        return rendered(context.prompt, scope, context.now)
    said = rendered(replace(context.prompt, instructions=None), scope, context.now)
    return replace(said, instructions=instructions)


def _text(source: str, scope: Mapping[str, Any], context: StepContext) -> str:
    return parse_template(source).render_text(scope, context.now)


def _shown(said: RenderedPromptText) -> dict[str, Any]:
    shown: dict[str, Any] = {"content": said.content, "instructions": said.instructions}
    if said.turns:
        shown["turns"] = [{"role": turn.role.value, "content": turn.content} for turn in said.turns]
    return shown


async def _ask_in_turn(
    targets: Sequence[Target], models: ModelCalls, routing: ModelRouting
) -> list[Call]:
    """Ask one model after the other until one answers."""
    calls: list[Call] = []
    for target in targets:
        calls.append(await models.earlier(target) or await _ask_one(target, models))
        if calls[-1].answer is not None:
            break
    return calls


async def _ask_one(target: Target, models: ModelCalls) -> Call:
    try:
        account = await models.account(target)
    except StepFailed as failure:
        return models.failed(target, failure)
    return await models.ask(target, account)


async def _ask_all(
    targets: Sequence[Target], models: ModelCalls, routing: ModelRouting
) -> list[Call]:
    """Ask every model that has not answered yet, so many at a time, and wait for all.

    If one cannot be reached for lack of a credential and the step is to abort then, nobody is
    asked.
    """
    known = {target.index: await models.earlier(target) for target in targets}
    accounts: dict[int, Account | None] = {}
    for target in targets:
        if known[target.index] is None:
            try:
                accounts[target.index] = await models.account(target)
            except StepFailed as failure:
                known[target.index] = models.failed(target, failure)
    asked = [target for target in targets if known[target.index] is None]
    is_hopeless = any(call and call.failure for call in known.values())
    if is_hopeless and routing.on_error is ModelErrorPolicy.ABORT:
        return [call for call in known.values() if call is not None]
    fresh = await _together(
        [partial(models.ask, target, accounts[target.index]) for target in asked],
        routing.concurrency,
    )
    found = {call.target.index: call for call in (*known.values(), *fresh) if call is not None}
    return [found[target.index] for target in targets]


async def _together(works: Sequence[Callable[[], Awaitable[Call]]], concurrency: int) -> list[Call]:
    """Return what comes of each work, in their order; at most so many are under way at once."""
    if len(works) == 1:
        return [await works[0]()]
    places = asyncio.Semaphore(concurrency)

    async def in_place(work: Callable[[], Awaitable[Call]]) -> Call:
        async with places:
            return await work()

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(in_place(work)) for work in works]
    return [task.result() for task in tasks]


def _refuse_failures(routing: ModelRouting, calls: Sequence[Call]) -> None:
    failures = [call.failure for call in calls if call.failure is not None]
    has_answer = any(call.answer is not None for call in calls)
    is_one_enough = (
        routing.mode is RoutingMode.FALLBACK or routing.on_error is ModelErrorPolicy.CONTINUE
    )
    if failures and not (has_answer and is_one_enough):
        raise ModelsFailed(
            _deciding(failures, calls, is_one_enough=is_one_enough), _documents(calls)
        )


def _deciding(
    failures: Sequence[StepFailed], calls: Sequence[Call], *, is_one_enough: bool
) -> StepFailed:
    """Return why the step failed: the first failure that says whether a retry may help.

    Where one answer is enough a retry may help as soon as it may with one model; otherwise it
    may only if it may with all that failed.
    """
    first = next((each for each in failures if each.is_retryable is is_one_enough), failures[0])
    if len(failures) == 1:
        return first
    others = [
        {"index": call.target.index, "model": call.target.model.model, "code": failure.error_code}
        for call in calls
        if (failure := call.failure) is not None
    ]
    return StepFailed(
        first.message,
        first.error_code,
        is_retryable=first.is_retryable,
        details={**first.details, "models": others},
        retry_after=_wait(failures, is_one_enough=is_one_enough),
        is_outcome_unknown=any(each.is_outcome_unknown for each in failures),
    )


def _wait(failures: Sequence[StepFailed], *, is_one_enough: bool) -> timedelta | None:
    """Return how long to wait at least: until one model may be asked again, or until all may."""
    waits = [each.retry_after or timedelta(0) for each in failures if each.is_retryable]
    wait = (min if is_one_enough else max)(waits, default=timedelta(0))
    return wait or None


def _done(calls: Sequence[Call], context: StepContext) -> Done:
    documents = _documents(calls)
    output = _output(next(call for call in calls if call.answer is not None))
    if len(calls) > 1:
        output["results"] = [_output(call) for call in calls]
    answered = [each for each in documents if each["outputText"] is not None]
    costs = [each["costMicros"] for each in answered]
    return Done(
        output,
        input=context.shown.input,
        model_calls=documents,
        prompt_tokens=sum(each["promptTokens"] for each in answered),
        completion_tokens=sum(each["completionTokens"] for each in answered),
        cost_micros=None if None in costs else sum(costs),
    )


def _output(call: Call) -> dict[str, Any]:
    answer = call.answer
    output = {
        "text": answer.text if answer else None,
        "json": answer.json if answer else None,
        "model": call.target.model.model,
        "finishReason": answer.finish_reason if answer else None,
    }
    if answer and answer.tool_calls:
        output["toolCalls"] = list(answer.tool_calls)
    return output


def _documents(calls: Sequence[Call]) -> list[Document]:
    return [call.document for call in calls if call.document is not None]
