"""The mutations, one file for each noun."""
