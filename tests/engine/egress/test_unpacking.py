"""Proves that bodies are unpacked whole however they are cut, and never beyond their limit."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptpilot.engine.egress.unpacking import Body, BodyBroken, BodyTooLarge
from tests.support.hostile.bodies import PACKED, packed_zeros


def bare(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


PACKERS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "plain": ("", bytes),
    "identity": ("identity", bytes),
    "gzip": (" GZIP ", gzip.compress),
    "old name": ("x-gzip", gzip.compress),
    "zlib": ("deflate", zlib.compress),
    "bare": ("deflate", bare),
}


def unpacked(encoding: str, pieces: Sequence[bytes], max_bytes: int = 100_000) -> bytes:
    body = Body(encoding, max_bytes)
    for piece in pieces:
        body.feed(piece)
    return body.finish()


@pytest.mark.parametrize("name", PACKERS)
@given(data=st.binary(max_size=2_000), size=st.integers(1, 50))
def test_a_body_is_the_same_however_it_was_cut(name: str, data: bytes, size: int) -> None:
    encoding, pack = PACKERS[name]
    packed = pack(data)

    pieces = [packed[start : start + size] for start in range(0, len(packed), size)]

    assert unpacked(encoding, pieces) == data


@pytest.mark.parametrize("name", PACKERS)
def test_a_body_of_exactly_the_limit_is_taken_and_one_byte_more_is_not(name: str) -> None:
    encoding, pack = PACKERS[name]

    assert len(unpacked(encoding, [pack(bytes(1_000))], 1_000)) == 1_000
    with pytest.raises(BodyTooLarge):
        unpacked(encoding, [pack(bytes(1_001))], 1_000)


def test_a_bomb_is_unpacked_no_further_than_its_limit() -> None:
    body = Body("gzip", 1_000)

    with pytest.raises(BodyTooLarge):
        body.feed(packed_zeros(10, 16 + zlib.MAX_WBITS))

    assert len(body._gathered) == 1_001


@pytest.mark.parametrize("name", ["bad-gzip", "cut-gzip", "nested-gzip", "gzip-and-more", "brotli"])
def test_a_body_that_is_not_packed_as_it_says_is_refused(name: str) -> None:
    encoding, data = PACKED[name]

    with pytest.raises(BodyBroken):
        unpacked(encoding, [data])


def test_more_data_after_the_end_is_refused_also_in_its_own_piece() -> None:
    with pytest.raises(BodyBroken):
        unpacked("gzip", [gzip.compress(b"a"), b"more"])


def test_a_single_byte_is_no_packed_body() -> None:
    with pytest.raises(BodyBroken):
        unpacked("gzip", [b"\x1f"])


def test_no_body_needs_no_packing() -> None:
    assert unpacked("gzip", []) == b""
