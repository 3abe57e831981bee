"""What the tables and the connection to them promise."""
