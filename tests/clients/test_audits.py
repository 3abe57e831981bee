"""Proves that the audits of graphql-http pass, but for two that the new edition overrules."""

from __future__ import annotations

import asyncio
import json

import pytest

from promptpilot.front.answers import Profile
from tests.front.endpoint import Front, serving
from tests.front.sample import Probe
from tests.support.node import run_node

AUDITS = 61


@pytest.mark.parametrize(("profile", "deviations"), [("2026-09", {"86EE", "423L"}), ("audit", {})])
async def test_every_audit_passes_but_for_those_of_the_profile(
    profile: Profile, deviations: set[str]
) -> None:
    async with serving(Front(Probe(), profile=profile)) as server:
        url = f"http://127.0.0.1:{server.port}/graphql"
        results = json.loads(await asyncio.to_thread(run_node, "audits.mjs", url))

    assert len(results) == AUDITS
    assert {each["id"] for each in results if each["status"] != "ok"} == set(deviations), results
