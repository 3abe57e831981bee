"""What the documentation says is true: its examples run, its lists are complete."""
