"""Asks the models of a PROMPT step, each once in an attempt, and writes down what came of it.

Rules
    1. A model that answered in an earlier attempt of the step is not asked again: its answer
       stands, and is neither counted nor written down twice.
    2. A model whose answer was not the JSON that was asked for is told so in the next attempt.
    3. A repeated request has the same idempotency key; a request with other words has another.
    4. What is known of an answered call is kept, whatever becomes of the others.
    5. A character that cannot be stored becomes U+FFFD, and a warning of the call says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import Any, Final

from promptpilot.engine import reasons
from promptpilot.engine.accounts import Account
from promptpilot.engine.prompt_rendering import RenderedPromptText
from promptpilot.engine.prompt_texts import Role, Turn
from promptpilot.engine.providers.base import ModelReply, ModelRequest
from promptpilot.engine.step_configs import ModelProvider, ModelTarget
from promptpilot.engine.steps.base import StepContext
from promptpilot.engine.steps.storable_replies import storable
from promptpilot.engine.structured import NotAsAsked, read_json, repair_message
from promptpilot.errors import StepFailed

PROVIDER_AUTH: Final = "PROVIDER_AUTH"
_CREDENTIAL_MISSING = "CREDENTIAL_MISSING"
#: Longer answers are looked through in a thread, so that nobody else is held up.
_LONG = 64 * 1024
#: Why a model stopped, as providers say, when it had more to say.
_CUT_OFF: Final = frozenset({"length", "max_tokens", "max_output_tokens"})

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Target:
    """A model of a step that is asked, and its place in the step's list of models."""

    index: int
    model: ModelTarget


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model says, as its step's output shows it."""

    text: str
    json: Any = None
    finish_reason: str | None = None
    tool_calls: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True, slots=True)
class Call:
    """What came of one model: an answer of use or a failure. `document` is None if not asked."""

    target: Target
    answer: Answer | None = None
    failure: StepFailed | None = None
    document: Document | None = None


@dataclass(frozen=True, slots=True)
class _Asked:
    """One call under way: with which account, since when by the loop's clock, in seconds."""

    target: Target
    account: Account | None
    since: float = field(default_factory=lambda: asyncio.get_running_loop().time())

    @property
    def latency_ms(self) -> int:
        return round((asyncio.get_running_loop().time() - self.since) * 1000)


class ModelCalls:
    """Asks models the same thing in one attempt."""

    def __init__(self, said: RenderedPromptText, context: StepContext) -> None:
        self._said = said
        self._context = context

    async def account(self, target: Target) -> Account | None:
        """Return what to reach a model with; None if nothing is needed. Raises `StepFailed`."""
        model = target.model
        if model.provider not in self._context.providers:
            message = f"This server has no provider {model.provider}."
            raise StepFailed(message, _CREDENTIAL_MISSING)
        if model.provider is ModelProvider.SIMULATOR:
            return None
        return await self._context.secrets.account(model.provider.value, model.credential_id)

    async def earlier(self, target: Target) -> Call | None:
        """Return the answer that a model gave in an attempt before this one; None if none."""
        for stored in self._stored(target):
            text = stored.get("outputText")
            if stored["isSuccessful"] and text is not None and not stored.get("isCut"):
                calls = stored.get("toolCalls") or ()
                try:
                    value = await _read(text, calls, target.model)
                except NotAsAsked:
                    continue
                self._context.output.append(target.index, text)
                return Call(target, Answer(text, value, stored["finishReason"], calls))
        return None

    async def ask(self, target: Target, account: Account | None) -> Call:
        """Return what a model answered, or why it gave no answer of use."""
        asked = _Asked(target, account)
        provider = self._context.providers[target.model.provider]
        grown = partial(self._context.output.append, target.index)
        try:
            reply = storable(await provider.complete(self._request(target), account, grown))
        except StepFailed as failure:
            if failure.error_code == PROVIDER_AUTH and account is not None:
                await self._context.secrets.refused(account, failure.message)
            return self._kept(asked, None, None, failure)
        calls = [asdict(each) for each in reply.tool_calls]
        try:
            value = await _read(reply.text, calls, target.model)
        except NotAsAsked as fault:
            return self._kept(asked, reply, None, _not_as_asked(target, reply, fault))
        answer = Answer(reply.text, value, reply.finish_reason, calls)
        return self._kept(asked, reply, answer, None)

    def failed(self, target: Target, failure: StepFailed) -> Call:
        """Return a model that could not be asked, written down as a call that failed."""
        return self._kept(_Asked(target, None), None, None, failure)

    def _request(self, target: Target) -> ModelRequest:
        said, context = self._said, self._context
        request = ModelRequest(
            model=target.model.model,
            content=said.content,
            idempotency_key=_key(context.idempotency_key, target.index),
            attempt=context.attempt,
            instructions=said.instructions,
            turns=said.turns,
            parameters=target.model.parameters,
        )
        refused = [each for each in self._stored(target) if _is_refused(each)]
        return _repairing(request, refused) if refused else request

    def _stored(self, target: Target) -> list[Mapping[str, Any]]:
        """Return the calls of this model in the attempts before this one, oldest first."""
        model = target.model
        same = (target.index, model.provider.value, model.model)
        return [
            each
            for each in self._context.earlier_calls
            if (each.get("index"), each["provider"], each["model"]) == same
        ]

    def _kept(
        self,
        asked: _Asked,
        reply: ModelReply | None,
        answer: Answer | None,
        failure: StepFailed | None,
    ) -> Call:
        document = _document(asked, reply, failure, self._context)
        self._context.shown.model_calls.append(document)
        return Call(asked.target, answer, failure, document)


