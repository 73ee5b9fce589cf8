"""What the registry loads when the configuration names ``sqlmodel``. Imports no ORM until the backend is opened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from asm_core import BackendSpec, Capability, hookimpl
from asm_core.config import DEFAULT_URL

if TYPE_CHECKING:
    from asm_core import Backend

CAPABILITIES: Final = frozenset(Capability)


@hookimpl
def asm_backend() -> BackendSpec:
    """Describe the SQLModel backend."""
    return BackendSpec(name="sqlmodel", open=_open, capabilities=CAPABILITIES, port_version=1, databases=("SQLite",))


def _open(
    url: str | None,
    *,
    migrate: bool | int,
    busy_timeout: float = 30.0,
    synchronous: str = "full",
    wal_autocheckpoint: int = 1000,
    readers: int = 8,
) -> Backend:
    from asm_backend_sqlmodel.backend import SQLModelBackend  # noqa: PLC0415  only when it is asked for
    from asm_backend_sqlmodel.options import SQLiteOptions  # noqa: PLC0415  only when it is asked for

    options = SQLiteOptions(
        busy_timeout=busy_timeout, synchronous=synchronous, wal_autocheckpoint=wal_autocheckpoint, readers=readers
    )
    return SQLModelBackend.open(DEFAULT_URL if url is None else url, options, migrate=migrate)
