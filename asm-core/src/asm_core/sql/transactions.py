"""The open transaction of each thread, which further calls of the thread join."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Generic
from weakref import ref

from asm_core.concurrency.contexts import contextmanager
from asm_core.errors import StorageError
from asm_core.sql.connector import C

if TYPE_CHECKING:
    from collections.abc import Iterator


class OpenTransaction(Generic[C]):
    """A transaction that calls can join. It is open while this object is referenced.

    Attributes:
        connection: the connection on which the transaction is open.
        is_own: whether the backend began it, not the caller.
        is_over: whether its context has ended.
    """

    __slots__ = ("__weakref__", "connection", "is_over", "is_own")

    def __init__(self, connection: C, *, is_own: bool) -> None:
        """Describe the open transaction of `connection`."""
        self.connection = connection
        self.is_own = is_own
        self.is_over = False


class _Innermost(threading.local, Generic[C]):
    """A reference to the innermost transaction of this thread.

    Only a reference, so that no interruption leaves a thread in a finished transaction.
    """

    reference: ref[OpenTransaction[C]] | None = None


class Transactions(Generic[C]):
    """Records the open transaction of each thread."""

    def __init__(self) -> None:
        """Start without a transaction."""
        self._innermost = _Innermost[C]()
        self._inherited: tuple[int, ref[OpenTransaction[C]]] | None = None

    @property
    def innermost(self) -> OpenTransaction[C] | None:
        """The innermost transaction of this thread."""
        reference = self._innermost.reference
        return None if reference is None else reference()

    def is_own(self) -> bool:
        """Return whether this thread is in a transaction that the backend began."""
        transaction = self.innermost
        return transaction is not None and transaction.is_own

    @contextmanager
    def enter(self, transaction: OpenTransaction[C]) -> Iterator[None]:
        """Make the calls of this thread join a transaction, until the context ends."""
        # Not the connection from the connector: that ends with the caller's transaction.
        outer = self._innermost.reference
        try:
            self._innermost.reference = ref(transaction)
            yield
        finally:
            transaction.is_over = True
            self._innermost.reference = outer

    def leave_to_parent(self) -> None:
        """Release all transactions in a forked child; that of this thread belongs to the parent."""
        transaction = self.innermost
        self._innermost = _Innermost[C]()
        if transaction is not None:
            self._inherited = threading.get_ident(), ref(transaction)

    def check_begun_here(self) -> None:
        """Reject a write in, or the commit of, a transaction that was begun before the fork.

        Raises:
            StorageError: the transaction of this thread belongs to the parent.
        """
        if self._inherited is None:
            return
        thread, reference = self._inherited
        transaction = reference()
        if transaction is None or transaction.is_over:
            self._inherited = None
        elif thread == threading.get_ident():
            message = (
                "This transaction was begun before the fork and belongs to the parent process. It cannot be written "
                "here. Leave its `with` block first, or fork outside of it."
            )
            raise StorageError(message)
