"""PostgreSQL servers that the backend connects to itself, with psycopg2."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from asm_backend_pony.errors import TRANSLATED
from asm_backend_pony.prepared import PreparingConnection
from asm_core.plugins import check_installed
from asm_core.sql.postgresql.connections import ServerConnections
from asm_core.sql.postgresql.database import PostgreSQL
from asm_core.sql.urls import psycopg_settings

if TYPE_CHECKING:
    from asm_backend_pony.connection import TableConnection
    from asm_core.sql import PostgreSQLOptions

_GIVEN_AS_TEXT: Final = {"json": 114, "jsonb": 3802, "timestamp": 1114}
"""The types that core's codec decodes, by their oids: JSON, without loss, and times, faster.

psycopg2 sets the DateStyle ISO on every server.
"""


def open_server(url: str, options: PostgreSQLOptions) -> PostgreSQL[TableConnection]:
    """Open the database at `url`, with the backend's own connections, in core's pool.

    Raises:
        DependencyNotAvailableError: psycopg2 is not installed.
        ValidationError: the url is invalid, or has settings that libpq does not support.
    """
    check_installed("psycopg2", user="PostgreSQL", distribution="asm-backend-pony[postgresql]")
    import psycopg2  # noqa: PLC0415  only when PostgreSQL is asked for
    from psycopg2.extensions import UNICODE, make_dsn  # noqa: PLC0415

    settings = psycopg_settings(url, options, make_dsn)
    threshold = settings.pop("prepare_threshold") or 0

    def connect() -> TableConnection:
        driver = psycopg2.connect(**settings)
        # The driver's table of type readers. A reader from register_type() takes three times as long.
        driver.string_types.update(dict.fromkeys(_GIVEN_AS_TEXT.values(), UNICODE))
        return PreparingConnection(driver, threshold)

    return PostgreSQL.with_options(ServerConnections(options, connect, TRANSLATED), options)
