"""The table of the REST edge: every address, what answers there, and what it says.

The routes and the OpenAPI document are both made of it, so that neither can have what the other
has not.
"""

from __future__ import annotations

from typing import Final

from promptpilot.engine.api import Engine
from promptpilot.rest import dispatch, executions, outputs, stream, triggers, webhooks
from promptpilot.rest.health import Health, live, ready
from promptpilot.rest.operation import Content, Operation, Proof

_START: Final = Content("The values for the workflow's inputs.", ("StartBody",))
_CALL: Final = Content(
    "The values, or with a key what they are made of.", ("StartBody", "CallBody")
)
_KEY: Final = ("Idempotency-Key",)
_STARTS: Final = frozenset({400, 401, 404, 409, 413})
_READS: Final = frozenset({401, 404})
_PARTS: Final = ("Range", "If-Range", "If-None-Match")
_DOWNLOADS: Final = {
    200: Content("The output."),
    206: Content("The part of it that Range asks for.", media_type="application/octet-stream"),
    304: Content("It is the one that If-None-Match names.", media_type=None),
}
_DOWNLOAD_REFUSALS: Final = _READS | {416, 429}
_FIRES: Final = (
    "With `X-API-Key` it is a call of an API trigger, whose `inputMapping` makes the inputs. With"
    " a token it fires a trigger of any type by hand, also one that is switched off."
)


def _firing(path: str, name: str) -> Operation[Engine]:
    return Operation(
        method="POST",
        path=path,
        name=name,
        summary="Fire a trigger.",
        description=_FIRES,
        handler=triggers.execute_trigger,
        proofs=(Proof.KEY, Proof.TOKEN),
        headers=_KEY,
        body=_CALL,
        needs_body=False,
        answers={200: Content("The execution is stored.", ("FiredByHand", "Fired"))},
        refusals=_STARTS | {403},
    )


#: What needs the engine.
OPERATIONS: Final[tuple[Operation[Engine], ...]] = (
    Operation(
        method="POST",
        path="/api/webhooks/{trigger_id}",
        name="receiveWebhook",
        summary="Send a signed call to a WEBHOOK trigger.",
        description="How to sign is in docs/WEBHOOKS.md. The message's id makes it unique.",
        handler=webhooks.receive,
        proofs=(Proof.SIGNATURE,),
        body=Content("What the sender says: its signature covers every byte."),
        answers={200: Content("The call is stored.", ("Fired", "Challenge"))},
        refusals=_STARTS | {403},
    ),
    Operation(
        method="POST",
        path="/api/workflows/{workflow_id}/execute",
        name="executeWorkflow",
        summary="Start a workflow.",
        handler=executions.execute_workflow,
        proofs=(Proof.TOKEN,),
        headers=_KEY,
        body=_START,
        answers={202: Content("The execution is stored.", ("Execution",))},
        refusals=_STARTS,
    ),
    _firing("/api/triggers/{trigger_id}/execute", "executeTrigger"),
    _firing("/api/triggers/{trigger_id}/invoke", "invokeTrigger"),
    Operation(
        method="POST",
        path="/api/events",
        name="dispatchEvent",
        summary="Dispatch an event to EVENT triggers.",
        handler=dispatch.dispatch_event,
        proofs=(Proof.TOKEN,),
        headers=_KEY,
        body=Content("The event.", ("EventBody",)),
        answers={202: Content("The event and its executions are stored.", ("Dispatched",))},
        refusals=_STARTS,
    ),
    Operation(
        method="GET",
        path="/api/executions/{execution_id}",
        name="readExecution",
        summary="Read an execution.",
        handler=executions.read_execution,
        proofs=(Proof.TOKEN,),
        answers={200: Content("The execution as it is now.", ("Execution",))},
        refusals=_READS,
    ),
    Operation(
        method="GET",
        path="/api/executions/{execution_id}/events",
        name="streamEvents",
        summary="Follow an execution.",
        description=(
            "Server-sent events: `id` is the number of the event, `event` its kind, `data` an"
            " ExecutionEvent. What was stored comes first; the stream ends after the final one."
        ),
        handler=stream.stream_events,
        proofs=(Proof.TOKEN,),
        headers=("Last-Event-ID",),
        answers={
            200: Content("The events after the one that was seen last.", (), stream.MEDIA_TYPE),
            204: Content("The final event was seen, none can follow.", media_type=None),
        },
        refusals=_READS | {400},
    ),
    Operation(
        method="GET",
        path="/api/executions/{execution_id}/output",
        name="downloadExecutionOutput",
        summary="Download an execution's output.",
        handler=outputs.download_execution_output,
        proofs=(Proof.TOKEN,),
        headers=_PARTS,
        answers=_DOWNLOADS,
        refusals=_DOWNLOAD_REFUSALS,
    ),
    Operation(
        method="GET",
        path="/api/executions/{execution_id}/steps/{path}/output",
        name="downloadStepOutput",
        summary="Download a step's output.",
        handler=outputs.download_step_output,
        proofs=(Proof.TOKEN,),
        headers=_PARTS,
        answers=_DOWNLOADS,
        refusals=_DOWNLOAD_REFUSALS,
    ),
)

#: What tells how the process is.
PROBES: Final[tuple[Operation[Health], ...]] = (
    Operation(
        method="GET",
        path="/healthz",
        name="isAlive",
        summary="Ask whether the process turns.",
        handler=live,
        answers={200: Content("It does.", ("Liveness",))},
    ),
    Operation(
        method="GET",
        path="/readyz",
        name="isReady",
        summary="Ask whether requests can be served.",
        handler=ready,
        answers={
            200: Content("They can.", ("Readiness",)),
            503: Content("They cannot, for the reason in one of the parts.", ("Readiness",)),
        },
    ),
)