async def _read(text: str, calls: Sequence[Any], model: ModelTarget) -> Any:
    if calls and not text.strip():  # the model wants a tool called before it answers
        return None
    if len(text) > _LONG:
        return await asyncio.to_thread(read_json, text, model.parameters)
    return read_json(text, model.parameters)


def _not_as_asked(target: Target, reply: ModelReply, fault: NotAsAsked) -> StepFailed:
    first = fault.errors[0]
    place = f" at {first['path']}" if first["path"] else ""
    message = f"The answer of {target.model.model} is not as asked{place}: {first['message']}."
    if (reply.finish_reason or "").lower() in _CUT_OFF:
        message += " It was cut off: raise `maxTokens`."
    details = {"errors": fault.errors}
    return StepFailed(message, reasons.OUTPUT_INVALID, is_retryable=True, details=details)


def _key(key: str, index: int) -> str:
    return f"{key}:{index}" if index else key


def _is_refused(stored: Mapping[str, Any]) -> bool:
    """Whether an answer came that was not the JSON that was asked for."""
    error = stored.get("error") or {}
    return error.get("code") == reasons.OUTPUT_INVALID and stored.get("outputText") is not None


def _repairing(request: ModelRequest, refused: Sequence[Mapping[str, Any]]) -> ModelRequest:
    """Return the request that shows a model its newest answer and what is wrong with it."""
    newest, number = refused[-1], len(refused)
    suffix = ":repair" if number == 1 else f":repair:{number}"
    key = f"{request.idempotency_key}{suffix}"
    message = repair_message((newest["error"].get("details") or {}).get("errors") or [])
    said = newest["outputText"]
    if not said.strip():  # providers refuse a turn without words
        return replace(request, idempotency_key=key, content=f"{request.content}\n\n{message}")
    turns = (Turn(Role.USER, request.content), Turn(Role.ASSISTANT, said))
    return replace(request, idempotency_key=key, turns=(*request.turns, *turns), content=message)


def _document(
    asked: _Asked, reply: ModelReply | None, failure: StepFailed | None, context: StepContext
) -> Document:
    """Return the call as it is stored. Without a reply nothing is known of tokens and cost."""
    model = asked.target.model
    said = reply or ModelReply("", latency_ms=asked.latency_ms)
    cost = None if reply is None else _cost(reply, model, context)
    return {
        "index": asked.target.index,
        "provider": model.provider.value,
        "model": model.model,
        "label": model.label,
        "attempt": context.attempt,
        "isSuccessful": failure is None,
        "outputText": None if reply is None else reply.text,
        "finishReason": said.finish_reason,
        "toolCalls": [asdict(each) for each in said.tool_calls],
        "latencyMs": said.latency_ms,
        "firstTokenMs": said.first_token_ms,
        "promptTokens": said.tokens.prompt,
        "completionTokens": said.tokens.completion,
        "cachedTokens": said.tokens.cached,
        "cacheWriteTokens": said.tokens.cache_write,
        "reasoningTokens": said.tokens.reasoning,
        "costMicros": cost,
        "priceVersion": None if cost is None or said.is_simulated else context.prices.version,
        "requestId": said.request_id,
        "credentialId": None if asked.account is None else asked.account.credential_id,
        "warnings": [*said.warnings, *_unpriced(model, reply, cost)],
        "error": None if failure is None else reasons.reason_of(failure),
        "isSimulated": said.is_simulated,
    }


def _cost(reply: ModelReply, model: ModelTarget, context: StepContext) -> int | None:
    """Return micro-dollars; None if the model has no price, or its tokens are not known."""
    if reply.is_simulated:
        return 0
    if not reply.tokens.are_told:
        return None
    price = context.prices.price_of(model.provider, model.model)
    return None if price is None else price.micros(reply.tokens)


def _unpriced(model: ModelTarget, reply: ModelReply | None, cost: int | None) -> list[str]:
    if reply is None or cost is not None or not reply.tokens.are_told:
        return []
    name = f"{model.model} of {model.provider.value}"
    return [f"The price of {name} is not known; name it in the file PROMPTPILOT_PRICES_FILE."]
