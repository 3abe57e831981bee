"""Proves the rules of requests, with the path to the field that breaks one."""

from __future__ import annotations

from typing import Any

import pytest

from promptpilot.engine.definition import Definition, Step
from promptpilot.engine.step_checks import check_steps
from promptpilot.engine.step_configs import RequestConfig, RequestHeader

URL = "https://example.com/"


def found(url: str = URL, **fields: Any) -> list[tuple[str, str]]:
    """Return code and path, below the request, of each fault."""
    definition = Definition((Step("a", RequestConfig(url, **fields)),))
    place = "steps.0.config.webhook."
    return [
        (fault.code, ".".join(fault.path).removeprefix(place)) for fault in check_steps(definition)
    ]


def header(value: str | None, name: str = "X-Test", *, is_secret: bool = False) -> dict[str, Any]:
    """Make the fields of a request with one header."""
    return {"headers": (RequestHeader(name, value, is_secret),)}


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com",
        "HTTP://example.com:8080/a?b=c@d#e",
        "http://[::1]:80/",
        "https://{{ execution.id }}/x",
        "https://api.{{ execution.id }}.example.com/x",
        "{{ execution.id }}",
        "https://example.com/{{ execution.id }} and more",
        "https://a/" + "x" * 8_182,
    ],
)
def test_good_addresses(url: str) -> None:
    assert found(url) == []


@pytest.mark.parametrize(
    "url",
    [
        "example.com",
        "ftp://example.com",
        " https://example.com",
        "https://exa mple.com",
        "https://example.com/\r\n",
        "https://",
        "https:///x",
        "https://:80/",
        "https://?x",
        "https://me:secret@example.com/",
        "https://me:secret@{{ execution.id }}",
        "/{{ execution.id }}",
        "file://{{ execution.id }}",
    ],
)
def test_bad_addresses(url: str) -> None:
    assert found(url) == [("INVALID_URL", "url")]


@pytest.mark.parametrize(
    ("url", "code"),
    [("", "REQUIRED"), (" ", "REQUIRED"), ("https://a/" + "x" * 8_183, "OUT_OF_RANGE"),
     ("https://a/{{", "SYNTAX"), ("https://a/{{ nobody }}", "UNKNOWN_VARIABLE")],
)  # fmt: skip
def test_an_address_is_a_template_of_some_length(url: str, code: str) -> None:
    assert found(url) == [(code, "url")]


@pytest.mark.parametrize("name", ["", "a b", "a:", "ü", "a\r\nb", "x" * 257])
def test_the_name_of_a_header_is_a_token(name: str) -> None:
    assert found(**header("v", name)) == [("INVALID_NAME", "headers.0.name")]


@pytest.mark.parametrize("name", ["Host", "content-length", "Webhook-Signature", "Proxy-Auth"])
def test_headers_of_the_sender_are_refused(name: str) -> None:
    assert found(**header("v", name)) == [("RESERVED_HEADER", "headers.0.name")]


def test_each_header_is_given_once_however_it_is_written() -> None:
    headers = (RequestHeader("X-A", "1"), RequestHeader("x-a", "2"))

    assert found(headers=headers) == [("NOT_UNIQUE", "headers.1.name")]


def test_a_request_has_at_most_fifty_headers() -> None:
    headers = tuple(RequestHeader(f"x-{number}", "v") for number in range(51))

    assert found(headers=headers[:50]) == []
    assert found(headers=headers) == [("TOO_MANY_HEADERS", "headers")]


@pytest.mark.parametrize(
    "value", ["", "plain", "a\tb", "{{ execution.id }}", "{{\nexecution.id }}"]
)
def test_good_values_of_a_header(value: str) -> None:
    assert found(**header(value)) == []


@pytest.mark.parametrize(
    ("value", "code"),
    [(None, "REQUIRED"), ("a\r\nb", "INVALID_HEADER"), ("{{ 1 + }}", "SYNTAX"),
     ("{{ nobody }}", "UNKNOWN_VARIABLE")],
)  # fmt: skip
def test_bad_values_of_a_header(value: str | None, code: str) -> None:
    assert found(**header(value)) == [(code, "headers.0.value")]


@pytest.mark.parametrize("value", [None, "{{ no template", "{{ nobody }}"])
def test_a_secret_is_sent_as_it_is(value: str | None) -> None:
    assert found(**header(value, is_secret=True)) == []


def test_a_secret_is_one_line_too() -> None:
    assert found(**header("{{\n}}", is_secret=True)) == [("INVALID_HEADER", "headers.0.value")]


def test_every_text_of_a_body_is_a_template() -> None:
    body = {"{{ key }}": 1, "a": ["ok", "{{ 1 + }}"], "b": {"c": "{{ nobody }}"}}

    assert sorted(found(body=body)) == [
        ("SYNTAX", "body.a.1"), ("UNKNOWN_VARIABLE", "body.b.c")
    ]  # fmt: skip


@pytest.mark.parametrize(
    "wrap", [lambda value: [value], lambda value: {"k": value}], ids=["list", "object"]
)
def test_a_body_is_nested_at_most_thirty_two_levels(wrap: Any) -> None:
    body: Any = "x"
    for _ in range(32):
        body = wrap(body)

    assert found(body=body) == []
    ((code, path),) = found(body=wrap(body))
    assert code == "TOO_DEEP"
    assert path.startswith("body.")
