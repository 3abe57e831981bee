"""Proves that a hostile server in a process of its own is reached and tells what it saw."""

from __future__ import annotations

import httpx2

from tests.support.hostile.process import hostile_process


def test_a_hostile_process_remembers_every_attempt() -> None:
    with hostile_process() as server:
        statuses = [
            httpx2.post(server.url("/flaky/1/a"), headers={"Idempotency-Key": "k"}).status_code
            for _ in range(2)
        ]
        keys = [each["headers"]["idempotency-key"] for each in server.requests_at("/flaky/1/a")]

    assert statuses == [503, 200]
    assert keys == ["k", "k"]


def test_an_unknown_behaviour_is_not_found() -> None:
    with hostile_process() as server:
        assert httpx2.get(server.url("/no-such-thing")).status_code == 404
