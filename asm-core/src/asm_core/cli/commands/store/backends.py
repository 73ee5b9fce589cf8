"""``asm backends`` and ``asm providers``."""

import json
from typing import Annotated, Any, Final

import msgspec
import typer

from asm_core.cli.isolation import EndedEarlyError, call_isolated, can_isolate
from asm_core.cli.output import printing, tables
from asm_core.cli.output.documents import json_array
from asm_core.plugins.discovery import Offer
from asm_core.plugins.loading import Kind
from asm_core.plugins.providers import PROVIDERS
from asm_core.plugins.registry import BACKENDS

COLUMNS = ("name", "status", "distribution", "version", "ports", "databases", "capabilities", "error")
_WIDE_FROM: Final = 100
"""Columns of a terminal that has room for all columns of the table."""
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def list_backends(*, as_json: AsJson = False) -> None:
    """List the installed backends, broken ones too.

    Each backend is loaded in a separate process, so that a broken one cannot affect the list.
    """
    _print(BACKENDS, COLUMNS, as_json=as_json)


def list_providers(*, as_json: AsJson = False) -> None:
    """List the installed providers of models, broken ones too.

    Each provider is loaded in a separate process, so that a broken one cannot affect the list.
    """
    _print(PROVIDERS, tuple(column for column in COLUMNS if column != "databases"), as_json=as_json)


def _print(kind: Kind[Any, Any], columns: tuple[str, ...], *, as_json: bool) -> None:
    found = [msgspec.to_builtins(info) for info in _look_at_all(kind)]
    if as_json:
        json_array(iter(found))
        return
    if printing.on_terminal() and printing.console().width < _WIDE_FROM:
        unused = {"ports"} if any(info["error"] for info in found) else {"ports", "error"}
        columns = tuple(column for column in columns if column not in unused)
    if not found and printing.on_terminal():
        printing.note("None is installed.")
        return
    rows = [{**info, "ports": info["port_version"]} for info in found]
    tables.table(columns, [tuple(_cell(row[column]) for column in columns) for row in rows])


def _cell(value: Any) -> str:
    return " ".join(value) or "-" if isinstance(value, list | tuple) else "-" if value in {None, ""} else str(value)


def _look_at_all(kind: Kind[Any, Any]) -> list[Any]:
    if not can_isolate():
        return kind.listed()
    offers = kind.offers()
    return [_look_at(kind, offer, offers) for offer in offers]


def _look_at(kind: Kind[Any, Any], offer: Offer, offers: list[Offer]) -> Any:
    def look() -> bytes:
        # ASCII, because a name may hold what UTF-8 cannot encode.
        return json.dumps(msgspec.to_builtins(kind.describe(offer, offers))).encode()

    try:
        return msgspec.convert(json.loads(call_isolated(look)), kind.info)
    except EndedEarlyError as error:
        return kind.failed(offer, "broken", kind.cannot_load(offer, str(error)))
    except (ValueError, msgspec.ValidationError):
        return kind.failed(offer, "broken", kind.cannot_load(offer, "its output corrupted the answer"))
