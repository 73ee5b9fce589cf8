"""The plugin of the backend ``memory``."""

from __future__ import annotations

from asm_core.errors import ValidationError
from asm_core.plugins import BackendSpec, hookimpl
from asm_core.ports.backend import PORT_VERSION, Backend, Capability


@hookimpl
def asm_backend() -> BackendSpec:
    """Describe the in-memory backend."""
    return BackendSpec(
        name="memory",
        open=_open,
        capabilities=frozenset({Capability.TRANSACTIONS, Capability.BIND, Capability.GLOBAL_EVENT_IDS}),
        port_version=PORT_VERSION,
        databases=("memory",),
    )


def _open(url: str | None, *, migrate: bool | int) -> Backend:  # noqa: ARG001  there is no schema to migrate
    from asm_core.memory import MemoryBackend  # noqa: PLC0415  imported when the backend is opened

    if url not in {None, "memory://"}:
        message = "The memory backend takes no url except memory://."
        raise ValidationError(message)
    return MemoryBackend()
