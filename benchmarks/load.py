"""A load of signed webhooks over keep-alive connections, bounded in count; one asyncio process."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
import uuid
from dataclasses import dataclass, field
from urllib.parse import urlsplit

PAYLOAD = json.dumps({"title": "It crashes", "body": "A bug", "author": "ada"}).encode()


@dataclass
class Result:
    """What came of a load. Latencies are seconds from sending a request to its whole answer."""

    elapsed: float = 0.0
    latencies: list[float] = field(default_factory=list)
    execution_ids: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Accepted calls a second."""
        return len(self.execution_ids) / self.elapsed


async def post_webhooks(url: str, secret: str, count: int, connections: int) -> Result:
    """Send `count` distinct signed calls over `connections` connections."""
    result = Result()
    left = iter(range(count))
    started = time.perf_counter()
    await asyncio.gather(*(_sender(url, secret, left, result) for _ in range(connections)))
    result.elapsed = time.perf_counter() - started
    return result


async def _sender(url: str, secret: str, left, result: Result) -> None:
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        for _ in left:
            started = time.perf_counter()
            writer.write(_request(parts.path, parts.netloc, secret))
            status, body = await _answer(reader)
            result.latencies.append(time.perf_counter() - started)
            if status == 200:
                result.execution_ids.append(json.loads(body)["executionId"])
            else:
                result.refused.append(f"{status} {body[:200]!r}")
    finally:
        writer.close()


def _request(path: str, host: str, secret: str) -> bytes:
    mark = hmac.new(secret.encode(), PAYLOAD, hashlib.sha256).hexdigest()
    head = (
        f"POST {path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n"
        f"content-length: {len(PAYLOAD)}\r\nx-github-event: issues\r\n"
        f"x-github-delivery: {uuid.uuid4()}\r\nx-hub-signature-256: sha256={mark}\r\n\r\n"
    )
    return head.encode() + PAYLOAD


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    status = int(head.split(b" ", 2)[1])
    length = 0
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            length = int(line.split(b":")[1])
    return status, await reader.readexactly(length)
