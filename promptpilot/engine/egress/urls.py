"""Takes the URL of a request apart, strictly, so that nobody can read another host out of it.

Rules: what two readers might understand differently is refused. A host that looks like a number is
an IPv4 address in its one usual form, or refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from promptpilot.engine.egress.failures import refused

_MAX_URL_CHARS = 8_000
_MAX_HOST_CHARS = 253
_MAX_PORT = 65_535
_PRINTABLE = re.compile(r"[\x21-\x7e]+")
_SCHEME = re.compile(r"(https?)://", re.IGNORECASE)
_AUTHORITY = re.compile(r"(\[[^\]]*\]|[^:\[\]]*)(?::([0-9]{1,5}))?")
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request goes. `host` is a lower-case name or an address, without brackets."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def is_secure(self) -> bool:
        """Whether the conversation is encrypted."""
        return self.scheme == "https"

    @property
    def authority(self) -> str:
        """What the `Host` header says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"


def parse_url(url: str) -> Target:
    """Return where `url` leads; its fragment is left out. Raises `StepFailed` SSRF_BLOCKED."""
    if len(url) > _MAX_URL_CHARS:
        raise refused("", f"it has more than {_MAX_URL_CHARS} characters")
    if not _PRINTABLE.fullmatch(url) or "\\" in url:
        raise refused("", "write all but visible ASCII characters, and \\, as %XX")
    scheme = _SCHEME.match(url)
    if scheme is None:
        raise refused("", "it must begin with https:// or http://")
    rest, _, _ = url[scheme.end() :].partition("#")
    authority = re.split(r"[/?]", rest, maxsplit=1)[0]
    host, port = _host_and_port(authority, scheme[1].lower())
    path = rest[len(authority) :]
    return Target(scheme[1].lower(), host, port, path if path.startswith("/") else f"/{path}")


def _host_and_port(authority: str, scheme: str) -> tuple[str, int]:
    if "@" in authority:
        raise refused("", "it must not hold a user or a password; use a header")
    parts = _AUTHORITY.fullmatch(authority)
    if parts is None or not parts[1]:
        raise refused("", "after // it needs a host, with or without a port")
    port = int(parts[2]) if parts[2] else _DEFAULT_PORTS[scheme]
    if not 0 < port <= _MAX_PORT:
        raise refused("", f"its port must be 1 to {_MAX_PORT}")
    return _host(parts[1].lower()), port


def _host(text: str) -> str:
    if text.startswith("["):
        return _ipv6(text[1:-1])
    labels = text.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        return _ipv4(text)
    if len(text) > _MAX_HOST_CHARS or not all(map(_LABEL.fullmatch, labels)):
        raise refused("", "its host is no name; write international names as xn--…")
    return text


def _ipv4(text: str) -> str:
    try:
        return str(IPv4Address(text))
    except ValueError:
        raise refused("", "its host must be a name or four decimal numbers") from None


def _ipv6(text: str) -> str:
    try:
        address = IPv6Address(text)
    except ValueError:
        raise refused("", "between [ and ] it needs an IPv6 address") from None
    if address.scope_id is not None:
        raise refused("", "its address must not name a network interface")
    return str(address)
