"""Database URLs: their dialect, and their checks."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, unquote

from asm_core.errors import ValidationError, short_repr
from asm_core.sql.dialects import Dialect

if TYPE_CHECKING:
    from collections.abc import Callable

    from asm_core.sql.options import PostgreSQLOptions

_FORMS = "sqlite:///path/to/file.db or postgresql://host/database"
"""Without an account, because messages omit everything before an @."""
_SQLITE_FORM = (
    "The url must have the form sqlite:///path/to/file.db, with only a path after the third slash. "
    "Settings are options, not parts of the url."
)
_ASYNC_DRIVERS: Final = {"aiosqlite", "asyncpg", "psycopg_async", "aiopg"}
_SYNC_DRIVERS: Final = {Dialect.SQLITE: {"pysqlite"}, Dialect.POSTGRESQL: {"psycopg", "psycopg2"}}
IN_MEMORY: Final = ":memory:"
_SERVERS: Final = ("any", "read-write", "read-only", "primary", "standby", "prefer-standby")
_HOST: Final = re.compile(r"(?P<host>\[[0-9A-Fa-f:.%]+\]|@?[^:@\[\]\s]*)(?::(?P<port>\d*))?")
"""A host. The name of a Linux abstract socket begins with @."""


def dialect_of(url: str, *, backend: str) -> Dialect:
    """Return the dialect of `url`.

    Raises:
        ValidationError: the URL is invalid, or `backend` does not support its database.
    """
    if not isinstance(url, str):
        message = f"The url must be a string, not {short_repr(url)}."
        raise ValidationError(message)
    scheme, separator, _ = url.partition("://")
    name, plus, driver = scheme.partition("+")
    if name in list(Dialect) and separator:
        if plus:
            _check_driver(Dialect(name), driver)
        return Dialect(name)
    if not separator or not name.isidentifier():
        message = f"The url must have the form {_FORMS}."
        raise ValidationError(message)
    message = f"The {backend} backend takes a url of the form {_FORMS}, not {name}://…."
    raise ValidationError(message)


def not_for_asyncio(what: str) -> ValidationError:
    """Return the error for an asyncio object, which the synchronous ports cannot use.

    Args:
        what: the given object, such as "An AsyncEngine".
    """
    return ValidationError(
        f"{what} is for asyncio, and a backend uses synchronous connections. Give it a synchronous one to the same "
        "database, and await its calls through asm_core.aio."
    )


def _check_driver(dialect: Dialect, driver: str) -> None:
    """Reject a driver in a url, except well-known synchronous ones; the backend uses its own driver."""
    if driver in _ASYNC_DRIVERS:
        raise not_for_asyncio(f"The driver {driver}")
    if driver not in _SYNC_DRIVERS[dialect]:
        message = f"The url names the driver {short_repr(driver)}, but a backend uses its own. Write {dialect}://."
        raise ValidationError(message)


def sqlite_path(url: str) -> str:
    """Return the path of a SQLite url; ``:memory:`` without one.

    Raises:
        ValidationError: the url has more than a path.
    """
    place = url.partition("://")[2]
    path = unquote(place)
    if "?" in place or "\0" in path or _has_surrogate(path) or (path and not path.startswith("/")):
        raise ValidationError(_SQLITE_FORM)
    return path[1:] or IN_MEMORY


def _has_surrogate(path: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in path)


def server_settings(url: str) -> dict[str, str]:
    """Parse a PostgreSQL url to the settings of libpq: host, port, user, password, dbname and others.

    Raises:
        ValidationError: the url is invalid, or a part of its password would be parsed as another part, which messages
            of the driver would then show. A port or a kind of server that does not exist is invalid, too: libpq would
            report it as a server that cannot be reached, and callers would try again.
    """
    if url.count("@") > 1:
        message = "The url has more than one @. In a user name, a password or a setting, write it as %40."
        raise ValidationError(message)
    if "\0" in url or "%00" in url:
        message = "The url has a NUL character, which no name or password can contain."
        raise ValidationError(message)
    rest, _, query = url.partition("://")[2].partition("?")
    place, _, database = rest.partition("/")
    if "@" in database or "@" in query:
        # Ambiguous: the password has one of these characters, or the database or a setting has the @.
        message = (
            "The url has a / or a ? before its @. In a user name or a password, write them as %2F and %3F. "
            "In a database name or a setting, write @ as %40."
        )
        raise ValidationError(message)
    account, _, hosts = place.rpartition("@")
    user, _, password = account.partition(":")
    found = {"user": unquote(user), "password": unquote(password), "dbname": unquote(database), **_hosts(hosts)}
    settings = {name: value for name, value in found.items() if value}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name in settings:
            message = "The url has a setting twice. The user, the password, the host and the database are settings too."
            raise ValidationError(message)
        settings[name] = value
    if not all(map(_is_port, settings.get("port", "").split(","))):
        message = "The host or port of the url is invalid. A port is an integer from 1 to 65535."
        raise ValidationError(message)
    if settings.get("target_session_attrs", "any") not in _SERVERS:
        message = f"target_session_attrs in the url must be one of {', '.join(_SERVERS)}."
        raise ValidationError(message)
    return settings


def _is_port(text: str) -> bool:
    """Return whether `text` is a port, or empty, which is the default port."""
    return not text or (text.isascii() and text.isdecimal() and len(text) <= 5 and 0 < int(text) <= 65_535)  # noqa: PLR2004


def psycopg_settings(url: str, options: PostgreSQLOptions, make_conninfo: Callable[..., str]) -> dict[str, Any]:
    """Return the conninfo for psycopg 3, whose `make_conninfo` checks the names of settings.

    Raises:
        ValidationError: the url is invalid, or has settings that libpq does not support.
    """
    settings = server_settings(url)
    if not _is_known(settings, make_conninfo):
        # Without the setting and the driver's message: they may be a part of a password after a ?.
        message = "The url has a setting after its ? that PostgreSQL's client does not support, or an invalid value."
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
    except Exception:  # noqa: BLE001  an error of a driver that core does not import
        return False
    return True


def _hosts(text: str) -> dict[str, str]:
    found = [_HOST.fullmatch(unquote(host)) for host in text.split(",")]
    if not all(found):
        message = "The host or port of the url is invalid. Give host, host:port, or several of these with commas."
        raise ValidationError(message)
    hosts = [one["host"].strip("[]") for one in found if one]
    ports = [one["port"] or "" for one in found if one]
    return {"host": ",".join(hosts) if any(hosts) else "", "port": ",".join(ports) if any(ports) else ""}
