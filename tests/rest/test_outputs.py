"""Whole outputs are downloaded by their owners, as files, and nobody else learns of them."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import httpx2
import pytest

from promptpilot import ids
from promptpilot.models.columns import encode_json
from tests.rest.conftest import Site
from tests.support.finished import finished

SMALL = {"text": "größer", "n": 1.0}
LARGE = {"text": "größer" * 50_000, "last": [1, {"deep": True}]}
BODY = encode_json(LARGE).encode()
ETAG = f'"{hashlib.sha256(BODY).hexdigest()}"'

KINDS = pytest.mark.parametrize("kind", ["output", "steps/0/output"])


async def address(site: Site, kind: str, output: dict[str, Any] | None = LARGE) -> str:
    """Return where an output of the owner is."""
    execution_id = await finished(site.backbone.committer, site.principal, output)
    return f"/api/executions/{execution_id}/{kind}"


async def get(site: Site, path: str, method: str = "GET", **headers: str) -> httpx2.Response:
    """Ask for an output as the owner; `_` in a header's name stands for `-`."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return await site.client.request(method, path, headers=site.authorization | sent)


def _code(response: httpx2.Response) -> str:
    return str(response.json()["error"]["code"])


@KINDS
@pytest.mark.parametrize("output", [SMALL, LARGE, {}], ids=["small", "large", "empty"])
async def test_an_output_is_downloaded_as_it_was_stored(
    site: Site, kind: str, output: dict[str, Any]
) -> None:
    response = await get(site, await address(site, kind, output))

    assert response.status_code == 200
    assert response.content == encode_json(output).encode()
    assert response.headers["content-length"] == str(len(response.content))


async def test_it_comes_as_a_file_that_nobody_keeps_or_runs(site: Site) -> None:
    path = await address(site, "steps/0/output")

    response = await get(site, path)

    execution_id = path.split("/")[3]
    name = f'attachment; filename="{execution_id}-step-0-output.json"'
    shown = {name: response.headers[name] for name in ("content-type", "content-disposition")}
    assert shown == {"content-type": "application/json", "content-disposition": name}
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["cache-control"] == "private, no-store"
    assert response.headers["accept-ranges"] == "bytes"
    assert response.headers["etag"] == ETAG


@KINDS
async def test_the_head_alone_tells_the_size(site: Site, kind: str) -> None:
    path = await address(site, kind)

    head = await get(site, path, "HEAD", range="bytes=0-1")

    assert (head.status_code, head.content) == (200, b"")
    assert head.headers == (await get(site, path)).headers
    assert head.headers["content-length"] == str(len(BODY))


@pytest.mark.parametrize("known", [ETAG, f"W/{ETAG}", "*", f'"other", {ETAG}'])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_what_is_known_is_not_sent_again(site: Site, known: str, method: str) -> None:
    response = await get(site, await address(site, "output"), method, if_none_match=known)

    assert (response.status_code, response.content) == (304, b"")
    assert response.headers["etag"] == ETAG


async def test_what_has_changed_is_sent(site: Site) -> None:
    response = await get(site, await address(site, "output"), if_none_match='"other"')

    assert response.content == BODY


@pytest.mark.parametrize(
    ("asked", "part"), [("bytes=1-5", slice(1, 6)), ("bytes=-9", slice(-9, None))]
)
async def test_a_part_is_sent_alone(site: Site, asked: str, part: slice) -> None:
    response = await get(site, await address(site, "output"), range=asked, if_range=ETAG)

    start, stop, _ = part.indices(len(BODY))
    assert (response.status_code, response.content) == (206, BODY[part])
    assert response.headers["content-range"] == f"bytes {start}-{stop - 1}/{len(BODY)}"
    assert response.headers["content-length"] == str(stop - start)


async def test_a_broken_download_is_gone_on_with(site: Site) -> None:
    path = await address(site, "output")
    first = await get(site, path, range="bytes=0-99999")

    rest = await get(site, path, range="bytes=100000-", if_range=first.headers["etag"])

    assert json.loads(first.content + rest.content) == LARGE


async def test_the_part_of_another_file_is_not_sent(site: Site) -> None:
    response = await get(site, await address(site, "output"), range="bytes=0-1", if_range='"old"')

    assert (response.status_code, response.content) == (200, BODY)


async def test_a_part_behind_the_end_is_refused_with_the_size(site: Site) -> None:
    response = await get(site, await address(site, "output"), range="bytes=999999-")

    assert (response.status_code, _code(response)) == (416, "RANGE_NOT_SATISFIABLE")
    assert response.headers["content-range"] == f"bytes */{len(BODY)}"


@KINDS
async def test_a_stranger_is_told_to_sign_in(site: Site, kind: str) -> None:
    response = await site.client.get(await address(site, kind))

    assert response.status_code == 401
    assert response.headers["www-authenticate"] == "Bearer"


@KINDS
async def test_what_belongs_to_others_or_is_not_there_is_not_found(site: Site, kind: str) -> None:
    theirs = await address(site, kind)
    other = await site.engine.register("other@example.org", "correct horse battery staple")
    headers = {"authorization": f"Bearer {other.token}"}

    unknown = [ids.new_id(ids.Kind.EXECUTION), "ex_1", "%00", "wf_1", "ex_" + 26 * "z"]
    asked = [theirs, *(f"/api/executions/{each}/{kind}" for each in unknown)]
    answers = [await site.client.get(path, headers=headers) for path in asked]

    assert {each.status_code for each in answers} == {404}
    assert len({each.content for each in answers}) == 1


@KINDS
async def test_an_output_that_does_not_exist_is_not_found(site: Site, kind: str) -> None:
    response = await get(site, await address(site, kind, None))

    assert (response.status_code, _code(response)) == (404, "NOT_FOUND")


@pytest.mark.parametrize("path", ["$", "1", "00", "%00", "0%2F", "%F0%9F%A6%89", "x" * 65])
async def test_a_step_that_does_not_exist_is_not_found(site: Site, path: str) -> None:
    response = await get(site, await address(site, f"steps/{path}/output"))

    assert (response.status_code, _code(response)) == (404, "NOT_FOUND")


@KINDS
async def test_outputs_are_only_read(site: Site, kind: str) -> None:
    response = await get(site, await address(site, kind), "DELETE")

    assert response.status_code == 405
