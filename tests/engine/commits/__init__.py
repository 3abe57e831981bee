"""Writes in groups: what is queued, retried, split and closed."""
