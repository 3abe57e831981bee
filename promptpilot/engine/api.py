"""The Engine: everything that the edges (GraphQL, REST, the command line) may ask for.

Rules: a verb stores what it promises before it returns; bells ring after its transaction has
closed, and only here. Reads go to the tables, by (id, workspace_id) in one query.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from promptpilot.clock import Clock
from promptpilot.engine.access import SignedIn
from promptpilot.engine.drafts import TriggerChange, TriggerDraft, WorkflowChange, WorkflowDraft
from promptpilot.engine.execution_feed import ExecutionFeed
from promptpilot.engine.feed import EventReads
from promptpilot.engine.launch import Launched
from promptpilot.engine.parts import EngineSettings, Parts
from promptpilot.engine.ports import Feed, Waker
from promptpilot.engine.principal import Principal, Scope, needs
from promptpilot.engine.repeats import RepeatRequest
from promptpilot.engine.shared_reads import new_turns
from promptpilot.engine.start import StartRequest, start
from promptpilot.engine.triggers.by_hand import RunRequest, run_by_hand
from promptpilot.engine.triggers.calls import Accepted, Call
from promptpilot.engine.triggers.events import Dispatched, EventDraft
from promptpilot.engine.triggers.keyed import KeyedCall
from promptpilot.errors import PermissionDenied
from promptpilot.models import AccessToken, DeadLetter, SigningSecret, Trigger, Workflow
from promptpilot.models.database import Database

__all__ = [
    "Accepted",
    "Dispatched",
    "Engine",
    "EngineSettings",
    "EventDraft",
    "Launched",
    "SignedIn",
]


class Engine:
    """The verbs, each for a Principal, and each with its own transaction."""

    def __init__(
        self,
        *,
        database: Database,
        clock: Clock,
        waker: Waker,
        feed: Feed,
        parts: Parts,
        settings: EngineSettings,
    ) -> None:
        self.database = database
        self.clock = clock
        self.feed = feed
        turns = new_turns()
        self.event_reads = EventReads(turns)
        self.execution_feed = ExecutionFeed(database, feed, clock, turns)
        self.outputs = parts.outputs
        self.settings = settings
        self.parts = parts
        self.prompts = parts.prompts
        self.credentials = parts.credentials
        self.endpoints = parts.endpoints
        self.previews = parts.previews
        self._waker = waker

    # Who calls

    async def register(
        self, email: str, password: str, name: str | None = None, address: str | None = None
    ) -> SignedIn:
        """Make an account with a personal workspace, and sign in.

        Raises PermissionDenied when registration is closed, InvalidInput for an e-mail, password
        or name that cannot be, NotUnique (`input.email`) when the e-mail is taken, and
        LimitExceeded after too many from one network address.
        """
        if not self.settings.registration_open:
            raise PermissionDenied("Registration is closed; ask the operator for an account.")
        return await self.parts.access.register(email, password, name, address)

    async def login(self, email: str, password: str, address: str | None = None) -> SignedIn:
        """Sign in. Raise BadCredentials, alike for known and unknown users, or LimitExceeded."""
        return await self.parts.access.login(email, password, address)

    async def refresh_session(self, refresh_token: str) -> SignedIn:
        """Exchange a refresh token for fresh tokens, once. Raise BadCredentials."""
        return await self.parts.access.refresh(refresh_token)

    async def end_sessions(self, principal: Principal, *, everywhere: bool = False) -> int:
        """End the caller's session, or all of them; return how many. Their tokens end at once."""
        return await self.parts.access.end_sessions(principal, everywhere=everywhere)

    async def identify(self, bearer: str) -> Principal:
        """Return who `bearer` (a session token or an access token) proves.

        Raises Unauthenticated when it proves nobody, is revoked or has expired.
        """
        return await self.parts.access.identify(bearer)

    @needs(Scope.ACCESS)
    async def create_access_token(
        self,
        principal: Principal,
        label: str,
        expires_at: datetime | None = None,
        scopes: Sequence[Scope] | None = None,
    ) -> tuple[AccessToken, str]:
        """Make a token for programs; return it and its text, which is not stored.

        Raises InvalidInput for a label that cannot be and an instant that has passed, and
        PermissionDenied for scopes that the caller does not have.
        """
        return await self.parts.access.create_token(principal, label, expires_at, scopes)

    @needs(Scope.ACCESS)
    async def revoke_access_token(self, principal: Principal, id: str) -> AccessToken:
        """End a token at once; may be called twice. Raise NotFound."""
        return await self.parts.access.revoke_token(principal, id)

    # Workflows

    @needs(Scope.WRITE)
    async def create_workflow(self, principal: Principal, draft: WorkflowDraft) -> Workflow:
        """Store a workflow with its first version. Raise InvalidInput or InvalidMany."""
        return await self.parts.workflows.create(principal, draft)

    @needs(Scope.WRITE)
    async def update_workflow(self, principal: Principal, change: WorkflowChange) -> Workflow:
        """Change a workflow; executions that run keep the version they started with.

        Raises NotFound, Conflict (another revision than expected), InvalidInput or InvalidMany.
        """
        return await self.parts.workflows.update(principal, change)

    @needs(Scope.WRITE)
    async def duplicate_workflow(
        self, principal: Principal, id: str, name: str | None = None
    ) -> Workflow:
        """Copy a workflow with steps and variables, without triggers. Raise NotFound."""
        return await self.parts.workflows.duplicate(principal, id, name)

    @needs(Scope.WRITE)
    async def delete_workflow(
        self, principal: Principal, id: str, *, cancel_running: bool = False
    ) -> str:
        """Delete a workflow with its triggers; return its id. Its executions stay readable.

        Raises NotFound, and InvalidStatus when executions are unfinished and `cancel_running` is
        False. Otherwise they are cancelled.
        """
        cancelled = await self.parts.workflows.delete(principal, id, cancel_running=cancel_running)
        for execution_id in cancelled:
            self.feed.ring(execution_id, principal.workspace_id)
        return id

    # Triggers

    @needs(Scope.WRITE)
    async def create_trigger(
        self, principal: Principal, draft: TriggerDraft
    ) -> tuple[Trigger, str | None]:
        """Store a trigger; return it and, for a WEBHOOK, its secret, which is shown this once.

        Raises NotFound for the workflow, InvalidInput or InvalidMany.
        """
        return await self.parts.triggers.create(principal, draft)

    @needs(Scope.WRITE)
    async def update_trigger(
        self, principal: Principal, change: TriggerChange
    ) -> tuple[Trigger, str | None]:
        """Change a trigger; return it and its secret if it got a new one.

        Raises NotFound, Conflict (another revision than expected), InvalidInput or InvalidMany.
        """
        return await self.parts.triggers.update(principal, change)

    @needs(Scope.SECRETS)
    async def rotate_trigger_secret(
        self, principal: Principal, id: str, grace_seconds: int = 86_400
    ) -> tuple[Trigger, str]:
        """Give a WEBHOOK trigger a new secret; the old one works for `grace_seconds` more.

        Raises NotFound, and InvalidInput for a trigger without a secret or a wrong grace.
        """
        return await self.parts.triggers.rotate_secret(principal, id, grace_seconds)

    @needs(Scope.WRITE)
    async def delete_trigger(self, principal: Principal, id: str) -> str:
        """Delete a trigger; return its id. Its firings and executions stay. Raise NotFound."""
        return await self.parts.triggers.delete(principal, id)

    # Executions

    @needs(Scope.RUN)
    async def start_execution(
        self,
        principal: Principal,
        workflow_id: str,
        input: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
        start_at: datetime | None = None,
    ) -> Launched:
        """Start a workflow, active or not; the execution is stored before this returns.

        Raises NotFound, InvalidInput, InvalidMany, LimitExceeded, IdempotencyMismatch; then
        nothing was stored.
        """
        request = StartRequest(
            workflow_id, {} if input is None else input, idempotency_key, start_at
        )
        return self._rung(await start(self.parts.launcher, principal, request))

    @needs(Scope.RUN)
    async def run_trigger(
        self,
        principal: Principal,
        trigger_id: str,
        input: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
    ) -> Launched:
        """Fire a trigger by hand, active or not, whatever its type; records a firing.

        Raises NotFound, InvalidInput, InvalidMany, LimitExceeded, IdempotencyMismatch; then no
        execution was stored.
        """
        request = RunRequest(trigger_id, {} if input is None else input, idempotency_key)
        return self._rung(await run_by_hand(self.database, self.parts.launcher, principal, request))

    @needs(Scope.RUN)
    async def cancel_execution(
        self, principal: Principal, id: str, reason: str | None = None
    ) -> None:
        """Stop an execution. Raise NotFound, and InvalidStatus when it is final."""
        await self.parts.control.cancel(principal.workspace_id, id, reason)
        self.feed.ring(id, principal.workspace_id)

    @needs(Scope.RUN)
    async def pause_execution(self, principal: Principal, id: str) -> None:
        """Hold an execution at its next step boundary; again changes nothing.

        Raises NotFound, and InvalidStatus when it is final.
        """
        await self.parts.control.pause(principal.workspace_id, id)
        self.feed.ring(id, principal.workspace_id)

    @needs(Scope.RUN)
    async def resume_execution(self, principal: Principal, id: str) -> None:
        """Let a paused execution go on; one that is not paused stays as it is.

        Raises NotFound, and InvalidStatus when it is final.
        """
        await self.parts.control.resume(principal.workspace_id, id)
        self.feed.ring(id, principal.workspace_id)
        self._waker.wake()

    @needs(Scope.RUN)
    async def retry_execution(
        self,
        principal: Principal,
        id: str,
        from_step_name: str | None = None,
        *,
        use_newest_version: bool = False,
        idempotency_key: str | None = None,
    ) -> Launched:
        """Run a final execution again as a new one; what is before its beginning is taken over.

        It begins at the step, or at the first one without a good end, or at the first of all.
        Raises NotFound; InvalidStatus when it is not final or its workflow is gone; InvalidInput
        for the step; InvalidMany when the newest version does not take the input; and
        IdempotencyMismatch. Then nothing was stored.
        """
        request = RepeatRequest(id, from_step_name, use_newest_version, idempotency_key)
        return self._rung(await self.parts.repeats.repeat(principal, request))

    @needs(Scope.RUN)
    async def replay_dead_letters(
        self, principal: Principal, ids: Sequence[str]
    ) -> list[DeadLetter]:
        """Run the executions of dead letters again, each once; replaying again changes nothing.

        Raises InvalidInput unless there are 1 to 500 ids, NotFound and InvalidStatus; then nothing
        was done. An execution that cannot be run again is InvalidStatus, after all others were.
        """
        try:
            return await self.parts.dead_letters.replay(principal, ids)
        finally:
            self._waker.wake()

    @needs(Scope.RUN)
    async def discard_dead_letters(
        self, principal: Principal, ids: Sequence[str]
    ) -> list[DeadLetter]:
        """Put dead letters aside; discarding again changes nothing.

        Raises InvalidInput unless there are 1 to 500 ids, NotFound and InvalidStatus; then nothing
        was done.
        """
        return await self.parts.dead_letters.discard(principal, ids)

    @needs(Scope.RUN)
    async def submit_decision(
        self, principal: Principal, step_execution_id: str, choice: str, comment: str | None = None
    ) -> None:
        """Answer a DECISION step that waits for a person; the execution goes on with the answer.

        Raises NotFound, InvalidInput for what is no choice, and InvalidStatus when nothing waits
        here, it was decided otherwise or its time is up. The same answer again changes nothing.
        """
        await self.parts.decisions.submit(principal, step_execution_id, choice, comment)
        self._waker.wake()

    @needs(Scope.SECRETS)
    async def rotate_signing_secret(
        self, principal: Principal, grace_seconds: int = 86_400
    ) -> tuple[SigningSecret, str]:
        """Give the requests of WEBHOOK steps a new secret; return it, shown this once.

        The old one signs as well for `grace_seconds` more. Raises InvalidInput for a wrong grace.
        """
        return await self.parts.signing_secrets.rotate(principal, grace_seconds)

    async def accept_call(
        self, trigger_id: str, headers: Mapping[str, str], body: bytes, source_ip: str | None
    ) -> Accepted:
        """Take a webhook call: verify it, record the verdict, start the execution.

        `headers` have lower-case names. A repeated delivery returns the first execution. Raises
        - PayloadTooLarge
        - NotFound: there is no such WEBHOOK trigger; nothing is recorded
        - SignatureInvalid: the call does not prove who sent it
        - InvalidInput, InvalidMany, LimitExceeded: the body or the input made from it
        - InvalidStatus: the trigger or the workflow is switched off
        - IdempotencyMismatch: another body came under the same message id
        and all but the first two are recorded as a firing.
        """
        accepted = await self.parts.inbound.accept(Call(trigger_id, headers, body, source_ip))
        if accepted.execution_id is not None and not accepted.is_duplicate:
            self._waker.wake()
        return accepted

    async def call_trigger(
        self,
        trigger_id: str,
        key: str | None,
        headers: Mapping[str, str],
        body: bytes,
        source_ip: str | None,
        idempotency_key: str | None = None,
    ) -> Accepted:
        """Take a call of an API trigger with its key; an empty body is `{}`.

        `headers` have lower-case names. The same idempotency key returns the first execution; a
        call without one is never a repetition. Raises as `accept_call` does, for a key that is
        missing or wrong in the place of a signature.
        """
        call = Call(trigger_id, headers, body, source_ip)
        accepted = await self.parts.keyed.accept(KeyedCall(call, key, idempotency_key))
        if not accepted.is_duplicate:
            self._waker.wake()
        return accepted

    @needs(Scope.RUN)
    async def dispatch_event(self, principal: Principal, draft: EventDraft) -> Dispatched:
        """Store an event, then tell every EVENT trigger of the workspace that listens.

        The same key and event again within 24 hours return the same executions. Raises NotFound
        for the workflow, InvalidInput (also for a type that is the server's own), InvalidMany,
        LimitExceeded and IdempotencyMismatch; then nothing was stored. What the triggers make of
        the event is on their firings.
        """
        return await self.parts.dispatcher.dispatch(principal, draft)

    def _rung(self, launched: Launched) -> Launched:
        if launched.is_new:
            self._waker.wake()
        return launched
