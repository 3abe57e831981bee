"""DECISION steps: the ways and who decides, as they are shown and as clients send them."""

from __future__ import annotations

import strawberry
from strawberry import Parent

from promptpilot import models as rows
from promptpilot.engine import step_configs
from promptpilot.engine.step_configs import DecisionMode
from promptpilot.schema import declare
from promptpilot.schema.context import Info
from promptpilot.schema.given import given
from promptpilot.schema.links import link
from promptpilot.schema.scalars import Expression


@strawberry.type(description="One way of a decision.")
class DecisionChoice:
    """One way of a decision."""

    name: str = strawberry.field(description="Name.")
    condition: Expression | None = strawberry.field(
        description="Test for RULES mode; the first choice whose test is true is taken."
    )
    workflow_id: strawberry.Private[str]
    next_name: strawberry.Private[str | None]

    @declare.field(
        description="Where to go; null means the next step.",
        graphql_type=link("WorkflowStep") | None,
    )
    @staticmethod
    async def next_step(root: Parent[DecisionChoice], info: Info) -> rows.WorkflowStep | None:
        return await info.context.loaders.step_named(root.workflow_id, root.next_name)


@strawberry.type(description="Chooses among several ways.")
class DecisionStepConfig:
    """Chooses among several ways."""

    mode: DecisionMode = strawberry.field(description="Who decides.")
    choices: list[DecisionChoice] = strawberry.field(description="The ways.")
    default_choice: str | None = strawberry.field(
        description=(
            "Taken when no condition is true or time is up; null means the execution fails then."
        )
    )
    decision_timeout_seconds: int | None = strawberry.field(
        description="Time a person has; null means without end."
    )
    question: str | None = strawberry.field(description="Question for the person; a template.")

    @classmethod
    def of(cls, config: step_configs.DecisionConfig, workflow_id: str) -> DecisionStepConfig:
        """Show the configuration of a step of a workflow."""
        choices = [
            DecisionChoice(
                name=choice.name,
                condition=None if choice.condition is None else Expression(choice.condition),
                workflow_id=workflow_id,
                next_name=choice.next_step,
            )
            for choice in config.choices
        ]
        return cls(
            mode=config.mode,
            choices=choices,
            default_choice=config.default_choice,
            decision_timeout_seconds=config.decision_timeout_seconds,
            question=config.question,
        )


@strawberry.input(description="One way of a decision.")
class DecisionChoiceInput:
    """One way of a decision."""

    name: str = strawberry.field(description="Name.")
    condition: Expression | None = strawberry.field(
        default=strawberry.UNSET, description="Test for RULES mode."
    )
    next_step_name: str | None = strawberry.field(
        default=strawberry.UNSET, description="Name of the step to go to."
    )

    def to_choice(self) -> step_configs.Choice:
        """Return the way as the engine knows it."""
        return step_configs.Choice(
            name=self.name,
            condition=given(self.condition),
            next_step=given(self.next_step_name),
        )


@strawberry.input(description="DECISION step.")
class DecisionStepConfigInput:
    """DECISION step."""

    mode: DecisionMode = strawberry.field(default=DecisionMode.RULES, description="Who decides.")
    choices: list[DecisionChoiceInput] = strawberry.field(description="The ways, at least two.")
    default_choice: str | None = strawberry.field(
        default=strawberry.UNSET, description="Taken when no condition is true or time is up."
    )
    decision_timeout_seconds: int | None = strawberry.field(
        default=strawberry.UNSET, description="Time a person has."
    )
    question: str | None = strawberry.field(
        default=strawberry.UNSET, description="Question for the person; a template."
    )

    def to_config(self) -> step_configs.DecisionConfig:
        """Return the configuration as the engine knows it."""
        return step_configs.DecisionConfig(
            mode=self.mode,
            choices=tuple(choice.to_choice() for choice in self.choices),
            default_choice=given(self.default_choice),
            decision_timeout_seconds=given(self.decision_timeout_seconds),
            question=given(self.question),
        )
