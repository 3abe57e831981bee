"""Processes are killed, stopped and cut off; then the invariants must hold."""
