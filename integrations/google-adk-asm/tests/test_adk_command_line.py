"""The URIs that ADK's command line takes, with its own code."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from google.adk.cli import service_registry
from google.adk.cli.fast_api import get_fast_api_app
from google.adk.cli.service_registry import ServiceRegistry, load_services_module
from google.adk.cli.utils.service_factory import create_session_service_from_options
from starlette.testclient import TestClient

import google_adk_asm
from google_adk_asm import AsmSessionService, open_session_service, register

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.adk.sessions import BaseSessionService

AGENT = """
import sys
sys.path.append({tests!r})
from scripted import agent, call, text

root_agent = agent(call("weather", city="Oslo"), text("sunny"), text("still sunny"))
"""
YAML = """
services:
  - scheme: asm+sqlite
    type: session
    class: google_adk_asm.open_session_service
"""


@pytest.fixture(autouse=True)
def fresh_registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(service_registry, "_service_registry_instance", None)
    path = list(sys.path)
    yield
    sys.path[:] = path
    for name in [name for name in sys.modules if name.partition(".")[0] in {"services", "weather"}]:
        del sys.modules[name]


@pytest.fixture(params=["services.py", "services.yaml"])
def agents(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Return a directory with an agent and with what registers our schemes."""
    directory = tmp_path / "agents"
    (directory / "weather").mkdir(parents=True)
    source = AGENT.format(tests=str(Path(__file__).parent))
    (directory / "weather" / "agent.py").write_text(source)
    (directory / "weather" / "__init__.py").write_text("from . import agent\n")
    content = "import google_adk_asm\n\ngoogle_adk_asm.register()\n" if request.param == "services.py" else YAML
    (directory / request.param).write_text(content)
    return directory


async def round_trip(service: BaseSessionService | None) -> None:
    assert isinstance(service, AsmSessionService)
    async with service:
        await service.create_session(app_name="a", user_id="u", session_id="s")
        assert await service.get_session(app_name="a", user_id="u", session_id="s") is not None


def test_options_of_the_command_line_open_a_store(agents: Path) -> None:
    load_services_module(str(agents))
    uri = f"asm+sqlite:///{agents.parent / 'asm.db'}"
    asyncio.run(round_trip(create_session_service_from_options(base_dir=agents, session_service_uri=uri)))


def test_server_keeps_its_sessions(agents: Path) -> None:
    uri = f"asm+sqlite:///{agents.parent / 'asm.db'}"
    address = "/apps/weather/users/ada/sessions/s"
    turn = {"app_name": "weather", "user_id": "ada", "session_id": "s"}

    def served(question: str) -> list[str]:
        app = get_fast_api_app(agents_dir=str(agents), session_service_uri=uri, web=False)
        with TestClient(app) as client:
            client.post(address).raise_for_status() if question == "first" else None
            message = {"role": "user", "parts": [{"text": question}]}
            client.post("/run", json={**turn, "new_message": message}).raise_for_status()
            events = client.get(address).json()["events"]
            assert [session["id"] for session in client.get("/apps/weather/users/ada/sessions").json()] == ["s"]
        return [next(iter(event["content"]["parts"][0])) for event in events]

    assert served("first") == ["text", "functionCall", "functionResponse", "text"]
    assert served("second")[:5] == ["text", "functionCall", "functionResponse", "text", "text"]


def test_all_schemes_are_registered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, postgresql_url: str) -> None:
    registry = ServiceRegistry()
    register(registry)
    monkeypatch.setenv("ASM_URL", f"sqlite:///{tmp_path / 'asm.db'}")
    for uri in ("asm://", f"asm+{postgresql_url}"):
        asyncio.run(round_trip(registry.create_session_service(uri, agents_dir="x")))
    assert registry.create_session_service("other://") is None
    asyncio.run(round_trip(open_session_service(f"asm+sqlite:///{tmp_path / 'other.db'}", synchronous="full")))


def test_public_names_are_exported() -> None:
    assert google_adk_asm.__all__ == ["AsmSessionService", "copy_sessions", "open_session_service", "register"]
