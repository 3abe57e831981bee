"""Which addresses and ports may be dialled: the public ones, and what an operator allows.

Rules: whether an address is public is told by the lists below, not by `is_global`, which takes
translated, embedded and multicast addresses for public ones. Of IPv6 only what is given out as
global unicast is public, so that no form that carries an IPv4 address gets through.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Self

from promptpilot.setting_values import AddressRange, parse_ranges

IpAddress = IPv4Address | IPv6Address

_MAX_SYSTEM_PORT = 1023
_WEB_PORTS = frozenset({80, 443})
_NOT_PUBLIC_V4 = tuple(
    IPv4Network(text)
    for text in (
        "0.0.0.0/8",  # this host
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # behind a carrier's NAT
        "127.0.0.0/8",  # loopback
        "169.254.0.0/16",  # link-local, metadata of clouds
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # special purposes, metadata of a cloud
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
    )
)
_GLOBAL_UNICAST = IPv6Network("2000::/3")
_NOT_PUBLIC_V6 = tuple(
    IPv6Network(text)
    for text in (
        "2001::/23",  # special purposes, Teredo
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4
        "3fff::/20",  # documentation
    )
)


@dataclass(frozen=True, slots=True)
class AllowList:
    """What an operator allows besides: ranges of addresses, each at one port or at every one.

    It is held against the address that is dialled, whatever name led there.
    """

    ranges: tuple[AddressRange, ...] = ()

    @classmethod
    def of(cls, entries: Iterable[str]) -> Self:
        """Read entries as the setting has them. Raises Misconfigured that names every fault."""
        return cls(parse_ranges(entries))

    def includes(self, address: IpAddress, port: int) -> bool:
        """Whether the operator allows `address` at `port`."""
        return any(
            address in allowed.network and allowed.port in {None, port} for allowed in self.ranges
        )


def may_dial(address: IpAddress, port: int, allowed: AllowList) -> bool:
    """Whether a connection to `address` at `port` may be opened."""
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        return False
    return (is_public(address) and is_open_port(port)) or allowed.includes(address, port)


def is_public(address: IpAddress) -> bool:
    """Whether `address` is one that everybody on the internet can reach."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _NOT_PUBLIC_V4)
    if address.scope_id is not None or address not in _GLOBAL_UNICAST:
        return False
    return not any(address in network for network in _NOT_PUBLIC_V6)


def is_open_port(port: int) -> bool:
    """Whether `port` is one of the web, or one that no system service has."""
    return port in _WEB_PORTS or port > _MAX_SYSTEM_PORT
