"""What may stand in the value of a header that is sent; pure."""

from __future__ import annotations

import re
from typing import Final

MAX_HEADER_VALUE: Final = 8192

_VISIBLE: Final = re.compile(r"[\x20-\x7e\t]*")


def header_fault(value: str) -> str | None:
    """Return what is wrong with a value, as the end of a sentence; None if it can be sent.

    The fault never tells the value, which may be secret.
    """
    if len(value) > MAX_HEADER_VALUE:
        return f"has more than {MAX_HEADER_VALUE} characters"
    if not _VISIBLE.fullmatch(value):
        return "has line breaks or other characters that are not visible ASCII"
    return None
