"""What is proved of every backend on every database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from administrator import administrator  # noqa: F401  fixtures, here and below
from calls import stored  # noqa: F401
from cutting_proxy import proxy  # noqa: F401
from listening import listeners, no_polling, short_rest  # noqa: F401
from own_server import own_server  # noqa: F401
from transaction_pooler import pooler  # noqa: F401

import asm_core as asm

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BACKENDS = ("sqlmodel", "peewee", "pony")
DATABASES = ("sqlite", "postgresql")


@pytest.fixture(params=BACKENDS)
def backend_name(request: pytest.FixtureRequest) -> str:
    """Return the name of the backend under proof."""
    return str(request.param)


@pytest.fixture(params=DATABASES)
def database(request: pytest.FixtureRequest) -> str:
    """Return which database it is."""
    return str(request.param)


@pytest.fixture
def url(request: pytest.FixtureRequest, database: str) -> str:
    """Return the URL of a database of the test's own, which is empty or has nothing but empty tables."""
    return str(request.getfixturevalue(f"{database}_url"))


@pytest.fixture
def open_backend(backend_name: str, url: str) -> Callable[..., asm.Backend]:
    """Return what opens one more handle on the test's store."""
    return lambda **options: asm.open_backend(backend_name, url=url, **{"migrate": True, **options})


@pytest.fixture
def backend(open_backend: Callable[..., asm.Backend]) -> Iterator[asm.Backend]:
    """Return the handle that most tests use."""
    with open_backend() as opened:
        yield opened
