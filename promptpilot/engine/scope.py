"""How far an execution has come: the results of its steps and the scope that expressions see.

Values never change: `with_outcome` returns the next one. Everything can be computed again from
the stored results, so a worker that takes over sees the very same scope.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from promptpilot.engine.definition import Definition, Step, VariableKind
from promptpilot.engine.expression import parse
from promptpilot.engine.lifecycle import StepStatus
from promptpilot.engine.reasons import Reason


class SkipReason(StrEnum):
    """Why a step was left out."""

    GUARD = "GUARD"  #: its `runIf` was false
    BRANCH = "BRANCH"  #: a branch went on at a later step


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a step ended. `error` is set if and only if the status is FAILED."""

    status: StepStatus
    output: Any = None
    error: Reason | None = None
    skip_reason: SkipReason | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """Results by step name, the values set by steps, and the output of the newest one."""

    input: Mapping[str, Any]
    facts: Mapping[str, Any] = field(default_factory=dict)
    results: Mapping[str, Outcome] = field(default_factory=dict)
    vars: Mapping[str, Any] = field(default_factory=dict)
    previous: Any = None

    def scope(self) -> dict[str, Any]:
        """Return what expressions and templates may read, by the names of its roots."""
        steps = {name: _shown(outcome) for name, outcome in self.results.items()}
        return {
            **self.facts,
            "input": self.input,
            "steps": steps,
            "vars": self.vars,
            "variables": self.vars,
            "previous": self.previous,
        }

    def with_outcome(self, step: Step, outcome: Outcome, now: datetime) -> Progress:
        """Return the progress after `step` ended with `outcome`.

        Raises `ExpressionFailed` when one of the step's `outputs` cannot be computed.
        """
        results = {**self.results, step.name: outcome}
        if outcome.status is not StepStatus.COMPLETED:
            return replace(self, results=results)
        scope = {**replace(self, results=results).scope(), "output": outcome.output}
        set_now = {name: parse(text).evaluate(scope, now) for name, text in step.outputs.items()}
        values = {**self.vars, **set_now}
        return replace(self, results=results, vars=values, previous=outcome.output)


def result_of(definition: Definition, progress: Progress) -> dict[str, Any]:
    """Return the execution's output: its OUTPUT variables, or else the last step's output."""
    declared = definition.variables_of(VariableKind.OUTPUT)
    if declared:
        return {each.name: progress.vars.get(each.name, each.default) for each in declared}
    last = progress.previous
    if isinstance(last, Mapping):
        return dict(last)
    return {} if last is None else {"output": last}


def _shown(outcome: Outcome) -> dict[str, Any]:
    return {"status": outcome.status.value, "output": outcome.output, "error": outcome.error}
