"""PromptPilot: a GraphQL server that runs prompt workflows and loses none."""

__version__ = "0.1.0"
