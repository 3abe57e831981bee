"""Makes attempts at the steps of one claimed execution: does the work and judges what came of it.

Rules: an attempt ends with what may be stored, whatever the executor did: within its time, as
JSON of a bounded size, and without the secrets that were opened for it. No side effect begins
unless the lease surely holds.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Any, cast

import structlog

from promptpilot import ids
from promptpilot.clock import from_ms
from promptpilot.engine import reasons
from promptpilot.engine.accounts import Account
from promptpilot.engine.commits.items import Claimed
from promptpilot.engine.egress.messages import HttpRequest, HttpResponse
from promptpilot.engine.lease import Lease
from promptpilot.engine.ledger_rows import (
    NOTHING_LEFT,
    AttemptMark,
    Ended,
    Left,
    Place,
    Usage,
    output_text,
)
from promptpilot.engine.lifecycle import StepStatus
from promptpilot.engine.pins import read_pins
from promptpilot.engine.ports import AttemptOutput, HttpSender, OpenedSecrets, OutputPlace
from promptpilot.engine.providers.base import ModelReply, ModelRequest, Provider, TextSink
from promptpilot.engine.scope import Outcome, Progress
from promptpilot.engine.scrub import Scrubber
from promptpilot.engine.step_configs import StepType
from promptpilot.engine.steps.base import (
    Answer,
    Done,
    ModelsFailed,
    Resumable,
    StepContext,
    Waiting,
)
from promptpilot.engine.tools import Tools
from promptpilot.engine.unrelayed import Unrelayed
from promptpilot.errors import InvalidInput, LeaseLost, LimitExceeded, StepFailed

DEFAULT_STEP_TIMEOUT = timedelta(minutes=10)
#: Types of steps that do something outside.
_HAVE_EFFECTS = frozenset({StepType.PROMPT, StepType.WEBHOOK})

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Limit:
    """How long an attempt may take, and the code of an attempt that took longer."""

    seconds: float
    code: str


class Attempts:
    """Makes the attempts under one claim."""

    def __init__(self, claimed: Claimed, lease: Lease, tools: Tools) -> None:
        self._claimed = claimed
        self._lease = lease
        self._tools = tools
        self._in_hand: tuple[StepContext, OpenedSecrets] | None = None
        self._pins = read_pins(claimed.prompt_versions)
        self._http = _FencedHttp(tools.http, lease)
        self._providers = {
            kind: _FencedProvider(each, lease) for kind, each in tools.providers.items()
        }

    async def make(
        self,
        place: Place,
        mark: AttemptMark,
        progress: Progress,
        earlier_calls: Sequence[Mapping[str, Any]] = (),
    ) -> Ended | Waiting:
        """Do the work of a step. Raises `StepFailed`, whatever went wrong, or `LeaseLost`.

        `earlier_calls` are those of models in the attempts of this step before this one.
        """
        self._lease.check()
        secrets = self._tools.secrets(self._claimed.workspace_id)
        output = self._open_output(place, mark, secrets)
        context = replace(
            self._context(place, mark, progress, secrets),
            output=output,
            earlier_calls=earlier_calls,
        )
        self._in_hand = context, secrets
        try:
            with closing(output):
                result = await self._run(place, mark, context)
        except LeaseLost:
            raise
        except StepFailed as failure:
            raise _told(failure, context, Scrubber(secrets.revealed)) from None
        except (Exception, asyncio.CancelledError) as bug:
            if _is_cancelled():  # what else goes wrong then is no outcome of the step
                raise asyncio.CancelledError from None
            scrubber = Scrubber(secrets.revealed)
            raise _told(self._internal(place, bug, scrubber), context, scrubber) from bug
        scrubber = Scrubber(secrets.revealed)
        if isinstance(result, Waiting):
            return replace(result, input=scrubber.value(result.input))
        ending = partial(_ended, result, scrubber, is_outcome_unknown=self.has_effects(place))
        try:
            return await asyncio.to_thread(ending) if result.is_large else ending()
        except StepFailed as failure:
            raise _told(failure, context, scrubber) from failure

    def resume(
        self, place: Place, mark: AttemptMark, progress: Progress, answer: Answer | None
    ) -> Ended:
        """Return what came of a wait that is over. Raises `StepFailed`, whatever went wrong."""
        secrets = self._tools.secrets(self._claimed.workspace_id)
        executor = cast("Resumable", self._tools.executors[place.step.type])
        try:
            done = executor.resume(self._context(place, mark, progress, secrets), answer)
        except StepFailed:
            raise
        except Exception as bug:
            raise self._internal(place, bug, Scrubber(())) from bug
        return _ended(done, Scrubber(()))

    def cut_off(self) -> Left:
        """Return what is known of the attempt that was made last, and was cancelled."""
        if self._in_hand is None:
            return NOTHING_LEFT
        context, secrets = self._in_hand
        return _left(context, Scrubber(secrets.revealed))

    def has_effects(self, place: Place) -> bool:
        """Whether an attempt that was cut off may have done something outside."""
        return place.step.type in _HAVE_EFFECTS

    async def _run(self, place: Place, mark: AttemptMark, context: StepContext) -> Done | Waiting:
        allowed = self._limit(place, mark)
        limit = asyncio.timeout(allowed.seconds)
        try:
            async with limit:
                prompt = await self._tools.prompts.of_step(place.step, self._pins)
                told = context if prompt is None else replace(context, prompt=prompt)
                return await self._tools.executors[place.step.type].run(told)
        except TimeoutError:
            if not limit.expired():
                raise
        raise self._too_late(place, allowed)

    def _limit(self, place: Place, mark: AttemptMark) -> _Limit:
        own = place.step.timeout_seconds or DEFAULT_STEP_TIMEOUT.total_seconds()
        deadline = self._claimed.deadline_at
        if deadline is None or mark.started_at + own * 1000 <= deadline:
            return _Limit(own, reasons.STEP_TIMEOUT)
        left = max(0, deadline - mark.started_at) / 1000
        return _Limit(left, reasons.EXECUTION_TIMEOUT)

    def _too_late(self, place: Place, allowed: _Limit) -> StepFailed:
        is_step = allowed.code == reasons.STEP_TIMEOUT
        what = f"The step took longer than {allowed.seconds:g} seconds."
        return StepFailed(
            what if is_step else reasons.PAST_DEADLINE["message"],
            allowed.code,
            is_retryable=is_step,
            is_outcome_unknown=self.has_effects(place),
        )

    def _context(
        self, place: Place, mark: AttemptMark, progress: Progress, secrets: OpenedSecrets
    ) -> StepContext:
        return StepContext(
            step=place.step,
            scope=progress.scope(),
            now=from_ms(mark.started_at),
            attempt=mark.number,
            idempotency_key=ids.idempotency_key(self._claimed.id, place.path),
            providers=self._providers,
            http=self._http,
            secrets=secrets,
            prices=self._tools.prices,
        )

    def _open_output(
        self, place: Place, mark: AttemptMark, secrets: OpenedSecrets
    ) -> AttemptOutput:
        if place.step.type is not StepType.PROMPT:
            return Unrelayed()
        attempt = OutputPlace(self._claimed.id, place.path, mark.number)
        return self._tools.outputs.open(attempt, secrets)

    def _internal(self, place: Place, bug: BaseException, scrubber: Scrubber) -> StepFailed:
        reference = ids.new_reference()
        log.error(
            "step.broken",
            execution_id=self._claimed.id,
            step_name=place.step.name,
            reference=reference,
            exception=scrubber.text("".join(traceback.format_exception(bug))),
        )
        message = f"Internal error; the log has it under reference {reference}."
        is_unknown = self.has_effects(place)
        return StepFailed(message, reasons.INTERNAL, is_outcome_unknown=is_unknown)


class _FencedProvider:
    """A provider that is asked only while the lease surely holds.

    Since the step's own check other tasks had their turn, or the process may have been stopped.
    """

    def __init__(self, provider: Provider, lease: Lease) -> None:
        self._provider = provider
        self._lease = lease

    async def complete(
        self, request: ModelRequest, account: Account | None, on_text: TextSink
    ) -> ModelReply:
        """Return the model's answer. Raises `StepFailed`."""
        await self._lease.hold_or_hang()
        return await self._provider.complete(request, account, on_text)


