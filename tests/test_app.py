"""The whole application over real sockets: who calls, and what a browser is served."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, cast

import httpx2
import pytest
from starlette.requests import Request
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from promptpilot.app import Callers, Doorway, create_app
from promptpilot.backbone import open_backbone
from promptpilot.engine.api import Engine
from promptpilot.errors import Misconfigured
from promptpilot.front.limits import Limits
from promptpilot.settings import Settings
from promptpilot.stopping import Stopping
from promptpilot.web import WebServer, own_url
from tests.support.backbones import settings_for
from tests.support.people import make_principal
from tests.support.processes import free_port
from tests.support.redis import RedisServer


@dataclass
class Site:
    """A server on loopback, and the token of a user."""

    settings: Settings
    doorway: Doorway
    token: str
    stopping: Stopping = field(default_factory=Stopping)

    async def ask(self, query: str, **headers: str) -> httpx2.Response:
        """POST a query."""
        async with httpx2.AsyncClient(base_url=own_url(self.settings)) as client:
            return await client.post("/graphql", json={"query": query}, headers=headers)

    async def get(self, path: str, **headers: str) -> httpx2.Response:
        """GET a page."""
        async with httpx2.AsyncClient(base_url=own_url(self.settings)) as client:
            return await client.get(path, headers=headers)

    async def start(self) -> str:
        """Start a workflow; return the path of the execution's stream."""
        made = await self.ask(_WORKFLOW, **self.authorization)
        workflow_id = made.json()["data"]["createWorkflow"]["workflow"]["id"]
        async with httpx2.AsyncClient(base_url=own_url(self.settings)) as client:
            path = f"/api/workflows/{workflow_id}/execute"
            started = await client.post(path, json={"input": {}}, headers=self.authorization)
        return f"/api/executions/{started.json()['id']}/events"

    @property
    def authorization(self) -> dict[str, str]:
        """Return the header of the user."""
        return {"authorization": f"Bearer {self.token}"}

    async def greet(self, payload: Any, **headers: str) -> dict[str, Any] | int:
        """Introduce oneself on a socket; return the answer, or the code it was closed with."""
        url = own_url(self.settings).replace("http", "ws") + "/graphql"
        protocols = [Subprotocol("graphql-transport-ws")]
        async with connect(
            url, subprotocols=protocols, additional_headers=headers, proxy=None
        ) as socket:
            await socket.send(json.dumps({"type": "connection_init", "payload": payload}))
            try:
                answer: dict[str, Any] = json.loads(await socket.recv())
            except ConnectionClosed:
                return socket.close_code or 0
            return answer


@pytest.fixture
async def site(database_url: str, redis_server: RedisServer) -> AsyncIterator[Site]:
    """Give a served application."""
    settings = settings_for(database_url, redis_server.url, PORT=free_port())
    async with open_backbone(settings, []) as backbone:
        engine = backbone.engine()
        principal = await make_principal("owner", backbone.clock)
        _, token = await engine.create_access_token(principal, "test")
        made = Site(settings, Doorway(), token)
        server = WebServer(made.doorway, settings)
        server.bind()
        serving = asyncio.create_task(server.run(made.stopping))
        made.doorway.open(create_app(backbone, engine))
        yield made
        made.stopping.hear("the test ends")
        await serving


_VIEWER = "{ viewer { email } }"
_WORKFLOW = """mutation { createWorkflow(input: {
  name: "One step", steps: [{ name: "one", config: { transform: { set: { n: "1" } } } }]
}) { workflow { id } } }"""


async def test_a_token_says_who_calls(site: Site) -> None:
    response = await site.ask(_VIEWER, authorization=f"Bearer {site.token}")

    assert response.json()["data"]["viewer"]["email"] == "owner@example.org"


@pytest.mark.parametrize("authorization", ["Bearer wrong", "Basic x", "Bearer"])
async def test_a_wrong_token_is_refused(site: Site, authorization: str) -> None:
    response = await site.ask(_VIEWER, authorization=authorization)

    assert response.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


async def test_a_socket_takes_the_token_from_its_first_message(site: Site) -> None:
    answer = await site.greet({"authorization": f"Bearer {site.token}"})

    assert answer == {"type": "connection_ack"}


async def test_a_socket_takes_the_token_from_its_header(site: Site) -> None:
    answer = await site.greet({}, Authorization=f"Bearer {site.token}")

    assert answer == {"type": "connection_ack"}


@pytest.mark.parametrize("payload", [{"authorization": "Bearer wrong"}, {"authorization": 1}])
async def test_a_socket_with_a_wrong_token_is_closed(site: Site, payload: Any) -> None:
    assert await site.greet(payload) == 4403


async def test_a_browser_is_led_to_the_explorer(site: Site) -> None:
    home = await site.get("/")
    page = await site.get("/graphql", accept="text/html")

    assert (home.status_code, home.headers["location"]) == (307, "/graphql")
    assert page.headers["content-type"].startswith("text/html")


async def test_a_closed_door_sends_sockets_away(site: Site) -> None:
    site.doorway.close()

    with pytest.raises(InvalidStatus):
        await site.greet({})


async def test_streams_end_whole_as_soon_as_the_server_is_to_stop(site: Site) -> None:
    path = await site.start()

    async with (
        asyncio.timeout(3),
        httpx2.AsyncClient(base_url=own_url(site.settings)) as client,
        client.stream("GET", path, headers=site.authorization) as stream,
    ):
        told = aiter(stream.aiter_lines())
        assert "PENDING" in [line async for line in _until(told, "data: ")][-1]
        site.stopping.hear("the test asks for it")
        rest = [line async for line in told]

    assert not any(line.startswith("data: ") for line in rest)


async def _until(lines: AsyncIterator[str], start: str) -> AsyncIterator[str]:
    """Yield lines up to the first that begins so."""
    async for line in lines:
        yield line
        if line.startswith(start):
            return


async def test_an_address_that_is_taken_is_named(site: Site) -> None:
    second = WebServer(Doorway(), site.settings)

    with pytest.raises(Misconfigured, match="PROMPTPILOT_PORT"):
        second.bind()


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("0.0.0.0", "http://127.0.0.1:8000"),  # noqa: S104 -- nobody listens
        ("::", "http://[::1]:8000"),
        ("example.org", "http://example.org:8000"),
    ],
)
def test_a_server_knows_how_to_reach_itself(host: str, url: str) -> None:
    assert own_url(Settings.from_env({"PROMPTPILOT_HOST": host})) == url


async def test_strangers_of_one_network_share_what_strangers_may_do() -> None:
    callers = Callers(cast("Engine", None), Limits())
    addresses = ["2001:db8:0:1::1", "2001:db8:0:1:ffff::2", "2001:db8:0:2::1", "192.0.2.1"]
    requests = [Request({"type": "http", "headers": [], "client": (a, 1)}) for a in addresses]

    keys = [(await callers.of_request(request)).key for request in requests]

    assert keys[0] == keys[1]
    assert len(set(keys)) == 3
    assert keys[3] == "address:192.0.2.1"
