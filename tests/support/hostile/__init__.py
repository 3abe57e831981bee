"""An HTTP server that misbehaves as it is told to, and remembers who called it and how.

The first part of a path chooses what happens; the rest of the path and the query are its arguments.

    async with hostile_server() as server:
        await client.send(HttpRequest("GET", server.url("/cut")))
        (seen,) = server.journal.at("/cut")

Time: /hang, /hang-after-head, /slow/SECONDS, /drip (without end), /drip/COUNT bytes.
Connection: /close, /reset, /cut, /reset-midway, /upgrade.
Size: /huge/MB, /huge-unannounced/MB, /endless, /endless-head, /endless-informational,
/header-flood, /header-long/BYTES, /gzip-bomb/MB, /deflate-bomb/MB, /tiny-chunks/COUNT.
Framing: /bad-status-line, /bad-chunk, /bad-length, /two-lengths, /short-length, /bad-header.
Packing: /gzip, /deflate, /bare-deflate, /bad-gzip, /cut-gzip, /nested-gzip, /gzip-and-more,
/brotli.
Status: /status/CODE (each argument of the query becomes a header: ?retry-after=5),
/retry-after/KIND (a 429; the kinds are in `bodies.RETRY_AFTER`), /redirect/CODE?to=URL.
Bodies: every name in `bodies.BODIES`, such as /json, /html, /nan, /deep; /no-content, /chunked,
/large-json/MB.
Attempts: /flaky/TIMES/KEY answers 503 so many times for each key and then works;
/flaky-reset/TIMES/KEY resets the connection instead.
Echo: /echo (the request as JSON), /echo-header/NAME (?as=text, base64, url or header;
&status=CODE), /echoed-key/CODE/HEADER/MANNER (an error whose sentence has the header).
For what adds its own end to a path: /moved/CODE (a redirect to /json), /with-cookie/CODE.
"""

from __future__ import annotations

from tests.support.hostile.bodies import BODIES, RETRY_AFTER
from tests.support.hostile.journal import Journal, SeenRequest
from tests.support.hostile.server import HostileServer, hostile_server

__all__ = [
    "BODIES",
    "RETRY_AFTER",
    "HostileServer",
    "Journal",
    "SeenRequest",
    "hostile_server",
]
