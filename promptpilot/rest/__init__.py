"""REST beside GraphQL: webhook calls, starts by plain HTTP, and probes."""
