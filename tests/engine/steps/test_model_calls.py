"""Proves how models are asked again: with which key and words, and who is not asked again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from promptpilot.engine.accounts import Account
from promptpilot.engine.definition import Step
from promptpilot.engine.prompt_texts import Role, Turn
from promptpilot.engine.providers.base import ModelReply, ModelRequest, TextSink, Tokens, ToolCall
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
from promptpilot.errors import StepFailed
from tests.support.contexts import context
from tests.support.senders import FakeSecrets

OBJECT = {"responseFormat": "JSON_OBJECT"}
CONTINUE = ModelRouting(on_error=ModelErrorPolicy.CONTINUE)
FALLBACK = ModelRouting(RoutingMode.FALLBACK)

Answer = str | ModelReply | StepFailed


@dataclass
class Vendor:
    """Answers each model as told, and remembers what was asked."""

    answers: Mapping[str, Answer]
    asked: list[ModelRequest] = field(default_factory=list)

    async def complete(
        self, request: ModelRequest, account: Account | None, on_text: TextSink
    ) -> ModelReply:
        """Answer the model's answer, or raise it."""
        self.asked.append(request)
        answer = self.answers[request.model]
        if isinstance(answer, StepFailed):
            raise answer
        reply = ModelReply(answer, tokens=Tokens(2, 1)) if isinstance(answer, str) else answer
        on_text(reply.text)
        return reply


@dataclass
class Accounts(FakeSecrets):
    """Has accounts but for models' providers that are named, and remembers refusals."""

    missing: frozenset[str] = frozenset()
    refusals: list[tuple[Account, str]] = field(default_factory=list)

    async def account(self, provider: str, credential_id: str | None) -> Account:
        """Return an account with the credential named."""
        if provider in self.missing:
            raise StepFailed(f"No key for {provider}.", "CREDENTIAL_MISSING")
        return Account("sk", credential_id=credential_id)

    async def refused(self, account: Account, words: str) -> None:
        """Remember it."""
        self.refusals.append((account, words))


@dataclass
class Watched:
    """Remembers what watchers saw."""

    seen: list[tuple[int, str]] = field(default_factory=list)

    def append(self, model_index: int, text: str) -> None:
        """Remember it."""
        self.seen.append((model_index, text))


def target(name: str, provider: ModelProvider = ModelProvider.OPENAI, **others: Any) -> ModelTarget:
    """Make a model to ask."""
    return ModelTarget(provider, name, credential_id=f"cr_{name}", **others)


def step(*targets: ModelTarget, routing: ModelRouting | None = None) -> Step:
    """Make a step that asks models."""
    return Step("a", PromptConfig(targets, content="Hi", routing=routing or ModelRouting()))


async def run(vendor: Vendor, asking: Step, earlier: Sequence[Any] = (), **others: Any) -> Done:
    """Run a step; after `earlier` calls it is its second attempt."""
    kinds = dict.fromkeys((ModelProvider.OPENAI, ModelProvider.GOOGLE), vendor)
    given = context(asking, providers=kinds, attempt=2 if earlier else 1)
    return await PromptStep().run(replace(given, earlier_calls=earlier, **others))


async def calls_of(vendor: Vendor, asking: Step, earlier: Sequence[Any] = ()) -> Sequence[Any]:
    """Return the calls of a run that fails."""
    with pytest.raises(ModelsFailed) as failure:
        await run(vendor, asking, earlier)
    return failure.value.model_calls


async def test_each_model_of_a_step_has_a_key_of_its_own() -> None:
    vendor = Vendor({"x": "1", "y": "2", "z": "3"})
    targets = [target("x"), replace(target("y"), is_disabled=True), target("z")]

    done = await run(vendor, step(*targets))

    assert [each.idempotency_key for each in vendor.asked] == ["key", "key:2"]
    assert [each["index"] for each in done.model_calls] == [0, 2]


async def test_who_answered_before_is_not_asked_again_nor_counted() -> None:
    no = StepFailed("Slow down.", "PROVIDER_RATE_LIMITED", is_retryable=True)
    both = step(target("x"), target("y"))
    earlier = await calls_of(Vendor({"x": "one", "y": no}), both)
    vendor, watched = Vendor({"y": "two"}), Watched()

    done = await run(vendor, both, earlier, output=watched)

    assert watched.seen == [(0, "one"), (1, "two")]
    assert [(each.model, each.idempotency_key) for each in vendor.asked] == [("y", "key:1")]
    assert [each["text"] for each in done.output["results"]] == ["one", "two"]
    assert [each["model"] for each in done.model_calls] == ["y"]
    assert done.prompt_tokens == 2


