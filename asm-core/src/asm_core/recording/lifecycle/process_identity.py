"""Identity of the process that records a session or executes a run, and the check whether it has ended."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from asm_core.errors import ValidationError
from asm_core.models.session import STAMP_KEY
from asm_core.values.payloads import check_payload

if TYPE_CHECKING:
    from asm_core.values.payloads import Payload

recording: Final[set[str]] = set()
"""The sessions and runs that this process records, until their end is stored or the recording gives up."""

_STATE, _STARTED = 0, 19
"""Fields of /proc/<pid>/stat, counted after the name (proc(5): fields 3 and 22)."""


def make_stamp() -> Payload:
    """Return the identity of this process, unique among all processes as far as the system provides it.

    It has ``host``, ``pid`` and ``started`` (by the system's clock). ``machine``, ``boot`` (new at each start of the
    machine) and ``pids`` (the namespace of the pid; containers have their own) show whether the pid is valid here. A
    value that the system does not provide is None.
    """
    pid = os.getpid()
    return {**_here(), "pid": pid, "started": _look_up(pid)[1]}


def describe_stamp(stamp: object) -> str:
    """Format the process of `stamp` for a message."""
    fields = stamp if isinstance(stamp, Mapping) else {}
    return f"process {fields.get('pid', '(unknown)')} on host {fields.get('host', '(unknown)')}"


def check_no_stamp(metadata: Payload | None) -> Payload:
    """Check the metadata of a caller.

    Raises:
        ValidationError: it has an invalid value, or the reserved key.
    """
    checked = {} if metadata is None else check_payload("metadata", metadata)
    if STAMP_KEY in checked:
        message = f"The metadata key {STAMP_KEY!r} is reserved. Choose another."
        raise ValidationError(message)
    return checked


def is_gone(stamp: object) -> bool:
    """Return whether the process of `stamp` ran on this machine and has ended; False if that is uncertain."""
    if not isinstance(stamp, Mapping) or type(pid := stamp.get("pid")) is not int or pid <= 0:
        return False
    here = _here()
    if stamp.get("host") != here["host"] or stamp.get("machine") != here["machine"]:
        return False
    if stamp.get("boot") != here["boot"]:
        # Another boot id proves a restart only on the same machine.
        return here["machine"] is not None
    if stamp.get("pids") != here["pids"]:
        return False
    return not _is_running(pid, stamp.get("started"))


def is_here(stamp: object) -> bool:
    """Return whether the process of `stamp` ran where this one does, so that `is_gone` is certain."""
    return isinstance(stamp, Mapping) and all(stamp.get(name) == value for name, value in _here().items())


def _is_running(pid: int, started: object) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True  # the process of another user
    state, found = _look_up(pid)
    return state not in ("Z", "X") and (found is None or started is None or found == started)


def _look_up(pid: int) -> tuple[str | None, int | None]:
    """Return the state of a process and its start time, in ticks since the boot."""
    stat = _read(f"/proc/{pid}/stat")
    if stat is None:
        return None, None
    fields = stat.rpartition(")")[2].split()
    return fields[_STATE], int(fields[_STARTED])


def _here() -> dict[str, Any]:
    return {
        "host": platform.node(),
        "machine": _read("/etc/machine-id"),
        "boot": _read("/proc/sys/kernel/random/boot_id"),
        "pids": _read_link("/proc/self/ns/pid"),
    }


def _read(path: str) -> str | None:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").strip() or None
    except OSError:
        return None


def _read_link(path: str) -> str | None:
    try:
        return str(Path(path).readlink())
    except OSError:
        return None
