"""Start of threads, with an error at the system's limit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asm_core.errors import StorageConnectionError

if TYPE_CHECKING:
    import threading


def begin_thread(thread: threading.Thread, purpose: str) -> None:
    """Start a thread.

    Args:
        thread: the thread to start.
        purpose: its purpose, for the message: "poll for new events".

    Raises:
        StorageConnectionError: the system has no room for another one; the same call may succeed later.
    """
    try:
        thread.start()
    except RuntimeError as error:
        raise no_thread(error, purpose) from error


def no_thread(error: RuntimeError, purpose: str) -> StorageConnectionError:
    """Return the error for a thread that Python could not start."""
    return StorageConnectionError(
        f"Cannot start a thread to {purpose} ({error}). End some threads, raise the limit of processes, or retry."
    )
