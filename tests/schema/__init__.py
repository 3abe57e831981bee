"""The GraphQL API, through its schema and a real engine, on both databases."""
