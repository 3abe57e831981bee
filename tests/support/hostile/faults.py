"""Ways to fail on the wire: time, cuts, size and framing."""

from __future__ import annotations

import zlib
from collections.abc import Awaitable, Callable, Mapping

from tests.support.hostile.bodies import packed_zeros
from tests.support.hostile.conversation import Conversation

Fault = Callable[[Conversation], Awaitable[None]]

_MEGABYTE = 1_000_000
_PIECE = b"x" * 50_000
_DRIP_SECONDS = 0.02
_GZIP = 16 + zlib.MAX_WBITS


async def _hang(conversation: Conversation) -> None:
    await conversation.hang()


async def _hang_after_head(conversation: Conversation) -> None:
    await conversation.head(200, {"Content-Length": "10"})
    await conversation.hang()


async def _slow(conversation: Conversation) -> None:
    await conversation.pause(float(conversation.arguments[0]))
    await conversation.answer(200, b'"late"')


async def _drip(conversation: Conversation) -> None:
    count = conversation.number(_MEGABYTE)
    await conversation.head(200, {"Content-Length": str(count)})
    for _ in range(count):
        await conversation.send(b"1")
        await conversation.pause(_DRIP_SECONDS)


async def _close(conversation: Conversation) -> None:
    """End without an answer, which the server does as soon as this returns."""


async def _reset(conversation: Conversation) -> None:
    conversation.reset()


async def _cut(conversation: Conversation) -> None:
    await conversation.head(200, {"Content-Length": "100"})
    await conversation.send(b'{"begun":')


async def _reset_midway(conversation: Conversation) -> None:
    await _cut(conversation)
    await conversation.pause(_DRIP_SECONDS)
    conversation.reset()


async def _upgrade(conversation: Conversation) -> None:
    await conversation.head(101, {"Upgrade": "websocket", "Connection": "Upgrade"})
    await conversation.hang()


async def _huge(conversation: Conversation) -> None:
    size = conversation.number(100) * _MEGABYTE
    await conversation.head(200, {"Content-Length": str(size)})
    await _send_pieces(conversation, size)


async def _huge_unannounced(conversation: Conversation) -> None:
    await conversation.head(200, {})
    await _send_pieces(conversation, conversation.number(100) * _MEGABYTE)


async def _send_pieces(conversation: Conversation, size: int) -> None:
    for _ in range(size // len(_PIECE)):
        await conversation.send(_PIECE)


async def _endless(conversation: Conversation) -> None:
    await conversation.head(200, {"Transfer-Encoding": "chunked"})
    while True:
        await conversation.send(b"%x\r\n%b\r\n" % (len(_PIECE), _PIECE))


async def _tiny_chunks(conversation: Conversation) -> None:
    await conversation.head(200, {"Transfer-Encoding": "chunked"})
    count = conversation.number(10_000)
    await conversation.send(b"1\r\nx\r\n" * count + b"0\r\n\r\n")


async def _endless_head(conversation: Conversation) -> None:
    await conversation.send(b"HTTP/1.1 200 OK\r\nX-Long: ")
    while True:
        await conversation.send(_PIECE)


async def _endless_informational(conversation: Conversation) -> None:
    while True:
        await conversation.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 100)


async def _header_flood(conversation: Conversation) -> None:
    headers = {f"X-Flood-{number}": "y" * 100 for number in range(10_000)}
    await conversation.answer(200, b"{}", headers)


async def _header_long(conversation: Conversation) -> None:
    await conversation.answer(200, b"{}", {"X-Long": "y" * conversation.number(_MEGABYTE)})


async def _gzip_bomb(conversation: Conversation) -> None:
    body = packed_zeros(conversation.number(100), _GZIP)
    await conversation.answer(200, body, {"Content-Encoding": "gzip"})


async def _deflate_bomb(conversation: Conversation) -> None:
    body = packed_zeros(conversation.number(100), zlib.MAX_WBITS)
    await conversation.answer(200, body, {"Content-Encoding": "deflate"})


def _raw(data: bytes) -> Fault:
    async def send(conversation: Conversation) -> None:
        await conversation.send(data)

    return send


#: What can go wrong, by name.
FAULTS: Mapping[str, Fault] = {
    "hang": _hang,
    "hang-after-head": _hang_after_head,
    "slow": _slow,
    "drip": _drip,
    "close": _close,
    "reset": _reset,
    "cut": _cut,
    "reset-midway": _reset_midway,
    "upgrade": _upgrade,
    "huge": _huge,
    "huge-unannounced": _huge_unannounced,
    "endless": _endless,
    "tiny-chunks": _tiny_chunks,
    "endless-head": _endless_head,
    "endless-informational": _endless_informational,
    "header-flood": _header_flood,
    "header-long": _header_long,
    "gzip-bomb": _gzip_bomb,
    "deflate-bomb": _deflate_bomb,
    "bad-status-line": _raw(b"SSH-2.0-OpenSSH_9.6 hello\r\n\r\n"),
    "bad-chunk": _raw(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\nzz\r\nmore\r\n0\r\n\r\n"
    ),
    "bad-length": _raw(b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n{}"),
    "two-lengths": _raw(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}}"),
    "short-length": _raw(b'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}{"more":true}'),
    "bad-header": _raw(b"HTTP/1.1 200 OK\r\nX Y: 1\r\nX-Nul: a\x00b\r\n\r\n{}"),
}
