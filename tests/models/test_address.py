"""A database URL is understood, or refused with the name of its setting and without a secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from promptpilot.errors import Misconfigured
from promptpilot.models.address import Dialect, parse_url


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///srv/a.db", "/srv/a.db"),
        ("sqlite://data/a.db", "data/a.db"),
        ("sqlite:///srv/with%20space.db", "/srv/with space.db"),
    ],
)
def test_a_sqlite_url_names_a_file(url: str, path: str) -> None:
    address = parse_url(url)

    assert (address.dialect, address.path) == (Dialect.SQLITE, Path(path))


@pytest.mark.parametrize("scheme", ["postgres", "postgresql"])
def test_a_postgres_url_is_taken_apart(scheme: str) -> None:
    address = parse_url(f"{scheme}://me:p%40ss@db.example:6432/app?sslmode=require")

    assert address.dialect is Dialect.POSTGRES
    assert address.options == {
        "host": "db.example",
        "port": 6432,
        "user": "me",
        "password": "p@ss",
        "database": "app",
        "ssl": "require",
    }


def test_a_postgres_url_may_name_the_folder_of_a_socket() -> None:
    address = parse_url("postgresql:///app?host=/run/postgresql")

    assert address.options == {"host": "/run/postgresql", "port": 5432, "database": "app"}


@pytest.mark.parametrize(
    "url",
    [
        "",
        "app.db",
        "mysql://me:hunter2@host/app",
        "sqlite://",
        "sqlite://:memory:",
        "sqlite:///srv/",
        "sqlite:///a.db?mode=ro",
        "sqlite:///a%00.db",
        "postgres://me:hunter2@host",
        "postgres://me:hunter2@host/a/b",
        "postgres://me:hunter2@host:port/app",
        "postgres://me:hunter2@host:70000/app",
        "postgres://me:hunter2@host/app?port=0",
        "postgres://me:hunter2@host/app?sslmode=hunter2",
        "postgres://me:hunter2@host/app?pool=3",
        "postgres://me:hunter#2@host/app",
        "postgres://me:hunter2@[host/app",
    ],
)
def test_nonsense_is_refused_by_name_and_without_the_password(url: str) -> None:
    with pytest.raises(Misconfigured, match="DATABASE_URL") as refused:
        parse_url(url)

    assert "hunter" not in str(refused.value)


def test_the_password_is_not_shown() -> None:
    assert "hunter2" not in repr(parse_url("postgres://me:hunter2@host/app"))
