"""Files of the example that a first start brings along."""
