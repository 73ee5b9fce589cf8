"""The server that pages about PostgreSQL need."""

from postgresql_server import postgresql_database, postgresql_server, postgresql_url  # noqa: F401  fixtures
