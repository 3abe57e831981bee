"""Documents that clients name instead of sending: by `documentId`, or as Apollo does.

Rules: an identifier is `sha256:` and the hash of the document's exact text, so whoever knows it
knows the text. Trusted documents are there from the start and stay; others are learnt when a
client sends text and hash together, and the one used longest ago is forgotten first.
"""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from promptpilot.errors import Misconfigured
from promptpilot.front.errors import Refused, refusal
from promptpilot.front.request import GraphQLRequest

_PREFIX = "sha256:"
_HASH_LENGTH = 64
_HEX = frozenset("0123456789abcdef")


def hash_of(text: str) -> str:
    """Return the hash by which a document is named."""
    return hashlib.sha256(text.encode()).hexdigest()


class PersistedDocuments:
    """The documents that may be named. With `only_trusted` nothing else is executed."""

    def __init__(
        self,
        trusted: Iterable[str] = (),
        *,
        only_trusted: bool = False,
        max_learnt: int = 1000,
        max_characters: int = 4_000_000,
    ) -> None:
        self._trusted = {hash_of(text): text for text in trusted}
        self._only_trusted = only_trusted
        self._learnt: OrderedDict[str, str] = OrderedDict()
        self._characters = 0
        self._max_learnt = max_learnt
        self._max_characters = max_characters

    def __len__(self) -> int:
        return len(self._trusted) + len(self._learnt)

    def text_of(self, request: GraphQLRequest) -> str:
        """Return the document that is asked for; raise Refused if there is none to be executed."""
        named = _named(request)
        if named is not None and request.query is None:
            return self._known(named, request)
        text = request.query or ""
        if named is not None and hash_of(text) != named:
            raise refusal("provided sha does not match query", "BAD_REQUEST")
        if self._only_trusted and hash_of(text) not in self._trusted:
            raise refusal(
                "This server executes trusted documents alone, and this is none of them.",
                "DOCUMENT_NOT_TRUSTED",
            )
        return text

    def learn(self, request: GraphQLRequest) -> None:
        """Keep the document of a request that was accepted and says its hash."""
        if self._only_trusted or request.query is None:
            return
        named = _named(request)
        if named is None or named in self._learnt or named in self._trusted:
            return
        self._learnt[named] = request.query
        self._characters += len(request.query)
        while len(self._learnt) > self._max_learnt or self._characters > self._max_characters:
            _, forgotten = self._learnt.popitem(last=False)
            self._characters -= len(forgotten)

    def _known(self, named: str, request: GraphQLRequest) -> str:
        if named in self._trusted:
            return self._trusted[named]
        if named in self._learnt:
            self._learnt.move_to_end(named)
            return self._learnt[named]
        if request.document_id is None:  # the words are Apollo's; its clients look for them
            raise refusal("PersistedQueryNotFound", "PERSISTED_QUERY_NOT_FOUND")
        way_out = "name a trusted one" if self._only_trusted else "send its text as 'query'"
        raise refusal(
            f"No document is known as '{request.document_id}'; {way_out}.",
            "PERSISTED_DOCUMENT_NOT_FOUND",
        )


def read_trusted(place: Path) -> list[str]:
    """Return the documents of a folder of `.graphql` files, or of a manifest in JSON.

    A file's document is trusted with and without the blank lines around it: editors end files with
    one, compilers do not. A manifest maps names to texts, as Relay's does, or is Apollo's. Raises
    Misconfigured.
    """
    try:
        if place.is_dir():
            paths = sorted([*place.rglob("*.graphql"), *place.rglob("*.gql")])
            return [form for path in paths for form in _forms(path.read_text("utf-8"))]
        return list(_texts(json.loads(place.read_text("utf-8"))))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no manifest in JSON"
        raise Misconfigured([f"Trusted documents cannot be read from {place}: {reason}."]) from None


def _forms(text: str) -> list[str]:
    return list(dict.fromkeys([text, text.strip()]))


def _texts(manifest: Any) -> Iterator[str]:
    if not isinstance(manifest, dict):
        raise ValueError("not a manifest")  # noqa: TRY004 -- of a file, not of an argument
    operations = manifest.get("operations")
    texts = [each["body"] for each in operations] if isinstance(operations, list) else None
    for text in texts if texts is not None else manifest.values():
        if not isinstance(text, str):
            raise ValueError("not a document")  # noqa: TRY004 -- of a file, not of an argument
        yield text


def _named(request: GraphQLRequest) -> str | None:
    """Return the hash by which the request names its document; raise Refused for another name."""
    if request.document_id is not None:
        return _hash(request.document_id.removeprefix(_PREFIX), request.document_id)
    persisted = (request.extensions or {}).get("persistedQuery")
    return None if persisted is None else _apollo_hash(persisted)


def _apollo_hash(persisted: object) -> str:
    if not isinstance(persisted, Mapping) or persisted.get("version") != 1:
        raise refusal("Unsupported persisted query version", "BAD_REQUEST")
    given = persisted.get("sha256Hash")
    return _hash(given if isinstance(given, str) else "", str(given))


def _hash(text: str, shown: str) -> str:
    lowered = text.lower()
    if len(lowered) != _HASH_LENGTH or not _HEX.issuperset(lowered):
        raise _unknown_form(shown)
    return lowered


def _unknown_form(shown: str) -> Refused:
    message = f"'{shown[:100]}' names no document; a name is sha256: and 64 hexadecimal digits."
    return refusal(message, "BAD_REQUEST")
