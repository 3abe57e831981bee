"""Stories of a workflow that asks a model, lets a person decide and makes a request."""
