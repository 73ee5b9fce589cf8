"""Appends of checkpoints and writes, with the messages that they bring."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from langgraph.checkpoint.base import get_checkpoint_metadata

import asm_core as asm
from asm_core.integrating import composed_id, escape_payload
from langgraph_checkpoint_asm import reading
from langgraph_checkpoint_asm.memory import Memory, Thread
from langgraph_checkpoint_asm.message_log import add_usage, keyed_messages, known_messages
from langgraph_checkpoint_asm.messages import MESSAGE_TYPES, message_events, usage_of
from langgraph_checkpoint_asm.records import KIND, Place, checkpoint_event, run_event, text, writes_event

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from langchain_core.messages import BaseMessage
    from langchain_core.runnables import RunnableConfig
    from langgraph.checkpoint.base import Checkpoint, CheckpointMetadata
    from langgraph.checkpoint.serde.base import SerializerProtocol

    from asm_core.ports import Ports


class Target(NamedTuple):
    """Where a call writes: a place in a thread whose session is stored, and the serializer of its values."""

    serde: SerializerProtocol
    place: Place
    thread: Thread


class Writer:
    """Appends to the sessions of threads.

    Attributes:
        memory: what it remembers of the threads.
    """

    def __init__(self, backend: asm.Backend, *, agent_id: str, messages: bool) -> None:
        """Write to `backend`.

        Args:
            backend: where the sessions are.
            agent_id: the agent of new sessions.
            messages: whether messages become events that people can read.
        """
        self._backend = backend
        self._agent_id = agent_id
        self._messages = messages
        self.memory = Memory()

    def put(
        self, serde: SerializerProtocol, config: RunnableConfig, checkpoint: Checkpoint, metadata: CheckpointMetadata
    ) -> None:
        """Store a checkpoint; one with the same id is replaced."""
        complete = get_checkpoint_metadata(config, metadata)
        parent = config["configurable"].get("checkpoint_id")
        self._write(serde, config, lambda target: self._put(target, checkpoint, complete, parent))

    def put_writes(
        self,
        serde: SerializerProtocol,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task: tuple[str, str],
    ) -> None:
        """Store what a task, which has an id and a path, wrote to a checkpoint."""
        checkpoint_id = str(config["configurable"]["checkpoint_id"])
        self._write(serde, config, lambda target: self._put_writes(target, checkpoint_id, writes, task))

    def ensure_session(
        self, ports: Ports, place: Place, config: RunnableConfig | None = None, parent: str | None = None
    ) -> None:
        """Store the session of a thread, unless it is stored."""
        user_id = config["configurable"].get("user_id") if config else None
        session = asm.Session.new(
            id=place.session_id,
            agent_id=self._agent_id,
            user_id=user_id if _is_name(user_id) else None,
            status="active",
            parent_session_id=parent,
            metadata={KIND: {"thread_id": escape_payload(place.thread_id)}},
            tags=(KIND,),
        )
        with suppress(asm.RevisionConflictError):
            ports.session_store.save_session(session, expected_revision=0)

    def _write(self, serde: SerializerProtocol, config: RunnableConfig, write: Callable[[Target], None]) -> None:
        """Write to a thread; if its session is not stored, or was deleted, store it first."""
        place = Place.of(config)
        thread = self.memory.find(place.session_id)
        if thread is not None:
            try:
                write(Target(serde, place, thread))
            except asm.SessionNotFoundError:
                self.memory.forget(place.session_id)
            else:
                return
        self.ensure_session(self._backend, place, config)
        write(Target(serde, place, self.memory.begin(place.session_id)))

    def _put(self, target: Target, checkpoint: Checkpoint, metadata: CheckpointMetadata, parent: str | None) -> None:
        serde, place, thread = target
        own_id = checkpoint["id"]
        if place.ns not in thread.heads:
            head = reading.latest(self._backend, place)
            thread.heads[place.ns] = "" if head is None else str(text(head, "id"))
        run_id = self._run_of(target, metadata, parent, own_id)
        thread.remember_run(place.ns, own_id, run_id)
        is_late = own_id < thread.heads[place.ns]
        events = [checkpoint_event(serde, place, checkpoint, metadata, parent=parent, run_id=run_id, is_late=is_late)]
        named = metadata.get("run_id")
        if isinstance(named, str) and named not in thread.marked:
            events.insert(0, run_event(place, named))
        values = [*checkpoint["channel_values"].items(), *thread.waiting.pop((place.ns, own_id), ())]
        self._append(target, events, values, run_id)
        thread.remember_head(place.ns, own_id)
        if isinstance(named, str):
            thread.marked.add(named)

    def _put_writes(
        self, target: Target, checkpoint_id: str, writes: Sequence[tuple[str, Any]], task: tuple[str, str]
    ) -> None:
        place, thread = target.place, target.thread
        key = (place.ns, checkpoint_id)
        run_id = self._known_run(thread, place, checkpoint_id)
        if run_id is None:
            # LangGraph stores a checkpoint while its tasks run: the messages wait for it, and so for their run.
            thread.wait_for(*key, writes)
        event = writes_event(target.serde, place, checkpoint_id, writes, task=task, run_id=run_id)
        self._append(target, [event], writes if run_id else (), run_id)
        if run_id is None and (run_id := thread.runs.get(key)):
            self._append(target, [], thread.waiting.pop(key, ()), run_id)

    def _run_of(self, target: Target, metadata: CheckpointMetadata, parent: str | None, own_id: str) -> str:
        """Return the run of a checkpoint: the framework's, that of the checkpoint before, or a new one."""
        _, place, thread = target
        named = metadata.get("run_id")
        if isinstance(named, str):
            return composed_id("langgraph.run", place.thread_id, named)
        root = Place(place.thread_id, "")
        above = (metadata.get("parents") or {}).get("") if place.ns else None
        if above and (found := self._known_run(thread, root, above)):
            return found
        if parent and metadata.get("source") != "input" and (found := self._known_run(thread, place, parent)):
            return found
        return composed_id("langgraph.run", place.thread_id, place.ns, own_id)

    def _known_run(self, thread: Thread, place: Place, checkpoint_id: str) -> str | None:
        if found := thread.runs.get((place.ns, checkpoint_id)):
            return found
        event = reading.find(self._backend, place, checkpoint_id)
        if event is None or event.run_id is None:
            return None
        thread.remember_run(place.ns, checkpoint_id, event.run_id)
        return event.run_id

    def _append(
        self, target: Target, events: list[asm.Event], values: Iterable[tuple[str, Any]], run_id: str | None
    ) -> None:
        """Append events after those of the messages that are new in the values of channels."""
        place, thread = target.place, target.thread
        new = self._claim_messages(target, values)
        told = {key: message_events(place, key, message, run_id) for key, message in new.items()}
        batch = [*(event for found in told.values() for event in found), *events]
        try:
            if run_id is not None and any(usage_of(message) for message in new.values()):
                with self._backend.transaction() as ports:
                    stored = ports.session_store.append_events(batch)
                    # An event that another process stored first came back with its own time.
                    mine = {
                        event.id
                        for event, found in zip(batch, stored, strict=True)
                        if found == event.numbered(found.sequence_number)
                    }
                    add_usage(ports, place, run_id, [new[key] for key, found in told.items() if found[0].id in mine])
            else:
                self._backend.session_store.append_events(batch)
        except asm.AlreadyExistsError:
            self._append_changed(place, batch)
        except BaseException:
            thread.give_back(new)
            raise

    def _append_changed(self, place: Place, events: list[asm.Event]) -> None:
        """Append events of which some are stored with other data: checkpoints are replaced, messages stay."""
        with self._backend.transaction() as ports:
            store = ports.session_store
            for event in events:
                try:
                    stored = store.get_event(event.id, session_id=place.session_id)
                except asm.NotFoundError:
                    store.append_event(event)
                    continue
                if event.type not in MESSAGE_TYPES and not stored.same_fact(event):
                    store.delete_events(place.session_id, ids=event.id)
                    store.append_event(event)

    def _claim_messages(self, target: Target, values: Iterable[tuple[str, Any]]) -> dict[str, BaseMessage]:
        """Return the messages that have no events yet, by their keys; another call does not get them again."""
        found = keyed_messages(values) if self._messages else {}
        if not found:
            return {}
        thread = target.thread
        with thread.lock:
            if thread.messages is None:
                thread.messages = known_messages(self._backend, target.serde, target.place)
            new = {key: message for key, message in found.items() if key not in thread.messages}
            thread.messages.update(new)
        return new


def _is_name(value: object) -> bool:
    try:
        return asm.Session.new(agent_id="a", user_id=value) is not None and value is not None  # type: ignore[arg-type]
    except asm.ValidationError:
        return False
