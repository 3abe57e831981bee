"""Triggers: when an execution starts by itself, and how a call proves who sent it."""
