"""Proves of each scheme that its senders are believed, and nobody else."""