class _FencedHttp:
    """Sends requests only while the lease surely holds."""

    def __init__(self, http: HttpSender, lease: Lease) -> None:
        self._http = http
        self._lease = lease

    async def send(self, request: HttpRequest) -> HttpResponse:
        """Return the answer. Raises `StepFailed`."""
        await self._lease.hold_or_hang()
        return await self._http.send(request)


def failed(failure: StepFailed) -> Ended:
    """Return what a failed attempt leaves behind."""
    calls = failure.model_calls if isinstance(failure, ModelsFailed) else ()
    outcome = Outcome(StepStatus.FAILED, error=reasons.reason_of(failure))
    return Ended(outcome, failure.shown_input, calls, _usage_of(calls))


def _left(context: StepContext, scrubber: Scrubber) -> Left:
    """Return what is known of an attempt in the middle of its work, without secrets."""
    calls = sorted(context.shown.model_calls, key=lambda call: call["index"])
    return Left(scrubber.value(context.shown.input), scrubber.value(calls), _usage_of(calls))


def _usage_of(calls: Sequence[dict[str, Any]]) -> Usage:
    """Return what the models that answered have cost, be their answers of use or not."""
    answered = [call for call in calls if call.get("outputText") is not None]
    costs = [call["costMicros"] for call in answered]
    return Usage(
        sum(call["promptTokens"] for call in answered),
        sum(call["completionTokens"] for call in answered),
        None if None in costs else sum(costs),
    )


