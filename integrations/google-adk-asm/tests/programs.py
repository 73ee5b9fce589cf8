"""What tests run in processes of their own: ``python programs.py NAME URL ...``."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import TYPE_CHECKING

from google.adk import Runner
from google.adk.errors import StaleSessionError
from google.genai import types
from scripted import agent, call, changing, text

import asm_backend_sqlmodel.backend  # noqa: F401  imported once, before the forks
from google_adk_asm import AsmSessionService

if TYPE_CHECKING:
    from google.adk.sessions import Session

KEY = {"app_name": "app", "user_id": "ada", "session_id": "s"}


async def ask(service: AsmSessionService, question: str) -> None:
    """Run a turn of an agent, and print what its model got first."""
    assistant = agent(call("weather", city="Oslo"), text(f"answer to {question}"))
    runner = Runner(app_name="app", agent=assistant, session_service=service, auto_create_session=True)
    message = types.Content(role="user", parts=[text(question)])
    texts = [
        event.content.parts[0].text
        async for event in runner.run_async(user_id="ada", session_id="s", new_message=message)
        if event.is_final_response() and event.content and event.content.parts
    ]
    first = assistant.model.requests[0]  # type: ignore[union-attr]
    parts = [part.model_dump(exclude_none=True) for content in first for part in content.parts]
    sys.stdout.write(json.dumps({"output": texts[-1], "input": parts}) + "\n")


async def append(service: AsmSessionService, name: str, count: str) -> None:
    """Append events, each of which raises counters; load the session again when it is stale."""
    for number in range(int(count)):
        while True:
            session = await loaded(service)
            counted = session.state.get("n", 0) + 1
            try:
                event = changing(f"{name}/{number}", n=counted, **{f"app__{name}": number, "user__last": name})
                await service.append_event(session, event)
            except StaleSessionError:
                continue
            break


def ask_in_processes(url: str, *questions: str) -> None:
    """Ask each question in a process of its own, one after the other."""
    for question in questions:
        ended(forked("ask", url, question))


def append_in_processes(url: str, processes: str, count: str) -> None:
    """Append in several processes at once."""
    for child in [forked("append", url, str(number), count) for number in range(int(processes))]:
        ended(child)


def forked(*arguments: str) -> int:
    """Start a process that has imported the framework already, which takes seconds."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            asyncio.run(main(*arguments))
            sys.stdout.flush()
            status = 0
        finally:
            os._exit(status)
    return child


def ended(child: int) -> None:
    if status := os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]):
        sys.exit(status)


async def endless(service: AsmSessionService) -> None:
    """Append events until the process is killed."""
    session = await loaded(service)
    number = session.state.get("n", 0)
    while True:
        number += 1
        await service.append_event(session, changing(n=number, app__n=number, user__n=number))
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()


async def loaded(service: AsmSessionService) -> Session:
    session = await service.get_session(**KEY)
    assert session is not None
    return session


async def main(name: str, url: str, *arguments: str) -> None:
    async with AsmSessionService.open(url, backend="sqlmodel") as service:
        await {"ask": ask, "append": append, "endless": endless}[name](service, *arguments)


if __name__ == "__main__":
    match sys.argv[1]:
        case "ask_in_processes":
            ask_in_processes(*sys.argv[2:])
        case "append_in_processes":
            append_in_processes(*sys.argv[2:])
        case _:
            asyncio.run(main(*sys.argv[1:]))
