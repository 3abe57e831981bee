"""Proves that scrubbing leaves no secret, however it was encoded, and takes nothing else."""

from __future__ import annotations

import json
import re
import time
from base64 import b64decode, b64encode, urlsafe_b64encode
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from promptpilot.engine.scrub import Scrubber

SECRET = 'sk-live/Ünï+"😀" \\ 4f9'
texts = st.text(max_size=40)
# Letters of few kinds, so that secrets overlap each other, the mask and themselves.
repetitive = st.text('ab*\\%+ 25u0"é😀', min_size=8, max_size=14)
secrets = st.text(min_size=8, max_size=30) | repetitive


def encodings(secret: str) -> list[str]:
    """Return the secret and the forms in which other programs would write it."""
    data = secret.encode()
    quoted = [json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]]
    nested = [json.dumps(text)[1:-1] for text in quoted]
    base64 = [b64encode(data).decode(), urlsafe_b64encode(data).decode()]
    unpadded = [text.rstrip("=") for text in base64]
    in_hex = [data.hex(), data.hex().upper()]
    return [
        secret,
        *quoted,
        *nested,
        *numbers(secret),
        *percent(secret),
        *in_hex,
        *base64,
        *unpadded,
    ]


def numbers(secret: str) -> list[str]:
    """Return the secret with every character as JSON's `u0073`."""
    digits = secret.encode("utf-16-be").hex()
    units = [digits[at : at + 4] for at in range(0, len(digits), 4)]
    return [
        "".join(f"\\u{unit}" for unit in units),
        "".join(f"\\u{unit.upper()}" for unit in units),
    ]


def percent(secret: str) -> list[str]:
    """Return the secret as parts of a URL, with hex digits of both cases."""
    everything = "".join(f"%{byte:02X}" for byte in secret.encode())
    texts = [quote(secret), quote(secret, safe=""), quote_plus(secret), everything]
    return texts + [re.sub("%..", lambda pair: pair[0].lower(), text) for text in texts]


def in_any_part(secret: str, base64: str) -> bool:
    """Tell whether a base64 text, read from any of its places, says `secret`."""
    shifted = (base64[start:] for start in range(4))
    return any(secret.encode() in b64decode(text[: len(text) // 4 * 4]) for text in shifted)


@given(secrets, texts, texts)
@example("********", "*", "*")
@example("***abcde", "", "abcde" * 20)
@example("\\\\\\\\\\\\\\u005c", "\\", "\\")
def test_no_form_of_a_secret_is_left_in_any_text(secret: str, before: str, after: str) -> None:
    forms = encodings(secret)
    scrubber = Scrubber([secret])

    for form in forms:
        clean = scrubber.text(before + form + after)

        assert [left for left in forms if left in clean] == []


@given(
    secret=secrets,
    before=st.binary(max_size=9),
    after=st.binary(max_size=9),
    is_url_safe=st.booleans(),
)
def test_a_secret_within_a_longer_base64_text_is_found(
    secret: str, before: bytes, after: bytes, *, is_url_safe: bool
) -> None:
    encode = urlsafe_b64encode if is_url_safe else b64encode
    text = encode(before + secret.encode() + after).decode()

    clean = Scrubber([secret]).text(f"x {text} y")

    parts = clean[2:-2].replace("-", "+").replace("_", "/").split("***")
    assert not any(in_any_part(secret, part) for part in parts)


@given(st.lists(secrets, max_size=3), texts, texts)
def test_scrubbing_twice_is_scrubbing_once(chosen: list[str], before: str, after: str) -> None:
    scrubber = Scrubber(chosen)

    once = scrubber.text(before + "".join(chosen) + after)

    assert scrubber.text(once) == once


@given(st.text('xyz=% \\/*+"é', max_size=200))
def test_a_text_without_a_secret_stays_the_same_object(text: str) -> None:
    assert Scrubber([SECRET]).text(text) is text


@pytest.mark.parametrize("form", encodings(SECRET))
def test_each_form_is_replaced_whole(form: str) -> None:
    assert Scrubber([SECRET]).text(f"<{form}>") == "<***>"


def test_every_occurrence_goes() -> None:
    assert Scrubber(["secret-one"]).text("secret-one, secret-onesecret-one") == "***, ******"


def test_base64_within_a_url_or_json_is_found() -> None:
    secret = "??>>??>>~~"
    base64 = b64encode(secret.encode()).decode()
    text = quote(base64, safe="") + " " + base64.replace("/", "\\/")

    clean = Scrubber([secret]).text(text)

    assert clean == "*** ***"


def test_the_longest_of_overlapping_secrets_goes() -> None:
    assert Scrubber(["token", "token-and-more"]).text("token-and-more token") == "*** ***"


def test_values_of_less_than_four_characters_are_not_searched() -> None:
    scrubber = Scrubber(["abc", "", " x "])

    assert scrubber.is_empty
    assert scrubber.text("abc x") == "abc x"


def test_surrogates_and_blanks_around_a_secret_do_no_harm() -> None:
    assert Scrubber(["\ud800abcd\n"]).text("é\ud800abcd!") == "é***!"


@pytest.mark.parametrize(
    ("header", "left", "gone"),
    [
        ("Bearer sk-live-123", "Bearer of application/json", ["sk-live-123"]),
        ("bearer abcdefghijkl", "bearer", ["abcdefghijkl"]),
        ("Basic dXNlcjpwYXNz", "Basic user", ["dXNlcjpwYXNz", "user:pass", "pass", "cGFzcw=="]),
        ("Basic w6k6w7w=", "é:ü", ["w6k6w7w="]),
        ("Basic /", "Basic", []),
        ("Basic /////w==", "Basic user", ["/////w=="]),
        ('Digest username="bob", response="0123abcd"', "bob Digest", ["0123abcd"]),
        ("sid=0123456789; theme=dark", "dark theme", ["0123456789"]),
        ("correct horse something", "correct horse or something", []),
        ("text/html, application/json", "application/json text/html", []),
        ("Accept application/json", "application/json", []),
        ("a value of true things", "true value", []),
    ],
)
def test_the_credentials_of_a_header_go_and_its_words_stay(
    header: str, left: str, gone: list[str]
) -> None:
    scrubber = Scrubber([header])

    assert scrubber.text(left) == left
    assert [scrubber.text(f"a {part}!") for part in gone] == ["a ***!"] * len(gone)


def test_texts_and_keys_at_every_depth_are_scrubbed() -> None:
    value = {"a": [1, None, {"key-4711": "my key-4711", "b": True}], "c": [0.5]}

    clean = Scrubber(["key-4711"]).value(value)

    assert clean == {"a": [1, None, {"***": "my ***", "b": True}], "c": [0.5]}
    assert clean["c"] is value["c"]


@pytest.mark.parametrize("secrets", [[], ["key-4711"]])
def test_a_value_without_a_secret_stays_the_same_object(secrets: list[str]) -> None:
    value: Any = {"a": [1, None, {"key": "my key"}], "c": 0.5}

    assert Scrubber(secrets).value(value) is value


@pytest.mark.parametrize("piece", ['a word, "another": ', "\\", "%25", "73736b2d", "c2stbGl2"])
def test_ten_megabytes_are_scrubbed_in_no_time(piece: str) -> None:
    scrubber = Scrubber([f"{SECRET}{number}" * 3 for number in range(5)])
    text = piece * (10_000_000 // len(piece))
    start = time.process_time()

    scrubber.text(text)

    assert time.process_time() - start < 3
