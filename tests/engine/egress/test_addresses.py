"""Proves which addresses may be dialled, and that no form of IPv6 smuggles an IPv4 address in."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from promptpilot.engine.egress.addresses import (
    AllowList,
    is_open_port,
    is_public,
    may_dial,
)
from promptpilot.errors import Misconfigured

NOT_PUBLIC = [
    "0.0.0.0",  # noqa: S104 -- nobody listens here
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "100.127.255.255",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.0.1",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.1",
    "192.168.255.255",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.7",
    "203.0.113.9",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::8.8.8.8",
    "::ffff:127.0.0.1",
    "::ffff:8.8.8.8",
    "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::808:808",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:0:7f00:1::",
    "2001:2::1",
    "2001:10::1",
    "2001:1ff::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:808:808::",
    "3fff::1",
    "3fff:fff::1",
    "4000::1",
    "5f00::1",
    "fc00::1",
    "fd00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "2606:4700:4700::1111%eth0",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
]
PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.1",
    "169.253.255.255",
    "172.15.255.255",
    "172.32.0.0",
    "192.0.1.1",
    "192.167.255.255",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "2001:200::1",
    "2001:4860:4860::8888",
    "2003::1",
    "2606:4700:4700::1111",
    "2a00:1450::1",
    "3ffe::1",
    "3fff:1000::1",
]
V4 = st.integers(0, 2**32 - 1)
#: How far an IPv4 address is shifted inside of each form that carries one, and what surrounds it.
EMBEDDINGS = {
    "mapped": ("::ffff:0:0", 0),
    "compatible": ("::", 0),
    "translated": ("::ffff:0:0:0", 0),
    "nat64": ("64:ff9b::", 0),
    "local nat64": ("64:ff9b:1::", 0),
    "6to4": ("2002::", 80),
    "teredo server": ("2001::", 64),
    "teredo client": ("2001::", 0),
    "isatap": ("fe80::5efe:0:0", 0),
}


@pytest.mark.parametrize("text", NOT_PUBLIC)
def test_special_addresses_may_not_be_dialled(text: str) -> None:
    assert not may_dial(ip_address(text), 443, AllowList())


@pytest.mark.parametrize("text", PUBLIC)
def test_public_addresses_may_be_dialled(text: str) -> None:
    assert may_dial(ip_address(text), 443, AllowList())


@pytest.mark.parametrize("name", EMBEDDINGS)
@given(number=V4)
def test_no_form_that_carries_an_ipv4_address_is_public(name: str, number: int) -> None:
    surrounding, shift = EMBEDDINGS[name]

    assert not is_public(IPv6Address(int(IPv6Address(surrounding)) | number << shift))


@given(V4.map(IPv4Address))
def test_no_address_that_the_library_calls_private_is_public(address: IPv4Address) -> None:
    assume(address.is_private or address.is_multicast or address.is_reserved)

    assert not is_public(address)


@given(st.integers(0, 2**128 - 1).map(IPv6Address))
def test_a_public_ipv6_address_is_global_unicast(address: IPv6Address) -> None:
    if is_public(address):
        assert address in ip_network("2000::/3")
        assert address.is_global


@pytest.mark.parametrize(
    ("port", "expected"),
    [(22, False), (25, False), (80, True), (81, False), (443, True), (1023, False), (1024, True)],
)
def test_only_ports_of_the_web_and_above_the_systems_are_open(port: int, expected: bool) -> None:  # noqa: FBT001 -- a row of the table
    assert is_open_port(port) is expected


@pytest.mark.parametrize(
    ("entry", "address", "port", "expected"),
    [
        ("127.0.0.1:8080", "127.0.0.1", 8080, True),
        ("127.0.0.1:8080", "127.0.0.1", 8081, False),
        ("127.0.0.1:8080", "127.0.0.2", 8080, False),
        ("127.0.0.1", "127.0.0.1", 22, True),
        ("10.0.0.0/8", "10.9.8.7", 5, True),
        ("10.0.0.0/8:443", "10.9.8.7", 443, True),
        ("10.0.0.0/8:443", "11.0.0.1", 25, False),
        ("::1", "::1", 9, True),
        ("[::1]:9000", "::1", 9000, True),
        ("[::1]:9000", "::1", 9001, False),
        ("[fd00::/8]:443", "fd12::1", 443, True),
        ("127.0.0.0/8", "::ffff:127.0.0.1", 80, False),
        ("fe80::/10", "fe80::1%eth0", 80, False),
    ],
)
def test_an_operator_allows_what_an_entry_says_and_no_more(
    entry: str,
    address: str,
    port: int,
    expected: bool,  # noqa: FBT001 -- a row of the table
) -> None:
    assert may_dial(ip_address(address), port, AllowList.of([entry])) is expected


def test_every_faulty_entry_is_named() -> None:
    with pytest.raises(Misconfigured) as caught:
        AllowList.of(["localhost", "10.0.0.0/8", "::1:99999:x", "[::1]:0"])

    assert [fault.split(":", 1)[0] for fault in caught.value.faults] == [
        "'localhost'",
        "'",
        "'[",
    ]
