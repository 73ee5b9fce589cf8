"""``asm health`` and ``asm backends``."""

from typing import Annotated

import msgspec
import typer

from asm_core.cli import output
from asm_core.cli.exits import FAILED
from asm_core.cli.store import with_backend
from asm_core.cli.text import visible
from asm_core.plugins import installed_backends
from asm_core.ports import Backend

COLUMNS = ("name", "status", "distribution", "version", "ports", "databases", "capabilities", "error")

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@with_backend()
def check_health(backend: Backend, *, as_json: JsonOption = False) -> None:
    """Check that the store does not contradict itself.

    Prints "healthy", or what is wrong, a line each, and ends with status 1.
    """
    faults = backend.maintenance.health_check()
    if as_json:
        output.json_document({"healthy": not faults, "faults": faults})
    else:
        for fault in faults or ["healthy"]:
            output.line(visible(fault))
    if faults:
        raise typer.Exit(FAILED)


def list_backends(*, as_json: JsonOption = False) -> None:
    """List the installed backends, broken ones too."""
    backends = installed_backends()
    if as_json:
        output.json_array(msgspec.to_builtins(info) for info in backends)
        return
    rows = [
        (
            info.name,
            info.status,
            info.distribution,
            info.version,
            "-" if info.port_version is None else str(info.port_version),
            " ".join(info.databases) or "-",
            " ".join(info.capabilities) or "-",
            info.error or "-",
        )
        for info in backends
    ]
    output.table(COLUMNS, rows)
