"""Makes, changes, takes back, deletes and compares prompts.

Rules: a version is added only when what the prompt says has changed, and never changes itself. A
prompt and its version are stored in one transaction. A prompt that a workflow uses is not deleted.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeVar

from tortoise.exceptions import IntegrityError

from promptpilot import ids
from promptpilot.clock import Clock
from promptpilot.engine.drafts import Unset
from promptpilot.engine.fields import check_revision, conflict
from promptpilot.engine.gathering import gather
from promptpilot.engine.ownership import ID_PATH, not_found
from promptpilot.engine.principal import Principal, Scope, needs
from promptpilot.engine.prompt_checks import check_message, completed, field_checks
from promptpilot.engine.prompt_diff import FieldChange, changes, unified_diff
from promptpilot.engine.prompt_documents import columns_of, number_of, text_of
from promptpilot.engine.prompt_drafts import PromptChange, PromptDraft, PromptReversal
from promptpilot.engine.prompt_rows import (
    field_columns,
    first_version,
    freed_name,
    next_version,
    overwrite,
    prompt_row,
)
from promptpilot.engine.prompt_texts import PromptText
from promptpilot.engine.prompt_uses import users_of
from promptpilot.engine.version_numbers import ChangeType
from promptpilot.errors import InvalidInput, InvalidStatus, InvariantBroken, NotUnique
from promptpilot.models import Prompt, PromptVersion
from promptpilot.models.columns import encode_json
from promptpilot.models.database import Database

#: How often a change is tried when others change the same prompt; each time, one of them is stored.
_TRIES: Final = 50
_VERSION_PATH: Final = ("input", "versionId")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ChangedPrompt:
    """A prompt after a change, and the version that the change made; None if it made none."""

    prompt: Prompt
    version: PromptVersion | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two versions of one prompt and what is different."""

    base: PromptVersion
    head: PromptVersion
    content_diff: str
    changes: tuple[FieldChange, ...]


@dataclass(frozen=True, slots=True)
class _Current:
    """A prompt as it was read, with its current version."""

    row: Prompt
    version: PromptVersion

    @property
    def text(self) -> PromptText:
        return text_of(self.version)


@dataclass(frozen=True, slots=True)
class _Next:
    """What is to become different: columns of the prompt, and what its next version says."""

    columns: dict[str, Any]
    text: PromptText
    change: ChangeType
    message: str | None


