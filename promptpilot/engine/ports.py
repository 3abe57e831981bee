"""What the engine needs from outside: two bells, a way out to other servers, and secrets.

Both bells are hints. A ring may be lost, repeated or late: that costs time, never truth, because
workers and subscribers look at the database anyway. Ringing never blocks and never raises.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
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

    async def wait(self, seconds: float) -> None:
        """Return at the next ring since the last wait, at the latest after `seconds`."""
        ...


class Feed(Protocol):
    """Tells subscribers that an execution has new events."""

    def ring(self, execution_id: str) -> None:
        """Ring for everybody who listens to `execution_id`."""
        ...

    def listen(self, execution_id: str) -> AbstractAsyncContextManager[Listener]:
        """Listen from entering the context on: rings from then on end a wait."""
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


class OpenedSecrets(StepSecrets, Protocol):
    """The secrets of one attempt, seen by whoever has to keep them out of what is stored."""

    @property
    def revealed(self) -> Sequence[str]:
        """Every secret that was opened so far, in the clear."""
        ...
