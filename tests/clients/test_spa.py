"""Proves that the operations of the example app cover the API, and that the tools take them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLObjectType,
    GraphQLSchema,
    OperationDefinitionNode,
    parse,
)

from tests.clients.conftest import OPERATIONS
from tests.support.node import FOLDER, NODE

CHECKED = {
    "strict": True,
    "noEmit": True,
    "target": "es2022",
    "module": "nodenext",
    "lib": ["es2022"],
    "types": [],
}
#: Two right uses, and two that must be refused: types that allow everything are no types.
USED = """
import type { ExecutionsListQuery, WorkflowsEditorQuery } from './types.js';
import type { TriggersCreateMutationVariables } from './types.js';

export const revision = (shown: WorkflowsEditorQuery): number => shown.workflow?.revision ?? 0;
export const made: TriggersCreateMutationVariables = {
  input: { workflowId: 'w', name: 'hourly', config: { scheduled: { cron: '0 * * * *' } } },
};
// @ts-expect-error -- a connection is never a text
export const wrong = (shown: ExecutionsListQuery): string => shown.executions;
// @ts-expect-error -- a workflow may be missing
export const missing = (shown: WorkflowsEditorQuery): string => shown.workflow.name;
"""

pytestmark = pytest.mark.xdist_group("spa")


@pytest.fixture(scope="module")
def document() -> DocumentNode:
    """Give all operations and fragments."""
    return parse("\n".join(path.read_text() for path in sorted(OPERATIONS.glob("*.graphql"))))


def test_the_operations_cover_every_root_field(
    document: DocumentNode, exported: GraphQLSchema
) -> None:
    roots = [exported.query_type, exported.mutation_type, exported.subscription_type]

    asked = {
        (operation.operation.value.title(), field.name.value)
        for operation in _operations(document)
        for field in operation.selection_set.selections
        if isinstance(field, FieldNode)
    }
    assert {(root.name, name) for root in _objects(roots) for name in root.fields} - asked == set()


def test_relay_made_something_of_every_operation(document: DocumentNode, made: Path) -> None:
    names = {each.name.value for each in _operations(document) if each.name}

    artifacts = {path.name for path in (made / "artifacts").iterdir()}
    assert {f"{name}.graphql.ts" for name in names} <= artifacts
    assert len(json.loads((made / "documents.json").read_text())) == len(names)


def test_the_generated_types_pass_the_strict_compiler(made: Path) -> None:
    (made / "used.ts").write_text(USED)
    settings = {"compilerOptions": CHECKED, "files": ["types.ts", "used.ts"]}
    (made / "tsconfig.json").write_text(json.dumps(settings))

    assert _compiled(made) == ""


def _compiled(folder: Path) -> str:
    """Return what the compiler of TypeScript finds wrong."""
    compiler = FOLDER / "node_modules" / "typescript" / "bin" / "tsc"
    ended = subprocess.run(
        [NODE, compiler, "-p", folder], capture_output=True, text=True, check=False, timeout=60
    )
    return ended.stdout + ended.stderr


def _operations(document: DocumentNode) -> Iterator[OperationDefinitionNode]:
    for definition in document.definitions:
        if isinstance(definition, OperationDefinitionNode):
            yield definition


def _objects(roots: list[GraphQLObjectType | None]) -> Iterator[GraphQLObjectType]:
    for root in roots:
        assert root is not None
        yield root
