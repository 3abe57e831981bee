"""The definitions that executions pin. A version never changes, so it is read once per process."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

from promptpilot.engine import definition
from promptpilot.engine.definition import Definition
from promptpilot.errors import InvariantBroken
from promptpilot.models import WorkflowVersion

_MAX_KEPT = 1000


class Versions:
    """Reads definitions by the id of their version and keeps the ones used last."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Definition] = OrderedDict()

    async def get(self, version_id: str) -> Definition:
        """Return one definition. Raises `InvariantBroken` if the version does not exist."""
        kept = self._kept.get(version_id)
        if kept is not None:
            self._kept.move_to_end(version_id)
            return kept
        found = await self.get_many([version_id])
        if version_id not in found:
            raise InvariantBroken(f"Workflow version {version_id} does not exist.")
        return found[version_id]

    async def get_many(self, version_ids: Iterable[str]) -> dict[str, Definition]:
        """Return the definitions that exist, in one query for those not kept."""
        wanted = set(version_ids)
        found = {each: self._kept[each] for each in wanted if each in self._kept}
        if missing := wanted - found.keys():
            for row in await WorkflowVersion.filter(id__in=list(missing)):
                found[row.id] = self._keep(row)
        return found

    def _keep(self, row: WorkflowVersion) -> Definition:
        loaded = self._kept[row.id] = definition.load(row.definition)
        if len(self._kept) > _MAX_KEPT:
            self._kept.popitem(last=False)
        return loaded
