"""``asm db``: the schema of the store."""

from typing import Annotated, NamedTuple

import typer

from asm_core.cli.exits import FAILED
from asm_core.cli.files.database_file import url_of
from asm_core.cli.output import printing
from asm_core.cli.output.documents import json_document
from asm_core.cli.output.progress import shown_work
from asm_core.cli.parsing.confirming import confirm
from asm_core.cli.parsing.store import Choice, with_choice
from asm_core.errors import MigrationRequiredError, StorageConnectionError, ValidationError
from asm_core.ports import Capability, TextIndex
from asm_core.sql import LATEST_VERSION, Dialect, ddl
from asm_core.sql.schema.migrator import check_target
from asm_core.sql.schema.partitions import check_partitions

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
_LOCKED = (
    "A store that is not partitioned yet is locked while its runs and events are copied: until that ends, all other "
    "reads and writes wait. It needs free space for two more copies of them. Event ids are then unique only within a "
    "session. Continue?"
)
_INDEXED = (
    "The texts of all events are indexed, and each append takes longer from then on. On SQLite, other writers wait "
    "while some hundred events are indexed at a time, and each program that writes needs FTS5. On PostgreSQL, the "
    "command waits for open transactions. Continue?"
)
_COMPLETE = " `asm db upgrade --text-search` completes it."
_ADVICE = {"behind": " Run `asm db upgrade`.", "ahead": " Upgrade asm-core."}


