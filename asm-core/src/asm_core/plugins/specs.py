"""How a plugin describes its backend, and how that is checked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from asm_core.escaping import shown
from asm_core.ports.backend import PORT_VERSION, Backend, Capability

_SETS: Final = (frozenset, set)


class BackendSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What a plugin tells of its backend.

    Attributes:
        name: what it is called in the configuration; the same as the entry point's.
        open: called as ``open(url, migrate=..., **options)``; its keyword parameters are the backend's options.
            `migrate` is False (a schema that is not the newest: MigrationRequiredError), True (bring it to the newest
            first), or the number of a version (bring it there, and take it as it is).
        capabilities: what the backend declares.
        port_version: the `asm_core.PORT_VERSION` that it was written for.
        databases: the databases that it runs on, as a user calls them.
    """

    name: str
    open: Callable[..., Backend]
    capabilities: frozenset[Capability]
    port_version: int
    databases: tuple[str, ...] = ()


class BackendInfo(msgspec.Struct, frozen=True, kw_only=True):
    """An installed backend, as a listing shows it.

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
    """Return the description of the backend `name` that its plugin gives, each field of its type.

    Of a backend for other ports, nothing but name, function and version is taken.

    Raises:
        TypeError: a field is not of its type, or the name is another.
    """
    if not isinstance(given, BackendSpec):
        message = f"its hook asm_backend() gives {shown(given)} where a BackendSpec named {shown(name)} should be"
        raise TypeError(message)
    fields: dict[str, Any] = {field: getattr(given, field) for field in BackendSpec.__struct_fields__}
    if type(fields["name"]) is not str or fields["name"] != name:
        message = f"its hook asm_backend() gives a BackendSpec named {shown(fields['name'])}, not {shown(name)}"
        raise TypeError(message)
    _check(fields, "port_version", "asm_core.PORT_VERSION, an integer", ok=type(fields["port_version"]) is int)
    _check(fields, "open", "a function", ok=callable(fields["open"]))
    if fields["port_version"] != PORT_VERSION:
        return BackendSpec(**{**fields, "capabilities": frozenset(), "databases": ()})
    declared, databases = fields["capabilities"], fields["databases"]
    members = type(declared) in _SETS and all(type(one) is Capability for one in declared)
    _check(fields, "capabilities", "a frozenset of asm_core.Capability", ok=members)
    strings = type(databases) is tuple and all(type(one) is str for one in databases)
    _check(fields, "databases", "a tuple of strings", ok=strings)
    return BackendSpec(**{**fields, "capabilities": frozenset(declared)})


def _check(fields: dict[str, Any], field: str, wanted: str, *, ok: bool) -> None:
    if not ok:
        message = f"its BackendSpec has the {field} {shown(fields[field])} where {wanted} should be"
        raise TypeError(message)
