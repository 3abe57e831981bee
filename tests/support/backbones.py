"""The open parts of one process of the product, on a database and a Redis of the test."""

from __future__ import annotations

from promptpilot.settings import Settings

_SECRETS = {
    "PROMPTPILOT_JWT_SECRET": "0123456789abcdef0123456789abcdef",
    "PROMPTPILOT_MASTER_KEYS": "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
}


def settings_for(database_url: str, redis_url: str, **others: str) -> Settings:
    """Return settings; `others` are named without their prefix, e.g. LEASE_SECONDS="1"."""
    named = {f"PROMPTPILOT_{name}": value for name, value in others.items()}
    urls = {"DATABASE_URL": database_url, "REDIS_URL": redis_url}
    return Settings.from_env(_SECRETS | urls | named)
