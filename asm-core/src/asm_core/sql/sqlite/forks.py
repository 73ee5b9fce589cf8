"""Disconnection of inherited SQLite connections, in a forked child.

Closing an inherited connection would roll back the parent's transaction in the shared index of the write-ahead log.
Keeping it would make SQLite treat the parent's locks as its own. So the child first disconnects the connections: a
private copy replaces the shared memory, and ``/dev/null``, opened for reading, replaces the files. Closing them then
does not affect a file. This needs ``/proc``. On other systems they stay open and unused, and the child must not open
these files.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from asm_core.sql.sqlite.driver import Connection

Inode = tuple[int, int]

CAN_LEAVE: Final = sys.platform == "linux"
"""Whether a child can close inherited connections."""
SUFFIXES: Final = ("", "-wal", "-shm")

_unusable: Final[set[Inode]] = set()
_left_open: Final[list[object]] = []
_FDS: Final = Path("/proc/self/fd")
_MAPS: Final = Path("/proc/self/maps")
_MAP_FIXED: Final = 0x10
"""From ``sys/mman.h``; Python's module `mmap` does not define it."""


class _Mapping(NamedTuple):
    start: int
    end: int


def inodes_of(place: str) -> frozenset[Inode]:
    """Return device and inode of the existing files of the database at `place`."""
    found = set()
    for suffix in SUFFIXES:
        try:
            stat = os.stat(place + suffix)  # noqa: PTH116  a string with a suffix
        except OSError:
            continue
        found.add((stat.st_dev, stat.st_ino))
    return frozenset(found)


def is_usable(identity: object) -> bool:
    """Return whether this process may connect to a file: no, if it inherited a connection that it cannot close."""
    return identity not in _unusable


def prepare() -> None:
    """Import the modules that a child needs, before the fork."""
    if CAN_LEAVE:
        import ctypes  # noqa: F401, PLC0415  slow to import, and needed only here
        import fcntl  # noqa: F401, PLC0415
        import mmap  # noqa: F401, PLC0415


def leave(connections: Collection[Connection], *, are_idle: bool) -> None:
    """Close inherited connections without an effect on their files.

    Args:
        connections: all open connections.
        are_idle: whether it is certain that no thread was inside SQLite at the fork.
    """
    inodes = {inode for connection in connections for inode in connection.inodes}
    # Until they are closed, and also if that fails.
    _unusable.update(inodes)
    _left_open.extend(connections)
    # Without a write-ahead log, closing a connection in a transaction removes its journal by name.
    if CAN_LEAVE and are_idle and not any(connection.has_journal() for connection in connections):
        descriptors = _cut_off(inodes)
        for connection in connections:
            connection.leave()
        # A connection of the application to the same file keeps the shared resources of SQLite open.
        still_open = {inode for descriptor, inode in descriptors.items() if _is_open(descriptor)}
        for connection in connections:
            if not connection.inodes & still_open:
                _unusable.difference_update(connection.inodes)
                _left_open.remove(connection)


def _cut_off(inodes: set[Inode]) -> dict[int, Inode]:
    """Replace the descriptors of files with these inodes; return these descriptors."""
    descriptors = dict(descriptors_of(inodes))
    paths = {str((_FDS / str(descriptor)).readlink()) for descriptor in descriptors}
    for mapping in list(mappings_of(paths)):
        _make_private(mapping)
    null = os.open(os.devnull, os.O_RDONLY)
    try:
        for descriptor in descriptors:
            os.dup2(null, descriptor, inheritable=False)
    finally:
        os.close(null)
    return descriptors


def descriptors_of(inodes: set[Inode]) -> Iterator[tuple[int, Inode]]:
    """Yield SQLite's descriptors of these files: it opens them for reading and writing."""
    import fcntl  # noqa: PLC0415  POSIX only

    for name in os.listdir(_FDS):  # noqa: PTH208  creates fewer objects
        descriptor = int(name)
        try:
            stat = os.fstat(descriptor)
            mode = fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE
        except OSError:
            continue  # the descriptor of the listing itself
        if (stat.st_dev, stat.st_ino) in inodes and mode == os.O_RDWR:
            yield descriptor, (stat.st_dev, stat.st_ino)


def mappings_of(paths: set[str]) -> Iterator[_Mapping]:
    """Yield the memory ranges where these files are mapped."""
    escaped = {path.replace("\n", "\\012") for path in paths}
    for line in os.fsdecode(_MAPS.read_bytes()).splitlines():
        span, *_, path = line.split(" ", 5)
        if path.lstrip(" ") in escaped:
            start, _, end = span.partition("-")
            yield _Mapping(int(start, 16), int(end, 16))


def _make_private(mapping: _Mapping) -> None:
    """Replace a mapping by a private copy."""
    import ctypes  # noqa: PLC0415  see prepare()
    import mmap  # noqa: PLC0415

    libc: Any = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [
        ctypes.c_void_p,
        ctypes.c_size_t,
        ctypes.c_int,
        ctypes.c_int,
        ctypes.c_int,
        ctypes.c_long,
    ]
    size = mapping.end - mapping.start
    content = ctypes.string_at(mapping.start, size)
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _MAP_FIXED
    if libc.mmap(mapping.start, size, mmap.PROT_READ | mmap.PROT_WRITE, flags, -1, 0) != mapping.start:
        raise OSError(ctypes.get_errno(), "the shared memory of SQLite cannot be replaced")
    ctypes.memmove(mapping.start, content, size)


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True
