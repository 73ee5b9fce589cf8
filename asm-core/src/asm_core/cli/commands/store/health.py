"""``asm health``."""

from typing import Annotated

import typer

from asm_core.cli.exits import FAILED
from asm_core.cli.output import printing
from asm_core.cli.output.documents import json_document
from asm_core.cli.parsing.store import with_backend
from asm_core.ports import Backend

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@with_backend
def check_health(backend: Backend, *, as_json: JsonOption = False) -> None:
    """Check the consistency of the store.

    Prints "healthy", or one line for each fault and ends with status 1.
    """
    faults = backend.maintenance.health_check()
    if as_json:
        json_document({"healthy": not faults, "faults": faults})
    else:
        for fault in faults or ["healthy"]:
            printing.line(fault)
    if faults:
        raise typer.Exit(FAILED)
