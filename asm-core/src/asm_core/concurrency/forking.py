"""Callbacks in a forked child, for objects that must be renewed before their next use."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Protocol
from weakref import ref

if TYPE_CHECKING:
    from collections.abc import Callable


class Inherited(Protocol):
    """An object that a child must renew, because another thread of the parent may have held it."""

    def after_fork(self) -> None:
        """Replace locks, and release resources of the parent. Called in the child, which has only this thread."""


_objects: set[ref[Inherited]] = set()
_first: list[Callable[[], None]] = []


def renew_in_child(inherited: Inherited) -> None:
    """Call `after_fork` of an object in each child, while the object exists."""
    # Each of these calls is one step, because another thread may fork in between.
    _objects.add(ref(inherited, _objects.discard))


def do_first_in_child(work: Callable[[], None]) -> None:
    """Call `work` in each child before `after_fork` of any object."""
    _first.append(work)


def _renew() -> None:
    failed: BaseException | None = None
    renewals = [inherited.after_fork for reference in list(_objects) if (inherited := reference()) is not None]
    for renew in [*_first, *renewals]:
        try:
            renew()
        except BaseException as error:  # noqa: BLE001  the other objects must be renewed anyway
            failed = error
    if failed is not None:
        raise failed  # Python prints it


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)