def _is_cancelled() -> bool:
    """Whether this task was told to stop; a library may raise CancelledError on its own."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _ended(done: Done, scrubber: Scrubber, *, is_outcome_unknown: bool = False) -> Ended:
    """Return what a step leaves behind. Raises `StepFailed` for an output that cannot be stored."""
    output = scrubber.value(done.output)
    usage = Usage(done.prompt_tokens, done.completion_tokens, done.cost_micros)
    return Ended(
        Outcome(StepStatus.COMPLETED, output=output),
        scrubber.value(done.input),
        scrubber.value(list(done.model_calls)),
        usage,
        _stored_text(output, is_outcome_unknown=is_outcome_unknown),
    )


def _stored_text(output: Any, *, is_outcome_unknown: bool) -> str:
    try:
        return output_text(output)
    except InvalidInput as fault:
        raise StepFailed(
            fault.message,
            reasons.OUTPUT_INVALID,
            is_retryable=True,
            is_outcome_unknown=is_outcome_unknown,
        ) from fault
    except LimitExceeded as fault:
        raise StepFailed(fault.message, reasons.OUTPUT_TOO_LARGE) from fault


def _told(failure: StepFailed, context: StepContext, scrubber: Scrubber) -> StepFailed:
    """Return the failure with what readers see of the attempt, without secrets."""
    if not isinstance(failure, ModelsFailed) and (calls := context.shown.model_calls):
        failure = ModelsFailed(failure, sorted(calls, key=lambda call: call["index"]))
    told = _scrubbed(failure, scrubber)
    told.shown_input = scrubber.value(context.shown.input)
    return told


def _scrubbed(failure: StepFailed, scrubber: Scrubber) -> StepFailed:
    """Return the failure without the secrets that were opened for its attempt."""
    if scrubber.is_empty:
        return failure
    clean = StepFailed(
        scrubber.text(failure.message),
        failure.error_code,
        is_retryable=failure.is_retryable,
        details=scrubber.value(failure.details),
        retry_after=failure.retry_after,
        is_outcome_unknown=failure.is_outcome_unknown,
    )
    if isinstance(failure, ModelsFailed):
        return ModelsFailed(clean, scrubber.value(list(failure.model_calls)))
    return clean
