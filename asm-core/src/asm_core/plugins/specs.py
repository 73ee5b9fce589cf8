"""The description that a plugin gives of its backend, and its checks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from asm_core.escaping import short_repr
from asm_core.ports.backend import PORT_VERSION, Backend, Capability

_SETS: Final = (frozenset, set)


class BackendSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A plugin's description of its backend.

    Attributes:
        name: its name in the configuration; the same as that of the entry point.
        open: called as ``open(url, migrate=..., **options)``; its keyword parameters are the backend's options.
            `migrate` is False (raise MigrationRequiredError unless the schema is the newest), True (upgrade first), or
            a version (migrate to it, and open at it).
        capabilities: the declared capabilities.
        port_version: the `asm_core.PORT_VERSION` that the backend implements.
        databases: the supported databases, by their usual names.
        requires: the top-level modules that `open` imports and that can be missing, such as the ORM.
    """

    name: str
    open: Callable[..., Backend]
    capabilities: frozenset[Capability]
    port_version: int
    databases: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()


class BackendInfo(msgspec.Struct, frozen=True, kw_only=True):
    """An installed backend, as listed by `installed_backends`.

    Attributes:
        status: ``ok``, ``broken`` or ``incompatible``.
        error: why it is not ok.
    """

    name: str
    distribution: str
    version: str
    status: str
    databases: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()
    port_version: int | None = None
    error: str | None = None


def checked_spec(given: object, name: str) -> BackendSpec:
    """Check the description that a plugin gives of the backend `name`, and return it.

    For a backend of another version of the ports, only name, function and version are checked.

    Raises:
        TypeError: a field has another type, or the name differs.
    """
    if not isinstance(given, BackendSpec):
        message = (
            f"its hook asm_backend() returns {short_repr(given)} instead of a BackendSpec named {short_repr(name)}"
        )
        raise TypeError(message)
    fields: dict[str, Any] = {field: getattr(given, field) for field in BackendSpec.__struct_fields__}
    if type(fields["name"]) is not str or fields["name"] != name:
        message = (
            f"its hook asm_backend() returns a BackendSpec named {short_repr(fields['name'])}, not {short_repr(name)}"
        )
        raise TypeError(message)
    _check(fields, "port_version", "asm_core.PORT_VERSION, an integer", ok=type(fields["port_version"]) is int)
    _check(fields, "open", "a function", ok=callable(fields["open"]))
    if fields["port_version"] != PORT_VERSION:
        return BackendSpec(**{**fields, "capabilities": frozenset(), "databases": (), "requires": ()})
    declared = fields["capabilities"]
    members = type(declared) in _SETS and all(type(one) is Capability for one in declared)
    _check(fields, "capabilities", "a frozenset of asm_core.Capability", ok=members)
    for field in ("databases", "requires"):
        strings = type(fields[field]) is tuple and all(type(one) is str for one in fields[field])
        _check(fields, field, "a tuple of strings", ok=strings)
    return BackendSpec(**{**fields, "capabilities": frozenset(declared)})


def _check(fields: dict[str, Any], field: str, wanted: str, *, ok: bool) -> None:
    if not ok:
        message = f"its BackendSpec has the {field} {short_repr(fields[field])} instead of {wanted}"
        raise TypeError(message)
