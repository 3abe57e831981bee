"""Makes secrets, checks them and signs with them."""

from __future__ import annotations

import base64
import hmac
from typing import Final

from promptpilot import ids
from promptpilot.errors import InvalidInput

_LENGTHS: Final = range(16, 257)


def text_key(secret: str) -> bytes:
    """Return the key of a secret that is used as it stands. Raises InvalidInput."""
    if len(secret) not in _LENGTHS or not secret.isprintable():
        raise InvalidInput("The secret must be 16 to 256 printable characters.", ("secret",))
    return secret.encode()


def header_key(secret: str) -> bytes:
    """Return the key of a secret that a header can hold. Raises InvalidInput."""
    is_visible = secret.isascii() and secret.isprintable() and " " not in secret
    if len(secret) not in _LENGTHS or not is_visible:
        message = "The secret must be 16 to 256 visible ASCII characters, without spaces."
        raise InvalidInput(message, ("secret",))
    return secret.encode()


def random_key() -> bytes:
    """Return 32 random bytes."""
    return base64.urlsafe_b64decode(ids.new_secret(32) + "=")


def random_hex() -> str:
    """Return 32 random bytes as 64 hexadecimal digits."""
    return random_key().hex()


def hmac_sha256(key: bytes, content: bytes) -> bytes:
    """Return the HMAC-SHA256 of `content`."""
    return hmac.digest(key, content, "sha256")
