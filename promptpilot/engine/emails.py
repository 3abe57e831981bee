"""What an e-mail address may be, and when two of them are the same account."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from promptpilot.errors import InvalidInput

MAX_LENGTH: Final = 254
_LABEL: Final = r"[^\W_](?:[\w-]{0,61}[^\W_])?"
_ADDRESS: Final = re.compile(rf"[^\s@,;:<>()\[\]\\\"]{{1,64}}@{_LABEL}(?:\.{_LABEL})*")


def clean_email(email: str) -> str:
    """Return the address as it is stored; raise InvalidInput when it cannot be one."""
    address = unicodedata.normalize("NFC", email.strip())
    is_plain = address.isprintable()
    if len(address) > MAX_LENGTH or not is_plain or not _ADDRESS.fullmatch(address):
        message = "email must be an address like name@example.org of at most 254 characters."
        raise InvalidInput(message, ("input", "email"))
    return address


def email_key(address: str) -> str:
    """Return what is equal for two spellings of one address: width and case do not matter."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", address).casefold())


def find_key(email: str) -> str | None:
    """Return the key of what somebody typed to sign in; None when it is no address."""
    try:
        return email_key(clean_email(email))
    except InvalidInput:
        return None
