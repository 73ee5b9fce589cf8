"""The password in a URL is never shown: not by errors and their causes, not by logs, not by any listing."""

from __future__ import annotations

import json
import logging
import sys
import traceback
from typing import TYPE_CHECKING
from urllib.parse import quote

import peewee  # noqa: F401  it looks for a driver when it is imported, which is not to be while there is none
import psycopg
import pytest
from sqlalchemy import make_url
from typer.testing import CliRunner

import asm_core as asm
from asm_contract_tests.making import a_session
from asm_core.cli.program import app
from asm_core.config import resolve_store

if TYPE_CHECKING:
    from pathlib import Path

    from own_server import OwnServer

PASSWORDS = ("hunter2secret", "hunter2: %/?#[]&=+é", "hunter2 secret")
NOWHERE = "127.0.0.1:1"
"""Nobody listens there."""
WELL_FORMED = [
    f"postgresql://{{}}@{NOWHERE}/asm",
    f"postgresql+psycopg://{{}}@{NOWHERE}/asm",
    f"postgresql://{{}}@{NOWHERE}/asm?sslmode=disable",
    f"postgresql://{{}}@{NOWHERE}/asm?sslmode=klingon",
    "postgresql://{}@no-such-host.invalid/asm",
    "postgresql://{}@two..dots/asm",
    "postgresql://{}@/asm?host=/no/such/place",
    f"postgresql://{{}}@{NOWHERE}/no room?connect_timeout=soon",
]
MALFORMED = [
    "postgresql://{}@127.0.0.1:99999/asm",
    "postgresql://{}@localhost/asm?target_session_attrs=writable",
    "postgresql://{}@localhost:port/asm",
    "postgresql://{}@localhost:/asm",
    "postgresql://{}@[::1/asm",
    "postgresql:/{}@localhost/asm",
    "postgresql:{}@localhost/asm",
    "postgresql//{}@localhost/asm",
    "//{}@localhost/asm",
    "{}@localhost/asm",
    "{}",
    " postgresql://{}@localhost/asm",
    "postgresql://{}@localhost/asm?nonsense=1",
    "postgresql://{}@localhost/asm?port=1&port=x",
    "postgresql://{}@localhost/asm?prepare_threshold=x",
    "postgresql://{}@local@host/asm",
    "postgresql://{}@localhost/asm\0",
    "postgresql://{}",
    "postgresql://{}/asm",
    "postgres://{}@localhost/asm",
    "mysql://{}@localhost/asm",
    "no-such-scheme://{}@localhost/asm",
    "sqlite://{}@localhost/asm.db",
    "sqlite:///asm.db?{}",
    "sqlite://{}@/asm.db",
]
INSIDE = [
    f"postgresql://user:hunter2@secret@{NOWHERE}/asm",
    f"postgresql://user:x@hunter2/secret@{NOWHERE}/asm",
    f"postgresql://user:x@hunter2?secret@{NOWHERE}/asm",
    f"postgresql://user:x@/hunter2?secret=@{NOWHERE}/asm",
    *(
        f"postgresql://user:12{mark}hunter2{rest}@{place}"
        for mark in "/?#[]:&=%+;, '\"\\"
        for rest in ("", "=secret", "/secret", "?secret", "&host=x", "#")
        for place in (f"{NOWHERE}/asm", "localhost:port/asm", f"{NOWHERE}/asm?nonsense=1", "")
    ),
    f"postgresql://user%3Ahunter2%40{NOWHERE}/asm",
    f"postgresql://user:12?hunter2secret%40{NOWHERE}/asm",
    f"postgresql://{NOWHERE}/asm?user=user&password=hunter2secret",
    f"postgresql://{NOWHERE}/asm?password=hunter2secret&nonsense=hunter2secret",
    f"postgresql://{NOWHERE}/asm?password=hunter2secret&password=hunter2secret",
    f"postgresql://user:x@{NOWHERE}/asm?sslpassword=hunter2secret&sslmode=klingon",
]
"""Passwords where one does not look for them."""


