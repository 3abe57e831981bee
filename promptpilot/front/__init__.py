"""Speaks GraphQL over HTTP and WebSocket for any Strawberry schema; knows no schema of its own."""
