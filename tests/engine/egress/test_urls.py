"""Proves that a URL is read in one way only, and refused where another reader might differ."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptpilot.engine.egress.urls import Target, parse_url
from promptpilot.errors import StepFailed

REFUSED = [
    "",
    "example.com",
    "//example.com",
    "/path",
    "ftp://example.com/",
    "file:///etc/passwd",
    "gopher://example.com/",
    "javascript:alert(1)",
    "http:example.com",
    "http:/example.com",
    "http:///example.com",
    "http://",
    "http://?q",
    "http://:80/",
    "http://user@example.com/",
    "http://user:secret@example.com/",
    "http://public.example@127.0.0.1/",
    "http://public.example\\@127.0.0.1/",
    "http://127.0.0.1\\.public.example/",
    "http://exa mple.com/",
    " http://example.com/",
    "http://example.com/\n",
    "http://example.com/\tx",
    "http://example.com/\r\nX-Evil: 1",
    "http://example.com/\x00",
    "http://example.com/\x7f",
    "http://exämple.com/",
    "http://example.com/grüße",
    "http://\uff11\uff12\uff17.0.0.1/",
    "http://127。0。0。1/",
    "http://①②⑦.0.0.1/",
    "http://2130706433/",
    "http://0x7f000001/",
    "http://0x7f.1/",
    "http://017700000001/",
    "http://0177.0.0.1/",
    "http://127.1/",
    "http://127.0.1/",
    "http://127.0.0.01/",
    "http://127.0.0.256/",
    "http://127.0.0.1./",
    "http://1.2.3.4.5/",
    "http://0/",
    "http://0x/",
    "http://localhost./",
    "http://.example.com/",
    "http://a..b/",
    "http://-a.example/",
    "http://%31%32%37.0.0.1/",
    "http://ex%2Fample.com/",
    f"http://{'a' * 64}.example/",
    f"http://{'a.' * 127}example/",
    "http://example.com:/",
    "http://example.com:0/",
    "http://example.com:65536/",
    "http://example.com:80:80/",
    "http://example.com:8o/",
    "http://example.com:+80/",
    "http://::1/",
    "http://[::1/",
    "http://[::1]x/",
    "http://[]/",
    "http://[127.0.0.1]/",
    "http://[fe80::1%eth0]/",
    "http://[fe80::1%25eth0]/",
    "http://[v1.x]/",
    f"http://example.com/{'a' * 8_000}",
]
TAKEN = {
    "http://example.com": Target("http", "example.com", 80, "/"),
    "https://example.com/": Target("https", "example.com", 443, "/"),
    "HTTPS://Example.COM:8443/A?b=C": Target("https", "example.com", 8443, "/A?b=C"),
    "http://example.com?q=/@x": Target("http", "example.com", 80, "/?q=/@x"),
    "http://example.com#@127.0.0.1/": Target("http", "example.com", 80, "/"),
    "http://example.com/a%20b#part": Target("http", "example.com", 80, "/a%20b"),
    "http://my_host-1.internal/": Target("http", "my_host-1.internal", 80, "/"),
    "http://xn--exmple-cua.com/": Target("http", "xn--exmple-cua.com", 80, "/"),
    "http://127.0.0.1:8080/": Target("http", "127.0.0.1", 8080, "/"),
    "http://[0:0:0:0:0:0:0:1]/": Target("http", "::1", 80, "/"),
    "http://[::FFFF:127.0.0.1]/": Target("http", "::ffff:7f00:1", 80, "/"),
    "http://1e100.net/": Target("http", "1e100.net", 80, "/"),
}


@pytest.mark.parametrize("url", REFUSED)
def test_what_can_be_misread_is_refused_before_anything_is_looked_up(url: str) -> None:
    with pytest.raises(StepFailed) as caught:
        parse_url(url)

    assert caught.value.error_code == "SSRF_BLOCKED"
    assert not caught.value.is_retryable
    assert not caught.value.is_outcome_unknown


@pytest.mark.parametrize("url", TAKEN)
def test_a_plain_url_is_taken_apart(url: str) -> None:
    assert parse_url(url) == TAKEN[url]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://example.com:80/", "example.com"),
        ("https://example.com:443/", "example.com"),
        ("https://example.com:80/", "example.com:80"),
        ("http://[::1]/", "[::1]"),
        ("http://[::1]:8080/", "[::1]:8080"),
    ],
)
def test_the_host_header_names_the_port_only_where_it_is_unusual(url: str, expected: str) -> None:
    assert parse_url(url).authority == expected


@given(st.text(max_size=40), st.sampled_from(["", "http://", "https://a.example/", "http://["]))
def test_any_text_is_taken_or_refused(text: str, beginning: str) -> None:
    try:
        target = parse_url(beginning + text)
    except StepFailed as failure:
        target, code = Target("", "a", 80, "/"), failure.error_code
    else:
        code = "SSRF_BLOCKED"

    assert code == "SSRF_BLOCKED"
    assert target.host
    assert target.path.startswith("/")
    assert target.path.isascii()


def test_a_refusal_repeats_nothing_of_the_url() -> None:
    with pytest.raises(StepFailed) as caught:
        parse_url("http://user:hunter2@example.com/?token=hunter2")

    assert "hunter2" not in caught.value.message
