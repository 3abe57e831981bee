"""Declared variables of a workflow."""

from __future__ import annotations

import strawberry

from promptpilot import models as rows
from promptpilot.engine import definition
from promptpilot.engine.definition import DataType, VariableKind
from promptpilot.schema.given import given
from promptpilot.schema.scalars import JSON, JSONObject
from promptpilot.schema.types.relay import Node


@strawberry.type(description="A declared variable of a workflow.")
class WorkflowVariable(Node):
    """A declared variable of a workflow."""

    id: strawberry.ID = strawberry.field(description="Globally unique id.")
    name: str = strawberry.field(description="Name, unique in the workflow.")
    kind: VariableKind = strawberry.field(description="Role.")
    data_type: DataType = strawberry.field(description="Type.")
    description: str | None = strawberry.field(description="What it is.")
    is_required: bool = strawberry.field(description="Whether an execution needs a value.")
    default_value: JSON | None = strawberry.field(description="Value when none is given.")
    validation: JSONObject | None = strawberry.field(
        description="JSON Schema (2020-12) the value must satisfy besides its type."
    )

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        """Say whether this type shows `obj`."""
        return isinstance(obj, rows.WorkflowVariable)


@strawberry.input(description="A declared variable.")
class WorkflowVariableInput:
    """A declared variable."""

    name: str = strawberry.field(description="Name, unique in the workflow.")
    kind: VariableKind = strawberry.field(default=VariableKind.INPUT, description="Role.")
    data_type: DataType = strawberry.field(default=DataType.STRING, description="Type.")
    description: str | None = strawberry.field(default=strawberry.UNSET, description="What it is.")
    is_required: bool = strawberry.field(
        default=False, description="Whether an execution needs a value."
    )
    default_value: JSON | None = strawberry.field(
        default=strawberry.UNSET, description="Value when none is given."
    )
    validation: JSONObject | None = strawberry.field(
        default=strawberry.UNSET, description="JSON Schema the value must satisfy."
    )

    def to_variable(self) -> definition.Variable:
        """Return the variable as the engine knows it."""
        return definition.Variable(
            name=self.name,
            kind=self.kind,
            data_type=self.data_type,
            description=given(self.description),
            is_required=self.is_required,
            default=given(self.default_value),
            validation=given(self.validation),
        )
