"""The open transactions of a store, and the one that a call joins.

A call on the ports that `Backend.transaction` or `Backend.bind` yields joins their transaction, in any thread and task.
A call on the backend's own ports joins an open transaction in synchronous code only: in the thread and the context
(`contextvars`) that began it. A call that would join by accident, or wait for its own thread, raises.
"""

from __future__ import annotations

import sys
import threading
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final, Generic, TypeVar
from weakref import ref

from asm_core.concurrency.contexts import contextmanager
from asm_core.concurrency.forking import do_first_in_child
from asm_core.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

_USE: Final = "Use the ports that transaction() or bind() yielded"
_forks = 0
"""The number of forks that led to this process."""


class OpenTransaction:
    """A transaction that calls can join. It is open while its context references it, and until that ends.

    Attributes:
        thread: the thread that began it.
        lock: held during each call in it, so that calls of several threads wait for each other.
        is_over: whether its context has ended.
        is_call: whether it is part of one call of a port, which nothing can interleave.
        excludes: whether another one in the same thread would have to wait for it.
        inner: a reference to the transaction nested in it.
    """

    __slots__ = ("__weakref__", "_forks", "excludes", "inner", "is_call", "is_over", "lock", "thread")

    def __init__(self, outer: OpenTransaction | None = None, *, is_call: bool = False, excludes: bool = True) -> None:
        """Describe a transaction that begins now, inside of `outer` or by itself."""
        self.thread = threading.get_ident()
        self.lock: AbstractContextManager[object] = threading.RLock() if outer is None else outer.lock
        self.is_over = False
        self.is_call = is_call
        self.excludes = excludes
        self.inner: ref[OpenTransaction] | None = None
        self._forks = _forks
        if outer is not None:
            outer.inner = ref(self)

    def check_open(self) -> None:
        """Reject a call that waited for the lock until the transaction ended.

        Raises:
            StorageError: it has ended.
        """
        if self.is_over:
            raise ended()

    @property
    def is_forked(self) -> bool:
        """Whether it was begun before the fork; then a thread that is not here may hold its lock."""
        return self._forks != _forks

    @property
    def is_of_parent(self) -> bool:
        """Whether it belongs to the parent, because it was begun before the fork."""
        return self.is_forked


T = TypeVar("T", bound=OpenTransaction)

_entered: ContextVar[tuple[ref[OpenTransaction], ...]] = ContextVar("asm_transactions", default=())
"""The transactions that this context entered or inherited, of any store, innermost last.

Only references, so that no interruption leaves a context in a finished transaction.
"""


class Transactions(Generic[T]):
    """The open transactions of a store; its calls join the one that this thread and context began."""

    def __init__(self) -> None:
        """Start without a transaction."""
        self._open: set[ref[T]] = set()

    def current(self) -> T | None:
        """Return the transaction that a call joins, if any.

        Raises:
            StorageError: one is open that the call must not join, or would have to wait for.
        """
        return self._joined() if self._open else None

    @contextmanager
    def enter(self, transaction: T) -> Iterator[None]:
        """Keep a transaction open until the context ends, in any thread."""
        # Each of these calls is one step, because a signal handler may interrupt.
        reference: ref[OpenTransaction] = ref(transaction)
        try:
            self._open.add(ref(transaction, self._open.discard))
            _entered.set((*filter(_is_open, _entered.get()), reference))
            yield
        finally:
            transaction.is_over = True
            if not (transaction.is_call or transaction.is_forked):
                with transaction.lock:  # a call of another thread ends first
                    pass
            self._open.discard(ref(transaction))
            if reference in (entered := _entered.get()):
                _entered.set(tuple(other for other in entered if other != reference))

    def bound_to(self, transaction: T) -> BoundTransactions[T]:
        """Return what makes all calls join one transaction."""
        return BoundTransactions(transaction, self._open)

    def leave_to_parent(self) -> None:
        """Release all transactions in a forked child; they belong to the parent."""
        self._open = set()

    def check_begun_here(self) -> None:
        """Reject a write in, or the commit of, a transaction that was begun before the fork.

        Raises:
            StorageError: the transaction of this context belongs to the parent.
        """
        if _forks and any(one.is_of_parent for one in _transactions_here()):
            raise _of_parent()

    def _joined(self) -> T | None:
        found = [one for reference in list(self._open) if (one := reference()) is not None and not one.is_over]
        for entered in _transactions_here():
            for one in found:
                if one is entered:
                    self._check_allowed(one)
                    return _innermost(one)
        here = threading.get_ident()
        if any(one.thread == here and one.excludes for one in found) and loop_runs():
            message = f"Another task of this thread has a transaction open. {_USE}, or make the call in another thread."
            raise StorageError(message)
        return None

    def _check_allowed(self, one: T) -> None:
        is_here = one.thread == threading.get_ident()
        if is_here and (one.is_call or not loop_runs()):
            return
        why = "an event loop runs in this thread" if is_here else "another thread began it"
        message = f"A transaction is open in this context, and the backend's own ports cannot join it: {why}. {_USE}."
        raise StorageError(message)


