"""Proves that prompts are made, changed, compared and deleted over the API as its schema says."""

from __future__ import annotations

from typing import Any

import pytest

from promptpilot import ids
from promptpilot.engine.principal import Principal
from promptpilot.errors import InvalidInput, Unauthenticated
from tests.schema.api import Api

SHOWN = """
  id name description content instructions turns { role content } tags metadata revision
  variables { name type description isRequired defaultValue options }
  currentVersion { id version changeType commitMessage parent { version } createdBy { email } }
  owner { email }
"""
PAYLOAD = f"prompt {{ {SHOWN} }} version {{ id version }} errors {{ code path message }}"
GREETING: dict[str, Any] = {
    "name": "Greeting",
    "description": "Says hello.",
    "content": "Hello {{name}}, {{ tone }}.",
    "instructions": "Be {{tone}}.",
    "turns": [{"role": "USER", "content": "Hi"}, {"role": "ASSISTANT", "content": "Yes?"}],
    "variables": [
        {"name": "tone", "type": "SELECT", "options": ["dry", "warm"], "defaultValue": "dry"}
    ],
    "tags": ["b", "a"],
    "metadata": {"team": "core"},
}
COMPARE = """query ($a: ID!, $b: ID!) { comparePromptVersions(baseId: $a, headId: $b) {
  base { version } head { version } contentDiff changes { field oldValue newValue }
} }"""
RENDER = """query ($c: String!, $v: JSONObject!) { renderPrompt(content: $c, variables: $v) {
  text missingVariables unusedVariables estimatedTokens
} }"""


async def _create(api: Api, **changes: Any) -> dict[str, Any]:
    selection = f"prompt {{ {SHOWN} }} errors {{ code path message }}"
    return await api.mutate("createPrompt", {**GREETING, **changes}, selection)


async def _made(api: Api, **changes: Any) -> dict[str, Any]:
    payload = await _create(api, **changes)
    assert payload["errors"] == []
    prompt: dict[str, Any] = payload["prompt"]
    return prompt


async def _update(api: Api, prompt_id: str, **changes: Any) -> dict[str, Any]:
    return await api.mutate("updatePrompt", {"id": prompt_id, **changes}, PAYLOAD)


async def test_a_prompt_shows_what_was_given(api: Api) -> None:
    made = await _made(api)

    given = ("name", "description", "content", "instructions", "turns", "metadata")
    assert {key: made[key] for key in given} == {key: GREETING[key] for key in given}
    assert (made["tags"], made["revision"]) == (["a", "b"], 1)
    assert made["owner"] == {"email": "ada@example.org"}


async def test_variables_are_shown_with_those_that_were_not_declared(api: Api) -> None:
    tone, name = (await _made(api))["variables"]

    assert (tone["type"], tone["options"], tone["defaultValue"]) == (
        "SELECT",
        ["dry", "warm"],
        "dry",
    )
    assert name == {
        "name": "name",
        "type": "TEXT",
        "description": None,
        "isRequired": True,
        "defaultValue": None,
        "options": [],
    }


async def test_a_first_version_has_no_parent(api: Api) -> None:
    version = (await _made(api))["currentVersion"]

    assert ids.is_id(version.pop("id"), ids.Kind.PROMPT_VERSION)
    assert version == {
        "version": "1.0.0",
        "changeType": "MAJOR",
        "commitMessage": None,
        "parent": None,
        "createdBy": {"email": "ada@example.org"},
    }


async def test_a_change_shows_the_version_that_it_made(api: Api) -> None:
    made = await _made(api)

    changes = {"content": "Bye {{name}}", "changeType": "MINOR", "commitMessage": "Why"}
    payload = await _update(api, made["id"], expectedRevision=1, **changes)

    current = payload["prompt"]["currentVersion"]
    assert payload["version"] == {"id": current["id"], "version": "1.1.0"}
    assert (current["parent"], current["commitMessage"]) == ({"version": "1.0.0"}, "Why")
    assert (payload["prompt"]["content"], payload["prompt"]["revision"]) == ("Bye {{name}}", 2)


async def test_a_change_of_the_name_alone_makes_no_version(api: Api) -> None:
    made = await _made(api)

    payload = await _update(api, made["id"], name="New", description=None)

    assert payload["version"] is None
    assert (payload["prompt"]["name"], payload["prompt"]["description"]) == ("New", None)


@pytest.mark.parametrize(
    ("changes", "code", "path"),
    [
        ({"content": None}, "REQUIRED", ["input", "content"]),
        ({"content": "{{ steps.a }}"}, "INVALID_INPUT", ["input", "content"]),
        ({"name": "Other"}, "NOT_UNIQUE", ["input", "name"]),
        ({"expectedRevision": 7}, "CONFLICT", ["input", "expectedRevision"]),
        ({"commitMessage": "x" * 1001}, "INVALID_INPUT", ["input", "commitMessage"]),
        ({"tags": ["x" * 51]}, "INVALID_INPUT", ["input", "tags", "0"]),
        (
            {"variables": [{"name": "tone", "type": "NUMBER", "defaultValue": "1"}]},
            "INVALID_INPUT",
            ["input", "variables", "0", "defaultValue"],
        ),
    ],
)
async def test_a_change_that_cannot_be_names_its_field(
    api: Api, changes: dict[str, Any], code: str, path: list[str]
) -> None:
    made = await _made(api)
    await _made(api, name="Other")

    payload = await _update(api, made["id"], **changes)

    (error,) = payload["errors"]
    assert (payload["prompt"], payload["version"]) == (None, None)
    assert (error["code"], error["path"]) == (code, path)


