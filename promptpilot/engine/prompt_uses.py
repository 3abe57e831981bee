"""Which stored prompts the steps of a workflow use, and whether they can.

Rules: a step may only use prompts of its workflow's workspace. Whoever saves a definition holds
the prompts that it uses until the end of the transaction, so that none is deleted meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from promptpilot import ids
from promptpilot.engine.definition import Definition
from promptpilot.engine.fault import Fault
from promptpilot.engine.ownership import not_found
from promptpilot.engine.prompt_documents import text_of
from promptpilot.engine.prompt_rendering import used_variables
from promptpilot.engine.prompt_texts import PromptText
from promptpilot.engine.reference_checks import is_known_name
from promptpilot.engine.step_configs import PromptConfig
from promptpilot.errors import CallerError, InvalidInput
from promptpilot.models import Prompt, PromptVersion, Workflow, WorkflowStep

_MOST_SHOWN = 5

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PromptUse:
    """A step, by its position, that uses a stored prompt; a `version_id` of None is followed."""

    position: int
    prompt_id: str
    version_id: str | None

    @property
    def path(self) -> Path:
        """Where the prompt stands in the definition."""
        return ("steps", str(self.position), "config", "prompt", "promptId")

    @property
    def version_path(self) -> Path:
        """Where the version stands in the definition."""
        return (*self.path[:-1], "promptVersionId")


def uses_of(definition: Definition) -> tuple[PromptUse, ...]:
    """Return the steps that use stored prompts."""
    return tuple(
        PromptUse(position, config.prompt_id, config.prompt_version_id)
        for position, step in enumerate(definition.steps)
        if isinstance(config := step.config, PromptConfig) and config.prompt_id is not None
    )


async def refused_uses(workspace_id: str, definition: Definition) -> list[CallerError]:
    """Return an error for each use that cannot be, with its path below `input`."""
    (refused,) = await _refused_of(workspace_id, [definition])
    return refused


async def use_faults_of(workspace_id: str, definitions: Sequence[Definition]) -> list[list[Fault]]:
    """Return what keeps each definition from running with the prompts as they are now."""
    refused = await _refused_of(workspace_id, definitions)
    return [
        [_fault(each, definition) for each in errors]
        for definition, errors in zip(definitions, refused, strict=True)
    ]


async def _refused_of(
    workspace_id: str, definitions: Sequence[Definition]
) -> list[list[CallerError]]:
    """Return the errors of each definition, with two queries at most for all of them."""
    uses = [uses_of(definition) for definition in definitions]
    used = [use for each in uses for use in each]
    if not used:
        return [[] for _ in definitions]
    prompts = await _prompts(workspace_id, used)
    versions = await _versions(used, prompts)
    return [
        [fault for use in own for fault in _refusals(use, definition, prompts, versions)]
        for definition, own in zip(definitions, uses, strict=True)
    ]


def _fault(error: CallerError, definition: Definition) -> Fault:
    code = "VARIABLE_NOT_GIVEN" if error.code == InvalidInput.code else error.code
    return Fault(code, error.message, error.path[1:], definition.steps[int(error.path[2])].name)


async def hold(definition: Definition) -> None:
    """Keep the prompts of a definition from being deleted until the transaction ends.

    Raises NotFound for one that was deleted since it was looked up.
    """
    uses = uses_of(definition)
    wanted = sorted({use.prompt_id for use in uses})
    if not wanted:
        return
    locked = Prompt.filter(id__in=wanted, deleted_at__isnull=True).order_by("id")
    found = {row.id for row in await locked.select_for_update()}
    for use in uses:
        if use.prompt_id not in found:
            raise not_found(ids.Kind.PROMPT, use.prompt_id, ("input", *use.path))


async def users_of(prompt_id: str) -> list[str]:
    """Return the names of some workflows whose newest definitions use a prompt."""
    steps = WorkflowStep.filter(prompt_id=prompt_id).order_by("workflow_id")
    found = await steps.limit(_MOST_SHOWN * 100).values_list("workflow_id", flat=True)
    workflow_ids = list(dict.fromkeys(found))
    rows = await Workflow.filter(id__in=workflow_ids[:_MOST_SHOWN]).order_by("name", "id")
    more = ["others"] if len(workflow_ids) > _MOST_SHOWN else []
    return [*(repr(row.name) for row in rows), *more]


async def _prompts(workspace_id: str, uses: Iterable[PromptUse]) -> dict[str, Prompt]:
    possible = [use.prompt_id for use in uses if ids.is_id(use.prompt_id, ids.Kind.PROMPT)]
    mine = Prompt.filter(workspace_id=workspace_id, id__in=possible, deleted_at__isnull=True)
    return {row.id: row for row in await mine}


async def _versions(
    uses: Iterable[PromptUse], prompts: Mapping[str, Prompt]
) -> dict[str, PromptVersion]:
    wanted = {row.current_version_id for row in prompts.values()}
    wanted |= {
        use.version_id
        for use in uses
        if use.version_id is not None and ids.is_id(use.version_id, ids.Kind.PROMPT_VERSION)
    }
    found = PromptVersion.filter(id__in=list(wanted), prompt_id__in=list(prompts))
    return {row.id: row for row in await found}


def _refusals(
    use: PromptUse,
    definition: Definition,
    prompts: Mapping[str, Prompt],
    versions: Mapping[str, PromptVersion],
) -> Iterator[CallerError]:
    prompt = prompts.get(use.prompt_id)
    if prompt is None:
        yield not_found(ids.Kind.PROMPT, use.prompt_id, ("input", *use.path))
        return
    version_id = use.version_id or prompt.current_version_id or ""
    version = versions.get(version_id)
    if version is None or version.prompt_id != prompt.id:
        yield not_found(ids.Kind.PROMPT_VERSION, version_id, ("input", *use.version_path))
        return
    for name in _missing(use, definition, text_of(version)):
        message = (
            f"The prompt {prompt.name!r} needs a value for {{{{{name}}}}}: give it in the step's "
            "`inputs`, declare an input of the workflow with this name, or give the prompt's "
            "variable a default."
        )
        yield InvalidInput(message, ("input", *use.path))


def _missing(use: PromptUse, definition: Definition, text: PromptText) -> Iterator[str]:
    """Yield the variables for which nothing can be a value."""
    step = definition.steps[use.position]
    for variable in used_variables(text):
        is_needed = variable.is_required and variable.default is None
        if is_needed and not is_known_name(definition, use.position, step, variable.name):
            yield variable.name
