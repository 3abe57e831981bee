"""Proves which headers people may not set, and that requests and answers show no secret."""

from __future__ import annotations

import pytest

from promptpilot.engine.egress.messages import HttpRequest, HttpResponse, is_reserved


@pytest.mark.parametrize(
    "name", ["Host", "content-LENGTH", "Idempotency-Key", "Webhook-Signature", "Proxy-Anything"]
)
def test_headers_of_the_sender_are_reserved(name: str) -> None:
    assert is_reserved(name)


@pytest.mark.parametrize("name", ["Authorization", "Content-Type", "X-Host", "Accept"])
def test_other_headers_are_free(name: str) -> None:
    assert not is_reserved(name)


def test_neither_a_request_nor_an_answer_shows_what_may_be_secret() -> None:
    request = HttpRequest("GET", "http://a/?hunter2", [("A", "hunter2")], b"hunter2")
    answer = HttpResponse(200, {"a": "hunter2"}, b"hunter2")

    assert "hunter2" not in f"{request!r} {answer!r}"
