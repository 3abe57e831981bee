"""Proves what may stand in a credential, and that a fault names its field and never a secret."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptpilot.engine.credential_drafts import check_secret, draft_checks
from promptpilot.engine.credential_secrets import preview
from promptpilot.engine.egress.addresses import AllowList
from promptpilot.engine.gathering import each, gather
from promptpilot.engine.step_configs import ModelProvider
from promptpilot.errors import CallerError, InvalidInput
from tests.support.clock import BEGINNING
from tests.support.credentials import draft

OWN = AllowList.of(["127.0.0.1:8080", "10.0.0.0/8"])
CUSTOM: dict[str, Any] = {"provider": ModelProvider.OPENAI_COMPATIBLE}


def faults(allowed: AllowList = OWN, **fields: Any) -> list[str]:
    """Return the paths of everything wrong with a draft."""
    try:
        gather(*draft_checks(draft(**fields), allowed, BEGINNING))
    except CallerError as error:
        return [".".join(fault.path) for fault in each(error)]
    return []


def test_a_usual_draft_has_no_fault() -> None:
    assert faults() == []


def test_every_fault_is_told_at_once() -> None:
    wrong: dict[str, Any] = {
        "label": " ",
        "secret": "a b",
        "expires_at": BEGINNING,
        "metadata": {"a": "b" * 70_000},
    }

    found = faults(**CUSTOM, **wrong)

    assert found == [f"input.{name}" for name in ("label", "secret", "baseUrl", "expiresAt")] + [
        "input.metadata"
    ]


@pytest.mark.parametrize(
    ("secret", "words"),
    [
        ("", "must not be empty"),
        ("sk-1\n", "a line break"),
        (" sk-1", "a space"),
        ("sk-\u00e9", "visible ASCII"),
        ("sk-\x00", "visible ASCII"),
        ("k" * 8193, "at most 8192 bytes"),
    ],
)
def test_what_is_no_key_is_refused_in_words_that_help(secret: str, words: str) -> None:
    with pytest.raises(CallerError, match=words) as refused:
        check_secret(secret)

    assert refused.value.path == ("input", "secret")


@pytest.mark.parametrize(
    "url",
    [
        "https://gateway.example/v1",
        "https://gateway.example:8443/openai/v1/",
        "http://127.0.0.1:8080/v1",
        "http://localhost:8080/v1",
        "http://10.1.2.3:11434",
        "http://ollama:11434/v1",
    ],
)
def test_an_address_that_is_encrypted_or_allowed_is_taken(url: str) -> None:
    assert faults(**CUSTOM, base_url=url) == []


@pytest.mark.parametrize(
    "url",
    [
        "http://gateway.example/v1",
        "http://8.8.8.8/v1",
        "http://127.0.0.1:9090",
        "https://127.0.0.1:9090",
        "https://169.254.169.254/v1",
        "http://localhost:9090",
        "https://user:secret@gateway.example",
        "https://gateway.example/v1?key=1",
        "https://gateway.example/v1#x",
        "ftp://gateway.example",
        "gateway.example",
        "https://2130706433/",
        "",
    ],
)
def test_an_address_that_may_leak_the_key_is_refused(url: str) -> None:
    assert faults(**CUSTOM, base_url=url) == ["input.baseUrl"]


def test_a_name_of_the_own_network_needs_an_operator_who_allows_one() -> None:
    assert faults(AllowList(), **CUSTOM, base_url="http://ollama:11434") == ["input.baseUrl"]


@pytest.mark.parametrize("provider", list(ModelProvider))
def test_an_address_is_needed_where_the_provider_has_none(provider: ModelProvider) -> None:
    is_needed = provider in {ModelProvider.AZURE_OPENAI, ModelProvider.OPENAI_COMPATIBLE}

    assert faults(provider=provider) == (["input.baseUrl"] if is_needed else [])


def test_the_simulator_has_no_address() -> None:
    url = "https://gateway.example"

    assert faults(provider=ModelProvider.SIMULATOR, base_url=url) == ["input.baseUrl"]


def test_an_expiry_to_come_is_taken() -> None:
    assert faults(expires_at=BEGINNING + timedelta(seconds=1)) == []


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=60))
def test_a_preview_never_shows_more_than_a_third(secret: str) -> None:
    start, end = preview(secret).split("…") if "…" not in secret else ("", "")

    assert secret.startswith(start)
    assert secret.endswith(end)
    assert len(start) == len(end) <= 4
    assert 3 * len(start + end) <= len(secret)


@given(st.text(min_size=1, max_size=30))
def test_no_fault_of_a_secret_repeats_it(text: str) -> None:
    marked = f"hunter2 {text}"

    with pytest.raises(InvalidInput) as refused:
        check_secret(marked)

    assert "hunter2" not in refused.value.message
