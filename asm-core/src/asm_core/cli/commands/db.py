"""``asm db``: the schema of the store."""

from typing import Annotated

import typer

from asm_core.cli.output import printing
from asm_core.cli.store import Choice, with_choice
from asm_core.errors import MigrationRequiredError, StorageConnectionError, ValidationError
from asm_core.sql import LATEST_VERSION, Dialect, ddl

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
_ADVICE = {"behind": " Run `asm db upgrade`.", "ahead": " Upgrade asm-core."}


@with_choice
def print_status(choice: Choice, *, as_json: JsonOption = False) -> None:
    """Say which version the store's schema has, and whether it has to be upgraded."""
    version, required = _versions(choice)
    state = "up to date" if version == required else "behind" if version < required else "ahead"
    if as_json:
        printing.json_document({"version": version, "required": required, "state": state})
    else:
        printing.line(f"Schema version {version}, and {required} is needed: {state}.{_ADVICE.get(state, '')}")


@with_choice
def upgrade(
    choice: Choice,
    *,
    to: Annotated[
        int | None, typer.Option("--to", metavar="VERSION", help="Up to this version; else the newest.")
    ] = None,
) -> None:
    """Bring the schema up to the newest version, or to another.

    A database that does not exist is made. Any number of processes may do so at once.
    """
    try:
        before = _versions(choice)[0]
    except StorageConnectionError:
        before = 0  # nothing is there yet, or opening it says what is wrong
    if to is not None and to < before:
        message = f"The schema has version {before} already. To go down to {to}, run `asm db downgrade --to {to}`."
        raise ValidationError(message)
    with choice.open(migrate=True if to is None else to) as backend:
        _tell(before, backend.schema_version())


@with_choice
def downgrade(
    choice: Choice,
    *,
    to: Annotated[int, typer.Option("--to", metavar="VERSION", help="Down to this version; 0 removes all tables.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Bring the schema down.

    That drops what the lower version cannot hold, so it asks first.
    """
    before = _versions(choice)[0]
    if to > before:
        message = f"The schema has version {before}. To go up to {to}, run `asm db upgrade --to {to}`."
        raise ValidationError(message)
    if to < before and not yes:
        typer.confirm(f"Going down from version {before} to {to} drops data for good. Go on?", abort=True, err=True)
    with choice.open(migrate=to) as backend:
        _tell(before, backend.schema_version())


def print_sql(
    *,
    dialect: Annotated[str, typer.Option(metavar="NAME", help=f"One of: {', '.join(Dialect)}.")] = "sqlite",
    start: Annotated[int, typer.Option("--from", metavar="VERSION", help="The version to begin with; 0 is none.")] = 0,
    stop: Annotated[
        int, typer.Option("--to", metavar="VERSION", help="The version to arrive at.", show_default="the newest")
    ] = LATEST_VERSION,
    schema: Annotated[
        str | None, typer.Option(metavar="NAME", help="The schema of PostgreSQL in which the tables stand.")
    ] = None,
) -> None:
    """Print the SQL between two versions of the schema.

    It leads up or down; no database is needed.
    """
    for statement in ddl(dialect, start=start, stop=stop, schema=schema):
        for text in f"{statement.rstrip(';')};\n".split("\n"):
            printing.line(text)


def _versions(choice: Choice) -> tuple[int, int]:
    """Return the version that the store's schema has, and the one it should have."""
    try:
        with choice.open() as backend:
            version = backend.schema_version()
            return version, version
    except MigrationRequiredError as error:
        return error.details["current"], error.details["required"]


def _tell(before: int, after: int) -> None:
    if before == after:
        printing.line(f"The schema has version {after} already; nothing was changed.")
    else:
        printing.line(f"The schema went from version {before} to {after}.")
