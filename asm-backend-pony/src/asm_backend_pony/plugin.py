"""The plugin of the backend ``pony``. It imports no ORM until the backend is opened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from asm_core import BackendSpec, Capability, hookimpl
from asm_core.config import DEFAULT_URL

if TYPE_CHECKING:
    from asm_core import Backend

CAPABILITIES: Final = frozenset(Capability)


@hookimpl
def asm_backend() -> BackendSpec:
    """Describe the Pony backend."""
    return BackendSpec(
        name="pony",
        open=_open,
        capabilities=CAPABILITIES,
        port_version=5,
        databases=("SQLite", "PostgreSQL"),
        requires=("pony",),
    )


def _open(url: str | None, /, *, migrate: bool | int, **options: Any) -> Backend:
    from asm_backend_pony.backend import PonyBackend  # noqa: PLC0415  imported when the backend is opened

    return PonyBackend.open(DEFAULT_URL if url is None else url, migrate=migrate, **options)
