"""The kinds of value a setting may have, and how each is read from the text of a variable.

Rules: a reader raises ValueError with a sentence that says what the text must be; it never repeats
a text that may be a secret.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, SecretStr, StringConstraints

from promptpilot.errors import Misconfigured

MIN_JWT_SECRET_BYTES = 32
MASTER_KEY_BYTES = 32

_DATABASE_SCHEMES = ("sqlite://", "postgres://", "postgresql://")
_REDIS_SCHEMES = ("redis://", "rediss://", "unix://")
_KEY_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
_HOST = re.compile(r"[0-9A-Za-z_.:%-]{1,253}")
_MAX_DIGITS = 12
_MAX_PORT = 65_535
_RANGE_IN_BRACKETS = re.compile(r"\[([0-9A-Fa-f:./]+)\](?::([0-9]{1,5}))?")
_RANGE_OF_V4 = re.compile(r"([0-9./]+)(?::([0-9]{1,5}))?")
_API_KEY = re.compile(r"[!-~]{1,8192}")
_MODEL = re.compile(r"[!-~]{1,200}")
_NUMBER = re.compile(r"[0-9]{1,9}(\.[0-9]{1,6})?")


class Mode(StrEnum):
    """How a process is run: alone with everything it needs, or as a part of an installation."""

    EMBEDDED = "embedded"
    PRODUCTION = "production"


class SqliteSynchronous(StrEnum):
    """What a commit survives: FULL a power cut, NORMAL a crash of the process."""

    FULL = "FULL"
    NORMAL = "NORMAL"


class GraphqlProfile(StrEnum):
    """Which status codes GraphQL over HTTP answers with."""

    EDITION_2026_09 = "2026-09"
    AUDIT = "audit"


class LogFormat(StrEnum):
    """How a log line looks."""

    CONSOLE = "console"
    JSON = "json"


class LogLevel(StrEnum):
    """The least important line that is written."""

    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"


class Registration(StrEnum):
    """Whether strangers may make an account."""

    OPEN = "open"
    CLOSED = "closed"


def parse_keys(text: str) -> tuple[tuple[str, bytes], ...]:
    """Read `k2:<base64>,k1:<base64>` into (key id, 32 bytes) pairs in their order.

    Raises Misconfigured with every fault of the list; entries are named by their position.
    """
    if not text.strip():
        raise Misconfigured(["PROMPTPILOT_MASTER_KEYS must be set: secrets cannot be opened."])
    faults: list[str] = []
    keys: dict[str, bytes] = {}
    for position, entry in enumerate(text.split(","), start=1):
        key_id, _, encoded = entry.strip().partition(":")
        faults += [f"Master key {position} {fault}" for fault in _key_faults(key_id, encoded, keys)]
        keys[key_id] = _from_base64(encoded)
    if faults:
        raise Misconfigured(faults)
    return tuple(keys.items())


def _key_faults(key_id: str, encoded: str, keys: Mapping[str, bytes]) -> Iterator[str]:
    if not _KEY_ID.fullmatch(key_id):
        yield "needs an id of lower-case letters, digits, - and _ before a colon."
    elif key_id in keys:
        yield f"repeats the id {key_id}."
    if len(_from_base64(encoded)) != MASTER_KEY_BYTES:
        yield f"must be the base64 of {MASTER_KEY_BYTES} bytes (openssl rand -base64 32)."


def _from_base64(encoded: str) -> bytes:
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return b""


@dataclass(frozen=True, slots=True)
class AddressRange:
    """Some addresses, at one port or, if that is None, at every one."""

    network: IPv4Network | IPv6Network
    port: int | None


def parse_ranges(entries: Iterable[str]) -> tuple[AddressRange, ...]:
    """Read `10.0.0.0/8`, `127.0.0.1:8080`, `::1` and `[::1]:9000`; names are not taken.

    Raises Misconfigured with every entry that is wrong.
    """
    faults: list[str] = []
    ranges: list[AddressRange] = []
    for entry in entries:
        try:
            ranges.append(_range(entry))
        except ValueError as error:
            faults.append(f"{entry!r}: {error}")
    if faults:
        raise Misconfigured(faults)
    return tuple(ranges)


def _range(entry: str) -> AddressRange:
    parts = _RANGE_IN_BRACKETS.fullmatch(entry) or _RANGE_OF_V4.fullmatch(entry)
    addresses, port = (parts[1], parts[2]) if parts else (entry, None)
    if port is not None and not 0 < int(port) <= _MAX_PORT:
        raise ValueError(f"the port must be 1 to {_MAX_PORT}")
    try:
        network = ip_network(addresses)
    except ValueError:
        raise ValueError(
            "write an address or a range of them, such as 127.0.0.1:8080, 10.0.0.0/8 or [::1]:9000"
        ) from None
    if "%" in addresses:
        raise ValueError("an address must not name a network interface")
    return AddressRange(network, None if port is None else int(port))


def _check_ranges(entries: tuple[str, ...]) -> tuple[str, ...]:
    try:
        parse_ranges(entries)
    except Misconfigured as error:
        raise ValueError("; ".join(error.faults)) from error
    return entries


def _read_seconds(text: str) -> timedelta:
    if not _NUMBER.fullmatch(text):
        raise ValueError("it must be a number of seconds, such as 15 or 0.5")
    return timedelta(seconds=float(text))


def _read_count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS):
        raise ValueError("it must be a whole number")
    return int(text)


def _read_list(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _read_folder(path: Path) -> Path:
    if str(path).startswith("~"):
        raise ValueError("write the whole path instead of ~")
    return path.absolute()


def _check_file(path: str) -> str:
    if path and not Path(path).is_file():
        raise ValueError("there is no such file")
    return path


def _check_host(host: str) -> str:
    if not _HOST.fullmatch(host):
        raise ValueError("it must be an address or a name, without a scheme and a port")
    return host


def _check_database(url: str) -> str:
    if not url.startswith(_DATABASE_SCHEMES):
        raise ValueError(f"it must begin with one of {', '.join(_DATABASE_SCHEMES)}")
    return url


def _check_redis(url: str) -> str:
    if url and not url.startswith(_REDIS_SCHEMES):
        raise ValueError(f"it must begin with one of {', '.join(_REDIS_SCHEMES)}")
    return url


def _check_issuer(url: str) -> str:
    if url and not url.startswith(("https://", "http://")):
        raise ValueError("it must begin with https:// or http://")
    return url


def _check_jwt_secret(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value()
    if text and len(text.encode("utf-8", "surrogateescape")) < MIN_JWT_SECRET_BYTES:
        message = f"it must have at least {MIN_JWT_SECRET_BYTES} bytes (openssl rand -base64 48)"
        raise ValueError(message)
    return secret


def _check_master_keys(keys: SecretStr) -> SecretStr:
    try:
        if keys.get_secret_value():
            parse_keys(keys.get_secret_value())
    except Misconfigured as error:
        raise ValueError(" ".join(error.faults)) from error
    return keys


def _check_api_key(key: SecretStr) -> SecretStr:
    if key.get_secret_value() and not _API_KEY.fullmatch(key.get_secret_value().strip()):
        raise ValueError("it must be the key alone: visible ASCII characters without a space")
    return SecretStr(key.get_secret_value().strip())


def _check_origin(url: str) -> str:
    parts = urlsplit(url)
    has_more = parts.path or parts.query or parts.fragment or "@" in parts.netloc
    if parts.scheme not in {"http", "https"} or not parts.hostname or has_more:
        raise ValueError("it must be of the form https://host or http://host:port, without a path")
    if parts.port == 0:
        raise ValueError("its port must be 1 to 65535")
    return url


def _check_endpoint(url: str) -> str:
    return _check_origin(url.rstrip("/")) if url else url


def _check_model(name: str) -> str:
    if name and not _MODEL.fullmatch(name):
        raise ValueError("it must be the name of a model, without a space")
    return name


def _check_public_url(url: str) -> str:
    return _check_origin(url.rstrip("/"))


Count = Annotated[int, BeforeValidator(_read_count)]
Folder = Annotated[Path, AfterValidator(_read_folder)]
ReadableFile = Annotated[str, AfterValidator(_check_file)]
Host = Annotated[str, AfterValidator(_check_host)]
Seconds = Annotated[timedelta, BeforeValidator(_read_seconds)]
DatabaseUrl = Annotated[str, AfterValidator(_check_database)]
RedisUrl = Annotated[str, AfterValidator(_check_redis)]
PublicUrl = Annotated[str, AfterValidator(_check_public_url)]
Audience = Annotated[str, StringConstraints(pattern=r"^[!-~]{1,255}$")]
IssuerUrl = Annotated[str, AfterValidator(_check_issuer)]
JwtSecret = Annotated[SecretStr, AfterValidator(_check_jwt_secret)]
MasterKeys = Annotated[SecretStr, AfterValidator(_check_master_keys)]
ApiKey = Annotated[SecretStr, AfterValidator(_check_api_key)]
Endpoint = Annotated[str, AfterValidator(_check_endpoint)]
ModelName = Annotated[str, AfterValidator(_check_model)]
Origin = Annotated[str, AfterValidator(_check_origin)]
Origins = Annotated[tuple[Origin, ...], BeforeValidator(_read_list)]
AddressRanges = Annotated[
    tuple[str, ...], AfterValidator(_check_ranges), BeforeValidator(_read_list)
]