class Prompts:
    """The verbs of prompts."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    @needs(Scope.WRITE)
    async def create(self, principal: Principal, draft: PromptDraft) -> Prompt:
        """Store a prompt with its first version, 1.0.0.

        Raises NotUnique for the name, InvalidInput, LimitExceeded or InvalidMany; then nothing
        was stored.
        """
        text = _checked(draft, _asked_text(draft))
        row = prompt_row(principal, draft, self._clock.now())
        version = first_version(row, text)
        row.current_version_id = version.id

        async def store() -> None:
            async with self._database.transaction():
                if await Prompt.exists(id=row.id):  # the first try was committed after all
                    return
                try:
                    await row.save(force_create=True)
                except IntegrityError as error:
                    raise _name_taken(row.name) from error
                await version.save(force_create=True)

        await self._database.retry(store)
        return row

    @needs(Scope.WRITE)
    async def update(self, principal: Principal, change: PromptChange) -> ChangedPrompt:
        """Change a prompt; its revision grows by one if anything is different afterwards.

        Raises NotFound, Conflict, NotUnique, InvalidInput, LimitExceeded or InvalidMany; then
        nothing was stored.
        """
        check_message(change.commit_message)
        for _ in range(_TRIES):
            current = await self._read(principal, change.id)
            check_revision(change.expected_revision, current.row.revision)
            text = _checked(change, _changed_text(change, current.text))
            columns = _different(field_columns(change), current.row)
            if not columns and _says_same(text, current.text):
                return ChangedPrompt(current.row, None)
            asked = _Next(columns, text, change.change_type, change.commit_message)
            changed = await self._store_change(principal, current, asked)
            if changed is not None:
                return changed
        raise conflict((await self._read(principal, change.id)).row.revision)

    @needs(Scope.WRITE)
    async def revert(self, principal: Principal, reversal: PromptReversal) -> ChangedPrompt:
        """Make what an older version says current again, as a new version.

        Its parent is the version that was current. Raises NotFound, InvalidStatus for the version
        that is current already, and Conflict when others change the prompt all the time.
        """
        check_message(reversal.commit_message)
        for _ in range(_TRIES):
            current = await self._read(principal, reversal.id)
            wanted = await self._version(current.row, reversal.version_id)
            message = reversal.commit_message or f"Back to {number_of(wanted)}"
            asked = _Next({}, text_of(wanted), ChangeType.PATCH, message)
            changed = await self._store_change(principal, current, asked)
            if changed is not None:
                return changed
        raise conflict((await self._read(principal, reversal.id)).row.revision)

    @needs(Scope.WRITE)
    async def delete(self, principal: Principal, id: str) -> str:
        """Delete a prompt; return its id. What executions used of it stays, its name is free.

        Raises NotFound, and InvalidStatus while the newest definition of a workflow uses it.
        """
        row = await self._find(principal, id)
        await self._database.retry(partial(self._delete_unused, row))
        return id

    @needs(Scope.READ)
    async def compare(self, principal: Principal, base_id: str, head_id: str) -> Comparison | None:
        """Compare two versions of one prompt; None if the caller does not have both.

        Raises InvalidInput when they are of different prompts.
        """
        base, head = (
            await self._owned_version(principal, base_id),
            await self._owned_version(principal, head_id),
        )
        if base is None or head is None:
            return None
        if base.prompt_id != head.prompt_id:
            message = "These are versions of different prompts; compare versions of one."
            raise InvalidInput(message, ("headId",))
        names = str(number_of(base)), str(number_of(head))
        diff = unified_diff(base.content, head.content, *names)
        return Comparison(base, head, diff, changes(text_of(base), text_of(head)))

    async def _find(self, principal: Principal, id: str) -> Prompt:
        if ids.is_id(id, ids.Kind.PROMPT):
            row = await Prompt.get_or_none(
                id=id, workspace_id=principal.workspace_id, deleted_at__isnull=True
            )
            if row is not None:
                return row
        raise not_found(ids.Kind.PROMPT, id)

    async def _read(self, principal: Principal, id: str) -> _Current:
        row = await self._find(principal, id)
        version = await PromptVersion.get_or_none(id=row.current_version_id)
        if version is None:
            raise InvariantBroken(f"The current version of prompt {id} does not exist.")
        return _Current(row, version)

    async def _version(self, prompt: Prompt, id: str) -> PromptVersion:
        version = None
        if ids.is_id(id, ids.Kind.PROMPT_VERSION):
            version = await PromptVersion.get_or_none(id=id, prompt_id=prompt.id)
        if version is None:
            raise not_found(ids.Kind.PROMPT_VERSION, id, _VERSION_PATH)
        if version.id == prompt.current_version_id:
            message = f"Version {number_of(version)} is current already."
            raise InvalidStatus(message, "CURRENT", _VERSION_PATH)
        return version

    async def _owned_version(self, principal: Principal, id: str) -> PromptVersion | None:
        if not ids.is_id(id, ids.Kind.PROMPT_VERSION):
            return None
        version = await PromptVersion.get_or_none(id=id)
        owned = version and await Prompt.exists(
            id=version.prompt_id, workspace_id=principal.workspace_id
        )
        return version if owned else None

    async def _store_change(
        self, principal: Principal, current: _Current, asked: _Next
    ) -> ChangedPrompt | None:
        """Store the next revision, unless somebody else did since `current` was read: None."""
        row, revision = current.row, current.row.revision
        now = self._clock.now()
        row.update_from_dict({**asked.columns, "revision": revision + 1, "updated_at": now})
        version = None
        if not _says_same(asked.text, current.text):
            version = next_version(
                row,
                current.version,
                asked.text,
                asked.change,
                asked.message,
                principal.user_id,
            )
            row.current_version_id = version.id
        is_stored = await self._database.retry(partial(self._store, row, revision, version))
        return ChangedPrompt(row, version) if is_stored else None

    async def _store(self, row: Prompt, revision: int, version: PromptVersion | None) -> bool:
        async with self._database.transaction():
            if version is not None and await PromptVersion.exists(id=version.id):
                return True  # the first try was committed after all
            try:
                if not await overwrite(row, revision):
                    return False
            except IntegrityError as error:
                raise _name_taken(row.name) from error
            if version is not None:
                await version.save(force_create=True)
            return True

    async def _delete_unused(self, row: Prompt) -> None:
        """Delete, then look: whoever saves a workflow meanwhile has to wait for this row."""
        async with self._database.transaction():
            now = self._clock.now()
            mine = Prompt.filter(id=row.id, deleted_at__isnull=True)
            await mine.update(deleted_at=now, updated_at=now, name=freed_name(row))
            names = await users_of(row.id)
            if names:
                shown = ", ".join(names)
                message = f"Workflows use this prompt: {shown}. Change or delete them first."
                raise InvalidStatus(message, "IN_USE", ID_PATH)


def _checked(asked: PromptDraft | PromptChange, text: PromptText) -> PromptText:
    """Return the text with all its variables. Raises what is wrong with any field."""
    made: list[PromptText] = []
    gather(*field_checks(asked), lambda: made.append(completed(text)))
    return made[0]


def _asked_text(draft: PromptDraft) -> PromptText:
    return PromptText(draft.content, draft.instructions, draft.turns, draft.variables)


def _changed_text(change: PromptChange, before: PromptText) -> PromptText:
    """Return what the prompt would say after a change, with everything else as it was."""
    return PromptText(
        content=_changed(change.content, before.content) or "",
        instructions=_changed(change.instructions, before.instructions),
        turns=_changed(change.turns, before.turns) or (),
        variables=_changed(change.variables, before.variables) or (),
    )


def _changed(asked: T | Unset | None, before: T | None) -> T | None:
    return before if isinstance(asked, Unset) else asked


def _says_same(one: PromptText, other: PromptText) -> bool:
    return encode_json(columns_of(one)) == encode_json(columns_of(other))


def _different(columns: dict[str, Any], row: Prompt) -> dict[str, Any]:
    return {name: value for name, value in columns.items() if getattr(row, name) != value}


def _name_taken(name: str) -> NotUnique:
    return NotUnique(f"There is a prompt called {name!r} already.", ("input", "name"))
