"""Puts the Engine together, the same way in every process and in every test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from promptpilot.clock import Clock
from promptpilot.engine.access import Access
from promptpilot.engine.accounts import Account
from promptpilot.engine.api import Engine, EngineSettings
from promptpilot.engine.commits import Committer
from promptpilot.engine.control import Control
from promptpilot.engine.credentials import Credentials, Prober
from promptpilot.engine.dead_letters import DeadLetters
from promptpilot.engine.decisions import Decisions
from promptpilot.engine.egress.addresses import AllowList
from promptpilot.engine.endpoints.manage import Endpoints
from promptpilot.engine.identity_tokens import Identities
from promptpilot.engine.launch import Launcher
from promptpilot.engine.parts import Parts
from promptpilot.engine.passwords import Passwords
from promptpilot.engine.ports import Feed, OutputRelay, Waker
from promptpilot.engine.previewing import Previews
from promptpilot.engine.prompts import Prompts
from promptpilot.engine.providers.probing import ProviderProber
from promptpilot.engine.providers.transport import ProviderHttp
from promptpilot.engine.readiness import Readiness
from promptpilot.engine.repeats import Repeats
from promptpilot.engine.signing_secrets import SigningSecrets
from promptpilot.engine.stand_ins import StandInSender
from promptpilot.engine.step_secrets import SecretStore
from promptpilot.engine.tokens import SessionTokens
from promptpilot.engine.tools import Tools
from promptpilot.engine.triggers.dispatch import Dispatcher
from promptpilot.engine.triggers.events import EventStore
from promptpilot.engine.triggers.inbound import Inbound
from promptpilot.engine.triggers.keyed import Keyed
from promptpilot.engine.triggers.manage import Triggers
from promptpilot.engine.triggers.secrets import TriggerSecrets
from promptpilot.engine.unrelayed import Unrelayed
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
    identities: Identities | None = None
    settings: EngineSettings = field(default_factory=EngineSettings)
    versions: Versions = field(default_factory=Versions)
    #: What previews drive with; made of the rest where it is not given.
    tools: Tools | None = None
    outputs: OutputRelay = field(default_factory=Unrelayed)
    #: Addresses that may be called although they are not public.
    allowed: AllowList = field(default_factory=AllowList)
    #: The server's own keys for models, by provider.
    environment: Mapping[str, Account] = field(default_factory=dict)
    #: Asks providers whether they take a key; over the guarded way out if none is given.
    prober: Prober | None = None


def assemble(base: Foundation) -> Engine:
    """Return an Engine on this foundation."""
    database, clock = base.database, base.clock
    control = Control(database, clock)
    secrets = TriggerSecrets(base.vault)
    launcher = _launcher(base)
    workflows = Workflows(database, clock, control, SecretStore(database, base.vault, clock))
    repeats = Repeats(database, base.committer, launcher, base.versions)
    parts = Parts(
        access=Access(database, clock, base.passwords, base.sessions, base.identities),
        workflows=workflows,
        prompts=Prompts(database, clock),
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
        credentials=_credentials(base),
        signing_secrets=SigningSecrets(database, base.vault, clock),
        endpoints=Endpoints(database, base.vault, clock),
        previews=_previews(base, workflows, launcher),
        readiness=Readiness(clock, base.settings.prices, frozenset(base.environment)),
        versions=base.versions,
        outputs=base.outputs,
    )
    return Engine(
        database=database,
        clock=clock,
        waker=base.waker,
        feed=base.feed,
        parts=parts,
        settings=base.settings,
    )


def _launcher(base: Foundation) -> Launcher:
    max_bytes = base.settings.max_input_bytes
    return Launcher(base.database, base.committer, base.versions, base.clock, max_bytes)


def _credentials(base: Foundation) -> Credentials:
    database, clock = base.database, base.clock
    return Credentials(
        database,
        base.vault,
        clock,
        base.prober or ProviderProber(ProviderHttp(base.allowed, clock=clock)),
        allowed=base.allowed,
        environment=frozenset(base.environment),
    )


def _previews(base: Foundation, workflows: Workflows, launcher: Launcher) -> Previews:
    tools = base.tools or _tools(base)
    return Previews(workflows, launcher, tools, base.clock, base.settings.preview)


def _tools(base: Foundation) -> Tools:
    return Tools(
        database=base.database,
        committer=base.committer,
        versions=base.versions,
        feed=base.feed,
        http=StandInSender(),
        secrets=SecretStore(base.database, base.vault, base.clock, base.environment).peek_for,
    )


def _dispatcher(base: Foundation, launcher: Launcher) -> Dispatcher:
    store = EventStore(base.database, base.clock, base.settings.max_input_bytes)
    return Dispatcher(base.database, launcher, base.versions, store, base.waker, base.clock)
