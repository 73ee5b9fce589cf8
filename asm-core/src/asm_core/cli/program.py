"""The application with all its commands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from asm_core.cli.app import app
from asm_core.cli.commands.backends import list_backends, list_providers
from asm_core.cli.commands.changes import (
    change_tags,
    delete_session,
    erase_user,
    fork_session,
    set_title,
    undelete_session,
)
from asm_core.cli.commands.chat import ask_model, chat_with_model
from asm_core.cli.commands.db import downgrade, print_sql, print_status, upgrade
from asm_core.cli.commands.files import export_to_file, import_from_file
from asm_core.cli.commands.health import check_health
from asm_core.cli.commands.maintain import maintain_store
from asm_core.cli.commands.output import print_output
from asm_core.cli.commands.run import run_command
from asm_core.cli.commands.sessions import list_sessions
from asm_core.cli.commands.show import show_session
from asm_core.cli.commands.stores import back_up, copy_to_store
from asm_core.cli.commands.tail import tail_session
from asm_core.cli.commands.usage import sum_up_usage

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["app", "start"]

# Everything after the program's name belongs to the program, even if it looks like an option.
app.command("run", context_settings={"allow_interspersed_args": False})(run_command)
app.command("ask")(ask_model)
app.command("chat")(chat_with_model)
app.command("sessions")(list_sessions)
app.command("show")(show_session)
app.command("tail")(tail_session)
app.command("output")(print_output)
app.command("usage")(sum_up_usage)
app.command("title")(set_title)
app.command("tag")(change_tags)
app.command("fork")(fork_session)
app.command("delete")(delete_session)
app.command("undelete")(undelete_session)
app.command("erase")(erase_user)
app.command("export")(export_to_file)
app.command("import")(import_from_file)
app.command("copy")(copy_to_store)
app.command("backup")(back_up)
app.command("maintain")(maintain_store)
app.command("health")(check_health)
app.command("backends")(list_backends)
app.command("providers")(list_providers)

db = typer.Typer(help="Show and change the schema of the store.", no_args_is_help=True, rich_markup_mode=None)
db.command("status")(print_status)
db.command("upgrade")(upgrade)
db.command("downgrade")(downgrade)
db.command("sql")(print_sql)
app.add_typer(db, name="db")


def start(arguments: Sequence[str] | None = None) -> int:
    """Run the program with these arguments (default: `sys.argv`) and return its exit status."""
    try:
        app(args=None if arguments is None else list(arguments), prog_name="asm")
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    return 0
