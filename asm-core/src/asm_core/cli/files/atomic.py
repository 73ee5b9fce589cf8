"""Files that appear complete or not at all, however the process ends."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import signal
import stat
import threading
from typing import TYPE_CHECKING, BinaryIO, Final

try:
    import fcntl
except ImportError:  # not Unix
    fcntl = None  # type: ignore[assignment]

from asm_core.errors import AlreadyExistsError, ValidationError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import FrameType

_ENDING_SIGNALS: Final = ("SIGTERM", "SIGHUP")


@contextlib.contextmanager
def atomic_file(path: Path, *, begins_with: bytes, force: bool, private: bool = True) -> Iterator[BinaryIO]:
    """Open a file for writing; it appears at `path` when it is complete.

    Until then it is a partial file in the same directory. An error, SIGTERM or SIGHUP removes it; those signals end the
    process with status 128 + n. After SIGKILL, the next call for the same path removes it.

    Args:
        path: the path of the complete file.
        begins_with: the first bytes of every file of this kind. Only such files are removed as partial files.
        force: replace an existing file and keep its mode.
        private: create a new file with mode 0600; False leaves the mode to the umask.

    Raises:
        AlreadyExistsError: the file exists, and `force` is not set.
        ValidationError: the path cannot be written.
    """
    if force and path.exists() and not path.is_file():
        with path.open("wb") as file:  # a device or a named pipe cannot be replaced
            yield file
        return
    with atomic_path(path, begins_with=begins_with, force=force, private=private) as (_, file):
        yield file


@contextlib.contextmanager
def atomic_path(
    path: Path, *, begins_with: bytes, force: bool, private: bool = True
) -> Iterator[tuple[Path, BinaryIO]]:
    """Yield the path of a partial file and the file; it appears at `path` afterwards, as with `atomic_file`.

    Raises:
        AlreadyExistsError: a file exists at `path`, and `force` is not set.
        ValidationError: the path cannot be written.
    """
    if path.exists() and not force:
        message = f"{path} exists. Choose another name, or replace it with --force."
        raise AlreadyExistsError(message)
    _remove_abandoned(path, begins_with)
    with _partial_file(path) as (part, file):
        yield part, file
        file.flush()
        os.fsync(file.fileno())
        part.chmod(_mode(path, private=private))
        _publish(part, path, force=force)


@contextlib.contextmanager
def _partial_file(path: Path) -> Iterator[tuple[Path, BinaryIO]]:
    # The name is known before the file exists, so that a signal at any instant can remove it.
    part = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
    with _removed_by_signals(part):
        try:
            with _create(part, path) as file:
                yield part, file
        finally:
            part.unlink(missing_ok=True)


def _create(part: Path, path: Path) -> BinaryIO:
    """Create the file, and lock it while it is open: a dead process holds no lock."""
    try:
        while True:
            file = _open(part, os.O_CREAT | os.O_EXCL)
            with contextlib.suppress(OSError):  # no locks on this file system: no process removes partial files there
                _lock(file.fileno(), wait=True)
            if os.fstat(file.fileno()).st_nlink:
                return file
            file.close()  # another process removed it as abandoned, between its creation and the lock
    except OSError as error:
        is_missing = isinstance(error, FileNotFoundError) and not path.parent.exists()
        reason = f"the directory {path.parent.absolute()} does not exist" if is_missing else error.strerror
        message = f"{path} cannot be written: {reason}."
        raise ValidationError(message) from None


def _publish(part: Path, path: Path, *, force: bool) -> None:
    if force:
        part.replace(path)
        return
    try:
        os.link(part, path)  # unlike a rename, this fails if another process was faster
    except FileExistsError:
        message = f"{path} was created by another process meanwhile. Choose another name, or replace it with --force."
        raise AlreadyExistsError(message) from None


def _mode(path: Path, *, private: bool) -> int:
    with contextlib.suppress(FileNotFoundError):
        return stat.S_IMODE(path.stat().st_mode)
    return 0o600 if private else 0o666 & ~_umask()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@contextlib.contextmanager
def _removed_by_signals(part: Path) -> Iterator[None]:
    """Remove the partial file on SIGTERM and SIGHUP, and end the process; ignored signals stay ignored."""

    def end(number: int, _frame: FrameType | None) -> None:
        part.unlink(missing_ok=True)
        restore()  # the next signal ends the process at once
        raise SystemExit(128 + number)

    before = {}
    if threading.current_thread() is threading.main_thread():
        numbers = [getattr(signal, name) for name in _ENDING_SIGNALS if hasattr(signal, name)]
        before = {number: signal.getsignal(number) for number in numbers}

    def restore() -> None:
        for number, handler in before.items():
            if signal.getsignal(number) is end:
                signal.signal(number, handler)

    try:
        for number, handler in before.items():
            if handler is not signal.SIG_IGN:
                signal.signal(number, end)
        yield
    finally:
        restore()


def _remove_abandoned(path: Path, begins_with: bytes) -> None:
    """Remove the partial files of this path that a killed process left."""
    if fcntl is None:  # without locks, a partial file may still be in use
        return
    name = re.compile(rf"\.{re.escape(path.name)}\.[0-9a-f]{{16}}\.part")
    with contextlib.suppress(OSError):
        for part in path.parent.iterdir():
            if name.fullmatch(part.name):
                with contextlib.suppress(OSError):
                    _remove_unless_alive(part, begins_with)


def _remove_unless_alive(part: Path, begins_with: bytes) -> None:
    found = part.lstat()
    if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
        return
    with _open(part, os.O_NOFOLLOW | os.O_NONBLOCK) as file:
        _lock(file.fileno(), wait=False)
        start = file.read(len(begins_with))
        if begins_with.startswith(start) and os.path.samestat(os.fstat(file.fileno()), part.lstat()):
            part.unlink()


def _open(part: Path, flags: int) -> BinaryIO:
    handle = os.open(part, os.O_RDWR | getattr(os, "O_BINARY", 0) | flags, 0o600)
    return open(handle, "r+b")  # noqa: PTH123  opens a descriptor


def _lock(handle: int, *, wait: bool) -> None:
    """Lock an open file.

    Raises:
        OSError: another process has locked it, or the file system has no locks.
    """
    if fcntl is not None:
        fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
