"""A server with the product's own settings of HTTP and sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from promptpilot.app import create_app
from promptpilot.backbone import open_backbone
from promptpilot.engine.api import Engine
from promptpilot.engine.principal import Principal
from promptpilot.local_bells import LocalFeed
from promptpilot.settings import Settings
from promptpilot.stopping import Stopping
from promptpilot.web import WebServer
from tests.front.endpoint import Front
from tests.front.sample import Probe
from tests.support.backbones import settings_for
from tests.support.people import make_principal
from tests.support.processes import free_port
from tests.support.redis import RedisServer


@pytest.fixture
def probe() -> Probe:
    """See what resolvers saw."""
    return Probe()


@pytest.fixture
async def port(probe: Probe) -> AsyncIterator[int]:
    """Give the port of the front, served as the product is."""
    settings = Settings.from_env({"PROMPTPILOT_PORT": free_port()})
    server, stopping = WebServer(Front(probe).app(), settings), Stopping()
    server.bind()
    serving = asyncio.create_task(server.run(stopping))
    yield settings.port
    stopping.hear("the test ends")
    await serving


@dataclass(frozen=True)
class Site:
    """The whole product at a port, and the token of a user.

    `listeners` are those of the process: everybody to whom something is streamed.
    """

    port: int
    token: str
    engine: Engine
    principal: Principal
    listeners: LocalFeed


@pytest.fixture
async def site(database_url: str, redis_server: RedisServer) -> AsyncIterator[Site]:
    """Give the whole product on each database."""
    settings = settings_for(database_url, redis_server.url, PORT=free_port())
    async with open_backbone(settings, []) as backbone:
        engine, stopping = backbone.engine(), Stopping()
        principal = await make_principal("owner", backbone.clock)
        _, token = await engine.create_access_token(principal, "test")
        server = WebServer(create_app(backbone, engine), settings)
        server.bind()
        serving = asyncio.create_task(server.run(stopping))
        yield Site(settings.port, token, engine, principal, backbone.bells._feed)
        stopping.hear("the test ends")
        await serving
