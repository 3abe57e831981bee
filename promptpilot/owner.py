"""The owner of an embedded installation: the account, the token and the example of a first start.

What must be shown again at later starts is kept in the data folder, for its owner alone; the
database keeps only what proves it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Final

from promptpilot import ids
from promptpilot.engine.api import Engine
from promptpilot.engine.definition import Definition, Step, dump
from promptpilot.engine.drafts import WorkflowChange
from promptpilot.engine.principal import Principal, Role
from promptpilot.engine.step_configs import ModelTarget, PromptConfig
from promptpilot.errors import NotUnique, Unauthenticated
from promptpilot.example import SIMULATED, is_usual, trigger_draft, workflow_draft
from promptpilot.models import Trigger, User, Workflow, Workspace

EMAIL = "owner@localhost"

_FILE = "owner.json"
_TOKEN_LABEL = "promptpilot up"  # noqa: S105 -- a label, not a token


@dataclass(frozen=True, slots=True)
class Owner:
    """The owner's access token, and the example trigger with the secret that signs its calls."""

    access_token: str = field(repr=False)
    trigger_id: str
    trigger_secret: str = field(repr=False)


async def find_owner(engine: Engine, data_dir: Path) -> Owner | None:
    """Return the owner that an earlier start made; None if it or its token is gone."""
    path = data_dir / _FILE
    try:
        owner = Owner(**json.loads(path.read_text("utf-8")))
        await engine.identify(owner.access_token)
    except (OSError, ValueError, TypeError, Unauthenticated):
        return None
    return owner


async def make_owner(engine: Engine, data_dir: Path, target: ModelTarget = SIMULATED) -> Owner:
    """Make the account, a token, the example workflow and its trigger, and keep what is shown.

    The example asks `target`. May be called again: an account that is there gets a new token and
    a new example.
    """
    principal = await _account(engine)
    _, access_token = await engine.create_access_token(principal, _TOKEN_LABEL)
    workflow = await engine.create_workflow(principal, workflow_draft(target))
    trigger, secret = await engine.create_trigger(principal, trigger_draft(workflow.id))
    owner = Owner(access_token, trigger.id, secret or "")
    _keep(data_dir / _FILE, owner)
    return owner


async def keep_up_example(engine: Engine, owner: Owner, target: ModelTarget) -> bool:
    """Let the example ask `target`, unless somebody made another workflow of it; tell if it does.

    So a key that is set after the first start is used, and one that is taken away is not missed.
    """
    trigger = await Trigger.get_or_none(id=owner.trigger_id)
    workflow = None if trigger is None else await Workflow.get_or_none(id=trigger.workflow_id)
    if workflow is None:
        return False
    definition = await engine.parts.versions.get(workflow.current_version_id)
    asked = [each for step in definition.steps for each in _models(step)]
    is_untouched = all(map(is_usual, asked)) and _shape(definition.steps) == _SHAPE
    if is_untouched and any(each != target for each in asked):
        steps = tuple(_asking(step, target) for step in definition.steps)
        change = WorkflowChange(id=workflow.id, expected_revision=workflow.revision, steps=steps)
        await engine.update_workflow(await engine.identify(owner.access_token), change)
    return is_untouched


async def has_example(owner: Owner) -> bool:
    """Whether the example trigger is still there and switched on."""
    return await Trigger.filter(id=owner.trigger_id, is_active=True).exists()


def _models(step: Step) -> tuple[ModelTarget, ...]:
    return step.config.models if isinstance(step.config, PromptConfig) else ()


def _asking(step: Step, target: ModelTarget) -> Step:
    if not isinstance(step.config, PromptConfig):
        return step
    return replace(step, config=replace(step.config, models=(target,)))


def _shape(steps: Sequence[Step]) -> object:
    """Return what the steps do, whichever model they ask, as it is stored."""
    same = tuple(replace(_asking(step, SIMULATED), id="") for step in steps)
    return dump(Definition(same))


_SHAPE: Final = _shape(workflow_draft().steps or ())


async def _account(engine: Engine) -> Principal:
    try:
        # Nobody keeps the password: the owner's way in is the token.
        signed_in = await engine.parts.access.register(EMAIL, ids.new_secret(), "Owner")
    except NotUnique:
        user = await User.get(email=EMAIL)
        return await _principal(user)
    return await engine.identify(signed_in.token)


async def _principal(user: User) -> Principal:
    workspace = await Workspace.get(owner_id=user.id, is_personal=True)
    return Principal(user.id, workspace.id, Role(user.role))


def _keep(path: Path, owner: Owner) -> None:
    draft = path.with_name(f".{path.name}.{ids.new_reference()}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(asdict(owner), file, indent=2)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
