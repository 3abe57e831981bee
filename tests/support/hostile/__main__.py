"""Runs a hostile server as a process of its own; its first line of output is its port."""

from __future__ import annotations

import asyncio
import sys

from tests.support.hostile.server import HostileServer


async def _main(port: int) -> None:
    server = HostileServer("127.0.0.1", "http")
    listening = await server.serve(None, port)
    sys.stdout.write(f"{server.port}\n")
    sys.stdout.flush()
    async with listening:
        await listening.serve_forever()


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1]) if len(sys.argv) > 1 else 0))
