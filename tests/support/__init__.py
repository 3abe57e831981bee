"""What tests need from outside: real servers, databases and processes."""
