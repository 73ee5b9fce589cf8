"""The server that the contract on PostgreSQL needs."""

from postgresql_server import postgresql_database, postgresql_server, postgresql_url  # noqa: F401  fixtures