class BoundTransactions(Transactions[T]):
    """One transaction, which all calls join."""

    def __init__(self, transaction: T, opened: set[ref[T]]) -> None:
        """Join `transaction` until it ends; those nested in it are among the open ones of the store."""
        self._open = opened
        self._bound = ref(transaction)

    def current(self) -> T:
        """Return the transaction, or the one that the same thread nested in it.

        Raises:
            StorageError: it has ended, was begun before the fork, or another task or thread nested one in it.
        """
        transaction = self._bound()
        if transaction is None:
            raise ended()
        transaction.check_open()
        if transaction.is_of_parent:
            raise _of_parent()
        return _innermost(transaction)


def is_in_transaction() -> bool:
    """Return whether this context entered or inherited a transaction of any store that is open."""
    return bool(_entered.get()) and any(True for _ in _transactions_here())


def would_wait_for_itself(holder: OpenTransaction) -> bool:
    """Return whether a call that waits for the end of `holder` would prevent it.

    Another thread that did not inherit it can wait, and so can the thread that began it, if that has no event loop: a
    web framework ends a transaction in another thread of its pool.
    """
    if holder in _transactions_here():
        return True
    return holder.thread == threading.get_ident() and (holder.is_call or loop_runs())


def loop_runs() -> bool:
    """Return whether an asyncio event loop runs in this thread."""
    asyncio = sys.modules.get("asyncio")  # importing it takes as long as importing core
    if asyncio is None:
        return False
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _innermost(transaction: T) -> T:
    while transaction.inner is not None:
        inner = transaction.inner()
        if inner is None or inner.is_over:
            break
        if inner.thread != threading.get_ident() or loop_runs():
            raise nested_open()
        transaction = inner  # type: ignore[assignment]
    return transaction


def _is_open(reference: ref[OpenTransaction]) -> bool:
    transaction = reference()
    return transaction is not None and not transaction.is_over


def _transactions_here() -> Iterator[OpenTransaction]:
    """Yield the open transactions that this context entered or inherited, innermost first."""
    for reference in reversed(_entered.get()):
        transaction = reference()
        if transaction is not None and not transaction.is_over:
            yield transaction


def ended() -> StorageError:
    """Return the error of a call on the ports of a transaction that has ended."""
    return StorageError("The transaction of these ports has ended. Begin another one, or use the backend's own ports.")


def nested_open() -> StorageError:
    """Return the error of a call on the ports of a transaction while one nested in it is open."""
    return StorageError("A nested transaction is open. Use the ports that it yielded, or end it first.")


def _of_parent() -> StorageError:
    return StorageError(
        "This transaction was begun before the fork and belongs to the parent process. It cannot be written here. "
        "Leave its `with` block first, or fork outside of it."
    )


def _count_fork() -> None:
    global _forks  # noqa: PLW0603
    _forks += 1


do_first_in_child(_count_fork)
