"""Each provider of this repository with a server that speaks its protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from model_server import Answer, ModelServer, Stream
from vendors import VENDORS, Client, Vendor

import asm_core as asm

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture(params=VENDORS, ids=lambda vendor: vendor.name)
def vendor(request: pytest.FixtureRequest) -> Vendor:
    found: Vendor = request.param
    return found


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL", "OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer() as found:
        yield found


@pytest.fixture
def backend() -> Iterator[asm.Backend]:
    with asm.open_backend("memory") as found:
        yield found


@pytest.fixture
def client(vendor: Vendor, server: ModelServer, backend: asm.Backend) -> Callable[..., Client]:
    """Return a client of the vendor's provider whose model answers with a script."""

    def make(*script: Answer | Stream, manager: dict[str, Any] | None = None, **options: Any) -> Client:
        server.script.extend(script)
        return Client(backend, vendor.provider(server, **options), **(manager or {}))

    return make
