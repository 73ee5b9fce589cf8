"""The place where a command runs: directory, git commit, host and user."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asm_core.values.payloads import Payload

ORIGIN_KEY: Final = "origin"
"""The key of a session's metadata for the place where its command ran."""

_GIT_SECONDS: Final = 2.0
"""The time limit of git. The status of a very large working tree takes longer, and is then not recorded."""

# Untracked files are ignored: the store itself is often one. A program that the repository names is not started.
_GIT_STATUS: Final = (
    *("git", "--no-optional-locks", "-c", "core.fsmonitor=false"),
    *("status", "--porcelain=v2", "--branch", "--untracked-files=no", "--ignore-submodules=all"),
)
_COMMIT: Final = "# branch.oid "
_BRANCH: Final = "# branch.head "
_NO_COMMIT: Final = "(initial)"
_NO_BRANCH: Final = "(detached)"


def origin_of(directory: str | os.PathLike[str] | None = None) -> Payload:
    """Return ``directory``, ``host``, ``user`` and ``git`` of a directory (default: the working directory).

    ``git`` has ``commit`` (None before the first), ``branch`` (None if detached) and ``dirty``: whether a tracked file
    differs from the commit. Without a repository or git, the key is missing. Nothing of the environment is included.
    """
    place = os.fsencode(Path.cwd() if directory is None else Path(directory).absolute())
    found: Payload = {"directory": _text(place), "host": platform.node(), "user": _user()}
    git = _git(place)
    return found if git is None else {**found, "git": git}


def _git(place: bytes) -> Payload | None:
    try:
        done = subprocess.run(  # noqa: S603  git, with constant arguments
            _GIT_STATUS,
            cwd=place,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_GIT_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    lines = _text(done.stdout).splitlines()
    return {
        "commit": _value(lines, _COMMIT, none=_NO_COMMIT),
        "branch": _value(lines, _BRANCH, none=_NO_BRANCH),
        "dirty": any(not line.startswith("#") for line in lines),
    }


def _value(lines: Sequence[str], key: str, *, none: str) -> str | None:
    found = next((line.removeprefix(key) for line in lines if line.startswith(key)), none)
    return None if found == none else found


def _user() -> str:
    """Return the name of the process's user, or its number; variables such as USER are not read."""
    try:
        import pwd  # noqa: PLC0415  exists on Unix only

        return pwd.getpwuid(os.getuid()).pw_name
    except ImportError:
        return os.getlogin()
    except KeyError:
        return str(os.getuid())


def _text(raw: bytes) -> str:
    return raw.decode(errors="backslashreplace")
