"""Proves that settings are checked as a whole, that every fault is told and that no secret is."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from promptpilot.errors import Misconfigured
from promptpilot.graphql_settings import GraphqlSettings
from promptpilot.provider_settings import ProviderSettings
from promptpilot.settings import (
    GraphqlProfile,
    LogFormat,
    LogLevel,
    Mode,
    Registration,
    Settings,
    SqliteSynchronous,
)

REFERENCE = Path(__file__).parent.parent / "docs" / "SETTINGS.md"
FIELDS = {
    str(field.alias): field
    for name, field in sorted(
        Settings.model_fields.items(),
        key=lambda item: (
            item[0] in ProviderSettings.model_fields,
            item[0] in GraphqlSettings.model_fields,
        ),
    )
}
DERIVED = {
    "DATABASE_URL": "a file in the data folder",
    "PROMPTPILOT_PUBLIC_URL": "`http://host:port`",
    "PROMPTPILOT_LOG_FORMAT": "`console` or `json`",
    "PROMPTPILOT_REGISTRATION": "`open` or `closed`",
    "PROMPTPILOT_ENVIRONMENT_CREDENTIALS": "`true` or `false`",
}
JWT_SECRET = "0123456789abcdef" * 2
MASTER_KEYS = f"k1:{'A' * 43}="
PRODUCTION = {
    "PROMPTPILOT_ENV": "production",
    "PROMPTPILOT_JWT_SECRET": JWT_SECRET,
    "PROMPTPILOT_MASTER_KEYS": MASTER_KEYS,
    "DATABASE_URL": "postgresql://user:password@db/promptpilot",
    "REDIS_URL": "redis://redis:6379/0",
}

EVERY_VARIABLE = PRODUCTION | {
    "PROMPTPILOT_DATA_DIR": "/srv/pp",
    "PROMPTPILOT_HOST": "::1",
    "PROMPTPILOT_PORT": "9000",
    "PROMPTPILOT_PUBLIC_URL": "https://pp.example/",
    "PROMPTPILOT_LEASE_SECONDS": "2.5",
    "PROMPTPILOT_WORKER_SLOTS": "7",
    "PROMPTPILOT_DRAIN_SECONDS": "0",
    "PROMPTPILOT_SQLITE_SYNCHRONOUS": "NORMAL",
    "PROMPTPILOT_DATABASE_POOL_SIZE": "3",
    "PROMPTPILOT_ALLOWED_ORIGINS": "https://a.example, http://localhost:3000",
    "PROMPTPILOT_GRAPHQL_PROFILE": "audit",
    "PROMPTPILOT_INTROSPECTION": "false",
    "PROMPTPILOT_LOG_LEVEL": "DEBUG",
    "PROMPTPILOT_LOG_FORMAT": "console",
    "PROMPTPILOT_REGISTRATION": "open",
    "PROMPTPILOT_SWEEP_SECONDS": "0.1",
    "PROMPTPILOT_MAX_WEBHOOK_BYTES": "2048",
    "PROMPTPILOT_MAX_INPUT_BYTES": "4096",
    "PROMPTPILOT_OIDC_ISSUER": "https://id.example",
    "PROMPTPILOT_OIDC_AUDIENCE": "pp",
    "PROMPTPILOT_OIDC_JWKS_URL": "https://id.example/keys",
    "PROMPTPILOT_OIDC_ACCOUNTS": "false",
    "PROMPTPILOT_PREVIEW_SECONDS": "30",
    "PROMPTPILOT_SOLO_MEMORY_MB": "256",
    "PROMPTPILOT_PRICES_FILE": __file__,
    "PROMPTPILOT_EGRESS_ALLOW": "127.0.0.1:8080, 10.0.0.0/8,[::1]:9000,::1",
    "PROMPTPILOT_PROVIDER_CONNECT_SECONDS": "3",
    "PROMPTPILOT_PROVIDER_FIRST_TOKEN_SECONDS": "90.5",
    "PROMPTPILOT_PROVIDER_IDLE_SECONDS": "20",
    "PROMPTPILOT_ENVIRONMENT_CREDENTIALS": "true",
    "OPENAI_API_KEY": "sk-1",
    "ANTHROPIC_API_KEY": "sk-2",
    "GOOGLE_API_KEY": "AI-3",
    "GEMINI_API_KEY": "AI-4\n",
    "AZURE_OPENAI_API_KEY": "az-5",
    "AZURE_OPENAI_ENDPOINT": "https://pp.openai.azure.com",
    "PROMPTPILOT_EXAMPLE_MODEL": "small",
    "PROMPTPILOT_GRAPHQL_MAX_BODY_BYTES": "1024",
    "PROMPTPILOT_GRAPHQL_MAX_TOKENS": "101",
    "PROMPTPILOT_GRAPHQL_MAX_DEPTH": "13",
    "PROMPTPILOT_GRAPHQL_MAX_ALIASES": "31",
    "PROMPTPILOT_GRAPHQL_MAX_DIRECTIVES": "51",
    "PROMPTPILOT_GRAPHQL_MAX_ROOT_FIELDS": "21",
    "PROMPTPILOT_GRAPHQL_MAX_COST": "5001",
    "PROMPTPILOT_GRAPHQL_MAX_JSON_DEPTH": "64",
    "PROMPTPILOT_GRAPHQL_MAX_LIST": "200",
    "PROMPTPILOT_GRAPHQL_MAX_ERRORS": "10",
    "PROMPTPILOT_GRAPHQL_TIMEOUT_SECONDS": "1.5",
    "PROMPTPILOT_GRAPHQL_RATE": "7",
    "PROMPTPILOT_GRAPHQL_ANONYMOUS_RATE": "0",
    "PROMPTPILOT_GRAPHQL_SOCKETS": "1",
    "PROMPTPILOT_GRAPHQL_STRANGERS": "9",
    "PROMPTPILOT_GRAPHQL_SUBSCRIPTIONS": "2",
    "PROMPTPILOT_GRAPHQL_SUBSCRIPTIONS_PER_SOCKET": "3",
    "PROMPTPILOT_GRAPHQL_SUGGESTIONS": "true",
    "PROMPTPILOT_GRAPHQL_FAST_EXECUTOR": "false",
    "PROMPTPILOT_TRUSTED_DOCUMENTS": "/",
    "PROMPTPILOT_ONLY_TRUSTED_DOCUMENTS": "true",
}
EVERY_VALUE = {
    "mode": Mode.PRODUCTION,
    "database_url": PRODUCTION["DATABASE_URL"],
    "redis_url": PRODUCTION["REDIS_URL"],
    "data_dir": Path("/srv/pp"),
    "host": "::1",
    "port": 9000,
    "public_url": "https://pp.example",
    "jwt_secret": SecretStr(JWT_SECRET),
    "oidc_issuer": "https://id.example",
    "oidc_audience": "pp",
    "oidc_jwks_url": "https://id.example/keys",
    "oidc_accounts": False,
    "master_keys": SecretStr(MASTER_KEYS),
    "lease": timedelta(seconds=2.5),
    "worker_slots": 7,
    "drain": timedelta(0),
    "sqlite_synchronous": SqliteSynchronous.NORMAL,
    "database_pool_size": 3,
    "allowed_origins": ("https://a.example", "http://localhost:3000"),
    "graphql_profile": GraphqlProfile.AUDIT,
    "introspection": False,
    "log_level": LogLevel.DEBUG,
    "log_format": LogFormat.CONSOLE,
    "registration": Registration.OPEN,
    "sweep": timedelta(seconds=0.1),
    "max_webhook_bytes": 2048,
    "max_input_bytes": 4096,
    "preview": timedelta(seconds=30),
    "solo_memory_mb": 256,
    "prices_file": __file__,
    "egress_allow": ("127.0.0.1:8080", "10.0.0.0/8", "[::1]:9000", "::1"),
    "provider_connect": timedelta(seconds=3),
    "provider_first_token": timedelta(seconds=90.5),
    "provider_idle": timedelta(seconds=20),
    "environment_credentials": True,
    "openai_api_key": SecretStr("sk-1"),
    "anthropic_api_key": SecretStr("sk-2"),
    "google_api_key": SecretStr("AI-3"),
    "gemini_api_key": SecretStr("AI-4"),
    "azure_openai_api_key": SecretStr("az-5"),
    "azure_openai_endpoint": "https://pp.openai.azure.com",
    "example_model": "small",
    "graphql_max_body_bytes": 1024,
    "graphql_max_tokens": 101,
    "graphql_max_depth": 13,
    "graphql_max_aliases": 31,
    "graphql_max_directives": 51,
    "graphql_max_root_fields": 21,
    "graphql_max_cost": 5001,
    "graphql_max_json_depth": 64,
    "graphql_max_list": 200,
    "graphql_max_errors": 10,
    "graphql_timeout": timedelta(seconds=1.5),
    "graphql_rate": 7,
    "graphql_anonymous_rate": 0,
    "graphql_sockets": 1,
    "graphql_strangers": 9,
    "graphql_subscriptions": 2,
    "graphql_subscriptions_per_socket": 3,
    "graphql_suggestions": True,
    "graphql_fast_executor": False,
    "trusted_documents": "/",
    "only_trusted_documents": True,
}


def faults_of(env: dict[str, str]) -> tuple[str, ...]:
    with pytest.raises(Misconfigured) as caught:
        Settings.from_env(env)
    return caught.value.faults


def default_of(name: str) -> str:
    """Return the default as the reference shows it."""
    default: Any = FIELDS[name].default
    if name in DERIVED:
        return DERIVED[name]
    if isinstance(default, timedelta):
        return f"`{default.total_seconds():g}`"
    if isinstance(default, SecretStr) or default in {"", ()}:
        return "none"
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def test_nothing_has_to_be_set() -> None:
    settings = Settings.from_env({})

    assert settings.mode is Mode.EMBEDDED
    assert not settings.is_production
    assert settings.data_dir == Path.cwd() / ".promptpilot"
    assert settings.database_url == f"sqlite://{Path.cwd()}/.promptpilot/promptpilot.db"
    assert settings.redis_url == ""
    assert settings.public_url == "http://127.0.0.1:8000"
    assert settings.registration is Registration.OPEN
    assert settings.log_format is LogFormat.CONSOLE


def test_production_is_closed_and_logs_for_machines_unless_told_otherwise() -> None:
    settings = Settings.from_env(PRODUCTION)

    assert settings.is_production
    assert settings.registration is Registration.CLOSED
    assert settings.log_format is LogFormat.JSON


def test_every_variable_is_read() -> None:
    settings = Settings.from_env(EVERY_VARIABLE)

    assert EVERY_VARIABLE.keys() == FIELDS.keys()
    assert settings.model_dump() == EVERY_VALUE


def test_the_environment_of_the_process_is_read_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMPTPILOT_PORT", "9001")

    assert Settings.from_env().port == 9001


def test_a_variable_that_is_set_to_nothing_is_not_set() -> None:
    assert Settings.from_env({"PROMPTPILOT_PORT": "", "REDIS_URL": ""}).port == 8000


def test_settings_cannot_be_changed() -> None:
    settings = Settings.from_env({})

    with pytest.raises(ValidationError):
        settings.port = 1


@pytest.mark.parametrize("name", FIELDS)
def test_a_wrong_value_is_refused_by_the_name_of_its_variable(name: str) -> None:
    accepts_any_text = {"PROMPTPILOT_DATA_DIR": "~/folder"}

    faults = faults_of({name: accepts_any_text.get(name, "not a / good value")})

    assert [fault.split(" is wrong: ")[0] for fault in faults] == [name]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PROMPTPILOT_PORT", "0"),
        ("PROMPTPILOT_PORT", "65536"),
        ("PROMPTPILOT_PORT", "8_000"),
        ("PROMPTPILOT_PORT", "٨٠"),
        ("PROMPTPILOT_LEASE_SECONDS", "0.9"),
        ("PROMPTPILOT_LEASE_SECONDS", "301"),
        ("PROMPTPILOT_LEASE_SECONDS", "nan"),
        ("PROMPTPILOT_LEASE_SECONDS", "1e9"),
        ("PROMPTPILOT_SWEEP_SECONDS", "0"),
        ("PROMPTPILOT_WORKER_SLOTS", "0"),
        ("PROMPTPILOT_MAX_WEBHOOK_BYTES", "1023"),
        ("PROMPTPILOT_ALLOWED_ORIGINS", "*"),
        ("PROMPTPILOT_ALLOWED_ORIGINS", "https://a.example/path"),
        ("PROMPTPILOT_PUBLIC_URL", "pp.example"),
        ("PROMPTPILOT_PUBLIC_URL", "https://host:99999"),
        ("PROMPTPILOT_PUBLIC_URL", "https://host:0"),
        ("PROMPTPILOT_PUBLIC_URL", "https://user@host"),
        ("PROMPTPILOT_JWT_SECRET", "a" * 31),
        ("PROMPTPILOT_MASTER_KEYS", "k1:c2hvcnQ="),
        ("PROMPTPILOT_GRAPHQL_MAX_DEPTH", "2"),
        ("PROMPTPILOT_GRAPHQL_MAX_COST", "99"),
        ("PROMPTPILOT_TRUSTED_DOCUMENTS", "/nowhere/at/all"),
        ("PROMPTPILOT_ONLY_TRUSTED_DOCUMENTS", "true"),
        ("PROMPTPILOT_PROVIDER_CONNECT_SECONDS", "0"),
        ("PROMPTPILOT_PROVIDER_FIRST_TOKEN_SECONDS", "3601"),
        ("PROMPTPILOT_PROVIDER_IDLE_SECONDS", "-1"),
        ("PROMPTPILOT_EGRESS_ALLOW", "localhost:8080"),
        ("PROMPTPILOT_EGRESS_ALLOW", "127.0.0.1:0"),
        ("PROMPTPILOT_EGRESS_ALLOW", "127.0.0.1:65536"),
        ("PROMPTPILOT_EGRESS_ALLOW", "10.0.0.1/8"),
        ("PROMPTPILOT_EGRESS_ALLOW", "127.1"),
        ("PROMPTPILOT_EGRESS_ALLOW", "fe80::1%eth0"),
        ("PROMPTPILOT_EGRESS_ALLOW", "::1, 10.0.0.0/33"),
    ],
)
def test_a_value_out_of_its_bounds_is_refused(name: str, value: str) -> None:
    faults = faults_of({name: value})

    assert len(faults) == 1
    assert faults[0].startswith(f"{name} is wrong: ")


def test_every_fault_is_told_at_once() -> None:
    env = {
        "PROMPTPILOT_ENV": "production",
        "PROMPTPILOT_PORT": "http",
        "PROMPTPILOT_PROT": "80",
        "DATABASE_URL": "sqlite:///srv/a.db",
        "PROMPTPILOT_MASTER_KEYS": MASTER_KEYS,
    }

    text = "\n".join(faults_of(env))

    assert "PROMPTPILOT_PORT is wrong: it must be a whole number." in text
    assert "PROMPTPILOT_PROT is not a setting; did you mean PROMPTPILOT_PORT?" in text
    assert "DATABASE_URL must be a PostgreSQL database in production" in text
    assert "PROMPTPILOT_JWT_SECRET must be set in production." in text
    assert "REDIS_URL must be set in production." in text


@pytest.mark.parametrize("name", sorted(PRODUCTION.keys() - {"PROMPTPILOT_ENV"}))
def test_production_does_not_start_without_its_secrets_and_servers(name: str) -> None:
    env = {key: value for key, value in PRODUCTION.items() if key != name}

    faults = faults_of(env)

    assert len(faults) == 1
    assert faults[0].startswith(f"{name} must be set in production. ")


def test_an_unknown_variable_without_a_near_name_is_refused() -> None:
    assert faults_of({"PROMPTPILOT_XYZZY_QUUX_42": "1"}) == (
        "PROMPTPILOT_XYZZY_QUUX_42 is not a setting; docs/SETTINGS.md lists them.",
    )


def test_variables_of_others_are_none_of_our_business() -> None:
    assert Settings.from_env({"PATH": "/bin", "PYTHONPATH": "x"}).port == 8000


@given(st.text(st.characters(codec="ascii"), min_size=8))
def test_no_secret_is_told_in_a_fault(text: str) -> None:
    marked = f"hunter2{text}"
    names = ["PROMPTPILOT_JWT_SECRET", "PROMPTPILOT_MASTER_KEYS", "DATABASE_URL", "REDIS_URL"]
    env = {name: marked for name in names if name != "PROMPTPILOT_JWT_SECRET" or len(marked) < 32}

    assert "hunter2" not in "\n".join(faults_of(env))


def test_no_secret_is_shown_with_the_settings() -> None:
    shown = repr(Settings.from_env(PRODUCTION))

    assert JWT_SECRET not in shown
    assert MASTER_KEYS not in shown
    assert "password" not in shown
    assert "redis:6379" not in shown


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("0.0.0.0", "http://localhost:8000"),  # noqa: S104 -- nothing listens here
        ("::", "http://localhost:8000"),
        ("::1", "http://[::1]:8000"),
        ("pp.local", "http://pp.local:8000"),
    ],
)
def test_the_public_address_follows_the_host_until_it_is_set(host: str, expected: str) -> None:
    assert Settings.from_env({"PROMPTPILOT_HOST": host}).public_url == expected


def test_the_path_of_the_default_database_is_quoted() -> None:
    settings = Settings.from_env({"PROMPTPILOT_DATA_DIR": "/srv/my data#1"})

    assert settings.database_url == "sqlite:///srv/my%20data%231/promptpilot.db"


@pytest.mark.parametrize("name", FIELDS)
def test_the_reference_describes_every_setting_as_it_is(name: str) -> None:
    row = f"| `{name}` | {default_of(name)} | {FIELDS[name].description} |"

    assert row in REFERENCE.read_text("utf-8").splitlines()


def test_the_reference_describes_no_setting_that_is_not() -> None:
    named = re.findall(r"^\| `([A-Z_]+)` \|", REFERENCE.read_text("utf-8"), re.MULTILINE)

    assert named == list(FIELDS)
