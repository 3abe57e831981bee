"""Proves that no way to write a local address opens a connection, and that the controls do."""

from __future__ import annotations

import pytest

from promptpilot.engine.egress.addresses import AllowList
from promptpilot.engine.egress.client import HttpClient
from promptpilot.engine.egress.dialer import Dialer
from promptpilot.engine.egress.messages import HttpRequest
from promptpilot.errors import StepFailed
from tests.engine.egress.conftest import LIMITS
from tests.engine.egress.test_dialer import PUBLIC, Names, Sockets
from tests.support.hostile import HostileServer, hostile_server

#: Ways to write this machine and what stands beside it.
HOSTS = [
    "127.0.0.1",
    "127.0.0.2",
    "127.255.255.254",
    "0.0.0.0",  # noqa: S104 -- nobody listens here
    "0",
    "127.1",
    "127.0.1",
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "017700000001",
    "0177.0.0.1",
    "127.0.0.01",
    "localhost",
    "localhost.",
    "ip6-localhost",
    "[::1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::127.0.0.1]",
    "[0:0:0:0:0:ffff:7f00:1]",
    "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]",
    "[fe80::1]",
    "[fe80::1%25lo]",
    "[fec0::1]",
    "[ff02::1]",
    "[fd00:ec2::254]",
    "169.254.169.254",
    "192.0.0.192",
    "100.100.100.200",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.0.1",
    "224.0.0.1",
    "255.255.255.255",
    "\uff11\uff12\uff17.0.0.1",
    "127\u30020\u30020\u30021",
    "public.example\\@127.0.0.1",
    "public.example@127.0.0.1",
    "127.0.0.1%2f.public.example",
    "%31%32%37.0.0.1",
]


@pytest.mark.parametrize("host", HOSTS)
async def test_no_way_to_write_a_local_address_opens_a_connection(
    server: HostileServer, host: str
) -> None:
    with pytest.raises(StepFailed) as caught:
        await HttpClient(limits=LIMITS).send(
            HttpRequest("GET", f"http://{host}:{server.port}/json")
        )

    assert caught.value.error_code in {"SSRF_BLOCKED", "NETWORK"}
    assert caught.value.error_code == "SSRF_BLOCKED" or host == "ip6-localhost"
    assert server.journal.connections == 0


async def test_a_redirect_is_an_answer_and_is_not_followed(
    server: HostileServer, client: HttpClient
) -> None:
    async with hostile_server() as other:
        url = server.url(f"/redirect/307?to={other.url('/json')}")

        answer = await client.send(HttpRequest("POST", url))

        assert answer.status == 307
        assert answer.headers["location"] == other.url("/json")
        assert other.journal.connections == 0


async def test_a_proxy_of_the_environment_is_not_used(
    server: HostileServer, client: HttpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with hostile_server() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url())
        monkeypatch.setenv("ALL_PROXY", proxy.url())

        await client.send(HttpRequest("GET", server.url("/json")))

        assert proxy.journal.connections == 0
        assert server.journal.connections == 1


@pytest.mark.parametrize(
    ("entry", "host"),
    [("127.0.0.1", "127.0.0.1"), ("127.0.0.0/8:{port}", "127.0.0.1"), ("127.0.0.1", "LOCALHOST")],
)
async def test_what_an_operator_allows_is_reached(
    server: HostileServer, entry: str, host: str
) -> None:
    allowed = AllowList.of([entry.format(port=server.port), "::1"])

    answer = await HttpClient(allowed, LIMITS).send(
        HttpRequest("GET", server.url("/json", host=host))
    )

    assert answer.status == 200
    assert server.journal.connections == 1


async def test_a_public_name_is_reached(server: HostileServer) -> None:
    sockets = Sockets(server.port)
    client = HttpClient(limits=LIMITS, dialer=Dialer(AllowList(), Names([PUBLIC]), sockets))

    answer = await client.send(HttpRequest("GET", "http://public.example/json"))

    assert answer.status == 200
    assert server.journal.connections == 1
