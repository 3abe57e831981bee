"""A secret header reaches its receiver and nobody else: not the disk, the logs or the API."""

from __future__ import annotations

import base64
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from promptpilot.models.address import Dialect
from promptpilot.models.database import Database
from tests.story.owner import Owner
from tests.support.hostile.process import HostileProcess
from tests.support.installation import Installation

pytestmark = [pytest.mark.xdist_group("story"), pytest.mark.timeout(120)]

_KEY = "k3y/with+odd=signs&more-than-twenty"
#: The receiver repeats the key in all of these ways, also in answers that are refusals.
_ECHOES = (
    "/echo",
    "/echo-header/x-api-key?as=text",
    "/echo-header/x-api-key?as=base64",
    "/echo-header/x-api-key?as=url",
    "/echo-header/x-api-key?as=header",
    "/echo-header/x-api-key?as=text&status=400",
    "/echo-header/x-api-key?as=base64&status=503",
    "/echo-header/x-api-key?as=url&status=500",
)
_TABLES = {
    Dialect.SQLITE: "SELECT name FROM sqlite_master WHERE type = 'table'",
    Dialect.POSTGRES: "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'",
}
_STEP = "stepName status input output error { code message details }"
_ATTEMPTS = "attempts { number status error { code message details } }"
_WHOLE = f"""query ($id: ID!, $workflow: ID!) {{
  execution(id: $id) {{
    input output error {{ code message details }}
    steps {{ {_STEP} {_ATTEMPTS} }}
    events(first: 100) {{ nodes {{ __typename sequence }} }}
  }}
  workflow(id: $workflow) {{ steps {{ name config {{
    ... on WebhookStepConfig {{ url body headers {{ name value isSecret }} }}
  }} }} }}
}}"""


async def test_what_a_receiver_repeats_of_a_secret_header_is_nowhere(
    owner: Owner, receiver: HostileProcess, installation: Installation, database: Database
) -> None:
    workflow_id = await _make(owner, receiver)
    started = await owner.change("startExecution", "execution { id }", workflowId=workflow_id)
    execution_id = started["execution"]["id"]
    await owner.status_comes(execution_id, "COMPLETED")

    answer = str(await owner.caller.ask(_WHOLE, id=execution_id, workflow=workflow_id))
    files = {path.name: path.read_bytes() for path in _files(installation)}
    places = {**files, "tables": await _rows(database), "answer": answer.encode()}
    assert len(receiver.requests()) == len(_ECHOES)
    assert all(each["headers"]["x-api-key"] == _KEY for each in receiver.requests())
    assert _has_the_key(base64.b64encode(_KEY.encode()))
    assert [name for name, content in places.items() if _has_the_key(content)] == []


async def _make(owner: Owner, receiver: HostileProcess) -> str:
    """Store a workflow that sends the key to every place; return its id."""
    header = {"name": "X-Api-Key", "value": _KEY, "isSecret": True}
    steps = [
        {
            "name": f"send{number}",
            "continueOnError": True,
            "config": {"webhook": {"url": receiver.url(path), "headers": [header]}},
        }
        for number, path in enumerate(_ECHOES)
    ]
    made = await owner.change("createWorkflow", "workflow { id }", name="Leaks", steps=steps)
    workflow_id: str = made["workflow"]["id"]
    return workflow_id


def _files(installation: Installation) -> list[Path]:
    """Return every file of the installation: its data, its database if it is one, its logs."""
    return [path for path in installation.folder.rglob("*") if path.is_file()]


async def _rows(database: Database) -> bytes:
    """Return the content of every table."""
    tables = await database.fetch(_TABLES[database.dialect])
    names = [row["name"] for row in tables]
    rows = [await database.fetch(f'SELECT * FROM "{name}"') for name in names]  # noqa: S608 -- our tables
    return repr([[dict(row) for row in each] for each in rows]).encode()


def _has_the_key(content: bytes) -> bool:
    """Tell whether the key is there: as it is, or packed in one of the usual ways."""
    raw = _KEY.encode()
    packed = (base64.b64encode(raw), base64.urlsafe_b64encode(raw))
    ways = (raw, *packed, quote(_KEY).encode(), quote(_KEY, safe="").encode())
    return any(way.rstrip(b"=") in content for way in (*ways, quote_plus(_KEY).encode()))
