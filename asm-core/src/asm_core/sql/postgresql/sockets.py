"""Leaving connections to a server to the parent, in a child that inherited them.

Two processes that speak on one socket confuse the server, and one that closes it says goodbye for the other. While a
child has it open, the server does not notice either that the parent has died.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Any, Final
from weakref import ref

from asm_core.concurrency.forking import do_first_in_child

_drivers: Final[set[ref[Any]]] = set()


def leave_in_child(driver: Any) -> None:
    """Let each forked child put ``/dev/null`` in the place of this connection's socket, before anything else.

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
