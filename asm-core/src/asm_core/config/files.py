"""Configuration files: search, bounded reading, and whether another user may have written them."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from asm_core.errors import ValidationError, short_repr

if TYPE_CHECKING:
    from collections.abc import Callable

LARGEST_FILE: Final = 1 << 20
"""The size limit in bytes, which bounds the time of parsing."""
_FOUND: Final = ("asm.toml", "pyproject.toml")
_NONBLOCKING: Final = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)
_ROOT: Final = 0


class ConfigFile(NamedTuple):
    """A configuration file.

    Attributes:
        path: its path, as given or found.
        table: its keys; for ``pyproject.toml``, those of ``[tool.asm]``.
        distrust: the reason why it is not trusted, such as "alice owns it"; None if it is trusted.
        is_above: whether it was found in a directory above the working directory.
    """

    path: Path
    table: dict[str, Any]
    distrust: str | None
    is_above: bool = False


def named_file(path: Path) -> ConfigFile:
    """Read the file that the user named, which makes it trusted.

    Raises:
        ValidationError: it cannot be read, or is not TOML.
    """
    return ConfigFile(path, _own_table(path, read_toml(path)), None)


def found_file(*, trusted_only: bool) -> ConfigFile | None:
    """Read the configuration file of the working directory, or else the nearest one above it, if there is one.

    The search ends with the root of the repository or the home directory. Outside both, no directory above the working
    directory is searched.

    Args:
        trusted_only: ignore a file that another user may have written.

    Raises:
        ValidationError: it cannot be read, is not a regular file, or is not TOML.
    """
    for directory in _searched():
        for path in (directory / name for name in _FOUND):
            content = _read_found(path, trusted_only=trusted_only)
            if content is None:
                continue
            raw, distrust = content
            table = _own_table(path, _parsed(path, raw))
            if table or path.name == _FOUND[0]:
                return ConfigFile(path, table, distrust, is_above=directory != Path())
    return None


def read_toml(path: Path, *, parse_float: Callable[[str], Any] = float) -> dict[str, Any]:
    """Parse a TOML file that the user named; it may be a pipe.

    Raises:
        ValidationError: it cannot be read, is too large, or is not TOML.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise _unreadable(path, error) from None
    return _parsed(path, raw, parse_float=parse_float)


def distrust_of(found: os.stat_result) -> str | None:
    """Return why a file with this status is not trusted: its owner or its mode; None if it is trusted."""
    if not hasattr(os, "geteuid"):
        return None  # no owners and modes on this system
    if found.st_uid not in {os.geteuid(), _ROOT}:
        return f"{_user(found.st_uid)} owns it"
    if stat.S_ISLNK(found.st_mode):
        return None  # the mode of a symbolic link has no meaning
    if found.st_mode & stat.S_IWOTH or (found.st_mode & stat.S_IWGRP and not _is_private_group(found)):
        return f"others can write it (its mode is {stat.filemode(found.st_mode)})"
    return None


def _searched() -> list[Path]:
    """Return the directories to search, nearest first; the working directory is `Path()`."""
    here = Path.cwd()
    home = Path(os.path.expanduser("~"))  # noqa: PTH111  Path.home() raises where there is none
    above = [here, *here.parents]
    last = next((place for place, path in enumerate(above) if path == home or (path / ".git").exists()), 0)
    return [Path(), *above[1 : last + 1]]


def _read_found(path: Path, *, trusted_only: bool) -> tuple[bytes, str | None] | None:
    try:
        link = os.lstat(path)  # the owner of a symbolic link, too
        # open() of a FIFO would wait for a writer.
        descriptor = os.open(path, os.O_RDONLY | _NONBLOCKING)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unreadable(path, error) from None
    try:
        found = os.fstat(descriptor)
        distrust = distrust_of(link) or distrust_of(found)
        if distrust is not None and trusted_only:
            return None
        if not stat.S_ISREG(found.st_mode):
            message = f"{path} is not a regular file ({stat.filemode(found.st_mode)}). Remove it."
            raise ValidationError(message)
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read(LARGEST_FILE + 1), distrust
    finally:
        os.close(descriptor)


def _own_table(path: Path, table: dict[str, Any]) -> dict[str, Any]:
    if path.name != _FOUND[1]:
        return table
    tool = table.get("tool")
    own = tool.get("asm", {}) if isinstance(tool, dict) else {}
    if not isinstance(own, dict):
        message = f"[tool.asm] in {path} must be a table, not {short_repr(own)}."
        raise ValidationError(message)
    return own


def _parsed(path: Path, raw: bytes, *, parse_float: Callable[[str], Any] = float) -> dict[str, Any]:
    import tomllib  # noqa: PLC0415  most programs have no file

    if len(raw) > LARGEST_FILE:
        message = f"{path} is larger than {LARGEST_FILE} bytes, the limit of a configuration file. Shorten it."
        raise ValidationError(message)
    try:
        return tomllib.loads(raw.decode(), parse_float=parse_float)
    except RecursionError:
        message = f"{path} cannot be read as TOML: it is nested too deeply. Flatten it."
        raise ValidationError(message) from None
    except (ValueError, ArithmeticError) as error:  # not UTF-8, not TOML, or a number with too many digits
        message = f"{path} cannot be read as TOML: {error}."
        raise ValidationError(message) from None


def _unreadable(path: Path, error: OSError) -> ValidationError:
    return ValidationError(f"{path} cannot be read: {error.strerror}.")


def _user(uid: int) -> str:
    import pwd  # noqa: PLC0415  Unix only

    try:
        return f"user {pwd.getpwuid(uid).pw_name!r}"
    except KeyError:
        return f"user {uid}"


def _is_private_group(found: os.stat_result) -> bool:
    """Return whether the group is the owner's private group, which systems with the umask 002 create for each user."""
    import grp  # noqa: PLC0415
    import pwd  # noqa: PLC0415

    try:
        owner, group = pwd.getpwuid(found.st_uid), grp.getgrgid(found.st_gid)
    except KeyError:
        return False
    return (owner.pw_gid, owner.pw_name) == (group.gr_gid, group.gr_name) and set(group.gr_mem) <= {owner.pw_name}
