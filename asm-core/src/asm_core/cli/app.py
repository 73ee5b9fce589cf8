"""The options of `asm` itself, and the exit statuses of errors."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from asm_core.cli.exits import FAILED, INTERRUPTED, NOBODY_READS, STORE_UNAVAILABLE
from asm_core.cli.output import printing
from asm_core.cli.output.streams import be_whole
from asm_core.cli.parsing.options import BackendOption, ConfigOption, Given, StoreOption, UrlOption
from asm_core.errors import AsmError, StorageConnectionError, without_account
from asm_core.escaping import visible

_UsageError: Any = typer.BadParameter.__base__


class AsmGroup(TyperGroup):
    """Turns errors into a message and an exit status."""

    def make_context(self, *arguments: Any, **options: Any) -> Any:
        """Parse the arguments before the command; print the help or the version if they ask for it."""
        with _ending_with_a_status(), _fit_to_be_shown():
            return super().make_context(*arguments, **options)

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        printing.be_printable()
        be_whole()
        printing.guard_streams()
        with _ending_with_a_status(), _fit_to_be_shown():
            return super().invoke(ctx)


@contextmanager
def _ending_with_a_status() -> Iterator[None]:
    """Print what is buffered, and turn an error into a message and an exit status."""
    try:
        try:
            yield
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()
    except AsmError as error:
        printing.note(f"error: {error.message}")
        for one in getattr(error, "__notes__", ()):
            printing.note(f"  {one}")
        status = STORE_UNAVAILABLE if isinstance(error, StorageConnectionError) else FAILED
        raise typer.Exit(status) from None
    except BrokenPipeError:
        printing.abandon_output()
        raise typer.Exit(NOBODY_READS) from None
    except OSError as error:
        place = f": {error.filename}" if error.filename else ""
        printing.note(f"error: {error.strerror or error}{place}")
        raise typer.Exit(FAILED) from None
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None


@contextmanager
def _fit_to_be_shown() -> Iterator[None]:
    """Remove the account of URLs from usage errors, and escape control characters."""
    try:
        yield
    except _UsageError as error:
        is_help = type(error).__name__ == "NoArgsIsHelpError"
        error.message = visible(without_account(error.message), newlines=is_help)
        raise


def _print_version(asked: bool) -> None:  # noqa: FBT001  the signature of Typer's callbacks
    if asked:
        from importlib.metadata import version  # noqa: PLC0415  it costs more than the rest of the start

        printing.line(version("asm-core"))
        raise typer.Exit


def choose_store(
    context: typer.Context,
    *,
    backend: BackendOption = None,
    url: UrlOption = None,
    store: StoreOption = None,
    config: ConfigOption = None,
    show_version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Record, list, show, export and maintain sessions of AI agents.

    The options --backend, --url, --store and --config select the store. They may stand before or after the command.
    Without them, the environment (ASM_BACKEND, ASM_URL, ASM_READ_URL, ASM_STORE) selects it, then a configuration file:
    the one that ASM_CONFIG names, else the nearest asm.toml, or pyproject.toml with a table [tool.asm], in the working
    directory or above it. The default is the installed backend on sqlite:///asm.db.
    """
    del show_version
    context.obj = Given(backend=backend, url=url, store=store, config=config)
