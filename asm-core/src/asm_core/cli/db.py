"""``asm db``: the schema of the store."""

from typing import Annotated

import typer

from asm_core.cli import output
from asm_core.cli.store import Choice, with_choice
from asm_core.errors import MigrationRequiredError
from asm_core.sql import LATEST_VERSION, Dialect, ddl

VersionOption = Annotated[int | None, typer.Option("--to", metavar="VERSION", help="The version to arrive at.")]


@with_choice
def print_status(
    choice: Choice, *, as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False
) -> None:
    """Say which version the store's schema has, and whether it has to be upgraded."""
    version, required = _versions(choice)
    state = "up to date" if version == required else "behind" if version < required else "ahead"
    if as_json:
        output.json_document({"version": version, "required": required, "state": state})
        return
    advice = {"behind": " Run `asm db upgrade`.", "ahead": " Upgrade asm-core."}
    output.line(f"Schema version {version} of {required}: {state}.{advice.get(state, '')}")


@with_choice
def upgrade(choice: Choice, *, to: VersionOption = None) -> None:
    """Bring the schema up to the newest version, or to another."""
    with choice.open(migrate=True if to is None else None) as backend:
        pass


@with_choice
def downgrade(
    choice: Choice,
    *,
    to: Annotated[int, typer.Option("--to", metavar="VERSION", help="The version to arrive at; 0 removes all.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Bring the schema down, which drops what the lower version cannot hold."""


def print_sql(
    *,
    dialect: Annotated[str, typer.Option(metavar="NAME", help=f"One of: {', '.join(Dialect)}.")] = "sqlite",
    start: Annotated[int, typer.Option("--from", metavar="VERSION", help="The version to begin with; 0 is none.")] = 0,
    stop: Annotated[
        int, typer.Option("--to", metavar="VERSION", help="The version to arrive at.", show_default="the newest")
    ] = LATEST_VERSION,
) -> None:
    """Print the SQL between two versions of the schema.

    It leads up or down; no database is needed.
    """
    for statement in ddl(dialect, start=start, stop=stop):
        output.line(f"{statement.rstrip(';')};\n")


def _versions(choice: Choice) -> tuple[int, int]:
    """Return the version that the store's schema has, and the one it should have."""
    try:
        with choice.open() as backend:
            version = backend.schema_version()
            return version, version
    except MigrationRequiredError as error:
        return error.details["current"], error.details["required"]