def urls() -> list[str]:
    """Return every url with every password, as it is and percent-encoded."""
    named = [f"user:{form}" for password in PASSWORDS for form in dict.fromkeys((password, quote(password, safe="")))]
    return [place.replace("{}", who) for place in (*WELL_FORMED, *MALFORMED) for who in named] + INSIDE


def told(error: BaseException) -> str:
    """Return all that an error tells, and those that caused it, however it is shown."""
    texts = traceback.format_exception(error)
    shown: BaseException | None = error
    while shown is not None:
        texts += [str(shown), repr(shown), repr(shown.args)]
        if isinstance(shown, asm.AsmError):
            texts += [shown.message, repr(shown.details), json.dumps(shown.to_dict())]
        shown = shown.__cause__
    return "\n".join(texts)


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """Return all that is logged, by anybody, however unimportant."""
    caplog.set_level(logging.DEBUG)
    for name in list(logging.root.manager.loggerDict):
        if name.startswith(("sqlalchemy", "psycopg", "asm")):
            caplog.set_level(logging.DEBUG, logger=name)
    return caplog


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in an empty directory: some of the urls name a file in it."""
    monkeypatch.chdir(tmp_path)


def attempt(backend_name: str, url: str) -> BaseException:
    """Return the error with which opening fails."""
    with pytest.raises(asm.AsmError) as raised:
        asm.open_backend(backend_name, url=url, **({"connect_timeout": 2} if url.startswith("postgresql://") else {}))
    return raised.value


def test_no_error_or_log_shows_the_password_of_a_url(backend_name: str, logged: pytest.LogCaptureFixture) -> None:
    for url in urls():
        assert "hunter2" not in told(attempt(backend_name, url)), url
    assert "hunter2" not in logged.text
    assert logged.records or backend_name == "pony"  # neither Pony nor psycopg2 logs anything


@pytest.mark.parametrize("missing", [{"database": "no_such_database"}, {"username": "no_such_role"}])
def test_a_rejected_login_does_not_show_the_password(
    backend_name: str, postgresql_url: str, missing: dict[str, str], logged: pytest.LogCaptureFixture
) -> None:
    url = (
        make_url(postgresql_url)
        .set(**{"password": "hunter2 %:secret", **missing})
        .render_as_string(hide_password=False)
    )
    error = attempt(backend_name, url)
    assert isinstance(error, asm.StorageConnectionError)
    assert "hunter2" not in told(error) + logged.text


@pytest.mark.parametrize("password", ["hunter2", "hunter2 %:secret"])
def test_a_wrong_password_is_not_shown(
    backend_name: str,
    own_server: OwnServer,
    logged: pytest.LogCaptureFixture,
    password: str,
) -> None:
    place = make_url(own_server.new_database()).set(username=own_server.new_role("right"))
    right = place.set(password="right").render_as_string(hide_password=False)  # noqa: S106
    with pytest.raises(asm.MigrationRequiredError):  # the right one lets it in
        asm.open_backend(backend_name, url=right)
    error = attempt(backend_name, place.set(password=password).render_as_string(hide_password=False))
    assert "password authentication failed" in str(error)
    assert "hunter2" not in told(error) + logged.text


def test_a_missing_driver_is_reported_without_the_password(
    backend_name: str, monkeypatch: pytest.MonkeyPatch, logged: pytest.LogCaptureFixture
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] in {"psycopg", "psycopg2"}]:
        monkeypatch.delitem(sys.modules, name)
    for name in ("psycopg", "psycopg2"):
        monkeypatch.setitem(sys.modules, name, None)
    error = attempt(backend_name, f"postgresql://user:hunter2secret@{NOWHERE}/asm")
    assert isinstance(error, asm.DependencyNotAvailableError)
    assert "pip install" in str(error)
    assert "hunter2" not in told(error) + logged.text


def test_an_open_backend_its_errors_and_logs_do_not_show_the_password(
    backend_name: str, postgresql_url: str, logged: pytest.LogCaptureFixture
) -> None:
    url = make_url(postgresql_url).set(password=PASSWORDS[2]).render_as_string(hide_password=False)
    with asm.open_backend(backend_name, url=url, migrate=True) as backend:
        backend.session_store.save_session(a_session())
        ports = (backend.session_store, backend.query_api, backend.maintenance, backend.artifact_registry)
        assert "hunter2" not in repr((backend, *ports)) + str(backend)
        with psycopg.connect(postgresql_url) as connection:
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'asm'")
        with pytest.raises(asm.StorageConnectionError) as raised:
            backend.session_store.list_sessions()
    assert "hunter2" not in told(raised.value) + logged.text


CONFIGURED = f"""
backend = "{{backend}}"
url = "postgresql://user:hunter2secret@{NOWHERE}/asm"
password = "hunter2secret"
[stores.archive]
url = "postgresql://user:hunter2secret@{NOWHERE}/asm"
"""
COMMANDS = [
    ("backends",),
    ("backends", "--json"),
    ("sessions",),
    ("sessions", "--store", "archive"),
    ("sessions", "--store", "nothing"),
    ("sessions", "--url", "postgresql://user:hunter2@secret@localhost/asm"),
    ("sessions", "--url", "postgresql://user:hunter2secret@localhost:port/asm"),
    ("run", "--url", f"postgresql://user:hunter2secret@{NOWHERE}/asm", "--", "true"),
    ("db", "upgrade", "--url", f"postgresql://user:hunter2secret@{NOWHERE}/asm"),
    ("health", "--url", "mysql://user:hunter2secret@localhost/asm"),
    ("--url", "postgresql://user:hunter2secret@localhost/asm?nonsense=1", "health"),
    ("nonsense", "--url", "postgresql://user:hunter2secret@localhost/asm"),
    *(
        (*before, place)
        for place in ("postgresql://user:12?hunter2secret@localhost/asm", "postgresql://user:1 hunter2 @ @localhost")
        for before in (
            (),
            ("health",),
            ("health", "--url"),
            ("health", "--backend"),
            ("health", "--store"),
            ("health", f"--nonsense={place}"),
            ("sessions", "--limit"),
            ("show",),
            ("import",),
            ("maintain", "--policy"),
            ("db", "downgrade", "--to"),
        )
    ),
]


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_no_command_shows_the_password(
    backend_name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.setenv("PGCONNECT_TIMEOUT", "2")
    (tmp_path / "asm.toml").write_text(CONFIGURED.format(backend=backend_name))
    result = CliRunner().invoke(app, arguments)
    assert result.output
    assert "hunter2" not in result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)  # of which nothing is shown


def test_no_listing_of_the_configuration_shows_the_password(
    backend_name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "asm.toml").write_text(CONFIGURED.format(backend=backend_name))
    stores = [resolve_store(), resolve_store(store="archive"), resolve_store(options={"password": "hunter2secret"})]
    monkeypatch.setenv("ASM_URL", "postgresql://user:hunter2secret@localhost/asm")
    stores.append(resolve_store())
    assert all("hunter2" in str(store.url) for store in stores)
    assert "hunter2" not in f"{stores} {stores!s}"


@pytest.mark.parametrize(
    "text",
    [
        'url = "postgresql://user:hunter2secret@localhost/asm',
        'url = ["postgresql://user:hunter2secret@localhost/asm"]',
        'url = "postgresql://user:hunter2secret@localhost/asm" nonsense',
        '"postgresql://user:hunter2secret@localhost/asm"',
        'stores = "postgresql://user:hunter2secret@localhost/asm"',
    ],
)
def test_an_unreadable_configuration_does_not_show_the_password(tmp_path: Path, text: str) -> None:
    (tmp_path / "asm.toml").write_text(text)
    with pytest.raises(asm.ValidationError) as raised:
        resolve_store(store="archive")
    assert "hunter2" not in told(raised.value)
