"""Proves how a PROMPT asks its models, and what it makes of their answers and failures."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptpilot.engine.accounts import Account
from promptpilot.engine.definition import Step
from promptpilot.engine.prices import Price, PriceTable, Rates
from promptpilot.engine.prompt_texts import PromptText, PromptVariable, Role, Turn
from promptpilot.engine.providers.base import ModelReply, ModelRequest, TextSink, Tokens
from promptpilot.engine.step_configs import (
    ModelErrorPolicy,
    ModelProvider,
    ModelRouting,
    ModelTarget,
    PromptConfig,
    RoutingMode,
)
from promptpilot.engine.steps.base import Done, ModelsFailed
from promptpilot.engine.steps.prompt import PromptStep
from promptpilot.errors import InvariantBroken, StepFailed
from tests.support.contexts import context

#: Ten tokens sent and one received cost five micro-dollars.
RATES = Rates(Decimal("0.4"), Decimal(1), Decimal(0), Decimal(0))
PRICES = PriceTable("t1", {(ModelProvider.OPENAI, name): Price(RATES) for name in "mxyz"})
FALLBACK = ModelRouting(RoutingMode.FALLBACK)
CONTINUE = ModelRouting(on_error=ModelErrorPolicy.CONTINUE)


@dataclass
class Models:
    """Models called `bad…` fail and `broken` has a bug; what was asked is remembered."""

    asked: list[ModelRequest] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0

    async def complete(
        self, request: ModelRequest, account: Account | None, on_text: TextSink
    ) -> ModelReply:
        """Answer with the model's name."""
        self.asked.append(request)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        for _ in range(3):
            await asyncio.sleep(0)
        self.at_once -= 1
        if request.model.startswith("bad"):
            raise StepFailed(f"{request.model} failed.", "NETWORK", is_retryable=True)
        if request.model == "broken":
            raise ZeroDivisionError
        return ModelReply(
            text=request.model,
            finish_reason="stop",
            tokens=Tokens(10, 1),
            latency_ms=7,
            first_token_ms=2,
            request_id=f"r-{request.model}",
        )


@pytest.fixture
def models() -> Models:
    """Give the provider."""
    return Models()


def asking(*names: str, **others: Any) -> Step:
    """Make a step that asks models by name."""
    targets = tuple(ModelTarget(ModelProvider.OPENAI, name, label=f"l-{name}") for name in names)
    return Step("a", PromptConfig(targets, **{"content": "Hi {{ n }}", **others}))


async def ask(models: Models, step: Step, attempt: int = 1) -> Done:
    """Run the step."""
    providers = {ModelProvider.OPENAI: models}
    given = context(step, providers=providers, attempt=attempt, n="Ada")
    return await PromptStep().run(replace(given, prices=PRICES))


async def test_a_model_is_asked_what_the_template_says(models: Models) -> None:
    step = replace(asking("m", instructions="{{ i }}"), inputs={"i": "'Be brief.'"})

    done = await ask(models, step, attempt=2)

    (request,) = models.asked
    assert (request.content, request.instructions) == ("Hi Ada", "Be brief.")
    assert (request.model, request.idempotency_key, request.attempt) == ("m", "key", 2)
    assert done.input == {"i": "Be brief.", "content": "Hi Ada", "instructions": "Be brief."}


async def test_one_answer_is_the_output(models: Models) -> None:
    done = await ask(models, asking("m"))

    assert done.output == {"text": "m", "json": None, "model": "m", "finishReason": "stop"}
    assert (done.prompt_tokens, done.completion_tokens, done.cost_micros) == (10, 1, 5)


