"""Everything an operator can set, read from the environment once and checked as a whole.

Rules: settings hold values, never connections. A variable that is set to nothing counts as not
set. No value of a secret is ever part of a message. `docs/SETTINGS.md` names every one.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Self
from urllib.parse import quote

from pydantic import ConfigDict, Field, SecretStr, ValidationError

from promptpilot.errors import Misconfigured
from promptpilot.graphql_settings import GraphqlSettings
from promptpilot.provider_settings import ProviderSettings
from promptpilot.setting_values import (
    AddressRanges,
    ApiKey,
    Audience,
    Count,
    DatabaseUrl,
    Endpoint,
    Folder,
    GraphqlProfile,
    Host,
    IssuerUrl,
    JwtSecret,
    LogFormat,
    LogLevel,
    MasterKeys,
    Mode,
    ModelName,
    Origins,
    PublicUrl,
    ReadableFile,
    RedisUrl,
    Registration,
    Seconds,
    SqliteSynchronous,
    parse_keys,
)

__all__ = [
    "GraphqlProfile",
    "LogFormat",
    "LogLevel",
    "Mode",
    "Registration",
    "Settings",
    "SqliteSynchronous",
    "parse_keys",
]

_PREFIX = "PROMPTPILOT_"
_DATA_DIR = "./.promptpilot"
_MIB = 1024 * 1024


class Settings(GraphqlSettings, ProviderSettings):
    """The settings of one process. Read them with from_env()."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    mode: Mode = Field(
        default=Mode.EMBEDDED,
        alias="PROMPTPILOT_ENV",
        description="`embedded`: one process brings everything; `production`: a part of an "
        "installation.",
    )
    database_url: DatabaseUrl = Field(
        alias="DATABASE_URL",
        repr=False,
        description="Database: `sqlite:///path` or `postgresql://user:password@host/name`. By "
        "default a SQLite file in the data folder; production needs PostgreSQL.",
    )
    redis_url: RedisUrl = Field(
        default="",
        alias="REDIS_URL",
        repr=False,
        description="Redis: `redis://host:6379/0`, `rediss://` or `unix://`. Embedded starts one "
        "of its own when not set; production needs it.",
    )
    data_dir: Folder = Field(
        default=Path(_DATA_DIR),
        validate_default=True,
        alias="PROMPTPILOT_DATA_DIR",
        description="Folder of the embedded database, of its secrets and of its lock.",
    )
    host: Host = Field(
        default="127.0.0.1",
        alias="PROMPTPILOT_HOST",
        description="Address to listen at; `0.0.0.0` for every one.",
    )
    port: Count = Field(
        default=8000,
        alias="PROMPTPILOT_PORT",
        ge=1,
        le=65535,
        description="Port to listen at, 1 to 65535.",
    )
    public_url: PublicUrl = Field(
        alias="PROMPTPILOT_PUBLIC_URL",
        description="Address under which senders of webhooks reach this server. By default "
        "`http://host:port`.",
    )
    jwt_secret: JwtSecret = Field(
        default=SecretStr(""),
        alias="PROMPTPILOT_JWT_SECRET",
        description="Signs session tokens: at least 32 bytes (`openssl rand -base64 48`, HS256) or "
        "an Ed25519 private key in PEM (EdDSA). Embedded makes one; production needs it.",
    )
    oidc_issuer: IssuerUrl = Field(
        default="",
        alias="PROMPTPILOT_OIDC_ISSUER",
        description="OpenID Connect issuer whose tokens are taken beside sessions, such as "
        "`https://id.example.org`. Off when not set.",
    )
    oidc_audience: Audience = Field(
        default="promptpilot",
        alias="PROMPTPILOT_OIDC_AUDIENCE",
        description="Audience that tokens of the OpenID Connect issuer must name.",
    )
    oidc_jwks_url: IssuerUrl = Field(
        default="",
        alias="PROMPTPILOT_OIDC_JWKS_URL",
        description="Where the issuer publishes its keys; asked of its discovery document when "
        "not set.",
    )
    oidc_accounts: bool = Field(
        default=True,
        alias="PROMPTPILOT_OIDC_ACCOUNTS",
        description="Whether a user whom the issuer proves for the first time gets an account: "
        "`true` or `false`.",
    )
    master_keys: MasterKeys = Field(
        default=SecretStr(""),
        alias="PROMPTPILOT_MASTER_KEYS",
        description="Key ring that seals stored secrets: `k2:<base64 of 32 bytes>,k1:<…>`; the "
        "first seals, all open. Embedded makes one; production needs it.",
    )
    lease: Seconds = Field(
        default=timedelta(seconds=15),
        alias="PROMPTPILOT_LEASE_SECONDS",
        ge=timedelta(seconds=1),
        le=timedelta(seconds=300),
        description="Seconds after which a worker that gives no sign of life loses its "
        "executions, 1 to 300.",
    )
    worker_slots: Count = Field(
        default=100,
        alias="PROMPTPILOT_WORKER_SLOTS",
        ge=1,
        le=10_000,
        description="Executions that one worker advances at a time, 1 to 10000.",
    )
    drain: Seconds = Field(
        default=timedelta(seconds=25),
        alias="PROMPTPILOT_DRAIN_SECONDS",
        ge=timedelta(0),
        le=timedelta(seconds=3600),
        description="Seconds that a stopping worker gives its steps to finish, 0 to 3600.",
    )
    sqlite_synchronous: SqliteSynchronous = Field(
        default=SqliteSynchronous.FULL,
        alias="PROMPTPILOT_SQLITE_SYNCHRONOUS",
        description="`FULL`: commits survive a power cut; `NORMAL`: faster, they survive a crash.",
    )
    database_pool_size: Count = Field(
        default=8,
        alias="PROMPTPILOT_DATABASE_POOL_SIZE",
        ge=1,
        le=200,
        description="PostgreSQL connections of one process, 1 to 200.",
    )
    allowed_origins: Origins = Field(
        default=(),
        alias="PROMPTPILOT_ALLOWED_ORIGINS",
        description="Sites whose pages may call from a browser, as `https://host`, parted by "
        "commas.",
    )
    graphql_profile: GraphqlProfile = Field(
        default=GraphqlProfile.EDITION_2026_09,
        alias="PROMPTPILOT_GRAPHQL_PROFILE",
        description="Status codes of GraphQL over HTTP: edition `2026-09`, or `audit`.",
    )
    introspection: bool = Field(
        default=True,
        alias="PROMPTPILOT_INTROSPECTION",
        description="Whether clients may ask for the GraphQL schema: `true` or `false`.",
    )
    log_level: LogLevel = Field(
        default=LogLevel.INFO,
        alias="PROMPTPILOT_LOG_LEVEL",
        description="Least important line written: `DEBUG`, `INFO`, `WARNING` or `ERROR`.",
    )
    log_format: LogFormat = Field(
        alias="PROMPTPILOT_LOG_FORMAT",
        description="`console` for people (default in embedded), `json` for machines (default in "
        "production).",
    )
    registration: Registration = Field(
        alias="PROMPTPILOT_REGISTRATION",
        description="Whether strangers may make an account: `open` (default in embedded) or "
        "`closed` (default in production).",
    )
    sweep: Seconds = Field(
        default=timedelta(seconds=0.5),
        alias="PROMPTPILOT_SWEEP_SECONDS",
        ge=timedelta(seconds=0.05),
        le=timedelta(seconds=60),
        description="Seconds between two looks for executions that nobody rang for, 0.05 to 60.",
    )
    max_webhook_bytes: Count = Field(
        default=_MIB,
        alias="PROMPTPILOT_MAX_WEBHOOK_BYTES",
        ge=1024,
        le=16 * _MIB,
        description="Largest body of a webhook in bytes, 1024 to 16777216.",
    )
    max_input_bytes: Count = Field(
        default=256 * 1024,
        alias="PROMPTPILOT_MAX_INPUT_BYTES",
        ge=1024,
        le=16 * _MIB,
        description="Largest input of an execution in bytes, 1024 to 16777216.",
    )
    preview: Seconds = Field(
        default=timedelta(seconds=120),
        alias="PROMPTPILOT_PREVIEW_SECONDS",
        ge=timedelta(seconds=1),
        le=timedelta(seconds=600),
        description="Seconds that a preview may take, 1 to 600.",
    )
    solo_memory_mb: Count = Field(
        default=512,
        alias="PROMPTPILOT_SOLO_MEMORY_MB",
        ge=128,
        le=_MIB,
        description="Memory in MiB of the process in which an execution that brought its worker "
        "down is tried alone, 128 to 1048576.",
    )
    prices_file: ReadableFile = Field(
        default="",
        alias="PROMPTPILOT_PRICES_FILE",
        description="JSON file with prices of models, put in place of those that come along or "
        "added to them; `docs/MODELS.md` has its form.",
    )
    egress_allow: AddressRanges = Field(
        default=(),
        alias="PROMPTPILOT_EGRESS_ALLOW",
        description="Addresses that workflows may call although they are not public, such as "
        "`127.0.0.1:8080, 10.0.0.0/8, [::1]:9000`, parted by commas; no names.",
    )

    environment_credentials: bool = Field(
        alias="PROMPTPILOT_ENVIRONMENT_CREDENTIALS",
        description="Whether steps without a credential of their workspace may use the keys below: "
        "`true` (default in embedded) or `false` (default in production).",
    )
    openai_api_key: ApiKey = Field(
        default=SecretStr(""),
        alias="OPENAI_API_KEY",
        description="The server's own key for OpenAI.",
    )
    anthropic_api_key: ApiKey = Field(
        default=SecretStr(""),
        alias="ANTHROPIC_API_KEY",
        description="The server's own key for Anthropic.",
    )
    google_api_key: ApiKey = Field(
        default=SecretStr(""),
        alias="GOOGLE_API_KEY",
        description="The server's own key for Google Gemini.",
    )
    gemini_api_key: ApiKey = Field(
        default=SecretStr(""),
        alias="GEMINI_API_KEY",
        description="The same, read when `GOOGLE_API_KEY` is not set.",
    )
    azure_openai_api_key: ApiKey = Field(
        default=SecretStr(""),
        alias="AZURE_OPENAI_API_KEY",
        description="The server's own key for Azure OpenAI; it needs `AZURE_OPENAI_ENDPOINT` too.",
    )
    azure_openai_endpoint: Endpoint = Field(
        default="",
        alias="AZURE_OPENAI_ENDPOINT",
        description="Address of the Azure OpenAI resource, `https://….openai.azure.com`.",
    )
    example_model: ModelName = Field(
        default="",
        alias="PROMPTPILOT_EXAMPLE_MODEL",
        description="Model of the example that a first start makes. By default a small one of the "
        "first provider that has a key above, or the simulator.",
    )

    @property
    def is_production(self) -> bool:
        """Whether this process is a part of an installation."""
        return self.mode is Mode.PRODUCTION

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None) -> Self:
        """Read `env`; None means the environment of this process.

        Raises Misconfigured that names every variable that is wrong, missing or not known.
        """
        source = os.environ if env is None else env
        given = {name: text for name, text in source.items() if text}
        faults = [*_unknown(given), *_missing(given)]
        try:
            settings = cls.model_validate(_derived(given) | given)
        except ValidationError as error:
            raise Misconfigured([*_wrong(error, given), *faults]) from None
        if faults:
            raise Misconfigured(faults)
        return settings


