"""Which store a command works on: `--backend`, `--url`, `--store` and `--config`, before the command or after it."""

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any

import msgspec
import typer

from asm_core.config import resolve_store
from asm_core.plugins import open_store
from asm_core.ports import Backend

BackendOption = Annotated[
    str | None,
    typer.Option(
        "--backend", "-b", metavar="NAME", help="The backend to use, such as sqlmodel; `asm backends` lists them."
    ),
]
UrlOption = Annotated[
    str | None, typer.Option("--url", metavar="URL", help="The store's place, such as sqlite:///asm.db.")
]
StoreOption = Annotated[
    str | None,
    typer.Option("--store", metavar="NAME", help="A store that asm.toml or pyproject.toml names as [stores.NAME]."),
]
ConfigOption = Annotated[
    str | None,
    typer.Option("--config", metavar="FILE", help="The file that configures stores; it is trusted, as it is named."),
]
_OPTIONS = {"backend": BackendOption, "url": UrlOption, "store": StoreOption, "config": ConfigOption}


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line says of the store; None is left to the environment, the files, the default."""

    backend: str | None = None
    url: str | None = None
    store: str | None = None
    config: str | None = None

    def open(self, *, migrate: bool | int = False) -> Backend:
        """Open the store; `migrate` is that of `open_store`."""
        store = resolve_store(self.backend, url=self.url, store=self.store, config=self.config)
        return open_store(store, migrate=migrate)


def chosen(context: typer.Context, given: Choice) -> Choice:
    """Return what is given behind the command, and for the rest what is given before it."""
    before = context.find_object(Choice) or Choice()
    return Choice(
        backend=given.backend or before.backend,
        url=given.url or before.url,
        store=given.store or before.store,
        config=given.config or before.config,
    )


def with_choice(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command these options; it is called with the `Choice` they make, and its own arguments."""

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


def with_backend(*, migrate: bool = False) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command these options; it is called with the store opened, and its own arguments.

    Args:
        migrate: bring the store's schema up to date first.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def opening(choice: Choice, **arguments: object) -> None:
            with choice.open(migrate=migrate) as opened:
                command(opened, **arguments)

        return with_choice(opening)

    return decorate


def _with_parameters(run: Callable[..., None], command: Callable[..., None]) -> Callable[..., None]:
    # Typer reads a command's options off its signature.
    kind = inspect.Parameter.KEYWORD_ONLY
    own = list(inspect.signature(command).parameters.values())[1:]
    added = [inspect.Parameter(name, kind, default=None, annotation=option) for name, option in _OPTIONS.items()]
    context = inspect.Parameter("context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
    parameters = [context, *(parameter.replace(kind=kind) for parameter in own), *added]
    described: Any = run
    described.__signature__ = inspect.Signature(parameters)
    described.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run
