"""What may stand in the fields that people fill in: names, labels, tags, free data.

Units: lengths in characters, sizes in bytes of UTF-8 JSON.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from promptpilot.errors import Conflict, InvalidInput, LimitExceeded, Required
from promptpilot.models.columns import check_json, dump_json

Path = tuple[str, ...]

MAX_NAME: Final = 200
MAX_DESCRIPTION: Final = 10_000
MAX_TAGS: Final = 20
MAX_TAG: Final = 50
MAX_DOCUMENT_BYTES: Final = 64 * 1024

_KEY: Final = re.compile(r"[!-~]{1,255}")


def check_line(text: str | None, path: Path, most: int = MAX_NAME) -> None:
    """Raise Required without a text, InvalidInput unless it is one line of 1 to `most`."""
    if text is None or not text.strip():
        raise Required(f"{path[-1]} must not be empty.", path)
    if len(text) > most:
        raise InvalidInput(f"{path[-1]} may have at most {most} characters.", path)
    check_json(text, path)
    if any(ord(character) < ord(" ") or character == "\x7f" for character in text):
        raise InvalidInput(f"{path[-1]} must be one line without control characters.", path)


def check_text(text: str | None, path: Path, most: int = MAX_DESCRIPTION) -> None:
    """Raise InvalidInput for a text that is too long or cannot be stored."""
    if text is not None and len(text) > most:
        raise InvalidInput(f"{path[-1]} may have at most {most} characters.", path)
    check_json(text, path)


def check_tags(tags: Sequence[str], path: Path) -> None:
    """Raise InvalidInput unless there are at most 20 tags of 1 to 50 characters."""
    for position, tag in enumerate(tags):
        check_line(tag, (*path, str(position)), MAX_TAG)
    if len(set(tags)) > MAX_TAGS:
        raise LimitExceeded(f"There may be at most {MAX_TAGS} tags.", MAX_TAGS, path)


def check_document(document: Mapping[str, Any], path: Path) -> None:
    """Raise InvalidInput unless this is a JSON object of at most 64 KiB."""
    if not isinstance(document, dict):
        raise InvalidInput(f"{path[-1]} must be a JSON object.", path)
    if len(dump_json(document, path).encode()) > MAX_DOCUMENT_BYTES:
        message = f"{path[-1]} may have at most {MAX_DOCUMENT_BYTES} bytes."
        raise LimitExceeded(message, MAX_DOCUMENT_BYTES, path)


def check_key(key: str | None, path: Path) -> None:
    """Raise InvalidInput unless an idempotency key is 1 to 255 visible ASCII characters."""
    if key is not None and not _KEY.fullmatch(key):
        message = f"{path[-1]} must be 1 to 255 visible ASCII characters."
        raise InvalidInput(message, path)


def check_given(value: object, path: Path) -> None:
    """Raise Required for a value that may not be cleared."""
    if value is None:
        raise Required(f"{path[-1]} must not be null.", path)


def check_revision(expected: int | None, current: int) -> None:
    """Raise Conflict when the caller expected another revision than the row has."""
    if expected is not None and expected != current:
        raise conflict(current)


def conflict(current: int) -> Conflict:
    """Make the error for a row that somebody else changed."""
    message = f"Somebody changed it in between; it has revision {current} now. Read it again."
    return Conflict(message, current, ("input", "expectedRevision"))
