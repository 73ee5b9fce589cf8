"""A conversation goes on in another process, on another ORM."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

from processes import LIMIT, Process

import asm_core as asm
from asm_core.recording.abandoned import close_abandoned

if TYPE_CHECKING:
    from pathlib import Path

    from model_server import ModelServer
    from vendors import Vendor

WORKER = """
import sys
import asm_core as asm

orm, url, provider, base_url, session_id, prompt, api = sys.argv[1:]
with asm.open_backend(orm, url=url) as backend:
    options = {"api": api} if api else {}
    found = asm.open_provider(provider, api_key="sk-test", model="m", base_url=base_url, **options)
    manager = asm.SessionManager(backend.session_store, found)
    print(manager.run(session_id, prompt).output["content"])
"""


def test_a_session_is_resumed_by_another_process_on_another_orm(
    vendor: Vendor, server: ModelServer, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path}/agent.db"
    server.script.extend([vendor.call("weather", {"city": "Rome"}), vendor.text("Sunny."), vendor.text("Rome.")])
    with asm.open_backend("sqlmodel", url=url, migrate=True) as backend:
        provider = vendor.provider(server, tools=[weather])
        manager = asm.SessionManager(backend.session_store, provider)
        session = manager.start_session(agent_id="assistant")
        manager.run(session.id, "Is it nice in Rome?")
    name = "anthropic" if vendor.name == "anthropic" else "openai"
    api = "" if vendor.name == "anthropic" else vendor.name
    arguments = ("peewee", url, name, server.url, session.id, "Which city?", api)
    environment = {key: value for key, value in os.environ.items() if not key.endswith("_API_KEY")}
    answer = subprocess.check_output(
        [sys.executable, "-c", WORKER, *arguments], text=True, timeout=LIMIT, env=environment, cwd=tmp_path
    )
    assert answer == "Rome.\n"
    body = json.dumps(server.requests[-1].body)
    places = [body.index(text) for text in ("Is it nice in Rome?", "weather", "clear sky", "Sunny.", "Which city?")]
    assert places == sorted(places)
    with asm.open_backend("pony", url=url) as backend:
        messages = asm.read_messages(backend.session_store, session.id)
        assert [message.role for message in messages] == ["user", "assistant", "tool", "assistant", "user", "assistant"]
        assert messages[-1].text == "Rome."


def weather(city: str) -> str:
    """Return the weather."""
    return f"clear sky in {city}"


def test_a_picture_that_is_an_artifact_is_sent_in_the_next_turn(
    vendor: Vendor, server: ModelServer, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path}/agent.db"
    place = asm.DirectoryArtifactStore(tmp_path / "artifacts")
    pixels = base64.b64encode(bytes(range(256)) * 20).decode()
    picture = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": pixels}}
    prompt = [{"role": "user", "content": [{"type": "text", "text": "Which city?"}, picture]}]

    def report(city: str) -> str:
        """Return the report of a city."""
        return f"{city} is large. " * 200

    server.script.extend([vendor.call("report", {"city": "Rome"}), vendor.text("Rome."), vendor.text("Really.")])
    with asm.open_backend("sqlmodel", url=url, migrate=True) as backend:
        options = {"artifacts": backend.artifacts(place), "offload_over": 1_000}
        manager = asm.SessionManager(backend.session_store, vendor.provider(server, tools=[report]), **options)
        session = manager.start_session(agent_id="assistant")
        manager.run(session.id, prompt)
    with asm.open_backend("pony", url=url) as backend:
        assert pixels not in json.dumps(backend.query_api.export_session(session.id).to_dict())
        later = asm.SessionManager(backend.session_store, vendor.provider(server), artifacts=backend.artifacts(place))
        assert later.run(session.id, "Really?").output["content"] == "Really."
    bodies = [json.dumps(request.body) for request in server.requests]
    assert all(body.count(pixels) == 1 for body in bodies)
    assert vendor.results(server.requests[2].body) == ["Rome is large. " * 200]
    assert "asm_artifact" not in bodies[2]


KILLED = """
import sys
import asm_core as asm

url, provider, base_url, session_id, api = sys.argv[1:]
with asm.open_backend("sqlmodel", url=url) as backend:
    options = {"api": api} if api else {}
    found = asm.open_provider(provider, api_key="sk-test", model="m", base_url=base_url, **options)
    manager = asm.SessionManager(backend.session_store, found)
    for event in manager.stream(session_id, "hello"):
        if event.type == "message_streamed":
            print(event.data["delta"], flush=True)
"""


def test_a_conversation_continues_after_its_process_was_killed(
    vendor: Vendor, server: ModelServer, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path}/agent.db"
    server.script.extend([vendor.text("Good morning.", end="hang"), vendor.text("Still here.")])
    with asm.open_backend("peewee", url=url, migrate=True) as backend:
        manager = asm.SessionManager(backend.session_store, vendor.provider(server))
        session = manager.start_session(agent_id="assistant")
        name = "anthropic" if vendor.name == "anthropic" else "openai"
        api = "" if vendor.name == "anthropic" else vendor.name
        command = [sys.executable, "-c", KILLED, url, name, server.url, session.id, api]
        with Process(command, stdout=subprocess.PIPE, text=True) as worker:
            streamed = ""
            while streamed != "Good morning.":
                streamed += worker.stdout.readline().removesuffix("\n")
            worker.kill()
        assert server.abandoned.wait(LIMIT)
        assert len(close_abandoned(backend.session_store)) == 1
        assert manager.run(session.id, "and now?").output["content"] == "Still here."
        body = json.dumps(server.requests[-1].body)
        assert body.index("hello") < body.index("Good morning.") < body.index("and now?")
        assert [run.status for run in backend.session_store.list_runs(session.id)].count("completed") == 1
