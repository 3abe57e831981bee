"""Tests with clients and suites of others, from the npm registry."""
