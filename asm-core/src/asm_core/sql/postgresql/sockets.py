"""Disconnection of inherited server connections, in a forked child.

Two processes on one socket break the protocol, and closing it in one process ends the session of the other. While a
child has the socket open, the server does not detect the death of the parent.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Any, Final
from weakref import ref

from asm_core.concurrency.forking import do_first_in_child

_drivers: Final[set[ref[Any]]] = set()


def leave_in_child(driver: Any) -> None:
    """In each forked child, replace this connection's socket by ``/dev/null`` before anything else.

    Args:
        driver: a connection of psycopg 3 or psycopg2.
    """
    _drivers.add(ref(driver, _drivers.discard))


def _cut_off() -> None:
    drivers = [driver for reference in list(_drivers) if (driver := reference()) is not None]
    if not drivers:
        return
    _drivers.clear()
    null = os.open(os.devnull, os.O_RDONLY)
    for driver in drivers:
        with suppress(Exception):  # it is closed
            os.dup2(null, driver.fileno(), inheritable=False)
    os.close(null)


do_first_in_child(_cut_off)
