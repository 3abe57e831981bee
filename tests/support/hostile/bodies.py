"""What a hostile server may answer with: good and bad bodies, and odd ways to ask for patience."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Mapping

_JSON = "application/json"
_DEPTH = 100_000

#: Bodies by name: a type and bytes, sent with status 200.
BODIES: Mapping[str, tuple[str, bytes]] = {
    "json": (_JSON, b'{"ok":true,"text":"gr\xc3\xbc\xc3\x9fe"}'),
    "text": ("text/plain; charset=utf-8", "Grüße".encode()),
    "latin1": ("text/plain; charset=iso-8859-1", "Grüße".encode("latin-1")),
    "html": ("text/html", b"<!doctype html><title>502</title><h1>Bad gateway</h1>"),
    "html-as-json": (_JSON, b"<html><body>Bad gateway</body></html>"),
    "bad-json": (_JSON, b'{"ok": tru'),
    "nan": (_JSON, b'{"value":NaN,"more":[Infinity,-Infinity]}'),
    "huge-number": (_JSON, b'{"value":1e999}'),
    "long-number": (_JSON, b'{"value":' + b"9" * 5_000 + b"}"),
    "nul": (_JSON, b'{"text":"a\\u0000b"}'),
    "raw-nul": ("text/plain", b"a\x00b"),
    "surrogate": (_JSON, b'{"text":"\\ud800"}'),
    "bad-utf8": (_JSON, b'{"text":"\xff\xfe\xc0\xaf"}'),
    "deep": (_JSON, b"[" * _DEPTH + b"]" * _DEPTH),
    "deep-object": (_JSON, b'{"a":' * _DEPTH + b"1" + b"}" * _DEPTH),
    "twice-named": (_JSON, b'{"a":1,"a":2}'),
    "empty": (_JSON, b""),
    "bytes": ("application/octet-stream", bytes(range(256))),
}

#: Values of Retry-After by kind.
RETRY_AFTER: Mapping[str, str] = {
    "seconds": "2",
    "zero": "0",
    "fraction": "1.5",
    "negative": "-5",
    "huge": "99999999999999999999",
    "text": "soon",
    "empty": "",
    "date": "Fri, 31 Dec 2099 23:59:59 GMT",
    "date-past": "Wed, 21 Oct 2015 07:28:00 GMT",
    "date-bad": "Fri, 99 Foo 2099 99:99:99 GMT",
}

_PLAIN = BODIES["json"][1]


def _bare_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


#: Packed bodies by name: what the answer calls its packing, and its bytes.
PACKED: Mapping[str, tuple[str, bytes]] = {
    "gzip": ("gzip", gzip.compress(_PLAIN)),
    "deflate": ("deflate", zlib.compress(_PLAIN)),
    "bare-deflate": ("deflate", _bare_deflate(_PLAIN)),
    "bad-gzip": ("gzip", b"this was never packed"),
    "cut-gzip": ("gzip", gzip.compress(_PLAIN)[:-9]),
    "nested-gzip": ("gzip, gzip", gzip.compress(gzip.compress(_PLAIN))),
    "gzip-and-more": ("gzip", gzip.compress(_PLAIN) + b"more"),
    "brotli": ("br", b"\x0b\x02\x80hello\x03"),
}


def packed_zeros(megabytes: int, window_bits: int) -> bytes:
    """Return so many million zeros, packed to a thousandth; made without holding them."""
    packer = zlib.compressobj(9, wbits=window_bits)
    pieces = [packer.compress(bytes(1_000_000)) for _ in range(megabytes)]
    return b"".join([*pieces, packer.flush()])


def large_json(megabytes: int) -> bytes:
    """Return an object of at least so many million bytes; what is looked for stands at its end."""
    items = [{"id": number, "name": "größer " * 100} for number in range(1200 * megabytes)]
    document = {"about": "items", "items": items, "tail": {"deep": [{"value": "found"}]}}
    return json.dumps(document, ensure_ascii=False).encode()
