"""One contract for every adapter of a model provider."""
