"""Checks the credentials that the steps of a workflow name: only the database knows them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from promptpilot import ids
from promptpilot.engine.definition import Definition, Step
from promptpilot.engine.ownership import not_found
from promptpilot.engine.step_configs import ModelTarget, PromptConfig
from promptpilot.errors import CallerError, CredentialUnavailable
from promptpilot.models import Credential

Path = tuple[str, ...]


async def refused_credentials(workspace_id: str, definition: Definition) -> list[CallerError]:
    """Return NotFound or CredentialUnavailable for every credential that cannot be used.

    One that has expired or was refused is taken: it may be good again before the workflow runs.
    """
    named = list(_named(definition.steps))
    possible = {each for _, target in named if _is_id(each := target.credential_id)}
    mine = Credential.filter(workspace_id=workspace_id, id__in=possible)
    found = {row.id: row for row in await mine} if possible else {}
    faults = [_fault(target, found.get(target.credential_id or ""), path) for path, target in named]
    return [fault for fault in faults if fault is not None]


def _named(steps: Sequence[Step]) -> Iterator[tuple[Path, ModelTarget]]:
    for position, step in enumerate(steps):
        if isinstance(step.config, PromptConfig):
            for number, target in enumerate(step.config.models):
                if target.credential_id is not None:
                    place = ("input", "steps", str(position), "config", "prompt", "models")
                    yield (*place, str(number), "credentialId"), target


def _is_id(text: str | None) -> bool:
    return text is not None and ids.is_id(text, ids.Kind.CREDENTIAL)


def _fault(target: ModelTarget, row: Credential | None, path: Path) -> CallerError | None:
    if row is None:
        return not_found(ids.Kind.CREDENTIAL, target.credential_id or "", path)
    provider = target.provider.value
    if row.provider != provider:
        message = f"This is a credential for {row.provider}; the model is of {provider}."
        return CredentialUnavailable(message, (provider,), path)
    if row.revoked_at is not None:
        message = f"The credential {row.label!r} was revoked; name another one or none."
        return CredentialUnavailable(message, (provider,), path)
    return None
