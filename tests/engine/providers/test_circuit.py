"""Proves when a provider is left alone, for whom, and how it is found out that it works again."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from promptpilot.engine.accounts import Account
from promptpilot.engine.providers.base import ModelReply, ModelRequest, TextSink
from promptpilot.engine.providers.circuit import (
    FAILURES_TO_OPEN,
    OPEN_FOR,
    WITHIN,
    CircuitProvider,
    Circuits,
)
from promptpilot.engine.step_configs import ModelProvider
from promptpilot.errors import StepFailed
from tests.support.clock import ManualClock

REQUEST = ModelRequest("a-model", "Hello", "key-1")
FIRST = Account("sk-1", "https://one.example/v1", "cred-1")


class Flaky:
    """A provider that fails with a code for as long as it has one, and counts its calls."""

    def __init__(self) -> None:
        self.code: str | None = "PROVIDER_UNAVAILABLE"
        self.calls = 0

    async def complete(
        self, request: ModelRequest, account: Account | None, on_text: TextSink
    ) -> ModelReply:
        """Answer or fail."""
        self.calls += 1
        if self.code == "HANG":
            await asyncio.Event().wait()
        if self.code:
            raise StepFailed("no", self.code, is_retryable=True)
        return ModelReply("yes")


@pytest.fixture
def clock() -> ManualClock:
    """Give a clock that the test moves."""
    return ManualClock()


@pytest.fixture
def flaky() -> Flaky:
    """Give a provider that fails."""
    return Flaky()


@pytest.fixture
def guarded(flaky: Flaky, clock: ManualClock) -> CircuitProvider:
    """Give the same provider behind its circuits."""
    return CircuitProvider(ModelProvider.OPENAI, flaky, Circuits(clock))


async def code_of(
    guarded: CircuitProvider, account: Account | None = FIRST, times: int = 1
) -> str | None:
    """Ask so many times and return the code of the last failure, None for an answer."""
    code = None
    for _ in range(times):
        try:
            await guarded.complete(REQUEST, account, lambda _: None)
        except StepFailed as failure:
            is_open = failure.details.get("isCircuitOpen")
            code = "OPEN" if is_open else failure.error_code
        else:
            code = None
    return code


@pytest.mark.parametrize("code", ["PROVIDER_UNAVAILABLE", "PROVIDER_TIMEOUT", "NETWORK"])
async def test_failures_in_a_row_open_the_circuit(
    guarded: CircuitProvider, flaky: Flaky, code: str
) -> None:
    flaky.code = code

    assert await code_of(guarded, times=FAILURES_TO_OPEN) == code
    assert await code_of(guarded) == "OPEN"
    assert flaky.calls == FAILURES_TO_OPEN


@pytest.mark.parametrize(
    "code", ["PROVIDER_RATE_LIMITED", "PROVIDER_AUTH", "PROVIDER_BAD_REQUEST", "OUTPUT_INVALID"]
)
async def test_refusals_never_open_it(guarded: CircuitProvider, flaky: Flaky, code: str) -> None:
    flaky.code = code

    assert await code_of(guarded, times=3 * FAILURES_TO_OPEN) == code
    assert flaky.calls == 3 * FAILURES_TO_OPEN


async def test_failures_that_are_far_apart_do_not_open_it(
    guarded: CircuitProvider, flaky: Flaky, clock: ManualClock
) -> None:
    for _ in range(3 * FAILURES_TO_OPEN):
        clock.move(seconds=WITHIN.total_seconds() / (FAILURES_TO_OPEN - 1) + 1)
        assert await code_of(guarded) == "PROVIDER_UNAVAILABLE"


async def test_an_answer_forgets_the_failures_before_it(
    guarded: CircuitProvider, flaky: Flaky
) -> None:
    await code_of(guarded, times=FAILURES_TO_OPEN - 1)
    flaky.code = None
    await code_of(guarded)
    flaky.code = "NETWORK"

    assert await code_of(guarded, times=FAILURES_TO_OPEN) == "NETWORK"


async def test_an_open_circuit_says_when_to_come_again(
    guarded: CircuitProvider, clock: ManualClock
) -> None:
    await code_of(guarded, times=FAILURES_TO_OPEN)
    clock.move(seconds=10)

    with pytest.raises(StepFailed) as caught:
        await guarded.complete(REQUEST, FIRST, lambda _: None)

    assert caught.value.error_code == "PROVIDER_UNAVAILABLE"
    assert caught.value.is_retryable
    assert not caught.value.is_outcome_unknown
    assert caught.value.retry_after == OPEN_FOR - timedelta(seconds=10)


async def test_one_call_finds_out_that_the_provider_works_again(
    guarded: CircuitProvider, flaky: Flaky, clock: ManualClock
) -> None:
    await code_of(guarded, times=FAILURES_TO_OPEN)
    clock.move(seconds=OPEN_FOR.total_seconds())
    flaky.code = None

    assert await code_of(guarded, times=10) is None
    assert flaky.calls == FAILURES_TO_OPEN + 10


async def test_one_failure_after_the_wait_opens_it_again(
    guarded: CircuitProvider, flaky: Flaky, clock: ManualClock
) -> None:
    await code_of(guarded, times=FAILURES_TO_OPEN)
    clock.move(seconds=OPEN_FOR.total_seconds())

    assert await code_of(guarded) == "PROVIDER_UNAVAILABLE"
    assert await code_of(guarded) == "OPEN"


async def test_while_one_call_finds_out_the_others_wait(
    guarded: CircuitProvider, flaky: Flaky, clock: ManualClock
) -> None:
    await code_of(guarded, times=FAILURES_TO_OPEN)
    clock.move(seconds=OPEN_FOR.total_seconds())
    flaky.code = "HANG"
    probe = asyncio.create_task(code_of(guarded))
    while flaky.calls == FAILURES_TO_OPEN:
        await asyncio.wait([probe], timeout=0)

    others = await code_of(guarded)

    probe.cancel()
    await asyncio.wait([probe])
    flaky.code = None
    assert others == "OPEN"
    assert await code_of(guarded) is None


@pytest.mark.parametrize(
    "other",
    [
        None,
        Account("sk-2", "https://one.example/v1", "cred-2"),
        Account("sk-1", "https://two.example/v1", "cred-1"),
        Account("sk-1", "https://one.example/v1"),
    ],
)
async def test_other_accounts_and_addresses_have_circuits_of_their_own(
    guarded: CircuitProvider, flaky: Flaky, other: Account | None
) -> None:
    await code_of(guarded, times=FAILURES_TO_OPEN)
    flaky.code = None

    assert await code_of(guarded, other) is None
    assert await code_of(guarded) == "OPEN"
