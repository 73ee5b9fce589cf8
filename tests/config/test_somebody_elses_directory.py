"""What `asm` does in a directory that another user filled."""

from __future__ import annotations

import os
import socket
import sqlite3
import sys
import threading
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from processes import completer, ended, starter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Write
    from processes import Complete


@pytest.fixture
def asm(tmp_path: Path) -> Complete:
    """Run `asm` with a password of the user's in its environment."""
    secrets = {"PGPASSWORD": "hunter2", "PGUSER": "me", "PGCONNECT_TIMEOUT": "5"}
    return completer(starter((sys.executable, "-m", "asm_core"), tmp_path, {**os.environ, **secrets}))


@pytest.fixture
def server() -> Iterator[tuple[int, list[bytes]]]:
    """Listen as a server of the attacker's, which asks for a password in clear; note what it gets."""
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    caller, _ = listening.accept()
                except OSError:
                    return
                with caller:
                    caller.settimeout(5)
                    heard.append(caller.recv(1000))  # may it be SSL?
                    caller.sendall(b"N")
                    heard.append(caller.recv(1000))  # the user and the database
                    caller.sendall(b"R\0\0\0\x08\0\0\0\x03")  # a password, please
                    heard.append(caller.recv(1000))

        thread = threading.Thread(target=serve)
        thread.start()
        yield listening.getsockname()[1], heard
        listening.shutdown(socket.SHUT_RDWR)
        ended(thread)


@pytest.mark.parametrize("backend", ["sqlmodel", "peewee", "pony"])
def test_no_password_goes_to_the_server_that_an_untrusted_file_names(
    asm: Complete, server: tuple[int, list[bytes]], backend: str
) -> None:
    port, heard = server
    Path("asm.toml").write_text(f"backend = '{backend}'\nurl = 'postgresql://127.0.0.1:{port}/database'", "utf-8")
    Path("asm.toml").chmod(0o666)
    refused = asm("sessions")
    assert (refused.returncode, heard) == (1, [])
    assert "asm.toml is not trusted" in refused.stderr
    assert asm("sessions", "--config", "asm.toml").returncode == 69
    assert b"hunter2" in heard[2]


def test_no_table_is_added_to_the_database_of_another_application(write_untrusted: Write, asm: Complete) -> None:
    with closing(sqlite3.connect("application.db")) as application:
        application.execute("CREATE TABLE accounts (id INTEGER)")
    before = Path("application.db").read_bytes()
    path = write_untrusted('url = "sqlite:///application.db"')
    path.chmod(0o666)  # the process is of the user who runs the tests
    for command in (("run", "--agent", "a", "--", "true"), ("db", "upgrade")):
        done = asm(*command)
        assert done.returncode == 1
        assert "holds tables of another application (accounts)" in done.stderr
    assert Path("application.db").read_bytes() == before


def test_an_application_may_share_its_database_where_the_file_is_its_users_own(asm: Complete) -> None:
    with closing(sqlite3.connect("application.db")) as application:
        application.execute("CREATE TABLE accounts (id INTEGER)")
    Path("asm.toml").write_text('url = "sqlite:///application.db"', "utf-8")
    Path("asm.toml").chmod(0o600)
    assert asm("run", "--agent", "a", "--", "true").returncode == 0


def test_the_default_place_is_not_followed_out_of_a_directory_that_others_can_write(
    asm: Complete, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    precious = tmp_path_factory.mktemp("elsewhere") / "precious.db"
    (tmp_path / "asm.db").symlink_to(precious)
    tmp_path.chmod(0o777)
    done = asm("run", "--agent", "a", "--", "true")
    assert (done.returncode, precious.exists()) == (1, False)
    assert "is outside" in done.stderr
    tmp_path.chmod(0o700)
    assert asm("run", "--agent", "a", "--", "true").returncode == 0


def test_a_store_inside_is_used(asm: Complete) -> None:
    Path("asm.toml").write_text('url = "sqlite:///own.db"', "utf-8")
    Path("asm.toml").chmod(0o666)
    assert asm("run", "--agent", "a", "--", "true").returncode == 0
    assert asm("sessions").returncode == 0
    assert Path("own.db").exists()
