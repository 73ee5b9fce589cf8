"""Selection of the store: `--backend`, `--url`, `--store` and `--config`, before or after the command."""

import functools
import inspect
import shlex
from collections.abc import Callable
from typing import Any, Final

import msgspec
import typer

from asm_core.cli.parsing.options import BackendOption, ConfigOption, Given, StoreOption, UrlOption
from asm_core.config.stores import DEFAULT_URL, StoreConfig
from asm_core.errors import StorageError
from asm_core.plugins import open_store, resolve_store
from asm_core.ports import Backend

_SOURCES: Final = {
    "argument": "was given on the command line",
    "ASM_URL": "comes from the environment variable ASM_URL",
    "default": "is the default, because none was given: not by --url, ASM_URL or asm.toml",
}
_OPTIONS = {"backend": BackendOption, "url": UrlOption, "store": StoreOption, "config": ConfigOption}


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """The store options of the command line; None means the environment, a file or the default."""

    backend: str | None = None
    url: str | None = None
    store: str | None = None
    config: str | None = None

    def open(self, *, migrate: bool | int = False, **options: Any) -> Backend:
        """Open the store; `migrate` is passed to `open_store`, and so are `options`, before those of the configuration.

        Raises:
            StorageError: it cannot be opened; a note has its URL, and the source of that.
        """
        store = self.resolve(options)
        try:
            return open_store(store, migrate=migrate)
        except StorageError as error:
            source = _SOURCES.get(store.url_source, f"comes from {store.url_source}")
            error.add_note(f"The URL {store.url or DEFAULT_URL} {source}.")
            raise

    def resolve(self, options: dict[str, Any] | None = None) -> StoreConfig:
        """Return the store to open."""
        return resolve_store(self.backend, url=self.url, store=self.store, config=self.config, options=options)

    def call(self, *arguments: str) -> str:
        """Return the command line of another command on the same store."""
        given = {name: getattr(self, name) for name in self.__struct_fields__}
        options = [word for name, value in given.items() if value for word in (f"--{name}", value)]
        return shlex.join(("asm", *options, *arguments))

    def at(self, place: str) -> "Choice":
        """Return the choice of another store, by its URL or its name in the configuration."""
        if ":" in place:
            return Choice(backend=self.backend, url=place, config=self.config)
        return Choice(store=place, config=self.config)


def chosen(context: typer.Context, given: Choice) -> Choice:
    """Return the options after the command, completed by those before it."""
    before = context.find_object(Given) or Given()
    return Choice(
        backend=given.backend or before.backend,
        url=given.url or before.url,
        store=given.store or before.store,
        config=given.config or before.config,
    )


def with_choice(command: Callable[..., None]) -> Callable[..., None]:
    """Add these options to a command, and call it with a `Choice` and its own arguments."""

    @functools.wraps(command)
    def run(
        context: typer.Context,
        *,
        backend: str | None,
        url: str | None,
        store: str | None,
        config: str | None,
        **arguments: object,
    ) -> None:
        command(chosen(context, Choice(backend=backend, url=url, store=store, config=config)), **arguments)

    return _with_parameters(run, command)


def with_backend(command: Callable[..., None]) -> Callable[..., None]:
    """Add these options to a command, and call it with the open store and its own arguments."""

    @functools.wraps(command)
    def opening(choice: Choice, **arguments: object) -> None:
        with choice.open() as opened:
            command(opened, **arguments)

    return with_choice(opening)


def _with_parameters(run: Callable[..., None], command: Callable[..., None]) -> Callable[..., None]:
    # Typer derives a command's options from its signature.
    kind = inspect.Parameter.KEYWORD_ONLY
    own = list(inspect.signature(command).parameters.values())[1:]
    added = [inspect.Parameter(name, kind, default=None, annotation=option) for name, option in _OPTIONS.items()]
    context = inspect.Parameter("context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
    parameters = [context, *(parameter.replace(kind=kind) for parameter in own), *added]
    described: Any = run
    described.__signature__ = inspect.Signature(parameters)
    described.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run
