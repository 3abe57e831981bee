"""Step executors: one module per step type, behind the protocol in base."""
