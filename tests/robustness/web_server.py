"""A web application with synchronous endpoints, whose dependency binds the ports, served by uvicorn."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Annotated, Any

import httpx
import uvicorn
from fastapi import Depends, FastAPI, Response
from processes import LIMIT

import asm_core as asm


class RefusedError(Exception):
    """Raised by an endpoint on purpose."""


def application(backend: asm.Backend, transaction: Callable[[], AbstractContextManager[Any]]) -> FastAPI:
    """Return an application whose requests write in a transaction each."""
    app = FastAPI()
    app.state.errors = []

    @app.exception_handler(Exception)
    def fail(_request: object, error: Exception) -> Response:
        if not isinstance(error, RefusedError):
            app.state.errors.append(error)
        return Response(status_code=500)

    def connection() -> Iterator[Any]:
        with transaction() as one:
            yield one

    def ports(db: Annotated[Any, Depends(connection)]) -> Iterator[asm.Ports]:
        with backend.bind(db) as bound:
            yield bound

    # To check a response model, FastAPI would need another thread, while all of them wait for this transaction.
    @app.post("/sessions/{name}", response_model=None)
    def create(name: str, bound: Annotated[Any, Depends(ports)], *, fails: bool) -> int:
        store = bound.session_store
        session = store.save_session(asm.Session.new(id=name, agent_id="web"))
        store.append_event(asm.Event.new(type="message_sent", session_id=session.id))
        events = [asm.Event.new(type="message_received", session_id=name) for _ in range(2)]
        numbers = [event.sequence_number for event in store.append_events(events)]
        if fails:
            raise RefusedError
        return int(numbers[-1] or 0)

    return app


@contextmanager
def served(app: FastAPI) -> Iterator[str]:
    """Serve an application in a thread, and yield its address."""
    # A server that closes idle connections meets clients that are about to use them again.
    config = uvicorn.Config(app, port=0, log_level="critical", lifespan="off", timeout_keep_alive=int(LIMIT))
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            thread.join(0.01)
            assert thread.is_alive()
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(LIMIT)


async def statuses(address: str, number: int) -> list[int]:
    """Make requests at the same time, a third of which fail; return the status of each."""
    limits = httpx.Limits(max_connections=min(number, 90))  # PostgreSQL has 100, and some requests one each
    async with httpx.AsyncClient(base_url=address, timeout=LIMIT, limits=limits) as client:

        async def post(place: int) -> int:
            answer = await client.post(f"/sessions/ses_{place}", params={"fails": place % 3 == 0})
            assert answer.status_code != httpx.codes.OK or answer.json() == 3
            return answer.status_code

        return await asyncio.gather(*map(post, range(number)))


def check(backend: asm.Backend, transaction: Callable[[], AbstractContextManager[Any]], number: int) -> None:
    """Make requests at the same time, and check that the rows of exactly those that did not fail are stored."""
    app = application(backend, transaction)
    with served(app) as address:
        found = asyncio.run(statuses(address, number))
    if app.state.errors:
        raise app.state.errors[0]
    assert found == [500 if place % 3 == 0 else 200 for place in range(number)]
    expected = {f"ses_{place}" for place in range(number) if place % 3}
    assert {session.id for session in backend.session_store.list_sessions()} == expected
    events = backend.query_api.search_events(limit=1000).items
    assert sorted((event.session_id, event.sequence_number) for event in events) == sorted(
        (name, place) for name in expected for place in (1, 2, 3)
    )
    assert backend.maintenance.health_check() == []