@pytest.mark.parametrize(
    "change",
    [{"isCut": True}, {"model": "other"}, {"index": None}, {"outputText": "no json"}],
    ids=["cut", "another model", "an old document", "not as asked"],
)
async def test_an_answer_that_cannot_stand_is_asked_for_again(change: dict[str, Any]) -> None:
    asking = step(target("x", parameters=OBJECT))
    done = await run(Vendor({"x": '{"a": 1}'}), asking)
    vendor = Vendor({"x": '{"a": 2}'})

    again = await run(vendor, asking, [{**done.model_calls[0], **change}])

    assert again.output["json"] == {"a": 2}


async def test_a_carried_answer_keeps_its_json_and_tool_calls() -> None:
    reply = ModelReply("", (ToolCall("c", "look", {"q": 1}),), "tool_calls")
    asking = step(target("x", parameters=OBJECT))
    done = await run(Vendor({"x": reply}), asking)

    again = await run(Vendor({}), asking, done.model_calls)

    assert again.output == done.output
    assert done.output["toolCalls"] == [{"id": "c", "name": "look", "arguments": {"q": 1}}]


async def test_an_answer_that_is_not_as_asked_fails_and_is_paid_for() -> None:
    asking = step(target("x", parameters=OBJECT))

    (call,) = await calls_of(Vendor({"x": "secret words"}), asking)

    assert (call["isSuccessful"], call["outputText"], call["promptTokens"]) == (
        False, "secret words", 2
    )  # fmt: skip
    assert call["error"] == {
        "code": "OUTPUT_INVALID",
        "message": "The answer of x is not as asked: there is no JSON in it.",
        "isRetryable": True,
        "details": {"errors": [{"path": "", "message": "there is no JSON in it"}]},
    }


async def test_a_call_whose_tokens_are_not_told_has_no_cost() -> None:
    reply = ModelReply("one", tokens=Tokens(are_told=False), warnings=("Not told.",))

    done = await run(Vendor({"gpt-4o": reply}), step(target("gpt-4o")))

    (call,) = done.model_calls
    assert (done.cost_micros, call["costMicros"], call["priceVersion"]) == (None, None, None)
    assert call["warnings"] == ["Not told."]


async def test_the_next_attempt_shows_the_model_what_was_wrong() -> None:
    asking = step(target("x", parameters=OBJECT))
    earlier = await calls_of(Vendor({"x": "no"}), asking)
    vendor = Vendor({"x": '{"a": 1}'})

    done = await run(vendor, asking, earlier)

    (request,) = vendor.asked
    assert request.turns == (Turn(Role.USER, "Hi"), Turn(Role.ASSISTANT, "no"))
    assert "- the answer: there is no JSON in it" in request.content
    assert request.idempotency_key == "key:repair"
    assert done.output["json"] == {"a": 1}


async def test_every_repair_has_its_own_key_and_the_newest_answer() -> None:
    asking = step(target("x", parameters=OBJECT))
    first = await calls_of(Vendor({"x": "one"}), asking)
    second = await calls_of(Vendor({"x": "two"}), asking, first)
    vendor = Vendor({"x": "{}"})

    await run(vendor, asking, [*first, *second])

    (request,) = vendor.asked
    assert (request.idempotency_key, request.turns[1].content) == ("key:repair:2", "two")


async def test_a_repair_after_a_failed_repair_says_the_same() -> None:
    asking = step(target("x", parameters=OBJECT))
    first = await calls_of(Vendor({"x": "one"}), asking)
    cut = StepFailed("Cut.", "NETWORK", is_retryable=True)
    second = await calls_of(lost := Vendor({"x": cut}), asking, first)
    vendor = Vendor({"x": "{}"})

    await run(vendor, asking, [*first, *second])

    assert vendor.asked[0] == lost.asked[0]


async def test_an_answer_without_words_is_not_shown_to_its_model() -> None:
    asking = step(target("x", parameters=OBJECT))
    earlier = await calls_of(Vendor({"x": " "}), asking)
    vendor = Vendor({"x": "{}"})

    await run(vendor, asking, earlier)

    assert vendor.asked[0].turns == ()
    assert vendor.asked[0].content.startswith("Hi\n\nYour answer is not the JSON")


async def test_an_answer_that_was_cut_off_says_so() -> None:
    reply = ModelReply('{"a": ', finish_reason="MAX_TOKENS")

    (call,) = await calls_of(Vendor({"x": reply}), step(target("x", parameters=OBJECT)))

    assert call["error"]["message"].endswith("It was cut off: raise `maxTokens`.")


