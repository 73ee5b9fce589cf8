"""The options that select the store. Importing them imports nothing of the store."""

from typing import Annotated, NamedTuple

import typer

BackendOption = Annotated[
    str | None,
    typer.Option(
        "--backend", "-b", metavar="NAME", help="The backend to use, such as sqlmodel; `asm backends` lists them."
    ),
]
UrlOption = Annotated[
    str | None, typer.Option("--url", metavar="URL", help="The URL of the store, such as sqlite:///asm.db.")
]
StoreOption = Annotated[
    str | None,
    typer.Option(
        "--store", metavar="NAME", help="A store that asm.toml or pyproject.toml configures as [stores.NAME]."
    ),
]
ConfigOption = Annotated[
    str | None,
    typer.Option("--config", metavar="FILE", help="The configuration file to use. A file named here is trusted."),
]


class Given(NamedTuple):
    """The store options of the command line; None means the environment, a file or the default."""

    backend: str | None = None
    url: str | None = None
    store: str | None = None
    config: str | None = None
