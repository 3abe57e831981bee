"""Credentials of tests: drafts, verbs on any vault, and a provider that says what the test says."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from promptpilot.clock import Clock
from promptpilot.engine.accounts import Account, Probed
from promptpilot.engine.credential_drafts import CredentialDraft
from promptpilot.engine.credentials import Credentials
from promptpilot.engine.egress.addresses import AllowList
from promptpilot.engine.step_configs import ModelProvider
from promptpilot.engine.vault import Vault
from promptpilot.errors import StepFailed
from promptpilot.models.database import Database

SECRET = "sk-live-0123456789abcdefghij"
NEW_SECRET = "sk-next-9876543210zyxwvutsrq"


@dataclass
class FakeProber:
    """Says what it was told to say, and remembers whom it was asked about."""

    answer: Probed | StepFailed = field(
        default_factory=lambda: Probed(is_accepted=True, latency_ms=12)
    )
    asked: list[tuple[ModelProvider, Account]] = field(default_factory=list)

    async def probe(self, provider: ModelProvider, account: Account) -> Probed:
        """Return or raise the answer."""
        self.asked.append((provider, account))
        if isinstance(self.answer, StepFailed):
            raise self.answer
        return self.answer


def draft(**fields: Any) -> CredentialDraft:
    """Make a draft for OPENAI; `fields` are put in place of the usual ones."""
    usual: dict[str, Any] = {"provider": ModelProvider.OPENAI, "label": "main", "secret": SECRET}
    return CredentialDraft(**{**usual, **fields})


def verbs(
    database: Database,
    vault: Vault,
    clock: Clock,
    prober: FakeProber | None = None,
    allowed: AllowList | None = None,
) -> Credentials:
    """Make the verbs of credentials."""
    return Credentials(database, vault, clock, prober or FakeProber(), allowed=allowed)
