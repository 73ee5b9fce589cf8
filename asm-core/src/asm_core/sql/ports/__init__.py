"""The ports on any SQL database."""
