"""Whole routes through real processes, from HTTP to the subscription."""
