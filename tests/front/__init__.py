"""Tests of the GraphQL front, on a schema of their own."""
