"""Directories of exported sessions and namespaces of state, a file each."""

from __future__ import annotations

import hashlib
import re
import shutil
import tempfile
from typing import IO, TYPE_CHECKING, Final, Literal

from asm_core.cli.files.atomic import atomic_file
from asm_core.errors import SessionNotFoundError, ValidationError
from asm_core.transfer import dump_session, dump_state
from asm_core.transfer.lines import FIRST_BYTES, STATE_FIRST_BYTES
from asm_core.transfer.state_files import namespaces_of
from asm_core.transfer.stores import session_ids

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from asm_core.ports import Backend
    from asm_core.redaction import Redactor

_SUFFIX: Final = ".jsonl"
_STATE: Final = "state."
"""The beginning of the names of files of state: an id that is the name of a file as it is has no dot."""
_PLAIN: Final = re.compile(r"[a-z0-9_][a-z0-9_-]{0,99}")
"""Ids that are names of files as they are, also where case is ignored."""
_IN_MEMORY: Final = 4 << 20
_CHUNK: Final = 1 << 16
Kind = Literal["session", "namespace"]


def export_store(
    backend: Backend, directory: Path, *, private: bool = True, redactor: Redactor | None = None
) -> Iterator[tuple[Kind, bool]]:
    """Export all sessions, soft-deleted ones included, then all namespaces of state.

    Each file is yielded, with what it holds and whether it was written. A file that is equal is not written again. A
    file of another state is replaced. Files of sessions and namespaces that are no longer in the store stay.

    Args:
        backend: the store.
        directory: the directory; it is created, for its owner only.
        private: create files with mode 0600; False leaves the mode to the umask.
        redactor: takes secrets out; see `dump_session`.

    Raises:
        ValidationError: the directory cannot be created, or a file in it cannot be written.
    """
    try:
        directory.mkdir(mode=0o700 if private else 0o777, parents=True, exist_ok=True)
    except OSError as error:
        message = f"The directory {directory} cannot be created: {error.strerror}."
        raise ValidationError(message) from None
    for session_id in session_ids(backend):
        with tempfile.SpooledTemporaryFile(_IN_MEMORY) as spool:
            try:
                dump_session(backend, session_id, spool, redactor=redactor)
            except SessionNotFoundError:  # removed after it was listed
                continue
            yield "session", _replace(directory / file_name(session_id), spool, FIRST_BYTES, private=private)
    for namespace in namespaces_of(backend):
        with tempfile.SpooledTemporaryFile(_IN_MEMORY) as spool:
            if dump_state(backend, namespace, spool, redactor=redactor):
                path = directory / f"{_STATE}{file_name(namespace)}"
                yield "namespace", _replace(path, spool, STATE_FIRST_BYTES, private=private)


def exported_files(directory: Path) -> list[Path]:
    """Return the files of a directory that have the suffix of exports, by name.

    Raises:
        ValidationError: there is none.
    """
    found = sorted(path for path in directory.iterdir() if path.suffix == _SUFFIX and not path.name.startswith("."))
    if not found:
        message = f"The directory {directory} has no file *{_SUFFIX}, as `asm export --all` writes them."
        raise ValidationError(message)
    return found


def file_name(session_id: str) -> str:
    """Return the name of the file of an id: the id itself, or the SHA-256 of one that is no portable name.

    >>> file_name("ses_1"), file_name("../B")
    ('ses_1.jsonl', 'sha256-87a8a1dea568e6693ba9ccafdfad6931850ef6f3.jsonl')
    """
    name = session_id
    if not _PLAIN.fullmatch(name):
        name = f"sha256-{hashlib.sha256(session_id.encode()).hexdigest()[:40]}"
    return f"{name}{_SUFFIX}"


def _replace(path: Path, spool: IO[bytes], first_bytes: bytes, *, private: bool) -> bool:
    """Write a file unless it is equal; return whether it was written."""
    if _is_equal(path, spool):
        return False
    spool.seek(0)
    with atomic_file(path, begins_with=first_bytes, force=True, private=private) as file:
        shutil.copyfileobj(spool, file, _CHUNK)
    return True


def _is_equal(path: Path, spool: IO[bytes]) -> bool:
    spool.seek(0)
    try:
        with path.open("rb") as file:
            while (piece := spool.read(_CHUNK)) == file.read(_CHUNK):
                if not piece:
                    return True
            return False
    except FileNotFoundError:
        return False
    except OSError as error:
        message = f"{path} cannot be read: {error.strerror}."
        raise ValidationError(message) from None
