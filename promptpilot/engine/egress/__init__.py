"""The one way out: HTTP requests to addresses that people wrote into workflows, guarded."""
