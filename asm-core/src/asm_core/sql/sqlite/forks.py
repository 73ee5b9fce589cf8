"""Leaving SQLite connections to the parent, in a child that inherited them.

To close an inherited connection would roll the parent's transaction back in the shared index of the write-ahead log,
and to keep it would let SQLite take the parent's locks for this process's own. So the child first cuts the connections
off: a private copy takes the place of the shared memory, and ``/dev/null``, opened to read, that of the files. Nothing
that SQLite does to close them then reaches a file. That needs ``/proc``; elsewhere they stay open, unused, and the
child must not open these files.
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
"""Whether a child can close what it inherited."""
SUFFIXES: Final = ("", "-wal", "-shm")

_unusable: Final[set[Inode]] = set()
_left_open: Final[list[object]] = []
_FDS: Final = Path("/proc/self/fd")
_MAPS: Final = Path("/proc/self/maps")
_MAP_FIXED: Final = 0x10
"""Of ``sys/mman.h``; Python's module `mmap` does not have it."""


class _Mapping(NamedTuple):
    start: int
    end: int


def inodes_of(place: str) -> frozenset[Inode]:
    """Return device and number of the files of the database at `place` that are there."""
    found = set()
    for suffix in SUFFIXES:
        try:
            stat = os.stat(place + suffix)  # noqa: PTH116  text, with a suffix
        except OSError:
            continue
        found.add((stat.st_dev, stat.st_ino))
    return frozenset(found)


def is_usable(identity: object) -> bool:
    """Return whether this process may connect to a file: not if it inherited a connection that it could not close."""
    return identity not in _unusable


def prepare() -> None:
    """Import what a child needs, before the fork."""
    if CAN_LEAVE:
        import ctypes  # noqa: F401, PLC0415  slow to import, and needed for this alone
        import fcntl  # noqa: F401, PLC0415
        import mmap  # noqa: F401, PLC0415


def leave(connections: Collection[Connection], *, are_idle: bool) -> None:
    """Close inherited connections without a trace in their files.

    Args:
        connections: all that are open.
        are_idle: whether it is certain that no thread was inside SQLite at the fork.
    """
    inodes = {inode for connection in connections for inode in connection.inodes}
    # Until they are closed: also where that fails.
    _unusable.update(inodes)
    _left_open.extend(connections)
    # Without a write-ahead log, closing what is in a transaction removes its journal by name.
    if CAN_LEAVE and are_idle and not any(connection.has_journal() for connection in connections):
        descriptors = _cut_off(inodes)
        for connection in connections:
            connection.leave()
        # A connection of the application's own to the same file keeps open what SQLite shares between connections.
        still_open = {inode for descriptor, inode in descriptors.items() if _is_open(descriptor)}
        for connection in connections:
            if not connection.inodes & still_open:
                _unusable.difference_update(connection.inodes)
                _left_open.remove(connection)


def _cut_off(inodes: set[Inode]) -> dict[int, Inode]:
    """Take the files with these inodes away from this process; return the descriptors that stood for them."""
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
    """Give the descriptors by which SQLite holds these files: it opens them to read and write."""
    import fcntl  # noqa: PLC0415  POSIX alone has it

    for name in os.listdir(_FDS):  # noqa: PTH208  less to make
        descriptor = int(name)
        try:
            stat = os.fstat(descriptor)
            mode = fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE
        except OSError:
            continue  # the one that listed them
        if (stat.st_dev, stat.st_ino) in inodes and mode == os.O_RDWR:
            yield descriptor, (stat.st_dev, stat.st_ino)


def mappings_of(paths: set[str]) -> Iterator[_Mapping]:
    """Give the places in memory where these files are mapped."""
    escaped = {path.replace("\n", "\\012") for path in paths}
    for line in os.fsdecode(_MAPS.read_bytes()).splitlines():
        span, *_, path = line.split(" ", 5)
        if path.lstrip(" ") in escaped:
            start, _, end = span.partition("-")
            yield _Mapping(int(start, 16), int(end, 16))


def _make_private(mapping: _Mapping) -> None:
    """Put a copy in the place of a mapping."""
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
