"""PgBouncer itself, before the database of a test."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import psycopg
import pytest
from processes import Process
from sqlalchemy import make_url

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE = 30.0
SERVER_CONNECTIONS = 3
_SETTINGS = """
[databases]
{database} = host={host} port={port} user={user}
[pgbouncer]
listen_addr =
unix_socket_dir = {place}
auth_type = any
pool_mode = transaction
default_pool_size = {size}
server_round_robin = 1
logfile = {place}/log
pidfile = {place}/pid
{more}
"""
"""Without `ignore_startup_parameters`: the backends send nothing that PgBouncer refuses."""


def _binary() -> str | None:
    # Debian puts it where only root looks.
    return os.environ.get("ASM_TEST_PGBOUNCER") or shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")


@pytest.fixture(scope="module")
def pgbouncer_version() -> tuple[int, ...]:
    """Return the version of the installed PgBouncer."""
    binary = _binary()
    if binary is None:
        pytest.skip("PgBouncer is not installed, and ASM_TEST_PGBOUNCER does not name its binary")
    told = subprocess.run([binary, "--version"], capture_output=True, text=True, check=True, timeout=PATIENCE).stdout
    found = re.search(r"PgBouncer (\d+)\.(\d+)", told)
    assert found, told
    return int(found[1]), int(found[2])


@pytest.fixture
def pgbouncer(pgbouncer_version: tuple[int, ...], postgresql_url: str) -> Iterator[str]:
    """Return the URL of the test's database through PgBouncer, which pools by transaction, and tracks no statements."""
    url = make_url(postgresql_url)
    host = str(url.query.get("host", url.host))
    with TemporaryDirectory(prefix="asm-pgbouncer-") as place:
        settings = _SETTINGS.format(
            database=url.database,
            host=host,
            port=url.port or 5432,
            user=url.username,
            place=place,
            size=SERVER_CONNECTIONS,
            more="max_prepared_statements = 0" if pgbouncer_version >= (1, 21) else "",
        )
        Path(place, "ini").write_text(settings)
        command = [str(_binary()), "-q", f"{place}/ini"]
        if os.geteuid() == 0:  # it refuses to run as root, and others may not reach the server's socket
            owner = Path(host).owner() if host.startswith("/") else "nobody"
            shutil.chown(place, owner)
            command[1:1] = ["-u", owner]
        running = Process(command)
        try:
            through = url.set(host=None, port=6432).update_query_dict({"host": place})
            text = through.render_as_string(hide_password=False)
            _await(text, running)
            yield text
        finally:
            running.kill()
            running.wait(PATIENCE)


def _await(url: str, running: Process) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and running.poll() is None:
        with suppress(psycopg.OperationalError), psycopg.connect(url, prepare_threshold=None):
            return
    pytest.fail("PgBouncer does not answer")
