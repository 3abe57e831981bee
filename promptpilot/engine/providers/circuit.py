"""Spares a provider that fails again and again, and the executions that would wait for it.

Rules: a circuit belongs to one account at one address in one process. It opens after
`FAILURES_TO_OPEN` failures within `WITHIN`, each of a kind that a retry may mend and that is the
provider's doing; a full quota is none. While it is open, calls fail at once. After `OPEN_FOR` one
call is let through: its answer closes the circuit, its failure opens it again.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

from promptpilot.clock import Clock
from promptpilot.engine.accounts import Account
from promptpilot.engine.providers.base import ModelReply, ModelRequest, Provider, TextSink
from promptpilot.engine.step_configs import ModelProvider
from promptpilot.errors import StepFailed

FAILURES_TO_OPEN: Final = 5
WITHIN: Final = timedelta(seconds=30)
OPEN_FOR: Final = timedelta(seconds=30)

_COUNTED: Final = frozenset({"PROVIDER_UNAVAILABLE", "PROVIDER_TIMEOUT", "NETWORK"})
#: Circuits of which is known; the one that was longest not used is forgotten first.
_MAX_CIRCUITS: Final = 10_000
_ENVIRONMENT: Final = "environment"


@dataclass(slots=True)
class Circuit:
    """Whether calls may be made now. `probing_since` is when the one call was let through."""

    failed_at: deque[datetime] = field(default_factory=lambda: deque(maxlen=FAILURES_TO_OPEN))
    open_until: datetime | None = None
    probing_since: datetime | None = None

    def wait_before_call(self, now: datetime) -> timedelta | None:
        """Return how long no call may be made; None if one may, and then it must be reported."""
        if self.open_until is None:
            return None
        if now < self.open_until:
            return self.open_until - now
        # A probe that was cut off may never report; then another one has its turn.
        if self.probing_since is not None and now < self.probing_since + OPEN_FOR:
            return self.probing_since + OPEN_FOR - now
        self.probing_since = now
        return None

    def succeeded(self) -> None:
        """Take note of an answer, be it a refusal: the provider is there."""
        self.failed_at.clear()
        self.open_until = self.probing_since = None

    def failed(self, now: datetime) -> None:
        """Take note of a failure."""
        self.failed_at.append(now)
        is_probe = self.probing_since is not None
        is_full = len(self.failed_at) == FAILURES_TO_OPEN
        if is_probe or (is_full and now - self.failed_at[0] <= WITHIN):
            self.open_until = now + OPEN_FOR
            self.probing_since = None

    def given_up(self) -> None:
        """Take note that a call was cancelled: it tells nothing, and the next one may probe."""
        self.probing_since = None


class Circuits:
    """The circuits of one process."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._circuits: OrderedDict[tuple[str, str, str], Circuit] = OrderedDict()

    def of(self, provider: ModelProvider, account: Account | None) -> Circuit:
        """Return the circuit of an account at its address; it is made when it is first asked."""
        owner = (account.credential_id if account else None) or _ENVIRONMENT
        host = urlsplit(account.base_url).netloc if account and account.base_url else ""
        key = (provider.value, owner, host)
        circuit = self._circuits.setdefault(key, Circuit())
        self._circuits.move_to_end(key)
        if len(self._circuits) > _MAX_CIRCUITS:
            self._circuits.popitem(last=False)
        return circuit


class CircuitProvider:
    """Asks a provider unless its circuit is open."""

    def __init__(self, kind: ModelProvider, provider: Provider, circuits: Circuits) -> None:
        self._kind = kind
        self._provider = provider
        self._circuits = circuits

    async def complete(
        self, request: ModelRequest, account: Account | None, on_text: TextSink
    ) -> ModelReply:
        """Return the model's answer. Raises `StepFailed`, PROVIDER_UNAVAILABLE while open."""
        circuit = self._circuits.of(self._kind, account)
        clock = self._circuits.clock
        if (wait := circuit.wait_before_call(clock.now())) is not None:
            raise _open(wait)
        try:
            reply = await self._provider.complete(request, account, on_text)
        except StepFailed as failure:
            if failure.error_code in _COUNTED:
                circuit.failed(clock.now())
            else:
                circuit.succeeded()
            raise
        except BaseException:
            circuit.given_up()
            raise
        circuit.succeeded()
        return reply


def _open(wait: timedelta) -> StepFailed:
    seconds = max(1, round(wait.total_seconds()))
    return StepFailed(
        f"The provider failed {FAILURES_TO_OPEN} times in a row; it is left alone for {seconds} s.",
        "PROVIDER_UNAVAILABLE",
        is_retryable=True,
        details={"isCircuitOpen": True},
        retry_after=wait,
    )
