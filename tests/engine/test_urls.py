"""Proves that a value in an address stays where it was put."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptpilot.engine.urls import render_url
from promptpilot.errors import StepFailed


@pytest.mark.parametrize(
    ("text", "value", "url"),
    [
        ("https://a.example/{{ v }}", "x", "https://a.example/x"),
        (" https://a.example/{{ v }}\n", "x", "https://a.example/x"),
        ("https://a.example/{{ v }}/y", "../b?c#d", "https://a.example/..%2Fb%3Fc%23d/y"),
        ("https://a.example/?q={{ v }}&r=1", "1&r=2", "https://a.example/?q=1%26r%3D2&r=1"),
        ("https://a.example/{{ v }}", "é ü", "https://a.example/%C3%A9%20%C3%BC"),
        ("https://a.example/{{ v }}", 12, "https://a.example/12"),
        ("https://a.example/{{ v }}", "v1.2", "https://a.example/v1.2"),
        ("{{ v }}", "https://b.example/x?y=1", "https://b.example/x?y=1"),
        ("{{ v }}/{{ v }}", "https://b.example", "https://b.example/https%3A%2F%2Fb.example"),
        ("{{ v }}{{ v }}", "a/b", "a/ba%2Fb"),
        ("https://{{ v }}.example.com/", "eu", "https://eu.example.com/"),
        ("https://{{ v }}/", "eu.example.com", "https://eu.example.com/"),
        ("https://api.{{ v }}/", "example.com", "https://api.example.com/"),
        ("https://a.example{{ v }}/", ".evil.test", "https://a.example%2Eevil%2Etest/"),
        ("https://{{ v }}/", "a@b/c", "https://a%40b%2Fc/"),
    ],
)
def test_values_are_encoded_but_for_a_first_one(text: str, value: object, url: str) -> None:
    assert render_url(text, {"input": {"v": value}, "vars": {}}) == url


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("https://a.example/u/{{ v }}/x", ".."),
        ("https://a.example/{{ v }}", "."),
        ("https://a.example/%2E{{ v }}/", "."),
        ("https://a.example/x/{{ v }}?y", ".."),
    ],
)
def test_a_path_never_goes_up(text: str, value: str) -> None:
    with pytest.raises(StepFailed) as failed:
        render_url(text, {"input": {"v": value}, "vars": {}})

    assert (failed.value.error_code, failed.value.is_retryable) == ("REQUEST_INVALID", False)


@given(value=st.text())
def test_a_value_is_one_segment_or_one_value_of_a_query(value: str) -> None:
    text = "https://a.example/x-{{ v }}/y?q={{ v }}"

    parts = urlsplit(render_url(text, {"input": {"v": value}, "vars": {}}))

    assert (parts.scheme, parts.netloc, parts.fragment) == ("https", "a.example", "")
    assert [unquote(each) for each in parts.path.split("/")] == ["", f"x-{value}", "y"]
    assert unquote(parts.query) == f"q={value}"


@given(value=st.text(min_size=1))
def test_what_stands_after_a_name_cannot_change_the_domain(value: str) -> None:
    rendered = render_url("https://a.example{{ v }}/x", {"input": {"v": value}, "vars": {}})

    authority = urlsplit(rendered).netloc
    assert authority.startswith("a.example")
    assert "." not in authority.removeprefix("a.example")