@with_choice
def print_status(
    choice: Choice,
    *,
    check: Annotated[bool, typer.Option("--check", help="End with status 1 unless the schema is up to date.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show whether the schema needs an upgrade, and the text index."""
    version, required, index, partitioned = _status(choice)
    state = "up to date" if version == required else "behind" if version < required else "ahead"
    if as_json:
        json_document(
            {
                "version": version,
                "required": required,
                "state": state,
                "text_index": index,
                "partitioned": partitioned,
            }
        )
    else:
        printing.line(f"Schema version {version}; version {required} is required: {state}.{_ADVICE.get(state, '')}")
        if index is not None:
            printing.line(f"Text index: {index}.{_COMPLETE if index == TextIndex.INCOMPLETE else ''}")
        if partitioned:
            printing.line("Runs and events are partitioned: an event id is unique in its session only.")
    if check and version != required:
        raise typer.Exit(FAILED)


@with_choice
def upgrade(
    choice: Choice,
    *,
    to: Annotated[
        int | None, typer.Option("--to", metavar="VERSION", help="The target version; the newest by default.")
    ] = None,
    partitions: Annotated[
        int | None,
        typer.Option("--partitions", metavar="N", help="Partition runs and events by session (PostgreSQL)."),
    ] = None,
    text_search: Annotated[
        bool | None,
        typer.Option("--text-search/--no-text-search", help="Build the index of `asm grep`, or remove it."),
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do not ask for confirmation of --partitions and --text-search.")
    ] = False,
) -> None:
    """Upgrade the schema to the newest version, or to another.

    With --partitions, the runs and events of a PostgreSQL store are partitioned too. With --text-search, texts are
    indexed. A database that does not exist is created. Any number of processes may run this at the same time.
    """
    _check_newest(to, partitions, text_search)
    try:
        before = _versions(choice)[0]
    except StorageConnectionError:
        before = 0  # there is no database yet, or opening it will raise the error
    if to is not None and 0 <= to < before:
        message = f"The schema already has version {before}. To downgrade to {to}, run `asm db downgrade --to {to}`."
        raise ValidationError(message)
    if partitions is not None and before:
        is_file = url_of(choice).startswith(Dialect.SQLITE)
        check_partitions(partitions, Dialect.SQLITE if is_file else Dialect.POSTGRESQL)
        confirm(_LOCKED, yes=yes)
    if text_search and before:
        confirm(_INDEXED, yes=yes)
    with shown_work("Upgrading the schema"):
        options = {} if partitions is None else {"partitions": partitions}
        after = _migrated(choice, True if to is None else to, text_search=text_search, **options)
    _tell(before, after, partitions)
    if text_search is not None:
        printing.line("The store has a text index." if text_search else "The store has no text index.")


@with_choice
def downgrade(
    choice: Choice,
    *,
    to: Annotated[int, typer.Option("--to", metavar="VERSION", help="The target version; 0 removes all tables.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
) -> None:
    """Downgrade the schema to an older version.

    This deletes data that the older version cannot hold, so the command asks for confirmation.
    """
    check_target(to)
    before = _versions(choice)[0]
    if to > before:
        message = f"The schema has version {before}. To upgrade to {to}, run `asm db upgrade --to {to}`."
        raise ValidationError(message)
    if 0 <= to < before:
        confirm(f"Downgrading from version {before} to {to} deletes data. Continue?", yes=yes)
    with shown_work("Downgrading the schema"):
        after = _migrated(choice, to)
    _tell(before, after)


def print_sql(
    *,
    dialect: Annotated[str, typer.Option(metavar="NAME", help=f"One of: {', '.join(Dialect)}.")] = "sqlite",
    start: Annotated[int, typer.Option("--from", metavar="VERSION", help="The start version; 0: no tables.")] = 0,
    stop: Annotated[
        int,
        typer.Option("--to", metavar="VERSION", help="The target version.", show_default="the newest"),
    ] = LATEST_VERSION,
    schema: Annotated[str | None, typer.Option(metavar="NAME", help="The PostgreSQL schema of the tables.")] = None,
) -> None:
    """Print the SQL that migrates from one schema version to another.

    Upgrades and downgrades work without a database.
    """
    for statement in ddl(dialect, start=start, stop=stop, schema=schema):
        for text in f"{statement.rstrip(';')};\n".split("\n"):
            printing.line(text)


def _check_newest(to: int | None, partitions: int | None, text_search: bool | None) -> None:  # noqa: FBT001  as given
    if to is not None and partitions is not None:
        message = "Only the newest schema can be partitioned. Leave --to or --partitions out."
        raise ValidationError(message)
    if to is not None and text_search is not None:
        message = "Only the newest schema can have a text index. Leave --to or --text-search out."
        raise ValidationError(message)


class _Status(NamedTuple):
    """The schema version of the store, the required one, and what is known if these are equal."""

    version: int
    required: int
    text_index: TextIndex | None = None
    partitioned: bool | None = None


def _status(choice: Choice) -> _Status:
    try:
        with choice.open() as backend:
            version = backend.schema_version()
            partitioned = Capability.GLOBAL_EVENT_IDS not in backend.capabilities
            return _Status(version, version, backend.text_index(), partitioned)
    except MigrationRequiredError as error:
        return _Status(error.details["current"], error.details["required"])


def _versions(choice: Choice) -> tuple[int, int]:
    """Return the schema version of the store, and the required version."""
    return _status(choice)[:2]


def _migrated(
    choice: Choice,
    target: bool | int,  # noqa: FBT001  as in `open`
    *,
    text_search: bool | None = None,
    **options: int,
) -> int:
    # One call, so that the schema stays as it is if the options are refused.
    with choice.open(migrate=target, **options) as backend:
        if text_search is not None:
            backend.migrate(text_search=text_search)
        return backend.schema_version()


def _tell(before: int, after: int, partitions: int | None = None) -> None:
    if partitions is not None:
        printing.line(f"The schema has version {after}. Runs and events have {partitions} partitions.")
    elif before == after:
        printing.line(f"The schema already has version {after}. Nothing was changed.")
    else:
        printing.line(f"Migrated the schema from version {before} to {after}.")


commands = typer.Typer(
    help="Show and change the schema of the store.", no_args_is_help=True, rich_markup_mode=None, add_completion=False
)
commands.command("status")(print_status)
commands.command("upgrade")(upgrade)
commands.command("downgrade")(downgrade)
commands.command("sql")(print_sql)
