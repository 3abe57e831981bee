"""The ledger's statements."""
