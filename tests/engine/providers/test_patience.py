"""Proves how long a provider that refuses is understood to ask for patience."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptpilot.engine.providers.patience import asked_wait

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
WAITS: list[tuple[dict[str, str], timedelta | None]] = [
    ({}, None),
    ({"retry-after": "7"}, timedelta(seconds=7)),
    ({"retry-after": "0.25"}, timedelta(seconds=0.25)),
    ({"retry-after": "Sun, 01 Mar 2026 12:00:30 GMT"}, timedelta(seconds=30)),
    ({"retry-after": "Sun, 01 Mar 2026 11:59:30 GMT"}, None),
    ({"retry-after": "-3"}, None),
    ({"retry-after": "0"}, None),
    ({"retry-after": "999999"}, None),
    ({"retry-after": "soon"}, None),
    ({"retry-after-ms": "1500", "retry-after": "7"}, timedelta(seconds=1.5)),
    ({"retry-after-ms": "nan", "retry-after": "7"}, timedelta(seconds=7)),
    ({"x-ratelimit-reset-requests": "20ms"}, timedelta(milliseconds=20)),
    ({"x-ratelimit-reset-tokens": "6m0s"}, timedelta(minutes=6)),
    ({"x-ratelimit-reset-tokens": "1h2m3.5s"}, timedelta(hours=1, minutes=2, seconds=3.5)),
    ({"x-ratelimit-reset-tokens": "1s", "x-ratelimit-reset-requests": "2s"}, timedelta(seconds=2)),
    ({"x-ratelimit-reset-tokens": ""}, None),
]
DETAILS: list[tuple[Any, timedelta | None]] = [
    ({"error": {"details": [{"@type": "x"}, {"retryDelay": "30s"}]}}, timedelta(seconds=30)),
    ([{"error": {"details": [{"retryDelay": "1.5s"}]}}], timedelta(seconds=1.5)),
    ({"error": {"details": [{"retryDelay": 30}]}}, None),
    ({"error": {"details": "30s"}}, None),
    ({"error": "30s"}, None),
    ([], None),
]


@pytest.mark.parametrize(("headers", "wait"), WAITS)
def test_headers_are_read(headers: dict[str, str], wait: timedelta | None) -> None:
    assert asked_wait(headers, None, NOW) == wait


@pytest.mark.parametrize(("body", "wait"), DETAILS)
def test_details_of_a_body_are_read(body: Any, wait: timedelta | None) -> None:
    assert asked_wait({}, body, NOW) == wait


@given(st.text(max_size=40), st.sampled_from(["retry-after", "retry-after-ms"]))
def test_whatever_is_said_the_wait_is_sensible(text: str, name: str) -> None:
    wait = asked_wait({name: text, "x-ratelimit-reset-tokens": text}, text, NOW)

    assert wait is None or timedelta() < wait <= timedelta(days=1)