_FIELDS = {str(field.alias): field for field in Settings.model_fields.values()}


def _derived(given: Mapping[str, str]) -> dict[str, str]:
    """Return the defaults that depend on other variables."""
    is_production = given.get("PROMPTPILOT_ENV") == Mode.PRODUCTION
    data_dir = Path(given.get("PROMPTPILOT_DATA_DIR", _DATA_DIR)).absolute()
    host, port = given.get("PROMPTPILOT_HOST", "127.0.0.1"), given.get("PROMPTPILOT_PORT", "8000")
    return {
        "DATABASE_URL": f"sqlite://{quote(str(data_dir / 'promptpilot.db'))}",
        "PROMPTPILOT_PUBLIC_URL": f"http://{_reachable(host)}:{port}",
        "PROMPTPILOT_LOG_FORMAT": LogFormat.JSON if is_production else LogFormat.CONSOLE,
        "PROMPTPILOT_REGISTRATION": Registration.CLOSED if is_production else Registration.OPEN,
        "PROMPTPILOT_ENVIRONMENT_CREDENTIALS": "false" if is_production else "true",
    }


def _reachable(host: str) -> str:
    if host in {"0.0.0.0", "::"}:  # noqa: S104 -- nobody listens here; it is told apart
        return "localhost"
    return f"[{host}]" if ":" in host else host


