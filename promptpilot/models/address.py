"""Where the database is: the URL of the settings, taken apart and checked.

Rules: a fault in the URL is told with the name of the setting and without any part of the URL
that may hold a password.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from promptpilot.errors import Misconfigured

_POSTGRES_OPTIONS = frozenset({"host", "port", "user", "password", "sslmode"})
_SSL_MODES = frozenset({"disable", "allow", "prefer", "require", "verify-ca", "verify-full"})
_EXAMPLES = "sqlite:///srv/promptpilot.db or postgresql://user:password@host:5432/name"


class Dialect(StrEnum):
    """The kinds of database that PromptPilot keeps its tables in."""

    SQLITE = "sqlite"
    POSTGRES = "postgres"


@dataclass(frozen=True, slots=True)
class Address:
    """One database. `path` is set for SQLite, `options` (asyncpg's words) for PostgreSQL."""

    dialect: Dialect
    path: Path = Path()
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)


def parse_url(url: str) -> Address:
    """Take a database URL apart; raise Misconfigured, naming DATABASE_URL, if it is not one."""
    try:
        parts = urlsplit(url)
    except ValueError:
        raise _fault("is not a URL") from None
    if parts.scheme == "sqlite":
        return Address(Dialect.SQLITE, path=_sqlite_path(url))
    if parts.scheme in {"postgres", "postgresql"}:
        return Address(Dialect.POSTGRES, options=MappingProxyType(_postgres_options(parts)))
    raise _fault("has no known scheme")


def _sqlite_path(url: str) -> Path:
    """Return what follows `sqlite://` as it stands: `sqlite:///srv/a.db` is /srv/a.db."""
    name = unquote(url.removeprefix("sqlite://"))
    if "?" in name or "#" in name:
        raise _fault("takes no options for SQLite")
    if name.strip("/") in {"", ":memory:"} or name.endswith("/"):
        raise _fault("names no file; a database in memory cannot be shared and is not supported")
    if "\x00" in name:
        raise _fault("has a path with the character NUL")
    return Path(name).expanduser()


def _postgres_options(parts: SplitResult) -> dict[str, Any]:
    given = dict(parse_qsl(parts.query, keep_blank_values=True))
    if unknown := given.keys() - _POSTGRES_OPTIONS:
        raise _fault(f"has the unknown option {min(unknown)!r}")
    if parts.fragment:
        raise _fault("has a '#'; write it as %23 inside a password")
    if given.get("sslmode", "prefer") not in _SSL_MODES:
        raise _fault(f"has an sslmode that is none of {', '.join(sorted(_SSL_MODES))}")
    options = {
        "host": parts.hostname or given.get("host"),
        "port": _port(parts, given),
        "user": unquote(parts.username or "") or given.get("user"),
        "password": unquote(parts.password or "") or given.get("password"),
        "database": _database(parts),
        "ssl": given.get("sslmode"),
    }
    return {name: value for name, value in options.items() if value is not None}


def _port(parts: SplitResult, given: Mapping[str, str]) -> int:
    try:
        port = parts.port or int(given.get("port", "5432"))
    except ValueError:
        raise _fault("has a port that is not a number from 1 to 65535") from None
    if not 0 < port < 65536:  # noqa: PLR2004 - the range of TCP ports
        raise _fault("has a port that is not a number from 1 to 65535")
    return port


def _database(parts: SplitResult) -> str:
    name = unquote(parts.path.removeprefix("/"))
    if not name or "/" in name or "\x00" in name:
        raise _fault("names no database")
    return name


def _fault(reason: str) -> Misconfigured:
    return Misconfigured([f"DATABASE_URL {reason}. Write for example {_EXAMPLES}."])
