"""Outbound webhooks: addresses that are told about executions, and what is sent to them."""
