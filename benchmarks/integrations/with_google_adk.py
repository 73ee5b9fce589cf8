"""`google-adk-asm` against ADK's `DatabaseSessionService`, which also waits for the disk at each commit."""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from google.adk.events import Event, EventActions
from google.adk.sessions import BaseSessionService, DatabaseSessionService
from google.adk.sessions.base_session_service import GetSessionConfig
from google.adk.sessions.schemas.v1 import StorageEvent
from google.genai import types

from benchmarks.integrations.comparing import Comparison
from google_adk_asm import AsmSessionService, copy_sessions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from google.adk.sessions import Session

BAR: Final = 1.5


def events(count: int) -> list[Event]:
    """Return texts and calls of a tool, as an agent has them."""
    call = types.FunctionCall(id="c", name="weather", args={"city": "Oslo"})
    result = types.FunctionResponse(id="c", name="weather", response={"weather": "sunny, 20 degrees, no wind"})
    usage = types.GenerateContentResponseUsageMetadata(prompt_token_count=500, candidates_token_count=20)
    made: list[Event] = []
    for number in range(count):
        part = [
            types.Part(text=f"What is the weather in city {number}?"),
            types.Part(function_call=call),
            types.Part(function_response=result),
            types.Part(text="It is sunny in Oslo. " * 5),
        ][number % 4]
        author = "agent" if number % 4 else "user"
        made.append(
            Event(
                author=author,
                invocation_id=f"i{number // 4}",
                content=types.Content(role="model" if number % 4 else "user", parts=[part]),
                usage_metadata=usage if number % 2 else None,
                actions=EventActions(state_delta={"turn": number} if number % 4 == 0 else {}),
            )
        )
    return made


async def append(service: BaseSessionService, session: Session, count: int) -> None:
    """Append events one by one, as the framework does, each in a transaction of its own."""
    for event in events(count):
        await service.append_event(session, event)


async def fill(service: DatabaseSessionService, session: Session, count: int) -> None:
    """Store events in one transaction; one by one they would take minutes."""
    async with service.database_session_factory() as database:
        database.add_all([StorageEvent.from_event(session, event) for event in events(count)])
        await database.commit()


@asynccontextmanager
async def comparisons(directory: Path) -> AsyncIterator[list[Comparison]]:
    """Yield the workloads, in an app with 51 sessions, one of which has 1,000 events."""
    async with (
        DatabaseSessionService(f"sqlite+aiosqlite:///{directory / 'theirs.db'}") as theirs,
        # Both wait for the disk at each commit.
        AsmSessionService.open(f"sqlite:///{directory / 'ours.db'}", backend="sqlmodel", synchronous="full") as ours,
    ):
        services: tuple[BaseSessionService, BaseSessionService] = (theirs, ours)
        key: Any = {"app_name": "app", "user_id": "ada"}
        for number in range(50):
            await theirs.create_session(**key, session_id=str(number), state={"app:x": 1, "user:y": 2})
        await fill(theirs, await theirs.create_session(**key, session_id="whole"), 1_000)
        await copy_sessions(theirs, ours, app_name="app")
        new = [await service.create_session(**key, session_id="new") for service in services]

        def row(title: str, call: Any, calls: int = 1) -> Comparison:
            return Comparison(title, *(partial(call, number) for number in range(2)), calls)

        whole: Any = {**key, "session_id": "whole"}
        last = GetSessionConfig(num_recent_events=20)
        yield [
            row("append 1", lambda each: append(services[each], new[each], 1), 10),
            row("append 100, one by one", lambda each: append(services[each], new[each], 100)),
            row("read 1,000", lambda each: services[each].get_session(**whole), 2),
            row("read the last 20 of 1,000", lambda each: services[each].get_session(**whole, config=last), 10),
            row("list 52 sessions", lambda each: services[each].list_sessions(**key), 5),
        ]