async def test_every_call_is_documented(models: Models) -> None:
    (call,) = (await ask(models, asking("m"), attempt=3)).model_calls

    assert call == {
        "index": 0, "provider": "OPENAI", "model": "m", "label": "l-m", "attempt": 3,
        "isSuccessful": True, "outputText": "m", "finishReason": "stop", "toolCalls": [],
        "latencyMs": 7, "firstTokenMs": 2, "promptTokens": 10, "completionTokens": 1,
        "cachedTokens": 0, "cacheWriteTokens": 0, "reasoningTokens": 0, "costMicros": 5,
        "priceVersion": "t1", "requestId": "r-m", "credentialId": "cr_1", "warnings": [],
        "error": None, "isSimulated": False,
    }  # fmt: skip


async def test_parallel_models_all_answer_and_the_first_in_order_counts(models: Models) -> None:
    done = await ask(models, asking("x", "y", "z"))

    assert done.output["text"] == "x"
    assert [each["text"] for each in done.output["results"]] == ["x", "y", "z"]
    assert (done.prompt_tokens, done.cost_micros) == (30, 15)


async def test_no_more_models_than_told_are_asked_at_once(models: Models) -> None:
    await ask(models, asking(*"abcdef", routing=ModelRouting(concurrency=2)))

    assert (len(models.asked), models.most_at_once) == (6, 2)


async def test_parallel_models_abort_with_the_first_failure(models: Models) -> None:
    with pytest.raises(ModelsFailed) as failure:
        await ask(models, asking("x", "bad1", "bad2"))

    assert failure.value.message == "bad1 failed."
    assert failure.value.is_retryable
    assert [call["isSuccessful"] for call in failure.value.model_calls] == [True, False, False]
    assert failure.value.model_calls[1]["error"]["code"] == "NETWORK"


async def test_parallel_models_may_go_on_without_those_that_failed(models: Models) -> None:
    done = await ask(models, asking("bad", "x", routing=CONTINUE))

    assert done.output["text"] == "x"
    assert [each["text"] for each in done.output["results"]] == [None, "x"]
    assert [call["costMicros"] for call in done.model_calls] == [None, 5]


@pytest.mark.parametrize("routing", [FALLBACK, CONTINUE], ids=["fallback", "continue"])
async def test_without_any_answer_the_step_fails(models: Models, routing: ModelRouting) -> None:
    with pytest.raises(ModelsFailed) as failure:
        await ask(models, asking("bad1", "bad2", routing=routing))

    assert failure.value.message == "bad1 failed."
    assert len(failure.value.model_calls) == 2


async def test_fallback_asks_the_next_model_only_after_a_failure(models: Models) -> None:
    done = await ask(models, asking("bad", "x", "y", routing=FALLBACK))

    assert [request.model for request in models.asked] == ["bad", "x"]
    assert done.output["text"] == "x"
    assert [each["model"] for each in done.output["results"]] == ["bad", "x"]


async def test_a_disabled_model_is_not_asked(models: Models) -> None:
    step = asking("x", "y")
    assert isinstance(step.config, PromptConfig)
    first, second = step.config.models
    targets = (replace(first, is_disabled=True), second)

    done = await ask(models, replace(step, config=replace(step.config, models=targets)))

    assert done.output["text"] == "y"
    assert "results" not in done.output


async def test_a_cost_that_is_unknown_makes_the_sum_unknown(models: Models) -> None:
    done = await ask(models, asking("x", "priceless"))

    assert done.cost_micros is None
    assert [call["costMicros"] for call in done.model_calls] == [5, None]
    assert "price of priceless of OPENAI is not known" in done.model_calls[1]["warnings"][0]


async def test_a_provider_that_this_server_lacks_is_a_failed_call() -> None:
    with pytest.raises(StepFailed, match="no provider OPENAI") as failure:
        await PromptStep().run(context(asking("m"), n="Ada"))

    assert (failure.value.error_code, failure.value.is_retryable) == ("CREDENTIAL_MISSING", False)


async def test_a_template_without_its_value_asks_nobody(models: Models) -> None:
    with pytest.raises(StepFailed) as failure:
        await ask(models, asking("m", content="{{ nobody }}"))

    assert failure.value.error_code == "TEMPLATE_UNRESOLVED"
    assert models.asked == []