async def test_going_back_makes_a_version(api: Api) -> None:
    made = await _made(api)
    await _update(api, made["id"], content="Bye")

    asked = {"id": made["id"], "versionId": made["currentVersion"]["id"]}
    payload = await api.mutate("revertPrompt", asked, PAYLOAD)

    assert payload["prompt"]["content"] == GREETING["content"]
    assert payload["version"]["version"] == "1.0.2"
    assert payload["prompt"]["currentVersion"]["commitMessage"] == "Back to 1.0.0"


async def test_two_changes_in_one_request_show_the_prompt_as_each_left_it(api: Api) -> None:
    made = await _made(api)
    part = "version { version prompt { revision content } }"
    document = f"""mutation ($id: ID!) {{
      one: updatePrompt(input: {{id: $id, content: "One"}}) {{ {part} }}
      two: updatePrompt(input: {{id: $id, content: "Two"}}) {{ {part} }}
    }}"""

    found = await api.run(document, id=made["id"])

    assert found["one"]["version"]["prompt"] == {"revision": 2, "content": "One"}
    assert found["two"]["version"]["prompt"] == {"revision": 3, "content": "Two"}


async def test_versions_are_listed_newest_first(api: Api) -> None:
    made = await _made(api)
    for number in range(3):
        await _update(api, made["id"], content=f"Text {number}")
    document = """query ($id: ID!, $after: String) { prompt(id: $id) {
      versions(first: 3, after: $after) {
        totalCount nodes { version } pageInfo { hasNextPage endCursor } }
    } }"""

    first = (await api.run(document, id=made["id"]))["prompt"]["versions"]
    rest = await api.run(document, id=made["id"], after=first["pageInfo"]["endCursor"])

    assert [each["version"] for each in first["nodes"]] == ["1.0.3", "1.0.2", "1.0.1"]
    assert (first["totalCount"], first["pageInfo"]["hasNextPage"]) == (4, True)
    assert rest["prompt"]["versions"]["nodes"] == [{"version": "1.0.0"}]


async def test_two_versions_are_compared(api: Api) -> None:
    made = await _made(api)
    changes = {"content": "Bye {{name}}", "instructions": None}
    changed = await _update(api, made["id"], **changes)

    compared = await api.run(COMPARE, a=made["currentVersion"]["id"], b=changed["version"]["id"])

    found = compared["comparePromptVersions"]
    assert (found["base"], found["head"]) == ({"version": "1.0.0"}, {"version": "1.0.1"})
    assert found["contentDiff"].splitlines()[-2:] == [f"-{GREETING['content']}", "+Bye {{name}}"]
    assert found["changes"] == [
        {"field": "content", "oldValue": GREETING["content"], "newValue": "Bye {{name}}"},
        {"field": "instructions", "oldValue": "Be {{tone}}.", "newValue": None},
    ]


async def test_versions_of_two_prompts_are_not_compared(api: Api, stranger: Principal) -> None:
    one, other = await _made(api), await _made(api, name="Other")
    pair = {"a": one["currentVersion"]["id"], "b": other["currentVersion"]["id"]}

    assert isinstance((await api.refused(COMPARE, **pair)).original_error, InvalidInput)
    assert await api.seen_by(stranger).run(COMPARE, **pair) == {"comparePromptVersions": None}


async def test_a_text_is_filled_in_and_what_is_missing_is_told(api: Api) -> None:
    values = {"name": "Ada", "count": 2, "other": 1, "nothing": None}
    content = "{{name}} {{ count }} {{missing}} {{nothing}} \\{{x}}"

    found = await api.run(RENDER, c=content, v=values)

    assert found["renderPrompt"] == {
        "text": "Ada 2 {{missing}} {{nothing}} {{x}}",
        "missingVariables": ["missing", "nothing"],
        "unusedVariables": ["other"],
        "estimatedTokens": 9,
    }


@pytest.mark.parametrize("content", ["{{", "{{ input.x }}", "x" * 262_145, "{{a}}{{a}}"])
async def test_a_text_that_cannot_be_filled_in_is_refused(api: Api, content: str) -> None:
    refusal = await api.refused(RENDER, c=content, v={"a": "x" * 600_000})

    assert refusal.original_error is not None
    assert getattr(refusal.original_error, "path", None) == ("content",)


async def test_a_deleted_prompt_is_gone(api: Api) -> None:
    made = await _made(api)

    payload = await api.mutate("deletePrompt", {"id": made["id"]}, "deletedId errors { code }")

    assert payload == {"deletedId": made["id"], "errors": []}
    assert await api.run("query ($id: ID!) { prompt(id: $id) { id } }", id=made["id"]) == {
        "prompt": None
    }
    assert await api.run("{ prompts { totalCount } }") == {"prompts": {"totalCount": 0}}


async def test_a_version_of_a_deleted_prompt_still_shows_its_prompt(api: Api) -> None:
    made = await _made(api)
    await api.mutate("deletePrompt", {"id": made["id"]}, "deletedId")
    document = "query ($id: ID!) { node(id: $id) { ... on PromptVersion { prompt { name } } } }"

    found = await api.run(document, id=made["currentVersion"]["id"])

    assert found["node"] == {"prompt": {"name": "Greeting"}}


async def test_nothing_is_read_without_signing_in(api: Api) -> None:
    for document in (
        "{ prompts { totalCount } }",
        '{ prompt(id: "x") { id } }',
        '{ renderPrompt(content: "x", variables: {}) { text } }',
        '{ comparePromptVersions(baseId: "x", headId: "y") { contentDiff } }',
    ):
        refusal = await api.seen_by(None).refused(document)
        assert isinstance(refusal.original_error, Unauthenticated)
