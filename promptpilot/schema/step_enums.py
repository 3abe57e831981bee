"""The enumerations of definitions: the engine's own, each member with its description.

Rules: importing this module describes them; a member that is not named here is not part of the
API.
"""

from __future__ import annotations

from promptpilot.engine import definition, step_configs
from promptpilot.schema.description import described

described(
    step_configs.StepType,
    "StepType",
    "What a step does.",
    PROMPT="Calls one or more models.",
    CONDITION="Goes on at one of two steps.",
    TRANSFORM="Computes a value from earlier ones.",
    DELAY="Waits.",
    WEBHOOK="Calls an HTTP endpoint.",
    DECISION="Chooses among several ways, by rules or by a person.",
)
described(
    definition.VariableKind,
    "VariableKind",
    "Role of a workflow variable.",
    INPUT="Given when an execution starts.",
    OUTPUT="Part of the result.",
    INTERMEDIATE="Set by a step and read by later ones.",
)
described(
    definition.DataType,
    "VariableDataType",
    "JSON type of a workflow variable.",
    STRING="Text.",
    NUMBER="Number.",
    BOOLEAN="True or false.",
    ARRAY="List.",
    OBJECT="Object.",
)
described(
    step_configs.ModelProvider,
    "ModelProvider",
    "Who runs the models. New values may be added.",
    OPENAI="OpenAI",
    AZURE_OPENAI="Azure OpenAI",
    ANTHROPIC="Anthropic",
    GOOGLE="Google Gemini",
    OPENAI_COMPATIBLE="Anything that speaks OpenAI's protocol (vLLM, Ollama, LM Studio, gateways).",
    SIMULATOR="Built-in, deterministic, free: for tests and demos.",
)
described(
    step_configs.RoutingMode,
    "ModelRoutingMode",
    "All models, or one after the other.",
    PARALLEL="Every model is called; all answers are kept.",
    FALLBACK="The next model is called only if the one before failed.",
)
described(
    step_configs.ModelErrorPolicy,
    "ModelErrorPolicy",
    "What a failed model does to its step.",
    ABORT="The step fails.",
    CONTINUE="The step goes on with what it has.",
)
described(
    step_configs.HttpMethod,
    "HttpMethod",
    "HTTP method of a WEBHOOK step.",
    GET="GET",
    POST="POST",
    PUT="PUT",
    PATCH="PATCH",
    DELETE="DELETE",
)
described(
    step_configs.DecisionMode,
    "DecisionMode",
    "Who decides.",
    RULES="The first choice whose condition is true.",
    MANUAL="A person, through `submitDecision`; the execution waits.",
)
described(
    definition.UnknownOutcomePolicy,
    "UnknownOutcomePolicy",
    (
        "What follows when nobody knows whether an attempt had its effect: its worker died, or"
        " the answer to its request was lost."
    ),
    RETRY="Another attempt, with the same idempotency key.",
    FAIL="The step fails, so that its effect happens at most once.",
)
