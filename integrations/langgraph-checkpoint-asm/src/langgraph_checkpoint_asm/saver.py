"""The checkpointer."""

from __future__ import annotations

import random
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, Final, ParamSpec, TypeVar

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer

from langgraph_checkpoint_asm import reading, threads
from langgraph_checkpoint_asm.opening import OnBackend
from langgraph_checkpoint_asm.records import Place
from langgraph_checkpoint_asm.writing import Writer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence

    from langchain_core.runnables import RunnableConfig
    from langgraph.checkpoint.base import ChannelVersions, Checkpoint, CheckpointMetadata, CheckpointTuple
    from langgraph.checkpoint.serde.base import SerializerProtocol

    import asm_core as asm

P = ParamSpec("P")
T = TypeVar("T")

_STRATEGIES: Final = ("keep_latest", "delete")


def awaited(call: Callable[Concatenate[AsmSaver, P], T]) -> Callable[Concatenate[AsmSaver, P], Coroutine[Any, Any, T]]:
    """Return the asynchronous form of a method: it runs in a thread of the backend's, which a cancellation awaits."""

    @wraps(call)
    async def calling(self: AsmSaver, /, *args: P.args, **kwargs: P.kwargs) -> T:
        found: T = await self.aio.run(getattr(self, call.__name__), *args, **kwargs)
        return found

    return calling


class AsmSaver(OnBackend, BaseCheckpointSaver[str]):
    """Keeps the checkpoints of LangGraph's graphs in a backend: a session for each thread.

    Each method has an asynchronous form, whose name begins with ``a``. Messages in the state become events too, with
    tool calls and the usage of models, so that `asm sessions`, `asm show` and `asm usage` show the threads.

    Attributes:
        aio: the backend's asynchronous form.

    >>> with AsmSaver.open("sqlite:///:memory:", backend="memory") as saver:
    ...     saver.get_tuple({"configurable": {"thread_id": "1"}}) is None
    True
    """

    def __init__(
        self,
        backend: asm.Backend | asm.aio.Backend,
        *,
        serde: SerializerProtocol | None = None,
        agent_id: str = "langgraph",
        messages: bool | None = None,
        owns: bool = False,
    ) -> None:
        """Store in `backend`, which the caller opened and migrated.

        Args:
            backend: a backend, or its asynchronous form.
            serde: serialises values; LangGraph's own by default.
            agent_id: the agent of the sessions.
            messages: whether messages become events that people can read. By default they do, unless `serde` encrypts.
            owns: whether `close` closes the backend.
        """
        super().__init__(serde=serde)
        self._backend = self._use(backend, owns=owns)
        encrypts = isinstance(serde, EncryptedSerializer)
        self._writer = Writer(self._backend, agent_id=agent_id, messages=not encrypts if messages is None else messages)

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """Return the checkpoint that `config` names, or the latest of its thread and namespace; None without one."""
        return reading.get_tuple(self._backend, self.serde, config)

    def list(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,  # noqa: A002  the framework's name
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> Iterator[CheckpointTuple]:
        """Yield checkpoints, the greatest id first; without `config` those of all threads, one thread after the other.

        Args:
            config: the thread, and, if it names them, the namespace and the checkpoint.
            filter: only checkpoints whose metadata has these values.
            before: only checkpoints with a smaller id than this one.
            limit: the largest number of checkpoints.
        """
        yield from reading.list_tuples(self._backend, self.serde, config, filters=filter, before=before, limit=limit)

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,  # noqa: ARG002  a checkpoint is stored whole
    ) -> RunnableConfig:
        """Store a checkpoint and return the configuration that names it; its parent is the one in `config`."""
        self._writer.put(self.serde, config, checkpoint, metadata)
        return Place.of(config).config(checkpoint["id"])

    def put_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """Store what a task wrote to the checkpoint that `config` names."""
        self._writer.put_writes(self.serde, config, writes, (task_id, task_path))

    def delete_thread(self, thread_id: str) -> None:
        """Delete the session of a thread with all its events permanently."""
        session_id = Place(str(thread_id), "").session_id
        self._backend.session_store.delete_session(session_id)
        self._writer.memory.forget(session_id)

    def delete_for_runs(self, run_ids: Sequence[str]) -> None:
        """Delete the checkpoints whose metadata has one of these run ids, their writes and their messages."""
        for session_id in threads.delete_for_runs(self._backend, self.serde, run_ids):
            self._writer.memory.forget(session_id)

    def copy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """Copy all checkpoints and writes of a thread to another, in one transaction.

        The target's session is a fork of the source's. If the source does not exist, this is a no-op.
        """
        source, target = Place(str(source_thread_id), ""), Place(str(target_thread_id), "")
        if threads.exists(self._backend, source):
            threads.copy_thread(self._backend, self._writer, source, target)
            self._writer.memory.forget(target.session_id)

    def prune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """Delete checkpoints of threads, and what their tasks wrote.

        Args:
            thread_ids: the threads; unknown ones are skipped.
            strategy: ``keep_latest`` keeps the latest checkpoint of each namespace, and the ancestors from which its
                delta channels are rebuilt. ``delete`` deletes the threads.

        Raises:
            ValueError: unknown strategy.
        """
        if strategy not in _STRATEGIES:
            message = f"Unknown strategy {strategy!r}. Use one of: {', '.join(_STRATEGIES)}."
            raise ValueError(message)
        for thread_id in thread_ids:
            place = Place(str(thread_id), "")
            if strategy == "delete":
                self.delete_thread(thread_id)
            elif threads.exists(self._backend, place):
                threads.prune(self._backend, self.serde, place)

    def get_next_version(self, current: str | None, channel: None) -> str:  # noqa: ARG002  the framework's argument
        """Return a version after `current`, as LangGraph's own savers do, so that theirs go on here."""
        number = 0 if current is None else int(str(current).split(".")[0])
        return f"{number + 1:032}.{random.random():016}"  # noqa: S311  no secret

    aget_tuple = awaited(get_tuple)
    aput = awaited(put)
    aput_writes = awaited(put_writes)
    adelete_thread = awaited(delete_thread)
    adelete_for_runs = awaited(delete_for_runs)
    acopy_thread = awaited(copy_thread)
    aprune = awaited(prune)
    aget_delta_channel_history = awaited(BaseCheckpointSaver.get_delta_channel_history)

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,  # noqa: A002  the framework's name
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        """Yield what `list` yields."""
        tuples = self.list(config, filter=filter, before=before, limit=limit)
        while (found := await self.aio.run(next, tuples, None)) is not None:
            yield found
