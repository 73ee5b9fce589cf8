"""The descriptions that plugins give of their backends and providers, and their checks."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec

from asm_core.escaping import short_repr
from asm_core.ports.backend import PORT_VERSION, Backend, Capability
from asm_core.ports.provider import AnyProvider, ProviderCapability

if TYPE_CHECKING:
    from enum import StrEnum

Spec = TypeVar("Spec", bound="BackendSpec | ProviderSpec")

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


class ProviderSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A plugin's description of its provider.

    Attributes:
        name: its name in the configuration; the same as that of the entry point.
        open: called as ``open(**options)``; its keyword parameters are the provider's options.
        capabilities: the declared capabilities.
        port_version: the `asm_core.PORT_VERSION` that the provider implements.
        requires: the top-level modules that `open` imports and that can be missing, such as the vendor's SDK.
    """

    name: str
    open: Callable[..., AnyProvider]
    capabilities: frozenset[ProviderCapability]
    port_version: int
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


class ProviderInfo(msgspec.Struct, frozen=True, kw_only=True):
    """An installed provider, as listed by `installed_providers`.

    Attributes:
        status: ``ok``, ``broken`` or ``incompatible``.
        error: why it is not ok.
    """

    name: str
    distribution: str
    version: str
    status: str
    capabilities: tuple[str, ...] = ()
    port_version: int | None = None
    error: str | None = None


def checked_spec(given: object, name: str, wanted: type[Spec], hook: str, capability: type[StrEnum]) -> Spec:
    """Check the description that a plugin gives of the backend or provider `name`, and return it.

    For a plugin of another version of the ports, only name, function and version are checked.

    Raises:
        TypeError: a field has another type, or the name differs.
    """
    kind = wanted.__name__
    if not isinstance(given, wanted):
        message = f"its hook {hook}() returns {short_repr(given)} instead of a {kind} named {short_repr(name)}"
        raise TypeError(message)
    fields: dict[str, Any] = {field: getattr(given, field) for field in wanted.__struct_fields__}
    if type(fields["name"]) is not str or fields["name"] != name:
        message = f"its hook {hook}() returns a {kind} named {short_repr(fields['name'])}, not {short_repr(name)}"
        raise TypeError(message)
    check = partial(_check, kind, fields)
    check("port_version", "asm_core.PORT_VERSION, an integer", ok=type(fields["port_version"]) is int)
    check("open", "a function", ok=callable(fields["open"]))
    texts = [field for field in ("databases", "requires") if field in fields]
    if fields["port_version"] != PORT_VERSION:
        nothing: dict[str, Any] = dict.fromkeys(texts, ())
        return wanted(**{**fields, "capabilities": frozenset(), **nothing})
    declared = fields["capabilities"]
    members = type(declared) in _SETS and all(type(one) is capability for one in declared)
    check("capabilities", f"a frozenset of asm_core.{capability.__name__}", ok=members)
    for field in texts:
        strings = type(fields[field]) is tuple and all(type(one) is str for one in fields[field])
        check(field, "a tuple of strings", ok=strings)
    return wanted(**{**fields, "capabilities": frozenset(declared)})


def _check(kind: str, fields: dict[str, Any], field: str, wanted: str, *, ok: bool) -> None:
    if not ok:
        message = f"its {kind} has the {field} {short_repr(fields[field])} instead of {wanted}"
        raise TypeError(message)
