"""Seals secrets with AES-256-GCM before they are stored, and opens them for the row they are of.

Rules: `context` names that row (`workspace|id|provider`) and is authenticated, so that a sealed
text moved to another row does not open. The first key of the ring seals; all of them open.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterator, Sequence
from typing import ClassVar, NoReturn

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from promptpilot import ids
from promptpilot.errors import Misconfigured, PromptPilotError
from promptpilot.settings import parse_keys

__all__ = ["Secret", "Vault", "VaultError", "parse_keys"]

_FORMAT = "v1"
_KEY_BYTES = 32
_NONCE_BYTES = 12


class VaultError(PromptPilotError):
    """A sealed text does not open: it was changed, moved to another row, or its key is gone."""

    code: ClassVar[str] = "INTERNAL"


class Secret:
    """A secret in the clear. Shows as `***` wherever it is printed; reveal() where it is used."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text itself. Hand it to nothing that logs or stores."""
        return self._text

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(_utf8(self._text), _utf8(other._text))

    def __hash__(self) -> int:
        return hash(self._text)

    def __reduce__(self) -> NoReturn:
        message = "A Secret cannot be pickled or copied."
        raise TypeError(message)


class Vault:
    """A key ring of (key id, 32 bytes) pairs; the first seals, all open."""

    def __init__(self, keys: Sequence[tuple[str, bytes]]) -> None:
        """Raise Misconfigured when there is no key, two have one id, or one has not 32 bytes."""
        if faults := list(_ring_faults(keys)):
            raise Misconfigured(faults)
        self._first_id, first_key = keys[0]
        self._ciphers = {key_id: AESGCM(key) for key_id, key in keys}
        self._fingerprint_key = _subkey(first_key, b"promptpilot fingerprint")

    def seal(self, plain: str, context: str) -> str:
        """Return `v1.<key id>.<nonce>.<ciphertext>`, another one at every call."""
        nonce_text = ids.new_secret(_NONCE_BYTES)
        cipher = self._ciphers[self._first_id]
        sealed = cipher.encrypt(_decode(nonce_text), _utf8(plain), _utf8(context))
        return f"{_FORMAT}.{self._first_id}.{nonce_text}.{_encode(sealed)}"

    def open(self, sealed: str, context: str) -> Secret:
        """Return what was sealed for `context`. Raise VaultError when it does not open."""
        key_id, nonce, ciphertext = _split(sealed)
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            message = f"A secret is sealed with the key {key_id!r}, which is not in the key ring."
            raise VaultError(message)
        try:
            plain = cipher.decrypt(nonce, ciphertext, _utf8(context))
        except (InvalidTag, ValueError) as error:
            message = "A sealed secret was changed or belongs to another row."
            raise VaultError(message) from error
        return Secret(plain.decode("utf-8", "surrogatepass"))

    def needs_rekey(self, sealed: str) -> bool:
        """Whether another key than the first made `sealed`. Raise VaultError if none did."""
        return _split(sealed)[0] != self._first_id

    def fingerprint(self, plain: str) -> str:
        """Return 16 hexadecimal digits to recognise a secret by; they change with the first key."""
        return hmac.digest(self._fingerprint_key, _utf8(plain), "sha256").hex()[:16]

    def __repr__(self) -> str:
        return f"Vault(keys={list(self._ciphers)})"


def _ring_faults(keys: Sequence[tuple[str, bytes]]) -> Iterator[str]:
    if not keys:
        yield "At least one master key is needed."
    if len({key_id for key_id, _ in keys}) < len(keys):
        yield "Two master keys have the same id."
    for key_id, key in keys:
        if len(key) != _KEY_BYTES:
            yield f"The master key {key_id!r} must have {_KEY_BYTES} bytes."


def _subkey(key: bytes, purpose: bytes) -> bytes:
    return hmac.new(key, purpose, hashlib.sha256).digest()


def _split(sealed: str) -> tuple[str, bytes, bytes]:
    version, *parts = sealed.split(".")
    if version != _FORMAT:
        raise VaultError("A stored secret is not sealed in a format that is known.")
    try:
        key_id, nonce, ciphertext = parts
        return key_id, _decode(nonce), _decode(ciphertext)
    except (ValueError, binascii.Error) as error:
        raise VaultError("A stored secret is not a sealed text.") from error


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _decode(text: str) -> bytes:
    data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    if _encode(data) != text:
        raise ValueError("not canonical")
    return data


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
