"""Proves that the page about callers tells the truth, block by block."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from tests.docs.conftest import Started
from tests.docs.pages import examples, read
from tests.docs.reader import Reader

pytestmark = pytest.mark.xdist_group("docs")


async def test_signing_in_renewing_and_signing_out_work_as_the_page_says(started: Started) -> None:
    reader = Reader(started.url, {"email": f"{uuid.uuid4().hex}@example.com"})

    for block in examples(read("docs/api/auth.md"), "graphql"):
        await reader.follow(block)
        _keep(reader, reader.answers[-1]["data"])

    made, ended, log, out = [answer["data"] for answer in reader.answers[-4:]]
    assert made["createAccessToken"]["accessToken"]["scopes"] == ["RUN"]
    assert ended["revokeAccessToken"]["accessToken"]["revokedAt"] is not None
    assert len(log["auditLog"]["nodes"]) == 2
    assert out["logout"]["endedCount"] == 2


def _keep(reader: Reader, data: dict[str, Any]) -> None:
    """Let later examples use the tokens of an answer."""
    (payload,) = data.values()
    if "refreshToken" in payload:
        reader.variables["refreshToken"] = payload["refreshToken"]
        reader.shell["TOKEN"] = payload["token"]
    if "accessToken" in payload:
        reader.variables["accessTokenId"] = payload["accessToken"].get("id", "")
