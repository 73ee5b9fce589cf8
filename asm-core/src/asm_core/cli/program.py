"""The application with all its commands."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

import typer

from asm_core.cli.app import AsmGroup, choose_store
from asm_core.cli.completion import complete_installation
from asm_core.cli.lazy import LazyCommand

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["COMMANDS", "app", "start"]

_LISTED: Final = (
    ("ask", "chat:ask_model", "Ask a model one question, and record the answer in a session."),
    ("chat", "chat:chat_with_model", "Talk to a model, and record the conversation in a session."),
    ("sessions", "sessions:list_sessions", "List sessions, newest first."),
    ("show", "show:show_session", "Show a session: what it is, and its events."),
    ("tail", "tail:tail_session", "Show the last events of a session, and follow it."),
    ("output", "output:print_output", "Print what the command of a session printed, byte for byte."),
    ("grep", "grep:search_text", "Search the texts of all sessions for words, newest first."),
    ("usage", "usage:sum_up_usage", "Show tokens and costs of runs by group."),
    ("title", "changes:set_title", "Set the title of a session."),
    ("tag", "changes:change_tags", "Add tags to a session, and remove others."),
    ("fork", "changes:fork_session", "Make a session that begins with the events of another."),
    ("delete", "changes:delete_session", "Delete a session."),
    ("undelete", "changes:undelete_session", "Restore a deleted session."),
    ("erase", "changes:erase_user", "Remove all sessions and state of a user permanently."),
    ("export", "store.files:export_to_file", "Export a session to a file, or the whole store to a directory."),
    ("import", "store.imports:import_from_file", "Import a file or a directory that was exported."),
    ("copy", "store.stores:copy_to_store", "Copy all sessions and all state from one store to another."),
    ("backup", "store.stores:back_up", "Copy the SQLite database to a file while it is in use."),
    ("state", "store.state:commands", "List, show and delete records of state."),
    ("maintain", "store.maintain:maintain_store", "Delete, archive and prune old sessions and events."),
    ("health", "store.health:check_health", "Check the consistency of the store."),
    ("backends", "store.backends:list_backends", "List the installed backends."),
    ("providers", "store.backends:list_providers", "List the installed providers of models."),
    ("db", "store.db:commands", "Show and change the schema of the store."),
)

COMMANDS: Final = (
    # Everything after the program's name belongs to the program, even if it looks like an option.
    LazyCommand("run", "run:run_command", "Run a command and record it as a session.", allow_interspersed_args=False),
    *(LazyCommand(name, place, line) for name, place, line in _LISTED),
)
"""All commands. None is imported before it is called."""


class Program(AsmGroup):
    """The group of all commands."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**{**settings, "commands": {command.name: command for command in COMMANDS}})


app = typer.Typer(
    name="asm",
    cls=Program,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.callback()(choose_store)


def start(arguments: Sequence[str] | None = None) -> int:
    """Run the program with these arguments (default: `sys.argv`) and return its exit status."""
    try:
        app(args=None if arguments is None else list(arguments), prog_name="asm")
    except SystemExit as ended:
        complete_installation(sys.argv[1:] if arguments is None else arguments)
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    return 0
