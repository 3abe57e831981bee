"""Puts the Engine together, the same way in every process and in every test."""

from __future__ import annotations

from dataclasses import dataclass, field

from promptpilot.clock import Clock
from promptpilot.engine.access import Access
from promptpilot.engine.api import Engine, EngineSettings, Parts
from promptpilot.engine.commits import Committer
from promptpilot.engine.control import Control
from promptpilot.engine.dead_letters import DeadLetters
from promptpilot.engine.decisions import Decisions
from promptpilot.engine.launch import Launcher
from promptpilot.engine.passwords import Passwords
from promptpilot.engine.ports import Feed, Waker
from promptpilot.engine.repeats import Repeats
from promptpilot.engine.signing_secrets import SigningSecrets
from promptpilot.engine.step_secrets import SecretStore
from promptpilot.engine.tokens import SessionTokens
from promptpilot.engine.triggers.dispatch import Dispatcher
from promptpilot.engine.triggers.events import EventStore
from promptpilot.engine.triggers.inbound import Inbound
from promptpilot.engine.triggers.keyed import Keyed
from promptpilot.engine.triggers.manage import Triggers
from promptpilot.engine.triggers.secrets import TriggerSecrets
from promptpilot.engine.vault import Vault
from promptpilot.engine.versions import Versions
from promptpilot.engine.workflows import Workflows
from promptpilot.models.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Foundation:
    """What an Engine stands on. Whoever opened a part closes it, after the Engine's last verb."""

    database: Database
    committer: Committer
    clock: Clock
    waker: Waker
    feed: Feed
    vault: Vault
    passwords: Passwords
    sessions: SessionTokens
    settings: EngineSettings = field(default_factory=EngineSettings)
    versions: Versions = field(default_factory=Versions)


def assemble(base: Foundation) -> Engine:
    """Return an Engine on this foundation."""
    database, clock = base.database, base.clock
    control = Control(database, clock)
    secrets = TriggerSecrets(base.vault)
    launcher = Launcher(
        database, base.committer, base.versions, clock, base.settings.max_input_bytes
    )
    repeats = Repeats(database, base.committer, launcher, base.versions)
    parts = Parts(
        access=Access(database, clock, base.passwords, base.sessions),
        workflows=Workflows(database, clock, control, SecretStore(database, base.vault, clock)),
        triggers=Triggers(database, clock, secrets, base.versions),
        inbound=Inbound(
            database, launcher, base.versions, secrets, clock, base.settings.max_webhook_bytes
        ),
        keyed=Keyed(database, launcher, base.versions, clock, base.settings.max_webhook_bytes),
        dispatcher=_dispatcher(base, launcher),
        launcher=launcher,
        control=control,
        repeats=repeats,
        dead_letters=DeadLetters(database, clock, repeats),
        decisions=Decisions(database, clock),
        signing_secrets=SigningSecrets(database, base.vault, clock),
        versions=base.versions,
    )
    return Engine(
        database=database,
        clock=clock,
        waker=base.waker,
        feed=base.feed,
        parts=parts,
        settings=base.settings,
    )


def _dispatcher(base: Foundation, launcher: Launcher) -> Dispatcher:
    store = EventStore(base.database, base.clock, base.settings.max_input_bytes)
    return Dispatcher(base.database, launcher, base.versions, store, base.waker, base.clock)
