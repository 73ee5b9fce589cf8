"""``asm backends``."""

import json
from typing import Annotated

import msgspec
import typer

from asm_core.cli.isolation import EndedEarlyError, call_isolated, can_isolate
from asm_core.cli.output import printing
from asm_core.plugins.discovery import Offer, find_offers
from asm_core.plugins.registry import cannot_load, describe, failed, installed_backends
from asm_core.plugins.specs import BackendInfo

COLUMNS = ("name", "status", "distribution", "version", "ports", "databases", "capabilities", "error")


def list_backends(*, as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List the installed backends, broken ones too.

    Each backend is loaded in a separate process, so that a broken one cannot affect the list.
    """
    backends = _look_at_all()
    if as_json:
        printing.json_array(msgspec.to_builtins(info) for info in backends)
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
    printing.table(COLUMNS, rows)


def _look_at_all() -> list[BackendInfo]:
    if not can_isolate():
        return installed_backends()
    offers = find_offers()
    return [_look_at(offer, offers) for offer in offers]


def _look_at(offer: Offer, offers: list[Offer]) -> BackendInfo:
    def look() -> bytes:
        # ASCII, because a name may hold what UTF-8 cannot encode.
        return json.dumps(msgspec.to_builtins(describe(offer, offers))).encode()

    try:
        return msgspec.convert(json.loads(call_isolated(look)), BackendInfo)
    except EndedEarlyError as error:
        return failed(offer, "broken", cannot_load(offer, str(error)))
    except (ValueError, msgspec.ValidationError):
        return failed(offer, "broken", cannot_load(offer, "its output corrupted the answer"))
