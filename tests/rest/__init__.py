"""The REST edge: routes, bodies, errors and probes."""
