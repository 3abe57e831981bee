"""Tests of what hostile clients send: a whole server on loopback, and bytes of every kind."""
