"""Proves that documents can be named by their hash, and that all others can be shut out."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from promptpilot.errors import Misconfigured
from promptpilot.front.negotiation import LEGACY, RESPONSE
from promptpilot.front.persisted import PersistedDocuments, read_trusted
from promptpilot.front.request import GraphQLRequest
from tests.front.endpoint import Front, Wire, serving
from tests.front.sample import Probe

TEXT = "{ hello }"
HASH = hashlib.sha256(TEXT.encode()).hexdigest()
APOLLO = {"persistedQuery": {"version": 1, "sha256Hash": HASH}}
DATA = {"hello": "Hello, world!"}


def trusting(probe: Probe, *, only_trusted: bool = False) -> Front:
    return Front(probe, persisted=PersistedDocuments([TEXT], only_trusted=only_trusted))


@pytest.mark.parametrize(
    "named", [{"documentId": f"sha256:{HASH}"}, {"documentId": HASH}, {"extensions": APOLLO}]
)
async def test_a_trusted_document_is_executed_by_its_name(
    probe: Probe, named: dict[str, Any]
) -> None:
    front = trusting(probe, only_trusted=True)
    parameters = {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in named.items()
    }

    posted = await front.send("POST", json=named)
    got = await front.send("GET", params=parameters)

    assert [posted.json()["data"], got.json()["data"]] == [DATA, DATA]


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ({"extensions": APOLLO}, "PERSISTED_QUERY_NOT_FOUND"),
        ({"documentId": f"sha256:{HASH}"}, "PERSISTED_DOCUMENT_NOT_FOUND"),
        ({"documentId": "sha256:123"}, "BAD_REQUEST"),
        ({"documentId": "md5:" + "0" * 64}, "BAD_REQUEST"),
        ({"query": "{ other }", "extensions": APOLLO}, "BAD_REQUEST"),
        ({"query": "{ other }", "documentId": HASH}, "BAD_REQUEST"),
        ({"extensions": {"persistedQuery": {"version": 2}}}, "BAD_REQUEST"),
        ({"extensions": {"persistedQuery": 1}}, "BAD_REQUEST"),
        ({"extensions": {"persistedQuery": {"version": 1}}}, "BAD_REQUEST"),
    ],
)
async def test_a_name_that_leads_nowhere_is_refused(
    front: Front, request_: dict[str, Any], code: str
) -> None:
    telling = await front.send("POST", RESPONSE, json=request_)
    legacy = await front.send("POST", LEGACY, json=request_)

    assert [telling.status_code, legacy.status_code] == [422, 200]
    assert telling.json()["errors"][0]["extensions"]["code"] == code


async def test_apollo_registers_by_sending_text_and_hash(probe: Probe) -> None:
    front = Front(probe, persisted=PersistedDocuments())
    missing = await front.send("POST", json={"extensions": APOLLO})

    await front.send("POST", json={"query": TEXT, "extensions": APOLLO})

    assert missing.json()["errors"][0]["message"] == "PersistedQueryNotFound"
    assert (await front.send("POST", json={"extensions": APOLLO})).json()["data"] == DATA


async def test_what_is_not_accepted_is_not_learnt(probe: Probe) -> None:
    persisted = PersistedDocuments()
    front = Front(probe, persisted=persisted)
    named = hashlib.sha256(b"{ nothing }").hexdigest()

    await front.send("POST", json={"query": "{ nothing }", "documentId": named})

    assert len(persisted) == 0


@pytest.mark.parametrize(("most", "characters"), [(2, 1000), (1000, 10)])
def test_the_document_used_longest_ago_is_forgotten_first(most: int, characters: int) -> None:
    persisted = PersistedDocuments(max_learnt=most, max_characters=characters)
    texts = ["{ a }", "{ b }", "{ c }"]
    requests = [
        GraphQLRequest(text, document_id=hashlib.sha256(text.encode()).hexdigest())
        for text in texts
    ]

    persisted.learn(requests[0])
    persisted.learn(requests[1])
    persisted.text_of(GraphQLRequest(None, document_id=requests[0].document_id))
    persisted.learn(requests[2])

    known = set(persisted._learnt.values())
    assert known == {"{ a }", "{ c }"}


@pytest.mark.parametrize("members", [{}, {"extensions": APOLLO}])
async def test_other_documents_can_be_shut_out(probe: Probe, members: dict[str, Any]) -> None:
    front = Front(probe, persisted=PersistedDocuments(["{ away }"], only_trusted=True))

    response = await front.ask(TEXT, **members)

    assert response.status_code == 422
    assert response.json()["errors"][0]["extensions"] == {"code": "DOCUMENT_NOT_TRUSTED"}
    assert not probe.contexts


async def test_a_trusted_text_may_be_sent_as_a_whole(probe: Probe) -> None:
    assert (await trusting(probe, only_trusted=True).ask(TEXT)).json()["data"] == DATA


async def test_a_document_is_executed_by_its_name_on_a_socket(probe: Probe) -> None:
    async with serving(trusting(probe, only_trusted=True)) as server, server.open() as wire:
        await wire.introduce()

        await wire.send({"type": "subscribe", "id": "1", "payload": {"documentId": HASH}})
        named = await wire.receive()
        await _next_operation(wire)
        shut_out = await wire.receive()

    assert named["payload"]["data"] == DATA
    assert shut_out["payload"][0]["extensions"] == {"code": "DOCUMENT_NOT_TRUSTED"}


async def _next_operation(wire: Wire) -> None:
    assert (await wire.receive())["type"] == "complete"
    await wire.subscribe("{ away }", id="2")


def test_documents_are_read_from_a_folder_or_a_manifest(tmp_path: Path) -> None:
    (tmp_path / "a.graphql").write_text("{ a }")
    (tmp_path / "notes.md").write_text("# Notes")
    relay, apollo = tmp_path / "relay.json", tmp_path / "apollo.json"
    relay.write_text(json.dumps({"x": "{ b }"}))
    apollo.write_text(json.dumps({"version": 1, "operations": [{"id": "y", "body": "{ c }"}]}))

    assert [read_trusted(place) for place in (tmp_path, relay, apollo)] == [
        ["{ a }"],
        ["{ b }"],
        ["{ c }"],
    ]


def test_a_file_may_end_with_a_blank_line_that_compilers_leave_out(tmp_path: Path) -> None:
    (tmp_path / "a.graphql").write_text("{ a }\n")

    assert read_trusted(tmp_path) == ["{ a }\n", "{ a }"]


@pytest.mark.parametrize("text", ["", "[]", '{"x": 1}', '{"operations": [{"body": 1}]}', "{"])
def test_what_is_no_manifest_is_refused(tmp_path: Path, text: str) -> None:
    place = tmp_path / "manifest.json"
    place.write_text(text)

    with pytest.raises(Misconfigured, match="manifest in JSON"):
        read_trusted(place)


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="cannot be read"):
        read_trusted(tmp_path / "nothing")
