"""Proves that a sealed secret opens for its own row and ring only, and never shows by itself."""

from __future__ import annotations

import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptpilot.engine.vault import Secret, Vault, VaultError, parse_keys
from promptpilot.errors import Misconfigured

OLD = ("k1", bytes(32))
NEW = ("k2", bytes(range(32)))
VAULT = Vault([NEW, OLD])
ROW = "ws_1|cred_1|openai"

texts = st.text(st.characters(codec=None), max_size=200)


@given(texts, texts)
def test_what_was_sealed_opens_for_its_row(plain: str, context: str) -> None:
    sealed = VAULT.seal(plain, context)

    assert VAULT.open(sealed, context).reveal() == plain


@given(texts, texts, texts)
def test_what_was_sealed_does_not_open_for_another_row(plain: str, own: str, other: str) -> None:
    sealed = VAULT.seal(plain, own)

    if own != other:
        with pytest.raises(VaultError, match="belongs to another row"):
            VAULT.open(sealed, other)


@given(st.integers(min_value=0), st.integers(min_value=1, max_value=255))
def test_a_changed_character_never_opens(position: int, change: int) -> None:
    sealed = VAULT.seal("a secret", ROW)
    place = position % len(sealed)
    changed = sealed[:place] + chr(ord(sealed[place]) ^ change) + sealed[place + 1 :]

    with pytest.raises(VaultError):
        VAULT.open(changed, ROW)


@given(texts)
def test_no_text_makes_it_raise_anything_else(sealed: str) -> None:
    with pytest.raises(VaultError):
        VAULT.open(sealed, ROW)


@pytest.mark.parametrize(
    "sealed",
    [
        "",
        "v1",
        "v1.k2",
        "v1.k2..",
        "v1.k2.A.B",
        "v1.k2.AAAA.AB",
        "v1.k2.AAAA.é",
        "v2.k2.AAAA.AAAA",
    ],
)
def test_what_is_no_sealed_text_is_refused(sealed: str) -> None:
    with pytest.raises(VaultError):
        VAULT.open(sealed, ROW)


def test_sealing_twice_gives_two_texts_of_the_documented_form() -> None:
    first, second = VAULT.seal("a secret", ROW), VAULT.seal("a secret", ROW)

    assert first != second
    assert first.startswith("v1.k2.")
    assert len(first.split(".")) == 4


def test_an_older_key_of_the_ring_opens_and_asks_for_a_new_seal() -> None:
    sealed = Vault([OLD]).seal("a secret", ROW)

    assert VAULT.open(sealed, ROW).reveal() == "a secret"
    assert VAULT.needs_rekey(sealed)
    assert not VAULT.needs_rekey(VAULT.seal("a secret", ROW))


def test_a_key_that_left_the_ring_is_named() -> None:
    sealed = VAULT.seal("a secret", ROW)

    with pytest.raises(VaultError, match="'k2', which is not in the key ring"):
        Vault([OLD]).open(sealed, ROW)


def test_a_fingerprint_depends_on_the_text_and_on_the_key() -> None:
    fingerprints = {VAULT.fingerprint("a"), VAULT.fingerprint("b"), Vault([OLD]).fingerprint("a")}

    assert len(fingerprints) == 3
    assert VAULT.fingerprint("a") in fingerprints
    assert all(len(fingerprint) == 16 for fingerprint in fingerprints)


@pytest.mark.parametrize("form", ["{}", "{!r}", "{!s}"])
def test_a_secret_shows_as_three_stars(form: str) -> None:
    assert form.format(Secret("open sesame")) == "***"


def test_a_secret_shows_as_three_stars_inside_other_things() -> None:
    assert str([Secret("open sesame")]) == "[***]"
    assert json.dumps(Secret("open sesame"), default=str) == '"***"'


def test_a_secret_cannot_be_pickled() -> None:
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(Secret("open sesame"))


def test_secrets_are_equal_when_their_texts_are() -> None:
    assert Secret("a") == Secret("a")
    assert hash(Secret("a")) == hash(Secret("a"))
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"


def test_a_vault_shows_the_names_of_its_keys_only() -> None:
    assert repr(VAULT) == "Vault(keys=['k2', 'k1'])"


@pytest.mark.parametrize(
    ("keys", "fault"),
    [
        ([], "At least one master key is needed."),
        ([("k1", bytes(31))], "The master key 'k1' must have 32 bytes."),
        ([OLD, OLD], "Two master keys have the same id."),
    ],
)
def test_a_ring_that_cannot_seal_is_refused(keys: list[tuple[str, bytes]], fault: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        Vault(keys)

    assert caught.value.faults == (fault,)


def test_a_ring_is_read_from_one_line() -> None:
    keys = parse_keys(f"k2:{'AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8='}, k1:{'A' * 43}=")

    assert keys == (NEW, OLD)


def test_every_fault_of_a_ring_is_told_at_once_without_the_keys() -> None:
    with pytest.raises(Misconfigured) as caught:
        parse_keys(f"k1:{'A' * 43}=,k1:{'B' * 43}=,K!:c2hvcnQ=,nocolon,")

    text = caught.value.message
    assert len(caught.value.faults) == 6
    assert "Master key 2 repeats the id k1." in text
    assert "BBB" not in text
    assert "c2hvcnQ" not in text
