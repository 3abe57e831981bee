"""What the Engine is made of, and what of it an operator can set."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from promptpilot.engine.access import Access
from promptpilot.engine.control import Control
from promptpilot.engine.credentials import Credentials
from promptpilot.engine.dead_letters import DeadLetters
from promptpilot.engine.decisions import Decisions
from promptpilot.engine.endpoints.manage import Endpoints
from promptpilot.engine.launch import Launcher
from promptpilot.engine.ports import OutputRelay
from promptpilot.engine.previewing import Previews
from promptpilot.engine.prices import PriceTable, shipped_prices
from promptpilot.engine.prompts import Prompts
from promptpilot.engine.readiness import Readiness
from promptpilot.engine.repeats import Repeats
from promptpilot.engine.signing_secrets import SigningSecrets
from promptpilot.engine.triggers.dispatch import Dispatcher
from promptpilot.engine.triggers.inbound import Inbound
from promptpilot.engine.triggers.keyed import Keyed
from promptpilot.engine.triggers.manage import Triggers
from promptpilot.engine.versions import Versions
from promptpilot.engine.workflows import Workflows


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings:
    """What an operator can set and the engine obeys. Sizes are in bytes."""

    registration_open: bool = True
    public_url: str = "http://127.0.0.1:8000"
    max_webhook_bytes: int = 1024 * 1024
    max_input_bytes: int = 256 * 1024
    preview: timedelta = timedelta(seconds=120)
    prices: PriceTable = field(default_factory=shipped_prices)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The classes whose verbs the Engine hands over to."""

    access: Access
    workflows: Workflows
    prompts: Prompts
    triggers: Triggers
    inbound: Inbound
    keyed: Keyed
    dispatcher: Dispatcher
    launcher: Launcher
    control: Control
    repeats: Repeats
    dead_letters: DeadLetters
    decisions: Decisions
    credentials: Credentials
    signing_secrets: SigningSecrets
    endpoints: Endpoints
    previews: Previews
    readiness: Readiness
    versions: Versions
    outputs: OutputRelay
