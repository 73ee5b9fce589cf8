"""Modules that a backend imports and that can be missing: its ORM and its driver."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from asm_core.errors import DependencyNotAvailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection


def check_installed(*modules: str, user: str, distribution: str) -> None:
    """Check that top-level modules can be imported, without importing them.

    Args:
        *modules: their names.
        user: what needs them, as the message names it.
        distribution: what to install, as ``asm-backend-pony[postgresql]``.

    Raises:
        DependencyNotAvailableError: one is not installed.
    """
    for module in modules:
        if find_spec(module) is None:
            quoted = f"'{distribution}'" if "[" in distribution else distribution
            message = f"{user} needs {module}, which is not installed. Install it: pip install {quoted}"
            raise DependencyNotAvailableError(message)


def lazy_names(package: str, names: Collection[str], *, modules: Collection[str], needs: str) -> Callable[[str], Any]:
    """Return the ``__getattr__`` of a backend's package, which imports its modules when a name is used.

    The plugin is in the package too, and listing it must import no ORM.

    Args:
        package: the package, ``__name__``.
        names: the public names, ``__all__``.
        modules: the modules of the package that have them.
        needs: the top-level module of the ORM; the message for a missing one names the package's distribution.
    """

    def get(name: str) -> Any:
        if name not in names:
            message = f"module {package!r} has no attribute {name!r}"
            raise AttributeError(message)
        check_installed(needs, user=f"{package}.{name}", distribution=package.replace("_", "-"))
        found = [vars(import_module(f"{package}.{module}")) for module in modules]
        return next(one[name] for one in found if name in one)

    return get
