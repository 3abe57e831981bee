"""Files that come along: those of the example of a first start, and the table of prices."""
