"""What arq runs: waking, supervision and ticks."""
