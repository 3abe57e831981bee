"""Model providers answer and fail as their protocol says."""
