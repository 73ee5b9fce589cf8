"""``asm state``: records of state."""

import itertools
import sys
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Final

import typer

from asm_core.cli.output import printing, tables
from asm_core.cli.output.documents import json_array, json_document
from asm_core.cli.output.text import json_lines, json_text, moment
from asm_core.cli.parsing.confirming import YesOption, confirm, note_erasure
from asm_core.cli.parsing.store import with_backend
from asm_core.errors import NotFoundError
from asm_core.escaping import short_repr
from asm_core.models import StateRecord
from asm_core.ports import Backend
from asm_core.querying.pages import all_items

COLUMNS: Final = ("key", "revision", "updated", "expires", "value")
_PAGE: Final = 500
_LONGEST_KEY: Final = 40
"""Characters of a key that a table on a terminal shows."""
_LONGEST_VALUE: Final = 1_000
"""Characters of a value that are prepared for a table on a terminal."""

NamespaceArgument = Annotated[str, typer.Argument(metavar="NAMESPACE", help="The namespace of the records.")]
KeyArgument = Annotated[str, typer.Argument(metavar="KEY", help="The key of the record.")]
LimitOption = Annotated[int, typer.Option("--limit", "-n", min=1, metavar="N", help="The largest number of lines.")]
AllOption = Annotated[bool, typer.Option("--all", help="List all.")]
ArrayOption = Annotated[bool, typer.Option("--json", help="Print a JSON array.")]


@with_backend
def list_namespaces(
    backend: Backend,
    prefix: Annotated[str, typer.Argument(metavar="PREFIX", help="The beginning of the namespaces.")] = "",
    *,
    limit: LimitOption = 50,
    everything: AllOption = False,
    as_json: ArrayOption = False,
) -> None:
    """List the namespaces that have records, sorted by name."""
    found = all_items(backend.state_store.list_namespaces, prefix=prefix, limit=_PAGE)
    names = _first(found, None if everything else limit)
    if as_json:
        json_array(names)
        return
    count = 0
    for count, name in enumerate(printing.begun(names), 1):  # noqa: B007  the number of the last one
        printing.line(name)
    if not count:
        printing.note("There are no records of state" + (f" in namespaces {short_repr(prefix)}…." if prefix else "."))


@with_backend
def list_records(
    backend: Backend,
    namespace: NamespaceArgument,
    prefix: Annotated[str, typer.Argument(metavar="PREFIX", help="The beginning of the keys.")] = "",
    *,
    limit: LimitOption = 50,
    everything: AllOption = False,
    as_json: ArrayOption = False,
) -> None:
    """List the records of a namespace, sorted by key.

    The value is JSON. Only a terminal cuts long keys and values. Records that have expired are not listed.
    """
    found = all_items(backend.state_store.list, namespace=namespace, prefix=prefix, limit=_PAGE)
    records = _first(found, None if everything else limit)
    if as_json:
        json_array(record.to_dict() for record in records)
    elif printing.on_terminal():
        for is_first, page in tables.parts(records):
            if page:
                rows = [_cells(record, most=_LONGEST_VALUE) for record in page]
                tables.draw(COLUMNS, rows, right=("revision",), most={"key": _LONGEST_KEY}, rest="value")
            elif is_first:
                printing.note(f"There are no records in {short_repr(namespace)}. `asm state namespaces` lists others.")
    else:
        tables.table(COLUMNS, (_cells(record) for record in records))


@with_backend
def show_record(
    backend: Backend,
    namespace: NamespaceArgument,
    key: KeyArgument,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object, with all fields.")] = False,
) -> None:
    """Show the value of a record as JSON."""
    record = _found(backend, namespace, key)
    if as_json:
        json_document(record.to_dict())
    elif printing.on_terminal():
        printing.facts(list(_facts(record)))
        sys.stdout.write(f"\n{json_lines(record.value)}\n")
    else:
        json_document(record.value)


@with_backend
def delete_record(backend: Backend, namespace: NamespaceArgument, key: KeyArgument, *, yes: YesOption = False) -> None:
    """Delete a record, after a confirmation. This cannot be undone."""
    record = _found(backend, namespace, key)
    name = f"the record {short_repr(key)} of {short_repr(namespace)}"
    confirm(f"Remove {name}, revision {record.revision}, permanently?", yes=yes)
    backend.state_store.delete(namespace, key, expected_revision=record.revision)
    printing.line(f"Removed {name} permanently.")
    note_erasure(is_finished=backend.maintenance.finish_erasure())


def _found(backend: Backend, namespace: str, key: str) -> StateRecord:
    record = backend.state_store.get(namespace, key)
    if record is None:
        message = (
            f"There is no record {short_repr(key)} in {short_repr(namespace)}. `asm state list` lists its records."
        )
        raise NotFoundError(message, details={"namespace": namespace, "key": key})
    return record


def _first(found: Iterable[Any], limit: int | None) -> Iterator[Any]:
    return itertools.islice(found, None if limit is None else min(limit, sys.maxsize))


def _facts(record: StateRecord) -> Iterator[tuple[str, str]]:
    yield "namespace", record.namespace
    yield "key", record.key
    yield "revision", str(record.revision)
    yield "created", moment(record.created_at)
    yield "updated", moment(record.updated_at)
    if record.expires_at is not None:
        yield "expires", moment(record.expires_at)


def _cells(record: StateRecord, most: int | None = None) -> tuple[str, ...]:
    expires = "-" if record.expires_at is None else moment(record.expires_at)
    return record.key, str(record.revision), moment(record.updated_at), expires, json_text(record.value)[:most]


commands = typer.Typer(
    help="List, show and delete records of state.", no_args_is_help=True, rich_markup_mode=None, add_completion=False
)
commands.command("namespaces")(list_namespaces)
commands.command("list")(list_records)
commands.command("show")(show_record)
commands.command("delete")(delete_record)
