"""Opens what every process of an installation stands on: the database, the writer and the bells."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Collection
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from promptpilot import ids
from promptpilot.bells import RedisBells, open_bells
from promptpilot.clock import Clock, SystemClock
from promptpilot.engine.api import Engine, EngineSettings
from promptpilot.engine.assembly import Foundation, assemble
from promptpilot.engine.commits import Committer, open_committer
from promptpilot.engine.egress.addresses import AllowList
from promptpilot.engine.egress.client import HttpClient
from promptpilot.engine.passwords import Passwords
from promptpilot.engine.step_secrets import SecretStore
from promptpilot.engine.tokens import SessionTokens
from promptpilot.engine.tools import Tools
from promptpilot.engine.vault import Vault
from promptpilot.engine.versions import Versions
from promptpilot.errors import Misconfigured
from promptpilot.models.database import Database, connect
from promptpilot.models.migrate import pending
from promptpilot.settings import Registration, Settings, parse_keys

_ISSUER = "promptpilot"


@dataclass(frozen=True, slots=True)
class Backbone:
    """The open parts of a process. Whoever opened it closes it, after everything that uses it."""

    settings: Settings
    database: Database
    committer: Committer
    bells: RedisBells
    passwords: Passwords
    clock: Clock = field(default_factory=SystemClock)
    versions: Versions = field(default_factory=Versions)

    def tools(self) -> Tools:
        """Return what driving an execution needs."""
        return Tools(
            database=self.database,
            committer=self.committer,
            versions=self.versions,
            feed=self.bells,
            http=HttpClient(AllowList.of(self.settings.egress_allow)),
            secrets=self.secret_store().open_for,
        )

    def secret_store(self) -> SecretStore:
        """Return what seals and opens the secrets of steps."""
        return SecretStore(self.database, self.vault(), self.clock)

    def vault(self) -> Vault:
        """Return what seals secrets, with the operator's keys."""
        return Vault(parse_keys(self.settings.master_keys.get_secret_value()))

    def engine(self) -> Engine:
        """Return the Engine, as the edges hold it."""
        settings = self.settings
        secret = settings.jwt_secret.get_secret_value()
        return assemble(
            Foundation(
                database=self.database,
                committer=self.committer,
                clock=self.clock,
                waker=self.bells,
                feed=self.bells,
                vault=self.vault(),
                passwords=self.passwords,
                sessions=SessionTokens(secret.encode(), issuer=_ISSUER, audience=_ISSUER),
                settings=engine_settings(settings),
                versions=self.versions,
            )
        )


@asynccontextmanager
async def open_backbone(settings: Settings, hears: Collection[str]) -> AsyncIterator[Backbone]:
    """Give the open parts; close them in the opposite order.

    `hears` are the channels of the bells that matter in this process. Raises Unavailable when the
    database does not answer; Redis may be away.
    """
    synchronous = settings.sqlite_synchronous.value
    async with AsyncExitStack() as stack:
        bells = await stack.enter_async_context(open_bells(settings.redis_url, hears))
        database = await connect(
            settings.database_url,
            pool_size=settings.database_pool_size,
            synchronous=synchronous,
        )
        stack.push_async_callback(database.close)
        committer = await open_committer(database, synchronous=synchronous)
        stack.push_async_callback(committer.close)
        passwords = Passwords()
        stack.callback(passwords.close)
        yield Backbone(settings, database, committer, bells, passwords)


async def require_current_schema(settings: Settings) -> None:
    """Raise Misconfigured when the database lacks a migration of this version."""
    if missing := await pending(settings.database_url):
        titles = ", ".join(missing)
        message = f"The database lacks migrations ({titles}); run `promptpilot migrate` first."
        raise Misconfigured([message])


def require_redis(settings: Settings) -> None:
    """Raise Misconfigured when there is no Redis to ring over."""
    if not settings.redis_url:
        message = "REDIS_URL must be set for a process of its own; `promptpilot up` brings a Redis."
        raise Misconfigured([message])


def engine_settings(settings: Settings) -> EngineSettings:
    """Return the part of the settings that the engine obeys."""
    return EngineSettings(
        registration_open=settings.registration is Registration.OPEN,
        public_url=settings.public_url,
        max_webhook_bytes=settings.max_webhook_bytes,
        max_input_bytes=settings.max_input_bytes,
    )


def owner_name() -> str:
    """Return a name of this process that no other process has, now or later."""
    return f"{os.uname().nodename}:{os.getpid()}:{ids.new_reference()}"
