"""Proofs of the expression language."""
