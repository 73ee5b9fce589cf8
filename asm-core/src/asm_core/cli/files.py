"""``asm export`` and ``asm import``."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from asm_core.cli import output
from asm_core.cli.finding import find_session
from asm_core.cli.show import SessionArgument
from asm_core.cli.store import with_backend
from asm_core.errors import AlreadyExistsError, ValidationError
from asm_core.ports import Backend
from asm_core.transfer import export_session, import_session

STANDARD_STREAM = "-"


@with_backend()
def export_to_file(
    backend: Backend,
    session: SessionArgument,
    *,
    target: Annotated[str, typer.Option("--output", "-o", metavar="FILE", help="Where to; - is standard output.")],
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")] = False,
) -> None:
    """Write a session with all that belongs to it to a file.

    `asm import` reads it back exactly, into any store. The file has JSON lines with check sums, and is there whole or
    not at all. Artifacts are exported as what is registered of them; the blobs they name are not.
    """
    found = find_session(backend, session)
    if target == STANDARD_STREAM:
        report = export_session(backend, found.id, sys.stdout.buffer)
        sys.stdout.buffer.flush()
    else:
        with _new_file(Path(target), force=force) as file:
            report = export_session(backend, found.id, file)
    output.note(
        f"Exported session {report.session_id}: {report.runs} runs, {report.events} events, "
        f"{report.artifacts} artifacts."
    )


@with_backend(migrate=True)
def import_from_file(
    backend: Backend,
    source: Annotated[str, typer.Argument(metavar="FILE", help="A file that `asm export` wrote; - is standard input.")],
) -> None:
    """Store a session from a file, as it was exported.

    The file is checked to its end before anything is written, and all of it is written or nothing. A session that is
    stored already is left alone if it is the same, and an error if it differs.
    """
    with _standard_input() if source == STANDARD_STREAM else _existing_file(source) as file:
        report = import_session(backend, file)
    if report.changed:
        output.line(
            f"Imported session {report.session_id}: {report.runs_added} runs, {report.events_added} events, "
            f"{report.artifacts_added} artifacts."
        )
    else:
        output.line(f"Session {report.session_id} is there already, and the same; nothing was imported.")


def _standard_input() -> contextlib.nullcontext[BinaryIO]:
    if sys.stdin is None:  # closed by whoever started this process
        message = "Standard input is closed."
        raise ValidationError(message)
    return contextlib.nullcontext(sys.stdin.buffer)


def _existing_file(path: str) -> BinaryIO:
    try:
        return Path(path).open("rb")
    except OSError as error:
        message = f"{path} cannot be read: {error.strerror}."
        raise ValidationError(message) from None


@contextlib.contextmanager
def _new_file(path: Path, *, force: bool) -> Iterator[BinaryIO]:
    """Open a file that appears under `path` when it is whole, and leaves no trace otherwise."""
    if path.exists() and not force:
        message = f"{path} exists; choose another name, or replace it with --force."
        raise AlreadyExistsError(message)
    if path.exists() and not path.is_file():
        with path.open("wb") as file:  # a device or a named pipe cannot be replaced
            yield file
        return
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    except OSError as error:
        message = f"{path} cannot be written: {error.strerror}."
        raise ValidationError(message) from None
    part = Path(name)
    try:
        with open(handle, "w+b") as file:  # noqa: PTH123  there is a handle, and no path
            yield file
            file.flush()
            os.fsync(handle)
        _take_place(part, path, force=force)
    finally:
        part.unlink(missing_ok=True)


def _take_place(part: Path, path: Path, *, force: bool) -> None:
    part.chmod(0o666 & ~_umask())
    if force:
        part.replace(path)
        return
    try:
        os.link(part, path)  # unlike a rename, this fails if somebody else was faster
    except FileExistsError:
        message = f"{path} was made meanwhile; choose another name, or replace it with --force."
        raise AlreadyExistsError(message) from None


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