@pytest.mark.parametrize("names", [["broken"], ["x", "broken"]], ids=["alone", "beside another"])
async def test_a_bug_of_a_provider_is_no_failed_call(models: Models, names: list[str]) -> None:
    with pytest.raises((ZeroDivisionError, ExceptionGroup)):
        await ask(models, asking(*names, routing=CONTINUE))


@given(st.permutations(range(5)), st.sets(st.integers(0, 4), max_size=4))
def test_answers_keep_their_order_whoever_is_first(order: list[int], bad: set[int]) -> None:
    names = [f"bad{each}" if each in bad else f"x{each}" for each in range(5)]

    done = asyncio.run(ask_in_order(names, order))

    good = [None if each in bad else names[each] for each in range(5)]
    assert [each["text"] for each in done.output["results"]] == good
    assert done.output["text"] == next(each for each in good if each)
    assert [call["model"] for call in done.model_calls] == names


async def ask_in_order(names: list[str], order: list[int]) -> Done:
    """Ask models that answer in an order of their own."""
    turns = [asyncio.Event() for _ in names]
    waiting = InTurn(turns=dict(zip(names, turns, strict=True)))
    step = asking(*names, routing=CONTINUE)
    asked = asyncio.create_task(ask(waiting, step))
    for place in order:
        turns[place].set()
        await asyncio.sleep(0)
    return await asked


@dataclass
class InTurn(Models):
    """Models that answer when it is their turn."""

    turns: dict[str, asyncio.Event] = field(default_factory=dict)

    async def complete(
        self, request: ModelRequest, account: Account | None, on_text: TextSink
    ) -> ModelReply:
        """Wait, then answer."""
        await self.turns[request.model].wait()
        return await super().complete(request, account, on_text)


STORED = PromptText(
    "Ask {{ topic }}.",
    "Be {{ tone }}.",
    (Turn(Role.USER, "Hi {{ topic }}"), Turn(Role.ASSISTANT, "Yes?")),
    (PromptVariable("topic"), PromptVariable("tone", default="brief")),
)


async def ask_stored(models: Models, **others: Any) -> Done:
    """Run a step with a stored prompt."""
    step = replace(asking("m", content=None, prompt_id="pr_1", **others), inputs={"topic": "'Ada'"})
    given = context(step, providers={ModelProvider.OPENAI: models}, n="tide")
    return await PromptStep().run(replace(given, prompt=STORED))


async def test_a_stored_prompt_is_said_with_the_values_of_the_step(models: Models) -> None:
    done = await ask_stored(models)

    (request,) = models.asked
    assert (request.content, request.instructions) == ("Ask Ada.", "Be brief.")
    assert request.turns == (Turn(Role.USER, "Hi Ada"), Turn(Role.ASSISTANT, "Yes?"))
    assert done.input["turns"][1] == {"role": "ASSISTANT", "content": "Yes?"}


async def test_instructions_of_the_step_go_before_those_of_the_prompt(models: Models) -> None:
    await ask_stored(models, instructions="Shout {{ n }}.")

    assert models.asked[0].instructions == "Shout tide."


async def test_a_prompt_that_was_not_loaded_is_a_bug(models: Models) -> None:
    with pytest.raises(InvariantBroken):
        await ask(models, asking("m", content=None, prompt_id="pr_1"))


@pytest.mark.parametrize("schema", [None, {"type": "thing"}])
async def test_a_schema_that_cannot_be_used_asks_nobody(models: Models, schema: Any) -> None:
    parameters = {"responseFormat": "JSON_SCHEMA", "responseSchema": schema}
    step = asking("m")
    assert isinstance(step.config, PromptConfig)
    targets = tuple(replace(each, parameters=parameters) for each in step.config.models)

    with pytest.raises(StepFailed) as failure:
        await ask(models, replace(step, config=replace(step.config, models=targets)))

    assert failure.value.error_code == "CONFIG_INVALID"
    assert models.asked == []
