"""Downloads of whole outputs, of steps and of executions, for whoever owns them."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from promptpilot.engine.api import Engine
from promptpilot.engine.outputs import execution_output, step_output
from promptpilot.rest.bearer import identify
from promptpilot.rest.download import JsonFile, answer_file
from promptpilot.rest.downloads import Downloads

#: Memory is the process's, whichever of its doors is used.
_DOWNLOADS: Final = Downloads()


async def download_execution_output(request: Request, engine: Engine) -> Response:
    """Answer with the JSON of an execution's own output."""
    principal = await identify(request, engine)
    execution_id = request.path_params["execution_id"]

    async def answer() -> Response:
        found = await execution_output(engine.database, principal, execution_id)
        name = f"{execution_id}-output.json"
        return answer_file(request, JsonFile(found.body, found.sha256, name))

    return await _DOWNLOADS.hold(principal.user_id, engine.clock, answer)


async def download_step_output(request: Request, engine: Engine) -> Response:
    """Answer with the JSON of a step's output."""
    principal = await identify(request, engine)
    execution_id, path = request.path_params["execution_id"], request.path_params["path"]

    async def answer() -> Response:
        found = await step_output(engine.database, principal, execution_id, path)
        name = f"{execution_id}-step-{path}-output.json"
        return answer_file(request, JsonFile(found.body, found.sha256, name))

    return await _DOWNLOADS.hold(principal.user_id, engine.clock, answer)
