"""The URL of a database: which kind it is, and what would go wrong with it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, unquote

from asm_core.errors import ValidationError, shown
from asm_core.sql.dialects import Dialect

if TYPE_CHECKING:
    from collections.abc import Callable

    from asm_core.sql.options import PostgreSQLOptions

_FORMS = "sqlite:///path/to/file.db or postgresql://host/database"
"""Without an account: what precedes an @ is removed from messages."""
_SQLITE_FORM = (
    "The url must be of the form sqlite:///path/to/file.db, with nothing but a path behind the third slash; "
    "settings are options, not parts of the url."
)
_ASYNC_DRIVERS: Final = {"aiosqlite", "asyncpg", "psycopg_async", "aiopg"}
_SYNC_DRIVERS: Final = {Dialect.SQLITE: {"pysqlite"}, Dialect.POSTGRESQL: {"psycopg", "psycopg2"}}
IN_MEMORY: Final = ":memory:"
_HOST: Final = re.compile(r"(?P<host>\[[0-9A-Fa-f:.%]+\]|@?[^:@\[\]\s]*)(?::(?P<port>\d*))?")
"""A host; a socket in the abstract namespace of Linux begins with @."""


def dialect_of(url: str, *, backend: str) -> Dialect:
    """Return which database `url` names.

    Raises:
        ValidationError: it names none, or one on which `backend` does not run.
    """
    if not isinstance(url, str):
        message = f"The url must be a string, not {shown(url)}."
        raise ValidationError(message)
    scheme, separator, _ = url.partition("://")
    name, plus, driver = scheme.partition("+")
    if name in list(Dialect) and separator:
        if plus:
            _check_driver(Dialect(name), driver)
        return Dialect(name)
    if not separator or not name.isidentifier():
        message = f"The url is not of the form {_FORMS}."
        raise ValidationError(message)
    message = f"The {backend} backend takes a url of the form {_FORMS}, not {name}://…."
    raise ValidationError(message)


def not_for_asyncio(what: str) -> ValidationError:
    """Return the error for what belongs to asyncio, where the ports are synchronous.

    Args:
        what: what was given, such as "An AsyncEngine".
    """
    return ValidationError(
        f"{what} is for asyncio, and this backend is synchronous. Use a synchronous one; asyncio is the business of "
        "asm_core.aio."
    )


def _check_driver(dialect: Dialect, driver: str) -> None:
    """Refuse a driver in a url, unless it is a synchronous one that the user may expect: the backend uses its own."""
    if driver in _ASYNC_DRIVERS:
        raise not_for_asyncio(f"The driver {driver}")
    if driver not in _SYNC_DRIVERS[dialect]:
        message = f"The url names the driver {shown(driver)}, but a backend uses its own; write {dialect}://."
        raise ValidationError(message)


def sqlite_path(url: str) -> str:
    """Return the path that a url of SQLite names; ``:memory:`` for none.

    Raises:
        ValidationError: it has more than a path.
    """
    place = url.partition("://")[2]
    path = unquote(place)
    if "?" in place or "\0" in path or _has_surrogate(path) or (path and not path.startswith("/")):
        raise ValidationError(_SQLITE_FORM)
    return path[1:] or IN_MEMORY


def _has_surrogate(path: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in path)


def server_settings(url: str) -> dict[str, str]:
    """Return what a url of PostgreSQL says, as the settings of libpq: host, port, user, password, dbname and others.

    Raises:
        ValidationError: it is none, or its password would be taken for something else, which messages of the driver
            would then show.
    """
    if url.count("@") > 1:
        message = "The url has more than one @; inside a user name, a password or a setting write it as %40."
        raise ValidationError(message)
    if "\0" in url or "%00" in url:
        message = "The url has a NUL character; no name and no password can have one."
        raise ValidationError(message)
    rest, _, query = url.partition("://")[2].partition("?")
    place, _, database = rest.partition("/")
    if "@" in database or "@" in query:
        # The password has one of these characters, or the database or a setting has the @; nothing tells which.
        message = (
            "The url has a / or a ? before its @. Inside a user name or a password write them as %2F and %3F; "
            "inside the name of a database or a setting write @ as %40."
        )
        raise ValidationError(message)
    account, _, hosts = place.rpartition("@")
    user, _, password = account.partition(":")
    found = {"user": unquote(user), "password": unquote(password), "dbname": unquote(database), **_hosts(hosts)}
    settings = {name: value for name, value in found.items() if value}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name in settings:
            message = "The url gives a setting twice; the user, the password, the host and the database count."
            raise ValidationError(message)
        settings[name] = value
    return settings


def psycopg_settings(url: str, options: PostgreSQLOptions, make_conninfo: Callable[..., str]) -> dict[str, Any]:
    """Return what to connect with by psycopg 3, whose `make_conninfo` knows which settings there are.

    Raises:
        ValidationError: the url is none, or has settings that PostgreSQL's client does not know.
    """
    settings = server_settings(url)
    if not _is_known(settings, make_conninfo):
        # Not which, and not the driver's words: they may be what follows a ? in a password.
        message = (
            "The url has a setting, behind its ?, that PostgreSQL's client does not know, or a value that it refuses."
        )
        raise ValidationError(message)
    return {
        "connect_timeout": options.connect_timeout,
        "application_name": options.application_name,
        "prepare_threshold": options.prepare_threshold or None,
        **settings,
        "client_encoding": "UTF8",  # whatever the encoding of the database or the environment
    }


def _is_known(settings: dict[str, str], make_conninfo: Callable[..., str]) -> bool:
    try:
        make_conninfo(**settings)
    except Exception:  # noqa: BLE001  of a driver that core does not know
        return False
    return True


def _hosts(text: str) -> dict[str, str]:
    found = [_HOST.fullmatch(unquote(host)) for host in text.split(",")]
    if not all(found):
        message = "The url's host or port makes no sense; it is host, host:port, or several of these with commas."
        raise ValidationError(message)
    hosts = [one["host"].strip("[]") for one in found if one]
    ports = [one["port"] or "" for one in found if one]
    return {"host": ",".join(hosts) if any(hosts) else "", "port": ",".join(ports) if any(ports) else ""}
