"""The URL of a database: which kind it is, and what would go wrong with it."""

from __future__ import annotations

from urllib.parse import unquote

from asm_core.errors import ValidationError
from asm_core.sql.dialects import Dialect

_FORMS = "sqlite:///path/to/file.db or postgresql://user@host/database"
_SQLITE_FORM = (
    "The url must be of the form sqlite:///path/to/file.db, with nothing but a path behind the third slash; "
    "settings are options, not parts of the url."
)
IN_MEMORY = ":memory:"


def dialect_of(url: str, *, backend: str) -> Dialect:
    """Return which database `url` names.

    Raises:
        ValidationError: it names none, or one on which `backend` does not run.
    """
    scheme, separator, _ = url.partition("://")
    name = scheme.partition("+")[0]
    if name in list(Dialect) and separator:
        return Dialect(name)
    if not separator or not name.isidentifier():
        message = f"The url is not of the form {_FORMS}."
        raise ValidationError(message)
    message = f"The {backend} backend takes a url of the form {_FORMS}, not {name}://…."
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


def check_server_url(url: str) -> None:
    """Refuse a url whose password would be taken for something else, which messages of the driver would then show.

    Raises:
        ValidationError: it has more than one "@", or a NUL character.
    """
    if url.count("@") > 1:
        message = "The url has more than one @; inside a user name, a password or a setting write it as %40."
        raise ValidationError(message)
    if "\0" in url or "%00" in url:
        message = "The url has a NUL character; no name and no password can have one."
        raise ValidationError(message)
