"""Commands that are imported when they are called. Lists and completions of commands need their help lines only."""

from __future__ import annotations

from functools import cached_property
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand
from typer.main import get_command


class LazyCommand(TyperCommand):
    """A command that is imported when it is called.

    Attributes:
        place: its module in `asm_core.cli.commands`, and its name there: a function, or a `typer.Typer` of commands.
    """

    def __init__(self, name: str, place: str, line: str, **settings: Any) -> None:
        """Describe a command.

        Args:
            name: how it is called.
            place: the module and the name in it, as ``"store.db:commands"``.
            line: the first sentence of its help.
            **settings: its context settings.
        """
        super().__init__(name, help=line, rich_markup_mode=None)
        self.place = place
        self._settings = settings

    @cached_property
    def loaded(self) -> Any:
        """The command itself."""
        module, _, attribute = self.place.partition(":")
        found = getattr(import_module(f"{__package__}.commands.{module}"), attribute)
        if not isinstance(found, typer.Typer):
            command, found = found, typer.Typer(rich_markup_mode=None, add_completion=False)
            found.command(self.name, context_settings=self._settings)(command)
        made = get_command(found)
        made.name = self.name
        return made

    def make_context(self, *arguments: Any, **options: Any) -> Any:
        """Parse the arguments of the command itself."""
        return self.loaded.make_context(*arguments, **options)
