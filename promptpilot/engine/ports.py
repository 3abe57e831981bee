"""What the engine needs from outside: bells, a relay of output, a way out, and secrets.

Both bells are hints. A ring may be lost, repeated or late: that costs time, never truth, because
workers and subscribers look at the database anyway. Ringing never blocks and never raises.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from promptpilot.engine.accounts import Account
from promptpilot.engine.egress.messages import HttpRequest, HttpResponse


class Waker(Protocol):
    """Tells some worker that an execution may be claimed."""

    def wake(self) -> None:
        """Ring once for everything that became due; rings close together become one."""
        ...


class Listener(Protocol):
    """One ear at the feed bell of one execution."""

    async def wait(self, seconds: float) -> bool:
        """Return at the next ring since the last wait, at the latest after `seconds`.

        False means that it was a nudge alone that ended the wait.
        """
        ...

    def nudge(self) -> None:
        """End a wait, or the next one, without a ring."""
        ...


class Feed(Protocol):
    """Tells subscribers that an execution, or some execution of a workspace, has new events."""

    def ring(self, execution_id: str, workspace_id: str | None = None) -> None:
        """Ring for everybody who listens to the execution or, after a new status, the workspace."""
        ...

    def listen(self, execution_id: str) -> AbstractAsyncContextManager[Listener]:
        """Listen from entering the context on: rings from then on end a wait.

        The id of a workspace stands for the statuses of all its executions.
        """
        ...


class HttpSender(Protocol):
    """Sends one request to another server."""

    async def send(self, request: HttpRequest) -> HttpResponse:
        """Return the answer, whatever its status. Raises `StepFailed` if there is none."""
        ...


class StepSecrets(Protocol):
    """Opens the secrets of one step while it runs, and remembers them, so that none is stored."""

    async def reveal(self, secret_ids: Sequence[str]) -> Mapping[str, str]:
        """Return stored secrets in the clear, by id. Raises `StepFailed` if one is missing."""
        ...

    async def signing_secrets(self) -> Sequence[str]:
        """Return the workspace's signing secrets (`whsec_…`), the newest first."""
        ...

    async def account(self, provider: str, credential_id: str | None) -> Account:
        """Return what to reach a provider with: the credential named, or the workspace's own.

        Raises `StepFailed` CREDENTIAL_MISSING, CREDENTIAL_REVOKED or CREDENTIAL_EXPIRED, which
        says the way out; then no provider was called.
        """
        ...

    async def refused(self, account: Account, words: str) -> None:
        """Note that the provider refused the account, in its words, without any secret."""
        ...


class OutputSink(Protocol):
    """Shows a step's output to whoever watches while it grows. Only a hint; never the record."""

    def append(self, model_index: int, text: str) -> None:
        """Show more of the answer of one model of the step. Never blocks, never raises."""
        ...


@dataclass(frozen=True, slots=True)
class OutputPlace:
    """The attempt whose output it is."""

    execution_id: str
    path: str
    attempt: int


class AttemptOutput(OutputSink, Protocol):
    """The output of one attempt while it is made."""

    def close(self) -> None:
        """Show what is left; nothing follows. May be called again."""
        ...


class OutputView(Protocol):
    """What a watcher sees of the output of one attempt."""

    @property
    def texts(self) -> Mapping[int, str]:
        """Return the text so far of each model, by its index; a text only grows."""
        ...

    async def catch_up(self) -> None:
        """See what was shown before this call, if that is known in a moment. Never raises."""
        ...


class OutputRelay(Protocol):
    """Brings the output of a step that runs to whoever watches. Only a hint; never the record."""

    def open(self, place: OutputPlace, secrets: OpenedSecrets) -> AttemptOutput:
        """Return where an attempt shows its output; `secrets` are taken out of it."""
        ...

    def watch(
        self, place: OutputPlace, nudge: Callable[[], None]
    ) -> AbstractContextManager[OutputView]:
        """Watch from entering the context on: `nudge` is called when there is more to see.

        That is at most 20 times a second, and once more when the attempt ends.
        """
        ...


class OpenedSecrets(StepSecrets, Protocol):
    """The secrets of one attempt, seen by whoever has to keep them out of what is stored."""

    @property
    def revealed(self) -> Sequence[str]:
        """Every secret that was opened so far, in the clear."""
        ...