def _unknown(given: Mapping[str, str]) -> Iterator[str]:
    for name in sorted(given):
        if name.startswith(_PREFIX) and name not in _FIELDS:
            words = [known.removeprefix(_PREFIX) for known in _FIELDS if known.startswith(_PREFIX)]
            near = difflib.get_close_matches(name.removeprefix(_PREFIX), words, n=1)
            hint = f"did you mean {_PREFIX}{near[0]}?" if near else "docs/SETTINGS.md lists them."
            yield f"{name} is not a setting; {hint}"


def _missing(given: Mapping[str, str]) -> Iterator[str]:
    if given.get("PROMPTPILOT_ENV") != Mode.PRODUCTION:
        return
    for name in ("PROMPTPILOT_JWT_SECRET", "PROMPTPILOT_MASTER_KEYS", "DATABASE_URL", "REDIS_URL"):
        if name not in given:
            yield f"{name} must be set in production. {_FIELDS[name].description}"
    if given.get("DATABASE_URL", "").startswith("sqlite"):
        yield "DATABASE_URL must be a PostgreSQL database in production, not SQLite."


def _wrong(error: ValidationError, given: Mapping[str, str]) -> Iterator[str]:
    for fault in error.errors(include_url=False, include_input=False):
        name = str(fault["loc"][0])
        reason = fault["msg"].removeprefix("Value error, ").rstrip(".")
        if name in given:  # a derived default is wrong only because another variable is
            yield f"{name} is wrong: {reason}. {_FIELDS[name].description}"


def with_secrets(settings: Settings, jwt_secret: SecretStr, master_keys: SecretStr) -> Settings:
    """Return `settings` with secrets that came from elsewhere and were checked there."""
    return settings.model_copy(update={"jwt_secret": jwt_secret, "master_keys": master_keys})
