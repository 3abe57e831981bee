"""Numbered SQL, one file per database: the only way the schema is made or changed."""
