"""Proves that whatever another server answers is a value that can be stored, or a typed failure."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptpilot.engine.http_answers import kept_headers, read_body, readable_text, retry_after
from promptpilot.errors import StepFailed
from promptpilot.json_values import check_json
from tests.support.clock import BEGINNING
from tests.support.senders import answered

JSON = "application/json"
TYPES = st.sampled_from([JSON, "text/plain", "text/html; charset=utf-16", "x/y; charset=big5", ""])


@pytest.mark.parametrize(
    ("content_type", "body", "value"),
    [
        ("", b"", None),
        (JSON, b"", None),
        (JSON, b"\xef\xbb\xbf[1]", [1]),
        ("Application/JSON ; charset=latin1", '"é"'.encode(), "é"),
        ("application/problem+json", b"{}", {}),
        ("text/json", b"null", None),
        ("application/jsonx", b"{}", "{}"),
        ("application/json-seq", b"{}", "{}"),
        ("", b"[1]", "[1]"),
        ("text/plain", "é".encode(), "é"),
        ("text/plain; charset=ISO-8859-1", b"\xe9", "é"),
        ('text/plain; format=flowed; Charset="windows-1252"', b"\x80", "€"),
        ("text/plain; charset=utf-16", "é".encode("utf-16"), "é"),
        ("text/plain; charset=Shift_JIS", "日本".encode("shift_jis"), "日本"),
    ],
)
def test_a_body_is_read_as_its_type_says(content_type: str, body: bytes, value: Any) -> None:
    assert read_body(answered(200, body, content_type)) == value


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (JSON, b"{"),
        (JSON, b" "),
        (JSON, b"<html>"),
        (JSON, b'{"a": NaN}'),
        (JSON, b"[Infinity]"),
        (JSON, b'{"a": 1, "a": 2}'),
        (JSON, b'"\\u0000"'),
        (JSON, b'"\\ud800"'),
        (JSON, b'{"\\ud800": 1}'),
        (JSON, b'"\xff"'),
        (JSON, b"[" * 65 + b"]" * 65),
        (JSON, b"[" * 100_000),
        (JSON, b"9" * 5000),
        ("text/plain", b"\xff"),
        ("text/plain", b"a\0b"),
        ("application/octet-stream", bytes(range(256))),
        ("text/plain; charset=utf-16", b"\x00\xd8"),
        ("text/plain; charset=rot13", b"a"),
        ("text/plain; charset=idna", b"a"),
        ("text/plain; charset=nowhere", b"a"),
    ],
)
def test_what_cannot_be_read_or_stored_is_a_failure(content_type: str, body: bytes) -> None:
    with pytest.raises(StepFailed) as failed:
        read_body(answered(200, body, content_type))

    assert (failed.value.error_code, failed.value.is_retryable) == ("OUTPUT_INVALID", True)
    assert failed.value.is_outcome_unknown
    check_json(failed.value.message)


@given(body=st.binary(), content_type=TYPES)
def test_no_bytes_bring_anything_else_about(body: bytes, content_type: str) -> None:
    answer = answered(200, body, content_type)

    check_json(readable_text(answer))
    with suppress(StepFailed):
        check_json(read_body(answer))


@given(value=st.recursive(st.none() | st.integers() | st.booleans(), st.lists, max_leaves=9))
def test_json_comes_out_as_it_went_in(value: Any) -> None:
    assert read_body(answered(200, json.dumps(value).encode(), JSON)) == value


def test_text_for_people_has_a_mark_for_what_cannot_be_read() -> None:
    assert readable_text(answered(500, b"a\xff\0b", "x; charset=zip")) == "a��b"


def test_headers_outside_of_the_list_are_left_out() -> None:
    headers = {"set-cookie": "a", "server": "b", "etag": "c", "request-id": "d\0"}

    assert kept_headers(headers) == {"etag": "c", "request-id": "d�"}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1", 1),
        (" 120 ", 120),
        ("007", 7),
        ("31536000", 31_536_000),
        ("Tue, 01 Sep 2026 12:00:37 GMT", 7),
        ("Tue, 01 Sep 2026 14:00:37 +0200", 7),
        ("Tuesday, 01-Sep-26 12:00:37 GMT", 7),
        ("Tue Sep  1 12:00:37 2026", 7),
        ("Tue, 01 Sep 2026 12:00:37 -0000", 7),
    ],
)
def test_seconds_and_dates_say_when_to_come_again(text: str, seconds: int) -> None:
    assert retry_after(text, BEGINNING) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text",
    [
        None, "", " ", "0", "-1", "+1", "1.5", "1e3", "0x10", "1_000", "٣", "soon", "5, 5", "NaN",
        "9999999999", "99999999999999999999", "31622401", "1" * 5000,
        "Tue, 01 Sep 2026 12:00:30 GMT", "Tue, 01 Sep 2026 11:00:00 GMT",
        "Mon, 01 Jan 1000 00:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT",
        "Tue, 32 Sep 2026 12:00:37 GMT", "Tue, 01 Sep 99999 12:00:37 GMT",
        "1 Jan 9999 00:00:00 -2359", "1 Jan 0001 00:00:00 +2359", "Tue, 01 Sep 2026 25:61:61 GMT",
        "2026-09-01T12:00:37Z", "\0", "\ud800",
    ],
)  # fmt: skip
def test_a_time_that_makes_no_sense_is_left_out(text: str | None) -> None:
    assert retry_after(text, BEGINNING) is None


@given(text=st.text() | st.from_regex(r"[A-Z][a-z]{2}, \d+ [A-Z][a-z]{2} \d+ \d+:\d+:\d+ [-+]\d+"))
def test_no_text_brings_anything_else_about(text: str) -> None:
    wait = retry_after(text, BEGINNING)

    assert wait is None or timedelta() < wait <= timedelta(days=366)
