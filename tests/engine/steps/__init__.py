"""Step executors do what their type says, whatever happens to them."""