async def test_a_long_answer_is_read_as_well() -> None:
    done = await run(
        Vendor({"x": '{"a": "' + "x" * 100_000 + '"}'}), step(target("x", parameters=OBJECT))
    )

    assert len(done.output["json"]["a"]) == 100_000


async def test_without_a_credential_nobody_is_asked_if_the_step_aborts() -> None:
    vendor = Vendor({"x": "one"})
    asking = step(target("x"), target("g", ModelProvider.GOOGLE))

    with pytest.raises(ModelsFailed) as failure:
        await run(vendor, asking, secrets=Accounts(missing=frozenset({"GOOGLE"})))

    assert vendor.asked == []
    assert failure.value.error_code == "CREDENTIAL_MISSING"
    assert [each["model"] for each in failure.value.model_calls] == ["g"]


@pytest.mark.parametrize("routing", [CONTINUE, FALLBACK], ids=["continue", "fallback"])
async def test_without_a_credential_others_may_answer(routing: ModelRouting) -> None:
    vendor = Vendor({"x": "one"})
    asking = step(target("g", ModelProvider.GOOGLE), target("x"), routing=routing)

    done = await run(vendor, asking, secrets=Accounts(missing=frozenset({"GOOGLE"})))

    assert done.output["text"] == "one"
    assert done.model_calls[0]["error"]["code"] == "CREDENTIAL_MISSING"


async def test_a_refused_account_is_noted() -> None:
    accounts = Accounts()
    vendor = Vendor({"x": StepFailed("Bad key.", "PROVIDER_AUTH")})

    with pytest.raises(ModelsFailed):
        await run(vendor, step(target("x")), secrets=accounts)

    assert accounts.refusals == [(Account("sk", credential_id="cr_x"), "Bad key.")]


async def test_watchers_see_the_answer_of_each_model() -> None:
    watched = Watched()

    await run(Vendor({"x": "1", "y": "2"}), step(target("x"), target("y")), output=watched)

    assert sorted(watched.seen) == [(0, "1"), (1, "2")]


async def test_calls_that_are_over_are_known_while_others_are_under_way() -> None:
    given = context(step(target("x")), providers={ModelProvider.OPENAI: Vendor({"x": "1"})})

    await PromptStep().run(given)

    assert [each["outputText"] for each in given.shown.model_calls] == ["1"]


@pytest.mark.parametrize(
    ("routing", "is_retryable"),
    [(ModelRouting(), False), (CONTINUE, True), (FALLBACK, True)],
    ids=["abort", "continue", "fallback"],
)
async def test_a_retry_helps_if_enough_models_may_answer_then(
    routing: ModelRouting, *, is_retryable: bool
) -> None:
    busy = StepFailed("Busy.", "PROVIDER_UNAVAILABLE", is_retryable=True)
    vendor = Vendor({"x": StepFailed("No.", "CONTENT_FILTERED"), "y": busy})

    with pytest.raises(ModelsFailed) as failure:
        await run(vendor, step(target("x"), target("y"), routing=routing))

    assert failure.value.is_retryable is is_retryable
    assert failure.value.details["models"] == [
        {"index": 0, "model": "x", "code": "CONTENT_FILTERED"},
        {"index": 1, "model": "y", "code": "PROVIDER_UNAVAILABLE"},
    ]


@pytest.mark.parametrize(
    ("routing", "seconds"),
    [(ModelRouting(), 9), (CONTINUE, 3)],
    ids=["until all may be asked", "until one may be asked"],
)
async def test_the_next_attempt_waits_for_the_models_that_it_needs(
    routing: ModelRouting, seconds: int
) -> None:
    busy = [
        StepFailed("Busy.", "X", is_retryable=True, retry_after=timedelta(seconds=each))
        for each in (3, 9)
    ]
    vendor = Vendor(dict(zip("xy", busy, strict=True)))

    with pytest.raises(ModelsFailed) as failure:
        await run(vendor, step(target("x"), target("y"), routing=routing))

    assert failure.value.retry_after == timedelta(seconds=seconds)


async def test_json_after_a_schema_is_checked_here() -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer", "maximum": 9}}}
    parameters = {"responseFormat": "JSON_SCHEMA", "responseSchema": schema}
    asking = step(target("x", parameters=parameters))

    done = await run(Vendor({"x": 'Sure: {"n": 7}'}), asking)
    (call,) = await calls_of(Vendor({"x": '{"n": 4711}'}), asking)

    assert done.output["json"] == {"n": 7}
    assert call["error"]["message"] == (
        "The answer of x is not as asked at /n: the value is greater than the maximum of 9."
    )
