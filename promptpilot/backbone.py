"""Opens what every process of an installation stands on: the database, the writer and the bells."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Collection
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace

from pydantic import SecretStr

from promptpilot import ids
from promptpilot.bells import RedisBells, open_bells
from promptpilot.clock import Clock, SystemClock
from promptpilot.engine.accounts import Account
from promptpilot.engine.api import Engine, EngineSettings
from promptpilot.engine.assembly import Foundation, assemble
from promptpilot.engine.commits import Committer, open_committer
from promptpilot.engine.egress.addresses import AllowList
from promptpilot.engine.egress.client import HttpClient
from promptpilot.engine.egress.limits import HttpLimits
from promptpilot.engine.identity_tokens import Identities, Issuer
from promptpilot.engine.passwords import Passwords
from promptpilot.engine.ports import OutputRelay
from promptpilot.engine.prices import PriceTable, load_prices, shipped_prices
from promptpilot.engine.providers.probing import ProviderProber
from promptpilot.engine.providers.registry import open_providers
from promptpilot.engine.providers.transport import ProviderHttp, ProviderTimes
from promptpilot.engine.step_configs import ModelProvider
from promptpilot.engine.step_secrets import SecretStore
from promptpilot.engine.tokens import SessionTokens
from promptpilot.engine.tools import Tools
from promptpilot.engine.unrelayed import Unrelayed
from promptpilot.engine.vault import Vault
from promptpilot.engine.versions import Versions
from promptpilot.errors import Misconfigured
from promptpilot.models.database import Database, connect
from promptpilot.models.migrate import pending
from promptpilot.relay import open_relay
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
    provider_http: ProviderHttp = field(default_factory=ProviderHttp)
    outputs: OutputRelay = field(default_factory=Unrelayed)
    prices: PriceTable = field(default_factory=shipped_prices)

    def tools(self) -> Tools:
        """Return what driving an execution needs."""
        return Tools(
            database=self.database,
            committer=self.committer,
            versions=self.versions,
            feed=self.bells,
            http=HttpClient(AllowList.of(self.settings.egress_allow)),
            secrets=self.secret_store().open_for,
            providers=open_providers(self.provider_http),
            outputs=self.outputs,
            prices=self.prices,
        )

    def secret_store(self) -> SecretStore:
        """Return what seals and opens the secrets of steps."""
        environment = environment_accounts(self.settings)
        return SecretStore(self.database, self.vault(), self.clock, environment)

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
                identities=self._identities(),
                settings=replace(engine_settings(settings), prices=self.prices),
                versions=self.versions,
                outputs=self.outputs,
                allowed=AllowList.of(settings.egress_allow),
                environment=environment_accounts(settings),
                prober=ProviderProber(self.provider_http),
                tools=replace(self.tools(), secrets=self.secret_store().peek_for),
            )
        )

    def _identities(self) -> Identities | None:
        settings = self.settings
        if not settings.oidc_issuer:
            return None
        issuer = Issuer(
            settings.oidc_issuer,
            settings.oidc_audience,
            settings.oidc_jwks_url or None,
            settings.oidc_accounts,
        )
        # The operator names this server, wherever it is; callers do not.
        anywhere = AllowList.of(["0.0.0.0/0", "::/0"])
        limits = HttpLimits(total_seconds=10, max_body_bytes=1024 * 1024)
        return Identities(self.database, self.clock, HttpClient(anywhere, limits), issuer)


@asynccontextmanager
async def open_backbone(settings: Settings, hears: Collection[str]) -> AsyncIterator[Backbone]:
    """Give the open parts; close them in the opposite order.

    `hears` are the channels of the bells that matter in this process. Raises Unavailable when the
    database does not answer, and Misconfigured for a file of prices that is wrong; Redis may be
    away.
    """
    prices = load_prices(settings.prices_file)
    synchronous = settings.sqlite_synchronous.value
    async with AsyncExitStack() as stack:
        bells = await stack.enter_async_context(open_bells(settings.redis_url, hears))
        relay = await stack.enter_async_context(open_relay(bells))
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
        providers = provider_http(settings)
        stack.push_async_callback(providers.aclose)
        yield Backbone(
            settings,
            database,
            committer,
            bells,
            passwords,
            provider_http=providers,
            outputs=relay,
            prices=prices,
        )


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
        preview=settings.preview,
    )


def provider_http(settings: Settings) -> ProviderHttp:
    """Return the way to model providers; it opens nothing before it is used."""
    times = ProviderTimes(
        connect=settings.provider_connect.total_seconds(),
        first_token=settings.provider_first_token.total_seconds(),
        idle=settings.provider_idle.total_seconds(),
    )
    return ProviderHttp(AllowList.of(settings.egress_allow), times)


def environment_accounts(settings: Settings) -> dict[str, Account]:
    """Return the server's own keys for models, by provider; none where they are not allowed."""
    if not settings.environment_credentials:
        return {}
    endpoint = settings.azure_openai_endpoint
    keys = {
        ModelProvider.OPENAI: settings.openai_api_key,
        ModelProvider.ANTHROPIC: settings.anthropic_api_key,
        ModelProvider.GOOGLE: _first_set(settings.google_api_key, settings.gemini_api_key),
        ModelProvider.AZURE_OPENAI: settings.azure_openai_api_key if endpoint else SecretStr(""),
    }
    return {
        provider.value: Account(
            key.get_secret_value(), endpoint if provider is ModelProvider.AZURE_OPENAI else None
        )
        for provider, key in keys.items()
        if key.get_secret_value()
    }


def _first_set(first: SecretStr, second: SecretStr) -> SecretStr:
    return first if first.get_secret_value() else second


def owner_name() -> str:
    """Return a name of this process that no other process has, now or later."""
    return f"{os.uname().nodename}:{os.getpid()}:{ids.new_reference()}"
