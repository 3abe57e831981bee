"""The engine: what may happen to an execution, and who makes it happen.

Read in this order: `lifecycle` (statuses and moves), `plan` (what is next), `ledger` (the only
writer), `advance` (the driver); then `launch`, `rescue` and `api`.
"""
