"""Measurements made by hand: `make bench`. Only ratios within one run mean anything."""
