"""Tests that search: operations that are made up are sent to a running server."""
